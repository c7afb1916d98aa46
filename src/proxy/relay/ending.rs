//! The consequences of an end: FIN is passed on as FIN, a reset as a reset, and the record is due when nothing more can
//! happen.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::state::{AckCheck, FIRST_LOOK, Relay, Unacknowledged};
use crate::close::{Cause, CompactDuration, End, Event};
use crate::proxy::transport::leg::Leg;
use crate::proxy::transport::tcp_info::{HungUp, TcpInfo};
use crate::wire::Peer;

/// Pause after an end before the kernel is first asked whether the other peer has acknowledged everything.
const FIRST_ACK_CHECK: Duration = Duration::from_millis(1);
/// The longest pause between two such questions. Each pause is as long as the wait so far, up to this.
const LAST_ACK_CHECK: Duration = Duration::from_millis(50);

/// Pause between two questions to the kernel about a peer that is not read: because the other does not take its bytes, or
/// because it has sent its FIN.
const STALLED_WATCH: Duration = Duration::from_secs(1);

/// How long a living host may take to answer its kernel's question.
const ANSWER_PATIENCE: Duration = Duration::from_secs(1);

/// The last act on a leg before the record is made.
#[derive(Clone, Copy)]
enum Farewell {
    /// A leg that is still up gets a FIN.
    Fin,
    /// A leg that is still up is reset.
    Reset,
}

impl Relay {
    /// Decides what follows from the events so far. Ready when the session is over.
    pub(super) fn settle(&mut self, cx: &mut Context<'_>, now: Duration) -> Poll<()> {
        if self.closing.is_none() && self.drain_at.is_some_and(|at| now >= at.get()) {
            self.close(Cause::Drain, now);
        }
        if self.closing.is_some() {
            return self.settle_closing(cx, now);
        }
        self.keep_alive(now);
        self.check_dead_peers(now);
        if !self.file.ledger().is_ending() {
            self.check_idle(now);
            self.check_hung_up(now);
            return if self.is_past_half_closed(now) { self.finish(Farewell::Reset, cx, now) } else { Poll::Pending };
        }
        // A reset is passed on behind everything that came before it; the other direction has nobody to go to.
        if let Some(gone) = Peer::ALL.into_iter().find(|peer| self.is_gone(*peer)) {
            ready!(self.delivered_before_reset(gone, now));
            self.reset(gone.other(), now);
            return self.finish(Farewell::Reset, cx, now);
        }
        // The last of the FINs is left to the drop that follows the record.
        if Peer::ALL.into_iter().all(|from| self.side(from.other()).fin_sent || self.is_done(from)) {
            if let Some(peer) = Peer::ALL.into_iter().find(|peer| self.file.ledger().closed_behind_fin(*peer)) {
                // The FIN that the Close waits for in the socket.
                self.send_fin(peer, cx);
                ready!(self.acknowledged(peer, false, now));
            }
            return self.finish(Farewell::Fin, cx, now);
        }
        for from in Peer::ALL {
            self.pass_fin(from, cx);
        }
        if self.file.ledger().closes_written().is_some_and(|since| now >= since + self.file.limits().linger) {
            return self.finish(Farewell::Fin, cx, now);
        }
        self.check_hung_up(now);
        if self.is_past_half_closed(now) { self.finish(Farewell::Reset, cx, now) } else { Poll::Pending }
    }

    /// Waits for the next time at which something is due by itself. Ready if that is now.
    pub(super) fn wait(&mut self, cx: &mut Context<'_>, now: Duration) -> Poll<()> {
        let Some(due) = self.next_due() else {
            self.timer.stop();
            return Poll::Pending;
        };
        if due <= now {
            return Poll::Ready(());
        }
        self.timer.poll(self.file.instant(due), cx)
    }

    /// The earliest time at which [`Relay::settle`] would do something without any byte moving.
    fn next_due(&self) -> Option<Duration> {
        if let Some(closing) = &self.closing {
            return Some(closing.due());
        }
        if let Some(check) = &self.ack_check {
            return Some(check.at);
        }
        let limits = self.file.limits();
        let ledger = self.file.ledger();
        let dead_peer = self.sides.iter().flat_map(|side| &side.unacknowledged).map(|bytes| bytes.check).min();
        let stalled = self.is_watched().then(|| self.moved_or_watched() + STALLED_WATCH);
        let half_closed = limits
            .half_closed
            .filter(|_| ledger.is_ending() || self.has_hung_up())
            .map(|limit| self.moved.get() + limit);
        let linger = ledger.closes_written().map(|since| since + limits.linger);
        let idle = limits.idle.filter(|_| !ledger.is_ending()).map(|limit| ledger.last_activity() + limit);
        let keep_alive = self.keep_alive_at();
        let drain = self.drain_at.map(CompactDuration::get);
        [dead_peer, keep_alive, stalled, half_closed, linger, drain, idle].into_iter().flatten().min()
    }

    /// Whether `peer`'s transport is broken, not just at its end: also if that shows only behind its FIN.
    fn is_gone(&self, peer: Peer) -> bool {
        self.file.ledger().own_end(peer).is_some_and(|end| match end.how {
            End::Reset | End::Timeout => true,
            End::Fin | End::TlsTruncated => self.side(peer).write_end.is_some(),
            End::Open | End::Local => false,
        })
    }

