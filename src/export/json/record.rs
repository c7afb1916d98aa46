//! The fields of a line, in their order.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Serialize, Serializer};
use ulid::Ulid;

use super::fields::{Millis, Rfc3339};
use super::style::JsonStyle;
use crate::close::{
    Address, Cause, Class, Close, CloseCode, CloseRecord, End, Handshake, HandshakeRecord, Initiator, Outcome, Request,
    Saw, TcpFacts, Text, TlsAlert, Violations,
};
use crate::export::entry;
use crate::wire::Peer;

/// The version of the field names and meanings. It changes only if a reader of the old one would go wrong.
const SCHEMA: u32 = 1;

/// `websocket.closed`.
#[derive(Serialize)]
pub(super) struct Closed<'a> {
    schema: u32,
    event: &'static str,
    level: &'static str,
    time: Rfc3339,
    instance: Option<&'a str>,
    session: IdField,
    route: &'a str,
    class: Class,
    code: Option<CloseCode>,
    code_name: &'static str,
    initiator: Initiator,
    cause: Cause,
    handshake: Handshake,
    reason: Option<&'a str>,
    opened_at: Rfc3339,
    ended_at: Rfc3339,
    duration_ms: Millis,
    filed_ms: Millis,
    idle_ms: Millis,
    close_handshake_ms: Option<Millis>,
    client: Client<'a>,
    upstream: Upstream<'a>,
    request: RequestFields<'a>,
    trace_id: Option<&'a str>,
    span_id: Option<&'a str>,
    handshake_trace_id: Option<&'a str>,
}

/// `websocket.handshake_failed`.
#[derive(Serialize)]
pub(super) struct HandshakeFailed<'a> {
    schema: u32,
    event: &'static str,
    level: &'static str,
    time: Rfc3339,
    instance: Option<&'a str>,
    outcome: Outcome,
    status: Option<u16>,
    route: &'a str,
    request: RequestFields<'a>,
    client: ClientAddress<'a>,
    duration_ms: Millis,
    detail: Option<&'a Text>,
}

struct IdField(Ulid);

#[derive(Serialize)]
struct ClientAddress<'a> {
    address: &'a Address,
    real_address: Option<&'a Address>,
}

#[derive(Serialize)]
struct Client<'a> {
    #[serde(flatten)]
    address: ClientAddress<'a>,
    #[serde(flatten)]
    peer: PeerFields<'a>,
}

#[derive(Serialize)]
struct Upstream<'a> {
    address: &'a Address,
    name: &'a str,
    #[serde(flatten)]
    peer: PeerFields<'a>,
}

#[derive(Serialize)]
struct PeerFields<'a> {
    close: Option<CloseFields<'a>>,
    end: End,
    end_at_ms: Option<Millis>,
    saw: SawFields,
    text_messages: u64,
    binary_messages: u64,
    frames: u64,
    bytes: u64,
    pings: u64,
    pongs: u64,
    last_frame_at_ms: Option<Millis>,
    last_message_at_ms: Option<Millis>,
    last_pong_at_ms: Option<Millis>,
    ping_rtt_ms: Option<Millis>,
    ping_rtt_max_ms: Option<Millis>,
    unanswered_pings: u32,
    unsolicited_pongs: u64,
    violations: ViolationFields<'a>,
    frames_after_close: u64,
    blind: bool,
    stalled_ms: Millis,
    undelivered_bytes: u64,
    tcp: Option<TcpFields>,
    reset_after_fin: bool,
    tls_alert: Option<TlsAlert>,
}

#[derive(Serialize)]
struct CloseFields<'a> {
    code: Option<CloseCode>,
    reason: Option<&'a str>,
    at_ms: Millis,
}

#[derive(Serialize)]
struct SawFields {
    code: Option<CloseCode>,
    clean: bool,
    certain: bool,
}

#[derive(Serialize)]
struct TcpFields {
    rtt_ms: Millis,
    retransmits: u32,
}

struct ViolationFields<'a>(&'a Violations);

#[derive(Serialize)]
struct RequestFields<'a> {
    method: &'a Text,
    path: Cow<'a, str>,
    host: Option<&'a Text>,
    http_version: &'static str,
    user_agent: Option<&'a Text>,
    origin: Option<&'a Text>,
    subprotocol: Option<&'a Text>,
    extensions: Option<&'a Text>,
    request_id: Option<&'a Text>,
}

// === impl Closed ===

