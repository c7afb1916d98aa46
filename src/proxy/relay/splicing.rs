//! Payload that goes from socket to socket without being read: the rest of a large frame, while the tap counts it down.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::Relay;
use super::flow::{Course, Way};
use crate::close::End;
use crate::proxy::transport::leg::{Leg, end_of};
use crate::proxy::transport::pipe::{Filled, Pipe, Spliced};
use crate::proxy::transport::read_buffer;
use crate::wire::{MAX_HEADER, Peer};

/// What has to be left of a frame to be spliced: less costs more in calls than it saves in copies.
const WORTHWHILE: u64 = 2 * read_buffer::SIZE as u64;

impl Relay {
    /// Moves bytes of `from` once, whichever way is the better.
    pub(super) fn move_some(&mut self, from: Peer, cx: &mut Context<'_>, now: Duration) -> Poll<()> {
        let flow = &self.flows[from.index()];
        match (flow.way, flow.tap.ahead()) {
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
        let flow = &mut self.flows[from.index()];
        let worthwhile =
            full && self.limits.splice && flow.tap.ahead() >= WORTHWHILE && self.legs.iter().all(Leg::is_plain);
        flow.way = if worthwhile { Way::Pipe } else { Way::Buffer };
        if worthwhile {
            flow.spliced.get_or_insert_with(Spliced::new);
        }
    }

    /// Moves at most `ahead` bytes of `from`, which are payload of one frame.
    fn splice(&mut self, from: Peer, ahead: u64, cx: &mut Context<'_>, now: Duration) -> Poll<()> {
        let Some(mut pipe) = Pipe::take() else {
            self.flows[from.index()].way = Way::Buffer;
            return Poll::Ready(());
        };
        let most = usize::try_from(ahead).unwrap_or(usize::MAX);
        let filled = pipe.fill(&self.legs[from.index()], most, cx);
        if let Poll::Ready(Ok(Filled::Some)) = filled {
            self.pass_on(from, most, pipe, cx, now);
            return Poll::Ready(());
        }
        pipe.give_back();
        match ready!(filled) {
            Ok(Filled::Some | Filled::Unsupported) => self.flows[from.index()].way = Way::Buffer,
            Ok(Filled::Nothing) => self.read_ended(from, End::Fin, now),
            Err(error) => self.read_ended(from, end_of(&error), now),
        }
        Poll::Ready(())
    }

    /// Takes what is in `pipe`, of at most `most` bytes of payload of `from`: past the tap, and on to the other peer.
    fn pass_on(&mut self, from: Peer, most: usize, pipe: Box<Pipe>, cx: &mut Context<'_>, now: Duration) {
        self.moved = now.into();
        let (bytes, flow) = (pipe.len(), &mut self.flows[from.index()]);
        self.file.skip(from, &mut flow.tap, bytes, now);
        if bytes < most.min(read_buffer::SIZE) {
            flow.way = Way::Buffer;
        }
        flow.pipe = Some(pipe);
        let flushed = flow.flush(&mut self.legs[from.other().index()], cx);
        if flow.waiting() < bytes {
            self.wrote(from, now);
        }
        match flushed {
            Poll::Ready(Err(error)) => self.write_failed(from.other(), &error, now),
            Poll::Ready(Ok(())) | Poll::Pending => self.gauge_stall(from, now),
        }
        if let Course::ForwardUntil(_) = self.flows[from.index()].course {
            self.at_boundary(from);
        }
    }
}
