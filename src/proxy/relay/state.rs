//! The state of a live session. The files beside this one hold its behaviour.

use std::time::Duration;

use super::flow::{Flow, Way};
use super::session::SessionFile;
use super::timer::Timer;
use crate::close::{CompactDuration, End, Event};
use crate::proxy::transport::leg::Leg;
use crate::proxy::transport::pipe::Spliced;
use crate::proxy::transport::tcp_info::HungUp;
use crate::shutdown::Phase;
use crate::wire::{Peer, ReservedBits, Tap};

/// Age of a session at which the kernel is first asked about it, or told to probe its peers. Many sessions end sooner, and are
/// spared these system calls. Keepalive counts from the last byte, so a dead peer is noticed no later.
pub(super) const FIRST_LOOK: Duration = Duration::from_secs(1);

/// One live session.
///
/// State that few sessions have, or all for a moment, is boxed while they have it.
pub(in crate::proxy) struct Relay {
    pub(super) file: SessionFile,
    /// By peer.
    pub(super) sides: [Side; 2],
    /// When a byte last moved, either way.
    pub(super) moved: CompactDuration,
    /// When the kernel was last asked about peers that are not read.
    pub(super) watched: CompactDuration,
    /// When the kernel is asked again whether a peer has acknowledged everything.
    pub(super) ack_check: Option<Box<AckCheck>>,
    /// TCP keepalive is set, or the configuration asks for none.
    pub(super) kept_alive: bool,
    /// When this session's share of a drain begins.
    pub(super) drain_at: Option<CompactDuration>,
    /// Present once closewatch itself ends the session.
    pub(super) closing: Option<Box<Closing>>,
    pub(super) timer: Timer,
    /// A turn changed something that the other direction has to look at.
    pub(super) again: bool,
    /// The latest phase of the process that this session has seen.
    pub(super) phase: Option<Phase>,
}

/// One peer: its leg, the bytes it sends, and what is known of it beyond the ledger.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) leg: Leg,
    /// The bytes that it sends, on their way to the other peer.
    pub(super) flow: Flow,
    /// The means by which its next bytes are moved.
    pub(super) way: Way,
    /// Present once any of its bytes were spliced.
    pub(super) spliced: Option<Spliced>,
    /// A FIN was sent to it.
    pub(super) fin_sent: bool,
    /// The end that a write to it reported. The kernel says it once: the read that follows gives a plain end.
    pub(super) write_end: Option<End>,
    /// The end that the kernel told of while the peer was not read.
    pub(super) hung_up: Option<HungUp>,
    /// Present while it takes none of the bytes that wait for it.
    pub(super) stalled: Option<Box<Stalled>>,
    /// Present while it may not have acknowledged all that was written to it.
    pub(super) unacknowledged: Option<Box<Unacknowledged>>,
}

/// A peer that takes no bytes.
#[derive(Debug)]
pub(super) struct Stalled {
    pub(super) since: Duration,
    /// How many bytes the gauge was told of.
    pub(super) bytes: i64,
}

/// Bytes that were written, and which the kernel has not yet been asked about.
#[derive(Debug)]
pub(super) struct Unacknowledged {
    pub(super) since: Duration,
    /// When the kernel is asked.
    pub(super) check: Duration,
}

/// An end that waits for a peer to acknowledge everything.
#[derive(Debug)]
pub(super) struct AckCheck {
    pub(super) since: Duration,
    /// When the kernel is asked.
    pub(super) at: Duration,
}

/// The progress of closewatch in ending a session.
#[derive(Debug)]
pub(super) struct Closing {
    pub(super) step: Step,
    /// When the present step is over at the latest.
    pub(super) until: Duration,
    /// Peers whose leg has to be reset, because a Close would have gone into the middle of a frame.
    pub(super) doomed: [bool; 2],
}

/// A step of ending a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Waiting for the ends of messages.
    Messages,
    /// Waiting for the ends of frames.
    Frames,
    /// Waiting for the peers' Closes.
    Replies,
    /// Waiting for the peers' FINs.
    Farewell,
    /// No waiting any more.
    Over,
}

// === impl Relay ===

impl Relay {
    /// A relay between two legs that are both just behind the 101.
    pub(in crate::proxy) fn new(file: SessionFile, legs: [Leg; 2], reserved_bits: ReservedBits) -> Self {
        let kept_alive = file.limits().dead_peer.is_none();
        let [client, upstream] = legs;
        let side = |peer, leg| Side::new(leg, Flow::new(Tap::new(peer, reserved_bits)));
        Self {
            file,
            sides: [side(Peer::Client, client), side(Peer::Upstream, upstream)],
            moved: CompactDuration::ZERO,
            watched: CompactDuration::ZERO,
            ack_check: None,
            kept_alive,
            drain_at: None,
            closing: None,
            timer: Timer::default(),
            again: false,
            phase: None,
        }
    }

    pub(super) const fn side(&self, peer: Peer) -> &Side {
        &self.sides[peer.index()]
    }

    pub(super) const fn side_mut(&mut self, peer: Peer) -> &mut Side {
        &mut self.sides[peer.index()]
    }

    /// The flow of `from`, and the leg that its bytes go to.
    pub(super) const fn flow_and_leg(&mut self, from: Peer) -> (&mut Flow, &mut Leg) {
        let [client, upstream] = &mut self.sides;
        match from {
            Peer::Client => (&mut client.flow, &mut upstream.leg),
            Peer::Upstream => (&mut upstream.flow, &mut client.leg),
        }
    }

    /// Whether nothing more comes from `peer`: everything before its end was read.
    pub(super) fn has_ended(&self, peer: Peer) -> bool {
        self.file.ledger().own_end(peer).is_some()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        for peer in Peer::ALL {
            let Some(stalled) = self.side_mut(peer).stalled.take() else { continue };
            let now = self.file.now();
            self.file.sink().spilled(-stalled.bytes);
            self.file.sink().stalled(-1);
            self.file.on(Event::Stalled { peer, time: now.saturating_sub(stalled.since), relieved: false }, now);
        }
    }
}

// === impl Side ===

impl Side {
    const fn new(leg: Leg, flow: Flow) -> Self {
        let way = Way::Buffer;
        Self {
            leg,
            flow,
            way,
            spliced: None,
            fin_sent: false,
            write_end: None,
            hung_up: None,
            stalled: None,
            unacknowledged: None,
        }
    }
}
