//! The sign: what the facts of one session say by themselves, before others are looked at.
//!
//! The order of the tests is the order of precedence: a measured fact outranks the code, and a Close that says why
//! outranks a cluster.

use super::observation::Closed;
use super::words::{self, Says};
use crate::close::{Cause, Class, Initiator};
use crate::wire::Peer;

/// One session's end, as its own facts tell it. The peer of a sign is the one that the culprit is looked for at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Sign {
    /// Nobody complained.
    Normal,
    /// closewatch drained.
    Drain,
    /// closewatch's own idle limit.
    OwnIdle,
    /// closewatch failed.
    Internal,
    /// The upstream said that it goes away: 1001 or 1012.
    Announced,
    /// A code of the application that says nothing known; by this peer.
    Application(Peer),
    /// The 101 contradicted the request.
    BadHandshake,
    /// This peer was seen to break the protocol.
    Violated(Peer),
    /// This peer's host answered nothing any more.
    Vanished(Peer),
    /// This peer did not take its bytes.
    Stalled(Peer),
    /// This peer left a ping unanswered.
    Unanswered(Peer),
    /// This peer left a heartbeat of the application unanswered.
    Heartbeat(Peer),
    /// A credential expired, says the peer of this one.
    Expired(Peer),
    /// This peer sent too big a message.
    TooBig(Peer),
    /// This peer was refused.
    Refused(Peer),
    /// This peer broke the protocol, says the other.
    Protocol(Peer),
    /// This peer sent what could not be decompressed, says the other.
    Compression(Peer),
    /// This peer has too much to do.
    Overloaded(Peer),
    /// This peer failed, and says so: 1011 and its like.
    Failed(Peer),
    /// The client left right behind a handshake that took long.
    GaveUp,
    /// This peer's transport ended in order, without a Close.
    Fin(Peer),
    /// This peer's transport was reset.
    Reset(Peer),
    /// It could not be read.
    Unknown,
}

/// A wait of a peer at the end from which on it counts as the cause.
const STALL: f64 = 1.0;
/// Silence behind an unanswered ping from which on it counts.
const UNANSWERED: f64 = 3.0;
/// A ping that is no older may be answered yet.
const IN_FLIGHT: f64 = 1.0;
/// A session that ends so soon behind the 101 never began.
const AT_ONCE: f64 = 2.0;
/// A handshake that takes so long makes clients give up.
const SLOW_HANDSHAKE: f64 = 1.0;

// === impl Sign ===

impl Sign {
    /// Reads the facts of a session.
    pub(super) fn of(closed: &Closed<'_>, offered: u32, subprotocol: bool, extensions: bool) -> Self {
        match closed.cause {
            Cause::Drain => return Self::Drain,
            Cause::IdleTimeout => return Self::OwnIdle,
            Cause::ProxyError => return Self::Internal,
            Cause::ClientTimeout => return Self::Vanished(Peer::Client),
            Cause::UpstreamTimeout => return Self::Vanished(Peer::Upstream),
            Cause::CloseHandshake
            | Cause::CloseUnanswered
            | Cause::ClientUnresponsive
            | Cause::UpstreamUnresponsive
            | Cause::ClientEof
            | Cause::ClientReset
            | Cause::UpstreamEof
            | Cause::UpstreamReset
            | Cause::Unknown => {}
        }
        if closed.class == Class::Unknown {
            return Self::Unknown;
        }
        let client_began = closed.cause_is_of(Peer::Client);
        let unmeant = !matches!(closed.class, Class::Clean | Class::Planned);
        if unmeant && Self::contradicted(closed, offered, subprotocol, client_began) {
            return Self::BadHandshake;
        }
        let beginner = if client_began { Peer::Client } else { Peer::Upstream };
        if unmeant && let Some(sign) = Self::measured(closed, beginner) {
            return sign;
        }
        match closed.cause {
            Cause::ClientUnresponsive => return Self::Unanswered(Peer::Client),
            Cause::UpstreamUnresponsive => return Self::Unanswered(Peer::Upstream),
            Cause::ClientEof | Cause::ClientReset if Self::gave_up(closed) => return Self::GaveUp,
            Cause::ClientEof => return Self::Fin(Peer::Client),
            Cause::UpstreamEof => return Self::Fin(Peer::Upstream),
            Cause::ClientReset => return Self::Reset(Peer::Client),
            Cause::UpstreamReset => return Self::Reset(Peer::Upstream),
            Cause::CloseHandshake
            | Cause::CloseUnanswered
            | Cause::ClientTimeout
            | Cause::UpstreamTimeout
            | Cause::Drain
            | Cause::IdleTimeout
            | Cause::ProxyError
            | Cause::Unknown => {}
        }
        Self::said(closed, beginner, extensions)
    }

