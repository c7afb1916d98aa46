//! One turn of a session: move the bytes that can be moved, notice ends, then decide what follows from them.
//!
//! Written as one hand-made poll function, because both directions share the task's wake-up and the thread's read buffer:
//! an idle session holds neither. Each direction reads until the socket is empty or its turn is over; tokio clears
//! readiness after a short read but keeps a hang-up, so neither a useless read nor a further wake-up is paid.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};

use super::flow::Course;
use super::state::{FIRST_LOOK, Relay, Stalled, Unacknowledged};
use crate::close::{End, Event};
use crate::proxy::transport::leg::end_of;
use crate::proxy::transport::read_buffer;
use crate::proxy::transport::tls::alert_of;
use crate::wire::Peer;

/// Reads of one direction before the other has its turn.
const READS_PER_TURN: usize = 4;

// === impl Relay ===

impl Relay {
    /// Takes `bytes` of `from` that were read behind the handshake. Before [`Relay::run`], and only then.
    pub(in crate::proxy) fn begin_with(&mut self, from: Peer, bytes: &[u8]) {
        if !bytes.is_empty() {
            let now = self.file.now();
            // Nobody to wake yet: the first turn asks again for whatever has to wait.
            self.take(from, bytes, None, &mut Context::from_waker(Waker::noop()), now);
        }
    }

    /// Moves bytes both ways, then decides what follows. Ready when the record is due.
    ///
    /// The clock is read once, before: what one turn moves takes microseconds.
    pub(super) fn turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            self.again = false;
            let now = self.file.now();
            for peer in Peer::ALL {
                self.pump(peer, cx, now);
            }
            if self.settle(cx, now).is_ready() {
                return Poll::Ready(());
            }
            if !self.again && self.wait(cx, now).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Moves bytes of `from` until there are none, or the other peer takes no more.
    fn pump(&mut self, from: Peer, cx: &mut Context<'_>, now: Duration) {
        for _ in 0..READS_PER_TURN {
            let held_up = self.side(from).flow.waiting() > 0 && self.flush(from, cx, now).is_pending();
            // Bytes that are only read to be counted wait for nobody.
            if held_up && self.side(from).flow.forwards() {
                return;
            }
            if self.has_ended(from) {
                return;
            }
            if self.move_some(from, cx, now).is_pending() {
                return;
            }
        }
        self.again = true;
    }

