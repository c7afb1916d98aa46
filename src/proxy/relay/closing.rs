//! closewatch ends a session itself: on a drain, or at the idle limit.
//!
//! Towards each peer that was not sent a Close yet goes one of closewatch's own, behind the last byte already accepted and
//! never inside a frame. From then on nothing of the other peer is passed on there. Then the replies, then FIN.

use std::task::{Context, Poll};
use std::time::Duration;

use super::flow::{Course, OwnClose};
use super::state::{Closing, Relay, Step};
use crate::close::{Cause, End, Event};
use crate::wire::{Boundary, Peer, close_frame};

/// How long a direction may take to come to the end of a message, and after that to the end of a frame.
const BOUNDARY_PATIENCE: Duration = Duration::from_secs(1);

/// How long the peers may take to answer a FIN with theirs. Closing with bytes on their way here would answer those with a
/// reset, which can overtake the Close.
const FAREWELL_PATIENCE: Duration = Duration::from_secs(1);

impl Closing {
    /// When something is due by itself.
    pub(super) const fn due(&self) -> Duration {
        self.until
    }
}

impl Relay {
    /// The process is draining: this session's share of it begins within the jitter, with `abort` at once and without
    /// any waiting.
    pub(super) fn drain(&mut self, abort: bool) {
        let now = self.file.now();
        if self.drain_at.is_none() {
            self.drain_at = Some((now + self.file.limits().drain_jitter.mul_f64(fastrand::f64())).into());
        }
        if abort {
            if self.closing.is_none() {
                self.close(Cause::Drain, now);
            }
            if let Some(closing) = &mut self.closing {
                closing.step = Step::Over;
            }
        }
    }

    /// Begins to end the session.
    pub(super) fn close(&mut self, cause: Cause, now: Duration) {
        self.file.on(Event::Decided { cause }, now);
        self.timer.stop();
        let until = now + BOUNDARY_PATIENCE;
        self.closing = Some(Box::new(Closing { step: Step::Messages, until, doomed: [false; 2] }));
        if self.file.limits().own_code.is_none() {
            return;
        }
        for from in Peer::ALL {
            let to = from.other();
            let unwritable = self.side(to).write_end.is_some() || self.side(to).fin_sent;
            let flow = &mut self.side_mut(from).flow;
            let unreachable = unwritable || !flow.forwards();
            if !flow.tap.close_seen() && !unreachable {
                flow.set_course(Course::ForwardUntil(Boundary::Message));
                self.at_boundary(from);
            }
        }
    }

    /// If `from`'s bytes have come to the boundary that is waited for, puts closewatch's Close behind them.
    pub(super) fn at_boundary(&mut self, from: Peer) {
        let flow = &mut self.sides[from.index()].flow;
        let Course::ForwardUntil(boundary) = flow.course() else { return };
        if flow.tap.close_seen() {
            // The peer's own Close came first, and is on its way.
            flow.set_course(Course::Forward);
        } else if flow.tap.is_blind() {
            self.doom(from);
        } else if flow.tap.boundary() >= boundary
            && let Some(code) = self.file.limits().own_code
        {
            let mask = fastrand::u32(..).to_ne_bytes();
            let frame = close_frame(from.other(), code.0, &self.file.limits().own_reason, mask);
            let own_close = Some(OwnClose { code, len: frame.len() as u8 });
            flow.append(&frame);
            flow.set_course(Course::Discard { accepted: flow.tap.seen(), own_close });
            self.again = true;
        }
    }

    /// No Close can go behind `from`'s bytes: the peer that was to receive it is reset in the end.
    fn doom(&mut self, from: Peer) {
        let flow = &mut self.side_mut(from).flow;
        flow.set_course(Course::Discard { accepted: flow.tap.seen(), own_close: None });
        if let Some(closing) = &mut self.closing {
            closing.doomed[from.other().index()] = true;
        }
    }

    /// Whether `peer` is to be reset in the end, instead of a FIN.
    fn is_doomed(&self, peer: Peer) -> bool {
        self.closing.as_ref().is_some_and(|closing| closing.doomed[peer.index()])
    }