    /// A selection that was not offered, or none though the client left for want of it.
    fn contradicted(closed: &Closed<'_>, offered: u32, subprotocol: bool, client_began: bool) -> bool {
        let upstream = closed.of(Peer::Upstream);
        if upstream.contradicted {
            return !matches!(closed.cause, Cause::UpstreamEof | Cause::UpstreamReset)
                && (closed.duration < AT_ONCE || closed.class == Class::Protocol);
        }
        let at_once = client_began && closed.duration < AT_ONCE && closed.of(Peer::Client).messages == 0;
        let unselected = offered > 0 && !subprotocol && closed.code != Some(1001);
        (at_once && unselected) || (client_began && closed.code == Some(1010))
    }

    /// A breach, a stall or an unanswered ping: what closewatch saw, whatever was said.
    fn measured(closed: &Closed<'_>, beginner: Peer) -> Option<Self> {
        let other = beginner.other();
        if let Some(peer) = Peer::ALL.into_iter().find(|peer| closed.of(*peer).violations > 0) {
            return Some(Self::Violated(peer));
        }
        let stalled = |peer: Peer| {
            let side = closed.of(peer);
            // Without that field: a long wait, and bytes that never arrived.
            let before = if side.undelivered > 0 { side.stalled } else { 0.0 };
            side.stalled_at_end.unwrap_or(before) >= STALL
        };
        if stalled(other) {
            return Some(Self::Stalled(other));
        }
        let silent = closed.silent(other);
        let unanswered = closed.of(other).unanswered_pings > 0 && silent >= UNANSWERED;
        (unanswered && !Self::just_asked(closed, other)).then_some(Self::Unanswered(other))
    }

    /// Whether the only ping that `peer` owes a pong may have come too shortly before the end to be answered: a timer that ends
    /// sessions at a multiple of the time between pings meets one on its way.
    fn just_asked(closed: &Closed<'_>, peer: Peer) -> bool {
        let side = closed.of(peer);
        let usual = side.longest_silence.is_some_and(|longest| closed.silent(peer) <= 1.05 * longest + 0.5);
        side.unanswered_pings == 1 && usual && closed.silent(peer.other()) < IN_FLIGHT
    }

    fn gave_up(closed: &Closed<'_>) -> bool {
        closed.duration < 0.5
            && closed.of(Peer::Client).frames == 0
            && closed.handshake.is_some_and(|handshake| handshake >= SLOW_HANDSHAKE)
    }

    /// The sign that the first Close gives.
    fn said(closed: &Closed<'_>, sender: Peer, extensions: bool) -> Self {
        let other = sender.other();
        let client = sender == Peer::Client;
        let says = words::read(&closed.reason);
        let code = closed.code.unwrap_or(0);
        match says {
            Some(Says::Keepalive) => return Self::Unanswered(other),
            Some(Says::Heartbeat) if closed.of(other).unanswered_pings > 0 => return Self::Unanswered(other),
            Some(Says::Heartbeat) => return Self::Heartbeat(other),
            Some(Says::Slow) => return Self::Stalled(other),
            Some(Says::TooBig) if code != 1000 && code != 1001 => return Self::TooBig(other),
            Some(Says::Compression) if extensions => return Self::Compression(other),
            Some(Says::Expired) => return Self::Expired(other),
            Some(Says::Overload) if !client => return Self::Overloaded(sender),
            Some(Says::Restart) if !client => return Self::Announced,
            Some(Says::Refused) if (3000..5000).contains(&code) => return Self::Refused(other),
            Some(Says::TooBig | Says::Compression | Says::Overload | Says::Restart | Says::Idle | Says::Refused)
            | None => {}
        }
        match code {
            1009 => Self::TooBig(other),
            1002 | 1003 | 1007 | 1010 if extensions && code != 1003 && code != 1010 => Self::Compression(other),
            1002 | 1003 | 1007 | 1010 => Self::Protocol(other),
            1008 | 3000 | 3003 | 4401 | 4403 => Self::Refused(other),
            1013 => Self::Overloaded(sender),
            1012 => Self::Announced,
            1001 if !client => Self::Announced,
            1011 | 1014 | 4500 => Self::Failed(sender),
            _ => Self::by_class(closed, sender),
        }
    }

