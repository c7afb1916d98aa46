//! The facts of one session, before anything is concluded from them.

use std::num::NonZeroU64;
use std::time::Duration;

use super::{Cause, CloseCode, End, Text, TlsAlert};
use crate::wire::{MAX_CONTROL_PAYLOAD, Peer, Violation};

/// Everything seen of a session. All times count from its opening, on the monotonic clock.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The client's facts.
    pub client: PeerFacts,
    /// The upstream's facts.
    pub upstream: PeerFacts,
    /// When and why closewatch decided to end the session, if it did.
    pub decision: Option<Decision>,
    /// The last byte of any frame but Close, either way, up to the ending event.
    pub last_activity: Duration,
}

/// The facts of one peer: what it did, and what was done to it.
#[derive(Clone, Debug, Default)]
pub struct PeerFacts {
    /// Its first Close. Boxed: a session that rests has none, and rests for long.
    pub close: Option<Box<Close>>,
    /// How its transport ended.
    pub end: Option<Ended>,
    /// The alert that ended its TLS, by it or to it; its end is a reset then.
    pub tls_alert: Option<TlsAlert>,
    /// A reset came behind its FIN.
    pub reset_after_fin: bool,
    /// Text messages, counted at their last frame.
    pub text_messages: u64,
    /// Binary messages, counted at their last frame.
    pub binary_messages: u64,
    /// Whole frames of any kind.
    pub frames: u64,
    /// Bytes read from it, frame headers included, TLS excluded.
    pub bytes: u64,
    /// Pings it sent.
    pub pings: u64,
    /// Pongs it sent.
    pub pongs: u64,
    /// Its last whole frame.
    pub last_frame: Option<Duration>,
    /// From the frame before its last to its last; from the opening, if it sent only one. What forgets idle flows shows
    /// itself only at the next packet.
    pub silence_before_last: Option<Duration>,
    /// The longest time before any of its frames: a silence that the session survived.
    pub longest_silence: Option<Duration>,
    /// The end of its last whole message.
    pub last_message: Option<Duration>,
    /// Its last pong.
    pub last_pong: Option<Duration>,
    /// Its last pong that answered a ping.
    pub last_answered_ping: Option<Duration>,
    /// From its last answered ping, written on to it, to the pong, read.
    pub ping_rtt: Option<Duration>,
    /// The longest of these.
    pub ping_rtt_max: Option<Duration>,
    /// Pings it was sent and never answered; those that a later pong overtook do not count (RFC 6455 §5.5.3).
    pub unanswered_pings: u32,
    /// Pongs that answered nothing; legal as a heartbeat.
    pub unsolicited_pongs: u64,
    /// Its breaches of the protocol.
    pub violations: Violations,
    /// Frames behind its first Close.
    pub frames_after_close: u64,
    /// Since when its frames could not be read.
    pub blind: Option<Seq>,
    /// How long the other peer had to wait because this one did not take its bytes.
    pub stalled: Duration,
    /// The last time that it took no bytes.
    pub last_stall: Option<Stall>,
    /// Bytes read from the other peer that this one was not given: never written on to it, or not acknowledged when it was
    /// gone. Without the answer to a Close.
    pub undelivered_bytes: u64,
    /// The Close that closewatch itself wrote to it.
    pub own_close: Option<OwnClose>,
    /// closewatch's last act on its leg was a reset.
    pub was_reset: bool,
    /// Bytes for it that its host had not acknowledged when the kernel was last asked.
    pub unacknowledged: u64,
    /// The kernel's knowledge of its connection at an abnormal end.
    pub tcp: Option<TcpFacts>,
}

/// An event's place in the order of events of its session; wall-clock ties never decide.
///
/// 64 bits: a busy feed makes 2^32 events in a day, and a number that stands still decides nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seq(NonZeroU64);

/// A point in a session.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// When it was.
    pub at: Duration,
    /// The same, as a place in the order.
    pub seq: Seq,
}

/// A Close frame that a peer sent.
#[derive(Clone, Debug)]
pub struct Close {
    /// Its code; `None` if it has none.
    pub code: Option<CloseCode>,
    /// Its reason, as far as it is kept.
    pub reason: Text,
    /// The first thing wrong with it.
    pub fault: Option<Violation>,
    /// When its last byte was read.
    pub at: Duration,
    /// The same, as a place in the order.
    pub seq: Seq,
    /// Bytes of its body, kept or not.
    pub len: u64,
    /// The place in its sender's bytes where it ends.
    pub end: u64,
    /// When its last byte was written on to the other peer.
    pub written: Option<Moment>,
}

