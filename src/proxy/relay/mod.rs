//! The relay: the two directions of one session, in one task, without a buffer of their own.
//!
//! `flow` is a direction, this file moves its bytes and notices the ends, `ending` decides what an end leads to, `closing`
//! is closewatch ending a session itself, `run` is the task.
//!
//! Why it is written as one hand-made poll function: both directions share the task's wake-up and the thread's read
//! buffer, so an idle session holds neither. Each direction reads until the socket is empty or its turn is over; tokio
//! clears readiness after a short read but keeps a hang-up, so neither a useless read nor a further wake-up is paid.

mod closing;
mod ending;
mod flow;
mod run;
pub(super) mod session;
mod splicing;
#[cfg(test)]
mod tests;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::Sleep;

use self::closing::Closing;
use self::flow::{Course, Flow};
pub(super) use self::run::Run;
use self::session::SessionFile;
use crate::close::{CloseCode, Elapsed, End, Event};
use crate::proxy::transport::leg::{Leg, end_of};
use crate::proxy::transport::read_buffer;
use crate::proxy::transport::tcp_info::HungUp;
use crate::proxy::transport::tls::alert_of;
use crate::shutdown::{Phase, Shutdown};
use crate::wire::{Peer, ReservedBits, Tap};

/// Reads of one direction before the other has its turn.
const READS_PER_TURN: usize = 4;

/// How often the kernel is asked about a peer that is not read: because the other does not take its bytes, or because it
/// has sent its FIN.
const STALLED_WATCH: Duration = Duration::from_secs(1);

/// When the kernel is first concerned with a session, at most: many end sooner, and are spared the system calls. Keepalive
/// counts from the last byte, so nothing is noticed later.
const FIRST_LOOK: Duration = Duration::from_secs(1);

/// How long a session may do what. `None` is for ever.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// Both Closes written, and the transports still up.
    pub(super) linger: Duration,
    /// Half over, and no byte moves.
    pub(super) half_closed: Option<Duration>,
    /// Bytes for a peer, and no acknowledgement of anything.
    pub(super) dead_peer: Option<Duration>,
    /// No frame but Closes.
    pub(super) idle: Option<Duration>,
    /// closewatch's own Close, and no reply.
    pub(super) close_reply: Duration,
    /// Sessions are given their Close at a random time within this, so that their clients do not all come back at once.
    pub(super) drain_jitter: Duration,
    /// The code of closewatch's own Close; `None` if it sends none.
    pub(super) own_code: Option<CloseCode>,
    /// Its reason.
    pub(super) own_reason: Box<str>,
    /// Whether payload may be spliced.
    pub(super) splice: bool,
}

/// One live session.
///
/// What few sessions have, or all for a moment, is boxed while they have it.
pub(super) struct Relay {
    file: SessionFile,
    limits: Arc<Limits>,
    shutdown: Shutdown,
    /// The phase of the process that is known here.
    phase: Option<Phase>,
    /// By peer.
    legs: [Leg; 2],
    /// By sender.
    flows: [Flow; 2],
    /// What a write to this peer reported. The kernel says it once: the read that follows gives a plain end.
    write_end: [Option<End>; 2],
    /// Since when this peer takes nothing more, and how many bytes the gauge was told.
    stalled: [Option<Box<Stalled>>; 2],
    /// What this peer may not have acknowledged.
    unacknowledged: [Option<Box<Unacknowledged>>; 2],
    /// A peer that is not read was seen to have hung up.
    hung_up: [Option<HungUp>; 2],
    /// When that was last looked into.
    watched: Elapsed,
    /// When a byte last moved, either way.
    moved: Elapsed,
    /// When both Closes had been written on.
    closes_written: Option<Elapsed>,
    /// When the kernel is asked again whether a peer has everything before the reset.
    reset_check: Option<Box<ResetCheck>>,
    /// The kernel asks idle peers whether they are still there.
    kept_alive: bool,
    /// When this session's share of a drain begins.
    drain_at: Option<Elapsed>,
    closing: Option<Box<Closing>>,
    timer: Option<Pin<Box<Sleep>>>,
    /// Whom the timer wakes.
    timer_wakes: Option<Waker>,
    /// A turn changed something that the other direction has to look at.
    again: bool,
}

