//! The observation: the part of a record that diagnosis reads, whether the record is a line of a log or a value in memory.

use std::borrow::Cow;
use std::time::Duration;

use jiff::Timestamp;

use super::leg_tls::LegTls;
use crate::close::{Cause, Class, CloseRecord, End, HandshakeRecord, Initiator, Outcome};
use crate::wire::Peer;
use crate::wire::Violation;

/// Times of a line are rounded by no more.
const TOLERANCE: f64 = 0.000_1;

/// One record: a session that ended, or a handshake that failed. Times are seconds; instants are seconds of Unix time.
#[derive(Clone, Debug, Default)]
pub struct Observation<'a> {
    /// When it was over.
    pub at: f64,
    /// The instance that wrote the record.
    pub instance: Cow<'a, str>,
    /// Its route.
    pub route: Cow<'a, str>,
    /// The client's address, as the socket has it.
    pub address: Cow<'a, str>,
    /// The client's address, as a hop in front says it.
    pub real_address: Cow<'a, str>,
    /// The socket's peer is known to be a hop.
    pub behind_hop: bool,
    /// TLS on the client's leg.
    pub client_tls: LegTls,
    /// The request.
    pub request: Asked<'a>,
    /// The rest, which depends on what it is.
    pub event: Event<'a>,
}

/// The two kinds of record.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A session ended.
    Closed(Box<Closed<'a>>),
    /// A handshake failed.
    Refused(Refused<'a>),
}

/// The end of a session.
#[derive(Clone, Debug)]
pub struct Closed<'a> {
    /// Its id.
    pub session: Cow<'a, str>,
    /// Class of the end.
    pub class: Class,
    /// Code of the end.
    pub code: Option<u16>,
    /// The peer that began it.
    pub initiator: Initiator,
    /// Cause of the end.
    pub cause: Cause,
    /// Reason of the first Close.
    pub reason: Cow<'a, str>,
    /// Length of the session.
    pub duration: f64,
    /// Time since the last frame, either way.
    pub idle: f64,
    /// Length of the handshake, if known.
    pub handshake: Option<f64>,
    /// The upstream's address.
    pub upstream: Cow<'a, str>,
    /// TLS on its leg.
    pub upstream_tls: LegTls,
    /// Facts of both peers, by [`Peer::index`].
    pub peers: [Side; 2],
}

/// Facts of one peer.
#[derive(Clone, Copy, Debug)]
pub struct Side {
    /// Code of its first Close; `Some(None)` for a Close without one.
    pub close: Option<Option<u16>>,
    /// How its transport ended.
    pub end: End,
    /// Code that it saw.
    pub saw: Option<u16>,
    /// Messages, text and binary.
    pub messages: u64,
    /// Frames of any kind.
    pub frames: u64,
    /// Last frame, since the opening.
    pub last_frame: Option<f64>,
    /// Last message, since the opening.
    pub last_message: Option<f64>,
    /// Pings that it never answered.
    pub unanswered_pings: u32,
    /// Time since the last ping that it answered, at the end.
    pub since_answered_ping: Option<f64>,
    /// Breaches of the protocol, those of the handshake excluded.
    pub violations: u32,
    /// Its 101 contradicted the request.
    pub contradicted: bool,
    /// Time that the other peer had to wait for it.
    pub stalled: f64,
    /// The same, for the wait that lasted at the end.
    pub stalled_at_end: Option<f64>,
    /// Bytes for it that never reached it.
    pub undelivered: u64,
    /// Silence of its direction before its last frame.
    pub silence_before_last: Option<f64>,
    /// The longest silence of its direction that the session survived.
    pub longest_silence: Option<f64>,
}

/// A handshake that failed.
#[derive(Clone, Debug)]
pub struct Refused<'a> {
    /// Outcome of the upgrade.
    pub outcome: Outcome,
    /// Status that the client was given.
    pub status: Option<u16>,
    /// Why TLS failed, if it did.
    pub tls_error: Cow<'a, str>,
    /// From request to answer.
    pub duration: f64,
}

/// The upgrade request.
#[derive(Clone, Debug, Default)]
pub struct Asked<'a> {
    /// Path.
    pub path: Cow<'a, str>,
    /// `User-Agent`.
    pub user_agent: Cow<'a, str>,
    /// `Origin`.
    pub origin: Cow<'a, str>,
    /// Selected subprotocol.
    pub subprotocol: Cow<'a, str>,
    /// Selected extensions.
    pub extensions: Cow<'a, str>,
    /// `X-Forwarded-For` as an untrusted hop said it.
    pub forwarded_for: Cow<'a, str>,
    /// Number of subprotocols that the client offered.
    pub subprotocols_offered: u32,
}

// === impl Observation ===

impl<'a> Observation<'a> {
    /// Of a record in memory.
    pub fn of_close(record: &'a CloseRecord, instance: &'a str) -> Self {
        let (session, verdict) = (&*record.session, &record.verdict);
        let opened = unix(session.opened_at);
        Self {
            at: opened + seconds(verdict.ended),
            instance: Cow::Borrowed(instance),
            route: Cow::Borrowed(&session.route.name),
            address: Cow::Owned(session.client.to_string()),
            real_address: real_address(&session.request),
            behind_hop: false,
            client_tls: session.client_tls.into(),
            request: asked(&session.request),
            event: Event::Closed(Box::new(Closed {
                session: Cow::Owned(session.id.to_string()),
                upstream: Cow::Owned(session.upstream.to_string()),
                ..Closed::of_record(record)
            })),
        }
    }