impl<'a> Closed<'a> {
    pub(super) fn new(record: &'a CloseRecord, style: &'a JsonStyle) -> Self {
        let (session, verdict) = (&*record.session, &record.verdict);
        Self {
            schema: SCHEMA,
            event: "websocket.closed",
            level: verdict.class.level(),
            time: Rfc3339(record.time),
            instance: style.instance.as_deref(),
            session: IdField(session.id),
            route: &session.route,
            class: verdict.class,
            code: verdict.code,
            code_name: record.code_name(),
            initiator: verdict.initiator,
            cause: verdict.cause,
            handshake: verdict.handshake,
            reason: style.reason(record.reason()),
            opened_at: Rfc3339(session.opened_at),
            ended_at: Rfc3339::after(session.opened_at, verdict.ended),
            duration_ms: Millis(verdict.ended),
            filed_ms: Millis(record.filed),
            idle_ms: Millis(record.idle()),
            close_handshake_ms: verdict.close_handshake.map(Millis),
            client: Client {
                address: ClientAddress { address: &session.client, real_address: None },
                peer: PeerFields::new(record, Peer::Client, style),
            },
            upstream: Upstream {
                address: &session.upstream,
                name: &session.upstream_name,
                peer: PeerFields::new(record, Peer::Upstream, style),
            },
            request: RequestFields::new(&session.request, style),
            trace_id: None,
            span_id: None,
            handshake_trace_id: None,
        }
    }
}

// === impl HandshakeFailed ===

impl<'a> HandshakeFailed<'a> {
    pub(super) fn new(route: &'a str, record: &'a HandshakeRecord, style: &'a JsonStyle) -> Self {
        Self {
            schema: SCHEMA,
            event: "websocket.handshake_failed",
            level: entry::handshake_level(record),
            time: Rfc3339(record.time),
            instance: style.instance.as_deref(),
            outcome: record.outcome,
            status: record.status,
            route,
            request: RequestFields::new(&record.request, style),
            client: ClientAddress { address: &record.client, real_address: None },
            duration_ms: Millis(record.duration),
            detail: record.detail.as_ref(),
        }
    }
}

// === impl PeerFields ===

impl<'a> PeerFields<'a> {
    fn new(record: &'a CloseRecord, peer: Peer, style: &JsonStyle) -> Self {
        let (facts, saw) = record.of(peer);
        let millis = |time: Option<Duration>| time.map(Millis);
        Self {
            close: facts.close.as_ref().map(|close| CloseFields::new(close, style)),
            end: facts.end(),
            end_at_ms: facts.end.map(|end| Millis(end.at)),
            saw: SawFields::from(saw),
            text_messages: facts.text_messages,
            binary_messages: facts.binary_messages,
            frames: facts.frames,
            bytes: facts.bytes,
            pings: facts.pings,
            pongs: facts.pongs,
            last_frame_at_ms: millis(facts.last_frame),
            last_message_at_ms: millis(facts.last_message),
            last_pong_at_ms: millis(facts.last_pong),
            ping_rtt_ms: millis(facts.ping_rtt),
            ping_rtt_max_ms: millis(facts.ping_rtt_max),
            unanswered_pings: facts.unanswered_pings,
            unsolicited_pongs: facts.unsolicited_pongs,
            violations: ViolationFields(&facts.violations),
            frames_after_close: facts.frames_after_close,
            blind: facts.blind.is_some(),
            stalled_ms: Millis(facts.stalled),
            undelivered_bytes: facts.undelivered_bytes,
            tcp: facts.tcp.map(TcpFields::from),
            reset_after_fin: facts.reset_after_fin,
            tls_alert: facts.tls_alert,
        }
    }
}

impl<'a> CloseFields<'a> {
    fn new(close: &'a Close, style: &JsonStyle) -> Self {
        Self { code: close.code, reason: style.reason(close.reason.as_str()), at_ms: Millis(close.at) }
    }
}

impl From<Saw> for SawFields {
    fn from(Saw { code, clean, certain }: Saw) -> Self {
        Self { code, clean, certain }
    }
}

impl From<TcpFacts> for TcpFields {
    fn from(TcpFacts { rtt, retransmits }: TcpFacts) -> Self {
        Self { rtt_ms: Millis(rtt), retransmits }
    }
}

impl Serialize for ViolationFields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(kind, count)| (kind.as_str(), count)))
    }
}

impl Serialize for IdField {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

// === impl RequestFields ===

impl<'a> RequestFields<'a> {
    fn new(request: &'a Request, style: &JsonStyle) -> Self {
        Self {
            method: &request.method,
            path: style.path(&request.path),
            host: request.host.as_ref(),
            http_version: request.http_version,
            user_agent: request.user_agent.as_ref(),
            origin: request.origin.as_ref(),
            subprotocol: request.subprotocol.as_ref(),
            extensions: request.extensions.as_ref(),
            request_id: request.request_id.as_ref(),
        }
    }
}