#[derive(Debug)]
struct Stalled {
    since: Duration,
    bytes: i64,
}

/// Bytes that were written, and which the kernel has not yet been asked about.
#[derive(Debug)]
struct Unacknowledged {
    since: Duration,
    check: Duration,
}

/// A reset that waits to be passed on.
#[derive(Debug)]
struct ResetCheck {
    since: Duration,
    at: Duration,
}

// === impl Relay ===

impl Relay {
    /// A relay between two legs that are both just behind the 101.
    pub(super) fn new(
        file: SessionFile,
        limits: Arc<Limits>,
        shutdown: Shutdown,
        legs: [Leg; 2],
        reserved_bits: ReservedBits,
    ) -> Self {
        let kept_alive = limits.dead_peer.is_none();
        Self {
            file,
            limits,
            shutdown,
            phase: None,
            kept_alive,
            legs,
            flows: Peer::ALL.map(|peer| Flow::new(Tap::new(peer, reserved_bits))),
            write_end: [None; 2],
            stalled: [const { None }; 2],
            unacknowledged: [const { None }; 2],
            hung_up: [None; 2],
            watched: Elapsed::ZERO,
            moved: Elapsed::ZERO,
            closes_written: None,
            reset_check: None,
            drain_at: None,
            closing: None,
            timer: None,
            timer_wakes: None,
            again: false,
        }
    }

    /// Takes `bytes` of `from` that were read behind the handshake. Before [`Relay::run`], and only then.
    pub(super) fn begin_with(&mut self, from: Peer, bytes: &[u8]) {
        if !bytes.is_empty() {
            let now = self.file.now();
            // Nobody to wake yet: the first turn asks again for whatever has to wait.
            self.take(from, bytes, None, &mut Context::from_waker(Waker::noop()), now);
        }
    }
}