/// The end of a peer's transport.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// How.
    pub how: End,
    /// When.
    pub at: Duration,
    /// The same, as a place in the order.
    pub seq: Seq,
}

/// closewatch ended the session.
#[derive(Clone, Copy, Debug)]
pub struct Decision {
    /// Why: `drain`, `idle_timeout` or `proxy_error`.
    pub cause: Cause,
    /// When.
    pub at: Duration,
    /// The same, as a place in the order.
    pub seq: Seq,
}

/// A time in which a peer took no bytes.
#[derive(Clone, Copy, Debug)]
pub struct Stall {
    /// When it began.
    pub since: Duration,
    /// When the peer took bytes again; `None` if it never did.
    pub until: Option<Duration>,
}

/// A Close that closewatch wrote.
#[derive(Clone, Debug)]
pub struct OwnClose {
    /// Its code.
    pub code: CloseCode,
    /// Its reason.
    pub reason: Text,
    /// When its last byte was written.
    pub written: Seq,
}

/// The kernel's knowledge of a TCP connection (`TCP_INFO`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpFacts {
    /// Smoothed round-trip time.
    pub rtt: Duration,
    /// Segments sent again, in all.
    pub retransmits: u32,
}

/// How often a peer did each thing that it must not do.
#[derive(Clone, Debug, Default)]
pub struct Violations(Option<Box<[u32; Violation::COUNT]>>);

// === impl Seq ===

impl Seq {
    /// Before every event.
    pub(super) const BEGINNING: Self = Self(NonZeroU64::MIN);
    /// After every event.
    pub(super) const END: Self = Self(NonZeroU64::MAX);

    /// The place of the next event.
    pub(super) const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl Default for Seq {
    fn default() -> Self {
        Self::BEGINNING
    }
}

// === impl Facts ===

impl Facts {
    /// The facts of `peer`.
    pub const fn of(&self, peer: Peer) -> &PeerFacts {
        match peer {
            Peer::Client => &self.client,
            Peer::Upstream => &self.upstream,
        }
    }

    /// The facts of `peer`, to be added to.
    pub const fn of_mut(&mut self, peer: Peer) -> &mut PeerFacts {
        match peer {
            Peer::Client => &mut self.client,
            Peer::Upstream => &mut self.upstream,
        }
    }
}

// === impl PeerFacts ===

impl PeerFacts {
    /// How its transport ended, as the record says it.
    pub fn end(&self) -> End {
        self.end.map_or(End::Open, |end| end.how)
    }

    /// The end of its transport that it or the network brought about: not `local`.
    pub fn own_end(&self) -> Option<Ended> {
        self.end.filter(|end| end.how != End::Local)
    }

    /// How long it had taken no bytes at the time `at`.
    pub fn stalled_at(&self, at: Duration) -> Duration {
        let going_on = self.last_stall.filter(|stall| stall.until.is_none_or(|until| at <= until));
        going_on.map_or(Duration::ZERO, |stall| at.saturating_sub(stall.since))
    }

    /// Whether bytes that were written to it and not acknowledged can still arrive: not if its connection was broken.
    pub(super) fn is_lost(&self) -> bool {
        let broken = match self.end() {
            End::Reset | End::Timeout => true,
            End::Fin | End::TlsTruncated => self.reset_after_fin,
            End::Open | End::Local => false,
        };
        broken || self.was_reset
    }
}

// === impl Close ===

impl Close {
    /// Bytes that it took on the wire, sent by `from` with the header that a control frame of its length has.
    pub(super) fn wire_len(&self, from: Peer) -> u64 {
        let header = if self.len > MAX_CONTROL_PAYLOAD as u64 { 4 } else { 2 };
        let mask = if from == Peer::Client { 4 } else { 0 };
        // A frame that breaks the rules can claim any length.
        u64::saturating_add(header + mask, self.len)
    }
}

// === impl Violations ===

impl Violations {
    /// Counts one.
    pub fn add(&mut self, violation: Violation) {
        let count = &mut self.0.get_or_insert_default()[violation.index()];
        *count = count.saturating_add(1);
    }

    /// The kinds that happened, and how often.
    pub fn iter(&self) -> impl Iterator<Item = (Violation, u32)> {
        let counts = self.0.iter().flat_map(|counts| Violation::ALL.into_iter().zip(**counts));
        counts.filter(|(_, count)| *count > 0)
    }
}
