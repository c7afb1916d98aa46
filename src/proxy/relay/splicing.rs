//! Payload that goes from socket to socket without being read: the rest of a large frame, while the tap counts it down.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::flow::{Course, Way};
use super::state::{Relay, Side};
use crate::close::End;
use crate::proxy::transport::leg::end_of;
use crate::proxy::transport::pipe::{Filled, Pipe, Spliced};
use crate::proxy::transport::read_buffer;
use crate::wire::{MAX_HEADER, Peer};

/// At least this much of a frame has to be left for it to be spliced: less costs more in calls than it saves in copies.
const WORTHWHILE: u64 = 2 * read_buffer::SIZE as u64;

impl Relay {
    /// Moves bytes of `from` once, whichever way is the better.
    pub(super) fn move_some(&mut self, from: Peer, cx: &mut Context<'_>, now: Duration) -> Poll<()> {
        let Side { flow, way, .. } = self.side(from);
        match (way, flow.tap.ahead()) {
            // The next header alone: what comes behind it may be spliced again.
            (Way::Pipe, 0) => self.read(from, MAX_HEADER, cx, now),
            (Way::Pipe, ahead) if flow.forwards() => self.splice(from, ahead, cx, now),
            (Way::Pipe | Way::Buffer, _) => self.read(from, usize::MAX, cx, now),
        }
    }

    /// Decides how the next bytes of `from` are moved, behind a read that was `full` or not.
    ///
    /// Only a sender that fills more than the buffer is spliced: what comes in small pieces is cheaper to copy.
    pub(super) fn choose_way(&mut self, from: Peer, full: bool) {
        let ahead = self.side(from).flow.tap.ahead();
        let worthwhile = full
            && self.file.limits().splice
            && ahead >= WORTHWHILE
            && self.sides.iter().all(|side| side.leg.is_plain());
        let side = self.side_mut(from);
        side.way = if worthwhile { Way::Pipe } else { Way::Buffer };
        if worthwhile {
            side.spliced.get_or_insert_with(Spliced::new);
        }
    }

    /// Moves at most `ahead` bytes of `from`, which are payload of one frame.
    fn splice(&mut self, from: Peer, ahead: u64, cx: &mut Context<'_>, now: Duration) -> Poll<()> {
        let Some(mut pipe) = Pipe::take() else {
            self.side_mut(from).way = Way::Buffer;
            return Poll::Ready(());
        };
        let most = usize::try_from(ahead).unwrap_or(usize::MAX);
        let filled = pipe.fill(&self.side(from).leg, most, cx);
        if let Poll::Ready(Ok(Filled::Some)) = filled {
            self.pass_on(from, most, pipe, cx, now);
            return Poll::Ready(());
        }
        pipe.give_back();
        match ready!(filled) {
            Ok(Filled::Some | Filled::Unsupported) => self.side_mut(from).way = Way::Buffer,
            Ok(Filled::Nothing) => self.read_ended(from, End::Fin, now),
            Err(error) => self.read_ended(from, end_of(&error), now),
        }
        Poll::Ready(())
    }

    /// Takes what is in `pipe`, of at most `most` bytes of payload of `from`: past the tap, and on to the other peer.
    fn pass_on(&mut self, from: Peer, most: usize, pipe: Box<Pipe>, cx: &mut Context<'_>, now: Duration) {
        self.moved = now.into();
        let (bytes, side) = (pipe.len(), &mut self.sides[from.index()]);
        self.file.skip(from, &mut side.flow.tap, bytes, now);
        if bytes < most.min(read_buffer::SIZE) {
            side.way = Way::Buffer;
        }
        let (flow, leg) = self.flow_and_leg(from);
        let poured = flow.pour(pipe, leg, cx);
        if flow.waiting() < bytes {
            self.wrote(from, now);
        }
        match poured {
            Poll::Ready(Err(error)) => self.write_failed(from.other(), &error, now),
            Poll::Ready(Ok(())) | Poll::Pending => self.gauge_stall(from, true, now),
        }
        if let Course::ForwardUntil(_) = self.side(from).flow.course() {
            self.at_boundary(from);
        }
    }
}
