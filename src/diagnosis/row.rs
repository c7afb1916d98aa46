//! A row: one session or one failed handshake as the engine keeps it, a hundred and some bytes.

use super::address::{self, Ip};
use super::leg_tls::LegTls;
use super::names::{self, Name, Names};
use super::observation::{Closed, Event, Observation, Refused};
use super::sign::Sign;
use crate::close::{Class, Initiator, Outcome};
use crate::wire::Peer;

/// One record, kept.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Its place in the sample: the key of all that tells it from others.
    pub(super) rank: u64,
    /// When it was over.
    pub(super) at: f64,
    pub(super) instance: Name,
    pub(super) route: Name,
    /// The socket's peer.
    pub(super) hop: Ip,
    /// That peer is known to be a hop.
    pub(super) behind_hop: bool,
    pub(super) client_tls: LegTls,
    /// The client, as far as it is known.
    pub(super) client: Ip,
    pub(super) user_agent: Name,
    pub(super) origin: Name,
    pub(super) path: Name,
    pub(super) what: What,
}

/// The part that depends on what it is.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// A session that ended.
    Session(Session),
    /// A handshake that failed.
    Handshake { outcome: Outcome, status: u16, tls: Name, took: f32 },
}

/// A session that ended.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) id: Box<str>,
    pub(super) sign: Sign,
    pub(super) class: Class,
    /// The upstream sent the first Close.
    pub(super) upstream_closed: bool,
    pub(super) code: u16,
    pub(super) reason: Name,
    pub(super) upstream: Name,
    pub(super) upstream_tls: LegTls,
    /// The upstream is on the instance's own host.
    pub(super) sidecar: bool,
    pub(super) subprotocol: Name,
    pub(super) extensions: Name,
    pub(super) age: f64,
    pub(super) idle: f64,
    /// Silence of each peer at the end.
    pub(super) silent: [f64; 2],
    /// Since each peer's last message, at the end.
    pub(super) since_message: [f64; 2],
    /// The flow's silence before its last packet, or at the end.
    pub(super) gap: f64,
    /// The end came with a packet behind that silence, not in it.
    pub(super) at_packet: bool,
    /// The longest silence of each peer that the session survived; NaN if it is not known.
    longest: [f32; 2],
    /// The flow's silence before its last packet, which it survived; NaN if it is not known.
    before: f32,
    /// Each peer's longest wait, at the end or in all.
    pub(super) stalled: [f32; 2],
}

/// A packet so short before the end that the end is its answer: in seconds, or as a part of the silence before it.
const ANSWER: f64 = 2.0;
const ANSWER_PART: f64 = 0.03;
/// A peer that took no bytes for so long before it went did not obey a timer, and no box cut it.
const STALL: f32 = 1.0;
/// An answer comes within so much of that silence.
const AT_ONCE: f64 = 0.1;

// === impl Row ===