    /// Ready when all that `gone` had sent is acknowledged by the other peer, or cannot be, or `linger` is over.
    ///
    /// A zero-linger close throws the send queue away: a Close 1011 in it would turn into a 1006.
    fn delivered_before_reset(&mut self, gone: Peer, now: Duration) -> Poll<()> {
        let to = gone.other();
        if self.is_gone(to) {
            return Poll::Ready(());
        }
        let waiting = self.side(gone).flow.waiting() > 0;
        self.acknowledged(to, waiting, now)
    }

    /// Ready when `peer` has acknowledged all that was written to it, or cannot any more, or `linger` is over. Not while
    /// bytes for it are still `waiting` here.
    fn acknowledged(&mut self, peer: Peer, waiting: bool, now: Duration) -> Poll<()> {
        // Since the first question: a reset behind a FIN may come long after the end of that peer's bytes.
        let since = self.ack_check.as_ref().map_or(now, |check| check.since);
        let last = since + self.file.limits().linger;
        if now >= last {
            return Poll::Ready(());
        }
        if self.ack_check.as_ref().is_some_and(|check| now < check.at) {
            return Poll::Pending;
        }
        if !waiting && !self.side(peer).leg.tcp_info().is_some_and(|kernel| kernel.unacknowledged) {
            return Poll::Ready(());
        }
        let pause = now.saturating_sub(since).clamp(FIRST_ACK_CHECK, LAST_ACK_CHECK);
        self.ack_check = Some(Box::new(AckCheck { since, at: (now + pause).min(last) }));
        Poll::Pending
    }

    /// Whether `peer`'s FIN is what this turn comes to next, and passes on.
    ///
    /// A segment that TCP keeps for it in vain is late by 200 ms. A close_notify that was said in vain cannot be taken back: then
    /// the kernel is asked.
    pub(super) fn fin_follows(&self, peer: Peer) -> bool {
        let (leg, to) = (&self.side(peer).leg, &self.side(peer.other()).leg);
        let passes = self.closing.is_none() && self.side(peer).write_end.is_none();
        passes && leg.fin_has_come() && (to.is_plain() || leg.fin_is_next())
    }

    /// Whether all bytes of `from` were read and written on.
    fn is_done(&self, from: Peer) -> bool {
        self.has_ended(from) && self.side(from).flow.waiting() == 0
    }

    fn has_hung_up(&self) -> bool {
        self.sides.iter().any(|side| side.hung_up.is_some())
    }

    /// Passes the end of `from`'s bytes on, once they are all written.
    fn pass_fin(&mut self, from: Peer, cx: &mut Context<'_>) {
        if self.is_done(from) && !self.side(from.other()).fin_sent {
            self.send_fin(from.other(), cx);
        }
    }

    /// Sends a FIN to `peer`. Once, as soon as that can be.
    pub(super) fn send_fin(&mut self, peer: Peer, cx: &mut Context<'_>) {
        if self.side(peer).fin_sent {
            return;
        }
        let how = self.file.ledger().own_end(peer.other()).map_or(End::Open, |end| end.how);
        // It fails only where there is no connection any more: the next read tells how that came.
        let side = self.side_mut(peer);
        side.fin_sent = side.leg.poll_end(how, cx).is_ready();
    }

    /// Resets `peer`'s leg: with the drop that follows the record.
    pub(super) fn reset(&mut self, peer: Peer, now: Duration) {
        self.note_kernel(peer, false, now);
        self.side_mut(peer).leg.reset_on_drop();
        self.file.on(Event::Reset { peer }, now);
        self.file.on(Event::Ended { peer, how: End::Local }, now);
    }

    /// The session is over: whatever is up goes down with its record.
    fn finish(&mut self, farewell: Farewell, cx: &mut Context<'_>, now: Duration) -> Poll<()> {
        let odd = !self.file.ledger().is_ordinary();
        for peer in Peer::ALL {
            let was_read_to_its_end = self.has_ended(peer);
            if let Some(hung_up) = self.side(peer).hung_up {
                // It was never read to its end, but the kernel knows it.
                let how = match hung_up {
                    HungUp::Fin => End::Fin,
                    HungUp::Reset => End::Reset,
                };
                self.file.on(Event::Ended { peer, how }, now);
            }
            let ledger = self.file.ledger();
            let behind_fin = ledger.closed_behind_fin(peer);
            if ledger.end(peer).is_none() || behind_fin || (odd && !ledger.knows_network(peer)) {
                self.note_kernel(peer, odd, now);
            }
            if behind_fin && self.was_reset_behind_its_fin(peer) {
                self.file.on(Event::Ended { peer, how: End::Reset }, now);
            }
            match farewell {
                // To close is a FIN too, but where something was left unread, which makes it a reset. Of TLS that is not known.
                Farewell::Fin if was_read_to_its_end && self.side(peer).leg.is_plain() => {}
                Farewell::Fin => self.send_fin(peer, cx),
                Farewell::Reset => {
                    if self.file.ledger().end(peer).is_none() {
                        self.side_mut(peer).leg.reset_on_drop();
                        self.file.on(Event::Reset { peer }, now);
                    }
                }
            }
        }
        Poll::Ready(())
    }