impl Relay {
    /// Moves what can be moved, then sees what follows from it. Ready when the record is due.
    ///
    /// The clock is read once, before: what one turn moves takes microseconds.
    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
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
            let held_up = self.flows[from.index()].waiting() > 0 && self.flush(from, cx, now).is_pending();
            // What is only read to be counted waits for nobody.
            if held_up && self.flows[from.index()].forwards() {
                return;
            }
            if self.flows[from.index()].ended {
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
        let before = self.flows[from.index()].waiting();
        let flushed = self.flows[from.index()].flush(&mut self.legs[to.index()], cx);
        if self.flows[from.index()].waiting() < before {
            self.wrote(from, now);
        }
        match flushed {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(())) => self.again = true,
            Poll::Ready(Err(error)) => self.write_failed(to, &error, now),
        }
        self.gauge_stall(from, now);
        Poll::Ready(())
    }

    /// Reads at most `most` from `from`, once, and passes it on.
    fn read(&mut self, from: Peer, most: usize, cx: &mut Context<'_>, now: Duration) -> Poll<()> {
        read_buffer::lend(|buffer, spare| {
            let most = most.min(buffer.len());
            let mut read = ReadBuf::new(&mut buffer[..most]);
            match Pin::new(&mut self.legs[from.index()]).poll_read(cx, &mut read) {
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
        let flow = &mut self.flows[from.index()];
        let boundary = match flow.course {
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
        let flow = &mut self.flows[from.index()];
        // The look may have found the other peer gone.
        if flow.forwards() {
            match flow.write(&mut self.legs[from.other().index()], forward, last, cx) {
                Ok(()) => {
                    self.wrote(from, now);
                    self.gauge_stall(from, now);
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
        let flow = &self.flows[peer.index()];
        if flow.tap.close_seen() || flow.ended || flow.waiting() > 0 {
            return;
        }
        let mut read = ReadBuf::new(buffer);
        match Pin::new(&mut self.legs[peer.index()]).poll_read(cx, &mut read) {
            Poll::Pending => {}
            Poll::Ready(Err(error)) => self.read_failed(peer, &error, now),
            Poll::Ready(Ok(())) if read.filled().is_empty() => self.read_ended(peer, End::Fin, now),
            Poll::Ready(Ok(())) => {
                self.again = true;
                self.take(peer, read.filled(), None, cx, now);
            }
        }
    }

    /// The other peer's socket took bytes of `from`.
    fn wrote(&mut self, from: Peer, now: Duration) {
        let (flow, to) = (&self.flows[from.index()], from.other());
        self.moved = now.into();
        self.file.on(Event::Written { from, total: flow.delivered() }, now);
        if let Some(code) = flow.own_close_written() {
            self.file.on(Event::OwnClose { to, code }, now);
        }
        if let Some(limit) = self.limits.dead_peer {
            // Soon while the session is young, so that one that falls silent keeps no timer; later ever more rarely.
            let check = now + limit.min(now.max(FIRST_LOOK));
            self.unacknowledged[to.index()].get_or_insert_with(|| Box::new(Unacknowledged { since: now, check }));
        }
    }

    /// A write to `peer` failed: nothing can be sent to it any more, but what it sent before is still to be read.
    fn write_failed(&mut self, peer: Peer, error: &io::Error, now: Duration) {
        let end = end_of(error);
        self.write_end[peer.index()].get_or_insert(end);
        self.flows[peer.other().index()].give_up();
        self.gauge_stall(peer.other(), now);
        if self.flows[peer.index()].ended {
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
    fn read_ended(&mut self, peer: Peer, how: End, now: Duration) {
        // After a reset that a write reported, the read says a plain end, which is not a FIN.
        let how = match (how, self.write_end[peer.index()]) {
            (End::Fin | End::TlsTruncated, Some(reported)) => reported,
            (how, _) => how,
        };
        self.end_peer(peer, how, now);
    }

    /// `peer`'s transport has ended, of itself.
    fn end_peer(&mut self, peer: Peer, how: End, now: Duration) {
        self.note_kernel(peer, how != End::Fin, now);
        self.file.on(Event::Ended { peer, how }, now);
        self.flows[peer.index()].ended = true;
        if how != End::Fin && how != End::TlsTruncated {
            self.flows[peer.other().index()].give_up();
            self.gauge_stall(peer.other(), now);
        }
        self.moved = now.into();
        self.again = true;
    }

    /// Puts what the kernel knows of `peer`'s leg into the facts: always whether bytes are unacknowledged, its round-trip
    /// time and retransmits only where the end is `odd`.
    fn note_kernel(&mut self, peer: Peer, odd: bool, now: Duration) {
        if let Some(kernel) = self.legs[peer.index()].tcp_info() {
            let tcp = odd.then_some(kernel.facts);
            self.file.on(Event::Kernel { peer, unacknowledged: kernel.unacknowledged, tcp }, now);
        }
    }

    /// Tells the gauges how many bytes of `from` wait now.
    fn gauge_stall(&mut self, from: Peer, now: Duration) {
        let (waiting, peer) = (self.flows[from.index()].waiting(), from.other());
        // One read at most, and a Close: far from the bound.
        let waiting = i64::try_from(waiting).unwrap_or(i64::MAX);
        let stalled = &mut self.stalled[peer.index()];
        let (since, told) = stalled.as_ref().map_or((now, 0), |stalled| (stalled.since, stalled.bytes));
        if waiting == told {
            return;
        }
        let sink = self.file.sink();
        sink.spilled(waiting - told);
        if told == 0 {
            sink.stalled(1);
        } else if waiting == 0 {
            sink.stalled(-1);
        }
        *stalled = (waiting > 0).then(|| Box::new(Stalled { since, bytes: waiting }));
        if waiting == 0 {
            self.file.on(Event::Stalled { peer, time: now.saturating_sub(since) }, now);
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let now = self.file.now();
        for peer in Peer::ALL {
            let Some(stalled) = self.stalled[peer.index()].take() else { continue };
            self.file.sink().spilled(-stalled.bytes);
            self.file.sink().stalled(-1);
            self.file.on(Event::Stalled { peer, time: now.saturating_sub(stalled.since) }, now);
        }
    }
}