    fn by_class(closed: &Closed<'_>, sender: Peer) -> Self {
        let other = sender.other();
        let answer = closed.of(other).close.flatten();
        match closed.class {
            Class::Clean | Class::Planned => match answer {
                Some(1011 | 1014) => Self::Failed(other),
                _ => Self::Normal,
            },
            Class::Application => Self::Application(sender),
            Class::Policy => Self::Refused(other),
            Class::Protocol => Self::Violated(sender),
            Class::Overload => Self::Overloaded(sender),
            Class::Abnormal => Self::Failed(sender),
            Class::Unknown => Self::Unknown,
        }
    }

    /// The peer at which the culprit is looked for, if it is one.
    pub(super) const fn at(self) -> Option<Peer> {
        match self {
            Self::Application(peer)
            | Self::Violated(peer)
            | Self::Vanished(peer)
            | Self::Stalled(peer)
            | Self::Unanswered(peer)
            | Self::Heartbeat(peer)
            | Self::Expired(peer)
            | Self::TooBig(peer)
            | Self::Refused(peer)
            | Self::Protocol(peer)
            | Self::Compression(peer)
            | Self::Overloaded(peer)
            | Self::Failed(peer)
            | Self::Fin(peer)
            | Self::Reset(peer) => Some(peer),
            Self::Normal
            | Self::Drain
            | Self::OwnIdle
            | Self::Internal
            | Self::Announced
            | Self::BadHandshake
            | Self::GaveUp
            | Self::Unknown => None,
        }
    }

    /// Whether it is what the upstream complains of in a client.
    pub(super) const fn is_complaint_of_upstream(self) -> bool {
        matches!(
            self,
            Self::Expired(Peer::Client)
                | Self::TooBig(Peer::Client)
                | Self::Refused(Peer::Client)
                | Self::Protocol(Peer::Client)
                | Self::Compression(Peer::Client)
        )
    }

    /// Whether an upstream that falls over may have ended the session so.
    pub(super) const fn may_be_fall_of_upstream(self) -> bool {
        matches!(
            self,
            Self::Fin(Peer::Upstream)
                | Self::Reset(Peer::Upstream)
                | Self::Failed(Peer::Upstream)
                | Self::Vanished(Peer::Upstream)
        )
    }

    /// Whether it speaks against the upstream: what makes one of several instances stand out.
    pub(super) const fn against_upstream(self) -> bool {
        match self {
            Self::BadHandshake
            | Self::Violated(Peer::Upstream)
            | Self::Vanished(Peer::Upstream)
            | Self::Stalled(Peer::Upstream)
            | Self::Unanswered(Peer::Upstream)
            | Self::Heartbeat(Peer::Upstream)
            | Self::Protocol(Peer::Upstream)
            | Self::Compression(Peer::Upstream)
            | Self::Overloaded(Peer::Upstream)
            | Self::Failed(Peer::Upstream)
            | Self::GaveUp
            | Self::Fin(Peer::Upstream)
            | Self::Reset(Peer::Upstream) => true,
            Self::Normal
            | Self::Drain
            | Self::OwnIdle
            | Self::Internal
            | Self::Announced
            | Self::Application(_)
            | Self::Violated(Peer::Client)
            | Self::Vanished(Peer::Client)
            | Self::Stalled(Peer::Client)
            | Self::Unanswered(Peer::Client)
            | Self::Heartbeat(Peer::Client)
            | Self::Expired(_)
            | Self::TooBig(_)
            | Self::Refused(_)
            | Self::Protocol(Peer::Client)
            | Self::Compression(Peer::Client)
            | Self::Overloaded(Peer::Client)
            | Self::Failed(Peer::Client)
            | Self::Fin(Peer::Client)
            | Self::Reset(Peer::Client)
            | Self::Unknown => false,
        }
    }
}

// === impl Closed ===

impl Closed<'_> {
    /// Whether `peer` began the end.
    fn cause_is_of(&self, peer: Peer) -> bool {
        match self.initiator {
            Initiator::Client => peer == Peer::Client,
            Initiator::Upstream => peer == Peer::Upstream,
            Initiator::Both | Initiator::Proxy | Initiator::Unknown => {
                // Crossed Closes: the one whose code the record has.
                let code = |peer: Peer| self.of(peer).close;
                let of_client = code(Peer::Client).is_some() && code(Peer::Client).flatten() == self.code;
                of_client == (peer == Peer::Client)
            }
        }
    }
}