    /// Writes what waits for the other peer.
    fn flush(&mut self, from: Peer, cx: &mut Context<'_>, now: Duration) -> Poll<()> {
        let to = from.other();
        let (flow, leg) = self.flow_and_leg(from);
        let before = flow.waiting();
        let flushed = flow.flush(leg, cx);
        if self.side(from).flow.waiting() < before {
            self.wrote(from, now);
        }
        match flushed {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(())) => self.again = true,
            Poll::Ready(Err(error)) => self.write_failed(to, &error, now),
        }
        self.gauge_stall(from, true, now);
        Poll::Ready(())
    }

    /// Reads at most `most` from `from`, once, and passes it on.
    pub(super) fn read(&mut self, from: Peer, most: usize, cx: &mut Context<'_>, now: Duration) -> Poll<()> {
        read_buffer::lend(|buffer, spare| {
            let most = most.min(buffer.len());
            let mut read = ReadBuf::new(&mut buffer[..most]);
            match Pin::new(&mut self.side_mut(from).leg).poll_read(cx, &mut read) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => self.read_failed(from, &error, now),
                Poll::Ready(Ok(())) if read.filled().is_empty() => self.read_ended(from, End::Fin, now),
                Poll::Ready(Ok(())) => {
                    self.take(from, read.filled(), Some(spare), cx, now);
                    self.choose_way(from, read.remaining() == 0);
                }
            }
            Poll::Ready(())
        })
    }

    /// Takes `bytes` of `from`: to the tap, and on to the other peer. `spare` is a buffer to look at the other leg with.
    fn take(&mut self, from: Peer, bytes: &[u8], spare: Option<&mut [u8]>, cx: &mut Context<'_>, now: Duration) {
        self.moved = now.into();
        let flow = &mut self.sides[from.index()].flow;
        let boundary = match flow.course() {
            Course::Forward => None,
            Course::ForwardUntil(boundary) => Some(boundary),
            Course::Discard { .. } => {
                self.file.read(from, &mut flow.tap, bytes, None, now);
                return;
            }
        };
        let reading = self.file.read(from, &mut flow.tap, bytes, boundary, now);
        if reading.closed
            && let Some(spare) = spare
        {
            self.look(from.other(), spare, cx, now);
        }
        let (forward, rest) = bytes.split_at(reading.taken);
        let last = reading.closed && self.fin_follows(from);
        let (flow, leg) = self.flow_and_leg(from);
        // The look may have found the other peer gone.
        if flow.forwards() {
            match flow.write(leg, forward, last, cx) {
                Ok(()) => {
                    self.wrote(from, now);
                    self.gauge_stall(from, true, now);
                }
                Err(error) => self.write_failed(from.other(), &error, now),
            }
        }
        if boundary.is_some() {
            self.at_boundary(from);
            if !rest.is_empty() {
                self.take(from, rest, None, cx, now);
            }
        }
    }

    /// Looks once, without waiting, whether `peer` has sent a Close before it could know of the one in hand.
    ///
    /// A lower bound: what is on its way here is not seen, and counts as a reply later.
    fn look(&mut self, peer: Peer, buffer: &mut [u8], cx: &mut Context<'_>, now: Duration) {
        let flow = &self.side(peer).flow;
        if !(flow.tap.close_seen() || self.has_ended(peer) || flow.waiting() > 0) {
            let _ = self.read_into(buffer, peer, cx, now);
        }
    }

    /// Reads from `peer` once, into a buffer other than the worker's, which is in use.
    fn read_into(&mut self, buffer: &mut [u8], peer: Peer, cx: &mut Context<'_>, now: Duration) -> Poll<()> {
        let mut read = ReadBuf::new(buffer);
        match ready!(Pin::new(&mut self.side_mut(peer).leg).poll_read(cx, &mut read)) {
            Err(error) => self.read_failed(peer, &error, now),
            Ok(()) if read.filled().is_empty() => self.read_ended(peer, End::Fin, now),
            Ok(()) => {
                self.again = true;
                self.take(peer, read.filled(), None, cx, now);
            }
        }
        Poll::Ready(())
    }

    /// The other peer's socket took bytes of `from`.
    pub(super) fn wrote(&mut self, from: Peer, now: Duration) {
        let to = from.other();
        self.moved = now.into();
        let flow = &self.sides[from.index()].flow;
        self.file.on(Event::Written { from, total: flow.delivered() }, now);
        if let Some(code) = flow.own_close_written() {
            self.file.own_close_written(to, code, now);
        }
        if let Some(limit) = self.file.limits().dead_peer {
            // Soon while the session is young, so that one that falls silent keeps no timer; later ever more rarely.
            let check = now + limit.min(now.max(FIRST_LOOK));
            self.side_mut(to).unacknowledged.get_or_insert_with(|| Box::new(Unacknowledged { since: now, check }));
        }
    }

    /// A write to `peer` failed: nothing can be sent to it any more, but what it sent before is still to be read.
    pub(super) fn write_failed(&mut self, peer: Peer, error: &io::Error, now: Duration) {
        let end = end_of(error);
        self.side_mut(peer).write_end.get_or_insert(end);
        self.side_mut(peer.other()).flow.give_up();
        self.gauge_stall(peer.other(), false, now);
        if self.has_ended(peer) {
            self.note_kernel(peer, true, now);
            self.file.on(Event::Ended { peer, how: end }, now);
        }
        self.again = true;
    }

    /// Nothing more can be read from `peer`.
    fn read_failed(&mut self, peer: Peer, error: &io::Error, now: Duration) {
        if let Some(alert) = alert_of(error) {
            self.file.on(Event::Alert { peer, alert }, now);
        }
        self.read_ended(peer, end_of(error), now);
    }

    /// Nothing more comes from `peer`: everything before was read.
    pub(super) fn read_ended(&mut self, peer: Peer, how: End, now: Duration) {
        // After a reset that a write reported, the read says a plain end, which is not a FIN.
        let how = match (how, self.side(peer).write_end) {
            (End::Fin | End::TlsTruncated, Some(reported)) => reported,
            (how, _) => how,
        };
        self.end_peer(peer, how, now);
    }

    /// `peer`'s transport has ended, of itself.
    pub(super) fn end_peer(&mut self, peer: Peer, how: End, now: Duration) {
        let is_gone = how != End::Fin && how != End::TlsTruncated;
        if is_gone {
            self.side_mut(peer.other()).flow.give_up();
            self.gauge_stall(peer.other(), false, now);
            self.read_what_came_before(peer, now);
        }
        // A FIN behind a whole closing handshake leaves nothing to ask for: that handshake is the answer to all that was sent.
        if how != End::Fin || self.file.ledger().closes_written().is_none() {
            self.note_kernel(peer, how != End::Fin, now);
        }
        self.file.on(Event::Ended { peer, how }, now);
        self.moved = now.into();
        self.again = true;
    }

    /// If the other peer had hung up before `peer` is gone, reads it to its end: only that `peer` took nothing hid that end,
    /// and the Close that may stand before it. So the ledger is told what happened first before it is told what followed.
    fn read_what_came_before(&mut self, peer: Peer, now: Duration) {
        let other = peer.other();
        // Of two that hung up while they were not read it is not known which was the first.
        if self.side(other).hung_up.is_none() || self.side(peer).hung_up.is_some() {
            return;
        }
        // Nobody is to be woken: bytes whose end has come are all there.
        let mut cx = Context::from_waker(Waker::noop());
        let mut buffer = vec![0; read_buffer::SIZE];
        while !self.has_ended(other) && self.read_into(&mut buffer, other, &mut cx, now).is_ready() {}
    }

    /// Puts what the kernel knows of `peer`'s leg into the facts: always the bytes that are unacknowledged, its round-trip
    /// time and retransmits only where the end is `odd`.
    pub(super) fn note_kernel(&mut self, peer: Peer, odd: bool, now: Duration) {
        if let Some(kernel) = self.side(peer).leg.tcp_info() {
            let tcp = odd.then_some(kernel.facts);
            // The upstream's connection is the one that was opened from here.
            let unacknowledged = kernel.outstanding(peer == Peer::Upstream);
            self.file.on(Event::Kernel { peer, unacknowledged, tcp }, now);
        }
    }

    /// Tells the gauges how many bytes of `from` wait now; if none do any more, whether that is because the other peer took
    /// them (`relieved`).
    pub(super) fn gauge_stall(&mut self, from: Peer, relieved: bool, now: Duration) {
        let (waiting, peer) = (self.side(from).flow.waiting(), from.other());
        // One read at most, and a Close: far from the bound.
        let waiting = i64::try_from(waiting).unwrap_or(i64::MAX);
        let stalled = &mut self.sides[peer.index()].stalled;
        let (since, told) = stalled.as_ref().map_or((now, 0), |stalled| (stalled.since, stalled.bytes));
        if waiting == told {
            return;
        }
        let sink = self.file.sink();
        sink.spilled(waiting - told);
        if told == 0 {
            sink.stalled(1);
            self.file.stall_began(peer, now);
        } else if waiting == 0 {
            sink.stalled(-1);
        }
        *stalled = (waiting > 0).then(|| Box::new(Stalled { since, bytes: waiting }));
        if waiting == 0 {
            // The sender has hung up meanwhile: its end, which is read only now, came while the peer took nothing.
            let relieved = relieved && self.side(from).hung_up.is_none();
            self.file.on(Event::Stalled { peer, time: now.saturating_sub(since), relieved }, now);
        }
    }
}