impl Row {
    /// The sign of a record, if it is of a session. With the route it is the stratum: what is sampled by itself.
    pub(super) fn sign_of(seen: &Observation<'_>) -> Option<Sign> {
        let request = &seen.request;
        let of = |closed: &Closed<'_>| {
            let (offered, subprotocol) = (request.subprotocols_offered, !request.subprotocol.is_empty());
            Sign::of(closed, offered, subprotocol, !request.extensions.is_empty())
        };
        match &seen.event {
            Event::Closed(closed) => Some(of(closed)),
            Event::Refused(_) => None,
        }
    }

    /// The place of a record in the sample: the key of all that tells it from others.
    pub(super) fn rank_of(seen: &Observation<'_>) -> u64 {
        let told = match &seen.event {
            Event::Closed(closed) => &closed.session,
            Event::Refused(_) => &seen.address,
        };
        names::key(told) ^ ((seen.at * 1e6) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// A record of that rank and sign.
    pub(super) fn of(seen: &Observation<'_>, rank: u64, sign: Option<Sign>, names: &mut Names) -> Self {
        let hop = address::read(&seen.address);
        let real = address::read(&seen.real_address);
        let forwarded = address::forwarded(&seen.request.forwarded_for);
        let what = match &seen.event {
            Event::Closed(closed) => What::Session(Session::of(closed, seen, sign.unwrap_or(Sign::Unknown), names)),
            Event::Refused(refused) => Self::handshake(refused, names),
        };
        let path = first_segment(&seen.request.path);
        Self {
            rank,
            at: seen.at,
            instance: names.keep(&seen.instance),
            route: names.keep(&seen.route),
            hop,
            behind_hop: seen.behind_hop,
            client_tls: seen.client_tls,
            client: [real, forwarded, hop].into_iter().find(|ip| *ip != 0).unwrap_or(0),
            user_agent: names.keep(&seen.request.user_agent),
            origin: names.keep(&seen.request.origin),
            path: names.keep(path),
            what,
        }
    }

    fn handshake(refused: &Refused<'_>, names: &mut Names) -> What {
        What::Handshake {
            outcome: refused.outcome,
            status: refused.status.unwrap_or(0),
            tls: names.keep(&refused.tls_error),
            took: refused.duration as f32,
        }
    }

    /// When it began.
    pub(super) fn opened(&self) -> f64 {
        match &self.what {
            What::Session(session) => self.at - session.age,
            What::Handshake { took, .. } => self.at - f64::from(*took),
        }
    }

    /// The session, if it is one.
    pub(super) fn session(&self) -> Option<&Session> {
        match &self.what {
            What::Session(session) => Some(session),
            What::Handshake { .. } => None,
        }
    }
}

fn first_segment(path: &str) -> &str {
    let end = path.char_indices().skip(1).find(|(_, letter)| matches!(letter, '/' | '?'));
    &path[..end.map_or(path.len(), |(at, _)| at)]
}

// === impl Session ===

impl Session {
    fn of(closed: &Closed<'_>, seen: &Observation<'_>, sign: Sign, names: &mut Names) -> Self {
        let request = &seen.request;
        let (gap, at_packet) = closed.gap();
        let since = |peer: Peer| (closed.duration - closed.of(peer).last_message.unwrap_or(-1e9)).max(0.0);
        Self {
            id: closed.session.as_ref().into(),
            sign,
            class: closed.class,
            upstream_closed: closed.initiator == Initiator::Upstream && closed.of(Peer::Upstream).close.is_some(),
            code: closed.code.unwrap_or(0),
            reason: names.keep(&closed.reason),
            upstream: names.keep(&closed.upstream),
            upstream_tls: closed.upstream_tls,
            sidecar: address::is_loopback(&closed.upstream),
            subprotocol: names.keep(&request.subprotocol),
            extensions: names.keep(&request.extensions),
            age: closed.duration,
            idle: closed.idle,
            silent: Peer::ALL.map(|peer| closed.silent(peer)),
            since_message: Peer::ALL.map(since),
            gap,
            at_packet,
            longest: Peer::ALL.map(|peer| known(closed.of(peer).longest_silence)),
            before: known(closed.before_last().filter(|_| !at_packet)),
            stalled: Peer::ALL.map(|peer| closed.of(peer).stalled_at_end.unwrap_or(closed.of(peer).stalled) as f32),
        }
    }

    /// The longest silence of the flow that the session survived, if it is known.
    pub(super) fn survived(&self) -> Option<f64> {
        let longest = self.longest[0].min(self.longest[1]);
        (!longest.is_nan()).then(|| f64::from(longest))
    }

    /// The longest silence of this peer that the session survived; NaN if it is not known.
    pub(super) fn survived_of(&self, peer: Peer) -> f64 {
        f64::from(self.longest[peer.index()])
    }

    /// The flow's silence before its last packet, if the session ended in another one; NaN if it is not known.
    pub(super) fn survived_before(&self) -> f64 {
        f64::from(self.before)
    }

    /// Whether this peer had taken no bytes for a while.
    pub(super) fn is_stalled(&self, peer: Peer) -> bool {
        self.stalled[peer.index()] >= STALL
    }

    /// Whether it ended with the answer to a packet that came after a silence.
    pub(super) fn is_answer(&self) -> bool {
        self.at_packet && self.idle < AT_ONCE * self.gap
    }
}

fn known(silence: Option<f64>) -> f32 {
    silence.map_or(f32::NAN, |silence| silence as f32)
}

// === impl Closed ===

impl Closed<'_> {
    /// The silence that a box would have seen, and whether it lies before the last packet (then the end is its answer) or
    /// at the end.
    pub(super) fn gap(&self) -> (f64, bool) {
        let timed_out = matches!(self.cause, crate::close::Cause::ClientTimeout | crate::close::Cause::UpstreamTimeout);
        match self.before_last() {
            Some(before) if timed_out || self.idle < ANSWER.max(ANSWER_PART * before) && before > self.idle => {
                (before, true)
            }
            Some(_) | None => (self.idle, false),
        }
    }

    /// The flow's silence before its last packet.
    fn before_last(&self) -> Option<f64> {
        let last = |peer: Peer| self.of(peer).last_frame;
        let sender = if last(Peer::Client) > last(Peer::Upstream) { Peer::Client } else { Peer::Upstream };
        let sent = last(sender)?;
        let of_other = last(sender.other()).map_or(f64::INFINITY, |other| sent - other);
        self.of(sender).silence_before_last.map(|silence| silence.min(of_other).min(sent))
    }
}