    /// Goes on with the closing. Ready when the session is over.
    pub(super) fn settle_closing(&mut self, cx: &mut Context<'_>, now: Duration) -> Poll<()> {
        while let Some(closing) = &self.closing {
            let (step, late) = (closing.step, now >= closing.until);
            let next = match step {
                Step::Messages if self.is_seeking() && late => {
                    for from in Peer::ALL {
                        self.settle_for_frame(from);
                    }
                    (Step::Frames, BOUNDARY_PATIENCE)
                }
                Step::Frames if self.is_seeking() && late => {
                    for from in Peer::ALL {
                        if let Course::ForwardUntil(_) = self.side(from).flow.course() {
                            self.doom(from);
                        }
                    }
                    (Step::Replies, self.file.limits().close_reply)
                }
                Step::Messages | Step::Frames if self.is_seeking() => return Poll::Pending,
                Step::Messages | Step::Frames => (Step::Replies, self.file.limits().close_reply),
                Step::Replies if late || Peer::ALL.into_iter().all(|peer| self.has_answered(peer)) => {
                    for peer in Peer::ALL {
                        self.bid_farewell(peer, cx);
                    }
                    (Step::Farewell, FAREWELL_PATIENCE)
                }
                Step::Farewell if late || Peer::ALL.into_iter().all(|peer| self.has_left(peer)) => {
                    (Step::Over, Duration::ZERO)
                }
                Step::Farewell => {
                    self.retry_fins(cx);
                    return Poll::Pending;
                }
                Step::Replies => return Poll::Pending,
                Step::Over => {
                    for peer in Peer::ALL {
                        self.end_locally(peer, now);
                    }
                    return Poll::Ready(());
                }
            };
            if let Some(closing) = &mut self.closing {
                (closing.step, closing.until) = (next.0, now + next.1);
            }
        }
        Poll::Pending
    }

    /// Whether a direction is still on its way to a boundary.
    fn is_seeking(&self) -> bool {
        self.sides.iter().any(|side| matches!(side.flow.course(), Course::ForwardUntil(_)))
    }

    fn settle_for_frame(&mut self, from: Peer) {
        let flow = &mut self.side_mut(from).flow;
        if let Course::ForwardUntil(_) = flow.course() {
            flow.set_course(Course::ForwardUntil(Boundary::Frame));
            self.at_boundary(from);
        }
    }

    /// Whether nothing more is to be waited for from `peer`: it has said its Close or is gone, and has been sent its own.
    fn has_answered(&self, peer: Peer) -> bool {
        let (from, to) = (&self.side(peer).flow, &self.side(peer.other()).flow);
        let silent = self.file.limits().own_code.is_none();
        self.is_doomed(peer) || silent || ((from.tap.close_seen() || self.has_ended(peer)) && to.waiting() == 0)
    }

    /// Sends the FINs that had to wait.
    fn retry_fins(&mut self, cx: &mut Context<'_>) {
        for peer in Peer::ALL {
            if !self.is_doomed(peer) {
                self.send_fin(peer, cx);
            }
        }
    }

    /// Whether `peer` has hung up, or will be reset and has nothing to be waited for.
    fn has_left(&self, peer: Peer) -> bool {
        self.is_doomed(peer) || self.has_ended(peer)
    }

    /// FIN, unless the Close did not get through: then the peer is reset.
    fn bid_farewell(&mut self, peer: Peer, cx: &mut Context<'_>) {
        let waiting = self.side(peer.other()).flow.waiting() > 0;
        if let Some(closing) = &mut self.closing {
            closing.doomed[peer.index()] |= waiting;
            if !closing.doomed[peer.index()] {
                self.send_fin(peer, cx);
            }
        }
    }

    fn end_locally(&mut self, peer: Peer, now: Duration) {
        if self.is_doomed(peer) {
            self.reset(peer, now);
        } else {
            self.note_kernel(peer, false, now);
            self.file.on(Event::Ended { peer, how: End::Local }, now);
        }
    }
}