    /// Whether the connection of a peer that has sent its FIN is over, with bytes in it that it never acknowledged.
    fn was_reset_behind_its_fin(&self, peer: Peer) -> bool {
        let lost = |kernel: &TcpInfo| kernel.outstanding(peer == Peer::Upstream) > 0;
        self.side(peer).leg.tcp_info().filter(lost).is_some_and(|kernel| kernel.hung_up == Some(HungUp::Reset))
    }

    /// When keepalive is due to be set.
    fn keep_alive_at(&self) -> Option<Duration> {
        // Before the first probe would go out.
        self.file.limits().dead_peer.filter(|_| !self.kept_alive).map(|dead_peer| FIRST_LOOK.min(dead_peer / 4))
    }

    fn keep_alive(&mut self, now: Duration) {
        if self.keep_alive_at().is_some_and(|at| now >= at) {
            for side in &self.sides {
                side.leg.keep_alive(self.file.limits().dead_peer);
            }
            self.kept_alive = true;
        }
    }

    /// A peer whose host has acknowledged nothing for too long, while bytes for it wait, is dead: silent, not slow.
    ///
    /// A host whose process does not read answers whenever it is asked. But a closed window is probed more and more
    /// rarely, at last every two minutes, and between two probes nothing is heard of the living either: silence counts
    /// only if it is longer than the kernel's present pause, which doubles when a question goes out.
    fn check_dead_peers(&mut self, now: Duration) {
        let Some(limit) = self.file.limits().dead_peer else { return };
        for peer in Peer::ALL {
            let Some(&Unacknowledged { since, check }) = self.side(peer).unacknowledged.as_deref() else { continue };
            if now < check {
                continue;
            }
            let still_unacknowledged = match self.side(peer).leg.tcp_info() {
                Some(kernel) if kernel.unacknowledged => {
                    let since = since.max(now.saturating_sub(kernel.last_ack));
                    let check = since + limit.max(kernel.pause + ANSWER_PATIENCE);
                    if now >= check {
                        self.side_mut(peer).write_end.get_or_insert(End::Timeout);
                        self.end_peer(peer, End::Timeout, now);
                        None
                    } else {
                        Some(Box::new(Unacknowledged { since, check }))
                    }
                }
                // All is acknowledged: the next write starts the clock anew.
                Some(_) | None => None,
            };
            self.side_mut(peer).unacknowledged = still_unacknowledged;
        }
    }

    fn check_idle(&mut self, now: Duration) {
        let Some(limit) = self.file.limits().idle else { return };
        if now >= self.file.ledger().last_activity() + limit {
            self.close(Cause::IdleTimeout, now);
            self.again = true;
        }
    }

    /// A peer that is not read, because the other takes nothing or because it has sent its FIN, may be gone all the same.
    fn check_hung_up(&mut self, now: Duration) {
        if !self.is_watched() || now < self.moved_or_watched() + STALLED_WATCH {
            return;
        }
        self.watched = now.into();
        for from in Peer::ALL {
            if self.is_held_up(from) {
                let side = self.side_mut(from);
                side.hung_up = hung_up(&side.leg);
            } else if self.is_half_open(from) && hung_up(&self.side(from).leg) == Some(HungUp::Reset) {
                self.side_mut(from).write_end.get_or_insert(End::Reset);
                self.file.on(Event::Ended { peer: from, how: End::Reset }, now);
                self.again = true;
            }
        }
    }

    fn is_watched(&self) -> bool {
        Peer::ALL.into_iter().any(|from| self.is_held_up(from) || self.is_half_open(from))
    }

    /// Whether `peer` is not read because the other takes nothing, and is not known to have hung up.
    fn is_held_up(&self, peer: Peer) -> bool {
        let side = self.side(peer);
        side.flow.waiting() > 0 && !self.has_ended(peer) && side.hung_up.is_none()
    }

    /// Whether `peer` has sent its FIN, and may still be sent to. If its host resets now, no read will ever tell.
    ///
    /// Not once the closing handshake is over: what comes then is the linger's, and nobody is owed a reset.
    fn is_half_open(&self, peer: Peer) -> bool {
        let may_be_sent_to = !self.side(peer).fin_sent && !self.is_gone(peer);
        self.has_ended(peer) && may_be_sent_to && self.file.ledger().closes_written().is_none()
    }

    fn moved_or_watched(&self) -> Duration {
        self.moved.max(self.watched).get()
    }

    fn is_past_half_closed(&self, now: Duration) -> bool {
        let half_over = self.file.ledger().is_ending() || self.has_hung_up();
        half_over && self.file.limits().half_closed.is_some_and(|limit| now >= self.moved.get() + limit)
    }
}

/// How the kernel says that a peer which is not read has ended, if it has.
fn hung_up(leg: &Leg) -> Option<HungUp> {
    leg.tcp_info().and_then(|kernel| kernel.hung_up)
}
