//! The record: one value a session, from which every output is made.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use ulid::Ulid;

use super::address::Address;
use super::facts::{Facts, PeerFacts};
use super::ledger::Ledger;
use super::verdict::{Saw, Verdict, reason};
use super::{
    CodeRules, CompactDuration, HandshakeTrace, HttpVersion, Outcome, Text, TlsFailure, TlsVersion, TraceSpan,
};
use crate::wire::Peer;

/// How one session ended: made once, by [`CloseRecord::file`].
#[derive(Clone, Debug)]
pub struct CloseRecord {
    /// The session as it opened.
    pub session: Arc<Session>,
    /// The facts.
    pub facts: Facts,
    /// The conclusions from them.
    pub verdict: Verdict,
    /// When the record was made, on the wall clock.
    pub time: Timestamp,
    /// The same, since the opening.
    pub filed: Duration,
    /// Its span, if it is traced and kept: the exporter decides that once the record is known.
    pub span: Option<TraceSpan>,
    /// The mechanism that diagnosis names for this end, if it does: the exporter asks for it once the record is known.
    pub hint: Option<&'static str>,
}

/// A session, as it was opened.
#[derive(Debug)]
pub struct Session {
    /// Unique, and sorted by time.
    pub id: Ulid,
    /// The facts that it shares with all sessions of its route.
    pub route: Arc<RouteFacts>,
    /// The last byte of the 101 was written to the client.
    pub opened_at: Timestamp,
    /// From the upgrade request, read, to the 101, written.
    pub handshake: CompactDuration,
    /// The client's socket, as closewatch sees it.
    pub client: Address,
    /// The upstream's.
    pub upstream: Address,
    /// TLS on the client's leg.
    pub client_tls: Option<TlsVersion>,
    /// TLS on the upstream's leg.
    pub upstream_tls: Option<TlsVersion>,
    /// The upgrade request, and what the 101 selected.
    pub request: Request,
    /// Its upgrade's place in a trace, if sessions are traced.
    pub trace: Option<Arc<HandshakeTrace>>,
    /// Counters that move while the session lives.
    pub live: Live,
}

/// The facts that all sessions of a route share.
#[derive(Debug, Default)]
pub struct RouteFacts {
    /// Its name.
    pub name: Box<str>,
    /// Its upstream as the configuration spells it.
    pub upstream: Box<str>,
    /// How it reads close codes.
    pub rules: CodeRules,
}

/// An upgrade request, cut down to what a record may keep.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The client by the word of trusted sources, if that is not the socket's peer.
    pub real_address: Option<Box<Address>>,
    /// Its method; `GET` for every session.
    pub method: Method,
    /// Its path, without the query string unless the configuration asks for it.
    pub path: Text,
    /// `Host`.
    pub host: Option<Text>,
    /// `1.1`.
    pub http_version: HttpVersion,
    /// `User-Agent`.
    pub user_agent: Option<Text>,
    /// `Origin`.
    pub origin: Option<Text>,
    /// `Sec-WebSocket-Protocol` of the 101: the selection, never the offer, which may carry tokens.
    pub subprotocol: Option<Box<Text>>,
    /// `Sec-WebSocket-Extensions` of the 101.
    pub extensions: Option<Box<Text>>,
    /// `X-Request-Id`.
    pub request_id: Option<Box<Text>>,
    /// The hops in front by the word of a source that is not trusted: `X-Forwarded-For`, or else `Forwarded`. Boxed like the
    /// three before it: most sessions come without.
    pub forwarded_for: Option<Box<Text>>,
    /// How many subprotocols the request offers.
    pub subprotocols_offered: u16,
    /// A keyed hash of the cookie or header that tells clients apart, if the configuration names one. Never written out.
    pub visitor: Option<NonZeroU32>,
}

/// The method of a request. `GET`, which every session has, takes no memory of its own.
#[derive(Clone, PartialEq, Eq)]
pub struct Method(
    /// `None` for `GET`.
    Option<Box<Text>>,
);

/// Counters that a live view may read at any time. The session's task stores them without a lock.
#[derive(Debug, Default)]
pub struct Live {
    bytes: [AtomicU64; 2],
    messages: [AtomicU64; 2],
    last_activity_ms: AtomicU64,
    stalls: [LiveStalls; 2],
}

/// How long one peer has taken no bytes that were there for it, in milliseconds.
#[derive(Debug, Default)]
struct LiveStalls {
    /// In stalls that are over.
    over: AtomicU32,
    /// Since when it takes none, and one; 0 if it takes all there is.
    since: AtomicU32,
}

/// An upgrade that was asked for, and what came of it.
#[derive(Clone, Debug)]
pub struct HandshakeRecord {
    /// Its result.
    pub outcome: Outcome,
    /// The status that the client was given; `None` if it was gone.
    pub status: Option<u16>,
    /// The request.
    pub request: Request,
    /// The client's socket.
    pub client: Address,
    /// TLS on its leg, if that got so far.
    pub client_tls: Option<TlsVersion>,
    /// From the request's head, read, to the answer, written.
    pub duration: Duration,
    /// When it was over, on the wall clock.
    pub time: Timestamp,
    /// Why TLS failed, if that is the outcome.
    pub tls_error: Option<TlsFailure>,
    /// The error, in closewatch's own words; for an operator, never a label.
    pub detail: Option<Text>,
    /// Its place in a trace, if sessions are traced.
    pub trace: Option<Arc<HandshakeTrace>>,
}