    /// Of a failed handshake in memory.
    pub fn of_handshake(route: &'a str, record: &'a HandshakeRecord, instance: &'a str) -> Self {
        Self {
            at: unix(record.time),
            instance: Cow::Borrowed(instance),
            route: Cow::Borrowed(route),
            address: Cow::Owned(record.client.to_string()),
            real_address: real_address(&record.request),
            behind_hop: false,
            client_tls: record.client_tls.into(),
            request: asked(&record.request),
            event: Event::Refused(Refused {
                outcome: record.outcome,
                status: record.status,
                tls_error: Cow::Borrowed(record.tls_error.map_or("", |error| error.as_str())),
                duration: seconds(record.duration),
            }),
        }
    }
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

fn unix(time: Timestamp) -> f64 {
    time.as_duration().as_secs_f64()
}

fn real_address(request: &crate::close::Request) -> Cow<'_, str> {
    request.real_address.as_ref().map_or(Cow::Borrowed(""), |address| Cow::Owned(address.to_string()))
}

fn asked(request: &crate::close::Request) -> Asked<'_> {
    fn text(text: Option<&crate::close::Text>) -> Cow<'_, str> {
        Cow::Borrowed(text.map_or("", |text| text.as_str()))
    }
    Asked {
        path: Cow::Borrowed(request.path.as_str()),
        user_agent: text(request.user_agent.as_ref()),
        origin: text(request.origin.as_ref()),
        subprotocol: text(request.subprotocol.as_deref()),
        extensions: text(request.extensions.as_deref()),
        forwarded_for: text(request.forwarded_for.as_deref()),
        subprotocols_offered: u32::from(request.subprotocols_offered),
    }
}

/// A breach by the 101.
const fn is_of_handshake(kind: Violation) -> bool {
    matches!(kind, Violation::Subprotocol | Violation::Extension)
}

/// A breach by a frame that may have ended the session: behind its own Close a peer harms nobody.
fn is_of_frames(kind: Violation) -> bool {
    kind != Violation::AfterClose && !is_of_handshake(kind)
}

// === impl Event ===

impl Default for Event<'_> {
    fn default() -> Self {
        Self::Refused(Refused {
            outcome: Outcome::ClientGone,
            status: None,
            tls_error: Cow::Borrowed(""),
            duration: 0.0,
        })
    }
}

// === impl Closed ===

impl Default for Closed<'_> {
    fn default() -> Self {
        Self {
            session: Cow::Borrowed(""),
            class: Class::Unknown,
            code: None,
            initiator: Initiator::Unknown,
            cause: Cause::Unknown,
            reason: Cow::Borrowed(""),
            duration: 0.0,
            idle: 0.0,
            handshake: None,
            upstream: Cow::Borrowed(""),
            upstream_tls: LegTls::Unknown,
            peers: [Side::default(); 2],
        }
    }
}

impl<'a> Closed<'a> {
    /// Of a record in memory, without the names that would have to be written out: session and upstream are empty.
    pub(super) fn of_record(record: &'a CloseRecord) -> Self {
        let verdict = &record.verdict;
        Self {
            session: Cow::Borrowed(""),
            class: verdict.class,
            code: verdict.code.map(|code| code.0),
            initiator: verdict.initiator,
            cause: verdict.cause,
            reason: Cow::Borrowed(record.reason()),
            duration: seconds(verdict.ended),
            idle: seconds(record.idle()),
            handshake: Some(seconds(record.session.handshake.get())),
            upstream: Cow::Borrowed(""),
            upstream_tls: record.session.upstream_tls.into(),
            peers: [Side::of_record(record, Peer::Client), Side::of_record(record, Peer::Upstream)],
        }
    }

    /// Facts of `peer`.
    pub const fn of(&self, peer: Peer) -> &Side {
        &self.peers[peer.index()]
    }

    /// How long `peer` had been silent at the end, but for its Close.
    pub fn silent(&self, peer: Peer) -> f64 {
        let side = self.of(peer);
        let last = match (side.last_frame, side.silence_before_last) {
            // Its last frame is the Close that ended the session, or the answer to it.
            (Some(last), Some(before)) if side.close.is_some() && last + TOLERANCE >= self.duration => last - before,
            (last, _) => last.unwrap_or(0.0),
        };
        (self.duration - last).max(0.0)
    }
}

// === impl Side ===

impl Side {
    fn of_record(record: &CloseRecord, peer: Peer) -> Self {
        let (facts, ended) = (record.facts.of(peer), record.verdict.ended);
        Self {
            close: facts.close.as_ref().map(|close| close.code.map(|code| code.0)),
            end: facts.end(),
            saw: record.of(peer).1.code.map(|code| code.0),
            messages: facts.text_messages + facts.binary_messages,
            frames: facts.frames,
            last_frame: facts.last_frame.map(seconds),
            last_message: facts.last_message.map(seconds),
            unanswered_pings: facts.unanswered_pings,
            since_answered_ping: facts.last_answered_ping.map(|at| seconds(ended.saturating_sub(at))),
            violations: facts.violations.iter().filter(|(kind, _)| is_of_frames(*kind)).map(|(_, count)| count).sum(),
            contradicted: facts.violations.iter().any(|(kind, _)| is_of_handshake(kind)),
            stalled: seconds(facts.stalled),
            stalled_at_end: Some(seconds(facts.stalled_at(ended))),
            undelivered: facts.undelivered_bytes,
            silence_before_last: facts.silence_before_last.map(seconds),
            longest_silence: facts.longest_silence.map(seconds),
        }
    }
}

impl Default for Side {
    fn default() -> Self {
        Self {
            close: None,
            end: End::Open,
            saw: None,
            messages: 0,
            frames: 0,
            last_frame: None,
            last_message: None,
            unanswered_pings: 0,
            since_answered_ping: None,
            violations: 0,
            contradicted: false,
            stalled: 0.0,
            stalled_at_end: None,
            undelivered: 0,
            silence_before_last: None,
            longest_silence: None,
        }
    }
}