// === impl Method ===

impl Method {
    const GET: &str = "GET";

    /// Its name.
    pub fn as_str(&self) -> &str {
        self.0.as_ref().map_or(Self::GET, |name| name.as_str())
    }
}

impl Default for Method {
    /// None that could be read.
    fn default() -> Self {
        "".into()
    }
}

impl From<&str> for Method {
    fn from(name: &str) -> Self {
        Self((name != Self::GET).then(|| Box::new(name.into())))
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

// === impl CloseRecord ===

impl CloseRecord {
    /// Makes the record of a session: consumes its ledger. `filed` is now since the opening, and `time` the same on the
    /// wall clock.
    pub fn file(session: Arc<Session>, ledger: Ledger, filed: Duration, time: Timestamp) -> Self {
        let (facts, unresponsive) = ledger.into_facts();
        let verdict = Verdict::of(&facts, unresponsive, &session.route.rules, filed);
        Self { session, facts, verdict, time, filed, span: None, hint: None }
    }

    /// The code's name: a preset's, else the registry's. `Invalid` for a Close that no endpoint may send.
    pub fn code_name(&self) -> &'static str {
        match (self.verdict.label, self.verdict.code) {
            (super::CodeLabel::Invalid, _) => "Invalid",
            (_, Some(code)) => self.session.route.rules.name(code),
            (_, None) => "Unknown",
        }
    }

    /// The reason that came with the code: that of the Close which ended the session. Empty for an end without a Close, even
    /// if a Close with a reason came later.
    pub fn reason(&self) -> &str {
        reason(&self.facts, &self.verdict, self.filed)
    }

    /// From the last byte of any frame but Close, either way, to the ending event.
    pub fn idle(&self) -> Duration {
        self.verdict.ended.saturating_sub(self.facts.last_activity)
    }

    /// The facts of `peer`, and the code that it saw.
    pub const fn of(&self, peer: Peer) -> (&PeerFacts, Saw) {
        match peer {
            Peer::Client => (&self.facts.client, self.verdict.client_saw),
            Peer::Upstream => (&self.facts.upstream, self.verdict.upstream_saw),
        }
    }
}

// === impl Session ===

impl Session {
    /// TLS on the leg of `peer`.
    pub const fn tls(&self, peer: Peer) -> Option<TlsVersion> {
        match peer {
            Peer::Client => self.client_tls,
            Peer::Upstream => self.upstream_tls,
        }
    }
}

// === impl Live ===

impl Live {
    /// `bytes` more came from `from`, `at` after the opening.
    pub fn moved(&self, from: Peer, bytes: usize, at: Duration) {
        // Only the session's own task writes, so a load and a store are enough.
        let total = &self.bytes[from.index()];
        total.store(total.load(Ordering::Relaxed) + bytes as u64, Ordering::Relaxed);
        self.last_activity_ms.store(at.as_millis() as u64, Ordering::Relaxed);
    }

    /// `count` more messages of `from` are whole.
    pub fn messages_ended(&self, from: Peer, count: u64) {
        let total = &self.messages[from.index()];
        total.store(total.load(Ordering::Relaxed) + count, Ordering::Relaxed);
    }

    /// `peer` takes no more bytes for now, since `at`.
    pub fn stall_began(&self, peer: Peer, at: Duration) {
        self.stalls[peer.index()].since.store(short(at).saturating_add(1), Ordering::Relaxed);
    }

    /// `peer` took none for `time`, and that is over.
    pub fn stall_ended(&self, peer: Peer, time: Duration) {
        let stalls = &self.stalls[peer.index()];
        stalls.since.store(0, Ordering::Relaxed);
        stalls.over.store(stalls.over.load(Ordering::Relaxed).saturating_add(short(time)), Ordering::Relaxed);
    }

    /// How long `peer` has taken no bytes, all in all, and whether it takes none `now`.
    pub fn stalled(&self, peer: Peer, now: Duration) -> (Duration, bool) {
        let stalls = &self.stalls[peer.index()];
        let over = Duration::from_millis(stalls.over.load(Ordering::Relaxed).into());
        match stalls.since.load(Ordering::Relaxed).checked_sub(1) {
            Some(since) => (over + now.saturating_sub(Duration::from_millis(since.into())), true),
            None => (over, false),
        }
    }

    /// Whole messages of `from` so far.
    pub fn messages(&self, from: Peer) -> u64 {
        self.messages[from.index()].load(Ordering::Relaxed)
    }

    /// Bytes read from `from` so far.
    pub fn bytes(&self, from: Peer) -> u64 {
        self.bytes[from.index()].load(Ordering::Relaxed)
    }

    /// The last byte, either way, since the opening.
    pub fn last_activity(&self) -> Duration {
        Duration::from_millis(self.last_activity_ms.load(Ordering::Relaxed))
    }
}

/// In milliseconds; 49 days stand for anything longer.
fn short(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}
