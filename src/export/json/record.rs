//! The fields of a line, in their order.
//!
//! Written without a description of the record in between: a line is made for every session, and names and labels are
//! constants that nobody has to look through for something to escape.

use std::time::Duration;

use serde_json::Value;

use super::fields::{Millis, Rfc3339};
use super::line::{Line, put};
use super::properties::Properties;
use super::put::{Put, one_of};
use super::style::JsonStyle;
use crate::close::{Close, CloseCode, CloseRecord, HandshakeRecord, Request, Saw, TcpFacts};
use crate::diagnosis::Mechanism;
use crate::export::{Event, event};
use crate::wire::Peer;

/// The version of the field names and meanings. It changes only if a reader of the old one would go wrong.
const SCHEMA: u32 = 1;

/// The level of a record.
struct Level(&'static str);

/// The mechanism that diagnosis names.
struct Hint(&'static str);

/// A Close as a peer sent it; with its reason, if reasons are written.
struct CloseFields<'a> {
    code: Option<CloseCode>,
    reason: Option<&'a str>,
    at: Duration,
}

// === impl JsonStyle ===

impl JsonStyle {
    /// Appends the line of an event to `out`, its line break included.
    pub fn write(&self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Closed(record) => self.write_closed(record, out),
            Event::HandshakeFailed { route, record } => self.write_handshake_failed(route, record, out),
        }
    }

    /// Appends the line of an ended session.
    pub fn write_closed(&self, record: &CloseRecord, out: &mut Vec<u8>) {
        closed(record, self, out);
        out.extend_from_slice(b"}\n");
    }

    /// Appends the line of a handshake that led to no session.
    pub fn write_handshake_failed(&self, route: &str, record: &HandshakeRecord, out: &mut Vec<u8>) {
        handshake_failed(route, record, self, out);
        out.extend_from_slice(b"}\n");
    }
}

/// The fields of `websocket.closed`.
pub(super) fn closed(record: &CloseRecord, style: &JsonStyle, line: &mut impl Line) {
    let (session, verdict) = (&*record.session, &record.verdict);
    line.constant("{\"schema\":", SCHEMA);
    line.constant(",\"event\":", "websocket.closed");
    put!(line, ",",
        "level": Level(verdict.level()),
        "time": Rfc3339(record.time),
        "instance": style.instance.as_deref(),
        "session": session.id,
        "route": &*session.route.name,
        "class": verdict.class,
        "code": verdict.code,
        "code_name": record.code_name(),
        "initiator": verdict.initiator,
        "cause": verdict.cause,
        "handshake": verdict.handshake,
        "reason": style.reason(record.reason()),
        "opened_at": Rfc3339(session.opened_at),
        "ended_at": Rfc3339::after(session.opened_at, verdict.ended),
        "duration_ms": Millis(verdict.ended),
        "filed_ms": Millis(record.filed),
        "idle_ms": Millis(record.idle()),
        "close_handshake_ms": verdict.close_handshake.map(Millis),
        "handshake_ms": Millis(session.handshake.get()),
    );
    line.object(",\"client\":", |line| {
        put!(line, "{", "address": &session.client, "real_address": session.request.real_address.as_deref());
        peer(record, Peer::Client, style, line);
    });
    line.object(",\"upstream\":", |line| {
        put!(line, "{", "address": &session.upstream, "name": &*session.route.upstream);
        peer(record, Peer::Upstream, style, line);
    });
    line.object(",\"request\":", |line| request(&session.request, style, line));
    put!(line, ",",
        "hint": record.hint.map(Hint),
        "trace_id": record.span.as_ref().map(|span| span.trace_id),
        "span_id": record.span.as_ref().map(|span| span.span_id),
        "handshake_trace_id": session.trace.as_ref().map(|trace| trace.span.trace_id),
    );
}

/// The fields of `websocket.handshake_failed`.
pub(super) fn handshake_failed(route: &str, record: &HandshakeRecord, style: &JsonStyle, line: &mut impl Line) {
    line.constant("{\"schema\":", SCHEMA);
    line.constant(",\"event\":", "websocket.handshake_failed");
    put!(line, ",",
        "level": Level(event::handshake_level(record)),
        "time": Rfc3339(record.time),
        "instance": style.instance.as_deref(),
        "outcome": record.outcome,
        "status": record.status,
        "route": route,
    );
    line.object(",\"request\":", |line| request(&record.request, style, line));
    line.object(",\"client\":", |line| {
        put!(line, "{",
            "address": &record.client,
            "real_address": record.request.real_address.as_deref(),
            "tls_version": record.client_tls,
        );
    });
    put!(line, ",",
        "duration_ms": Millis(record.duration), "tls_error": record.tls_error, "detail": record.detail.as_ref(),
    );
}

/// The other fields of a peer.
fn peer(record: &CloseRecord, peer: Peer, style: &JsonStyle, line: &mut impl Line) {
    let (facts, saw) = record.of(peer);
    let ended = record.verdict.ended;
    let millis = |time: Option<Duration>| time.map(Millis);
    put!(line, ",",
        "close": facts.close.as_deref().map(|close| CloseFields::of(close, style)),
        "end": facts.end(),
        "end_at_ms": facts.end.map(|end| Millis(end.at)),
        "saw": saw,
        "text_messages": facts.text_messages,
        "binary_messages": facts.binary_messages,
        "frames": facts.frames,
        "bytes": facts.bytes,
        "pings": facts.pings,
        "pongs": facts.pongs,
        "silence_before_last_ms": millis(facts.silence_before_last),
        "longest_silence_ms": millis(facts.longest_silence),
        "last_frame_at_ms": millis(facts.last_frame),
        "last_message_at_ms": millis(facts.last_message),
        "last_pong_at_ms": millis(facts.last_pong),
        "ping_rtt_ms": millis(facts.ping_rtt),
        "ping_rtt_max_ms": millis(facts.ping_rtt_max),
        "unanswered_pings": facts.unanswered_pings,
        "unsolicited_pongs": facts.unsolicited_pongs,
        "violations": &facts.violations,
        "frames_after_close": facts.frames_after_close,
        "since_answered_ping_ms": millis(facts.last_answered_ping.map(|at| ended.saturating_sub(at))),
        "blind": facts.blind.is_some(),
        "stalled_ms": Millis(facts.stalled),
        "stalled_at_end_ms": Millis(facts.stalled_at(ended)),
        "undelivered_bytes": facts.undelivered_bytes,
        "tcp": facts.tcp,
        "reset_after_fin": facts.reset_after_fin,
        "tls_alert": facts.tls_alert,
        "tls_version": record.session.tls(peer),
    );
}

fn request(request: &Request, style: &JsonStyle, line: &mut impl Line) {
    put!(line, "{",
        "method": &request.method,
        "path": &*style.path(&request.path),
        "host": request.host.as_ref(),
        "http_version": request.http_version,
        "user_agent": request.user_agent.as_ref(),
        "origin": request.origin.as_ref(),
        "subprotocol": request.subprotocol.as_deref(),
        "extensions": request.extensions.as_deref(),
        "request_id": request.request_id.as_deref(),
        "forwarded_for": request.forwarded_for.as_deref(),
        "subprotocols_offered": request.subprotocols_offered,
    );
}

// === impl CloseFields ===

impl<'a> CloseFields<'a> {
    fn of(close: &'a Close, style: &JsonStyle) -> Self {
        Self { code: close.code, reason: style.reason(close.reason.as_str()), at: close.at }
    }
}

/// The fields of an object by itself: written the one way, described the other.
macro_rules! object {
    ($($(#[$doc:meta])* $object:ty, $none:expr => $name:ident { $($field:literal: $value:expr),+ $(,)? })+) => { $(
        $(#[$doc])*
        impl Put for $object {
            fn schema() -> Value {
                let $name = $none;
                let mut properties = Properties::default();
                object!(@fields &mut properties, $($field: $value),+);
                properties.schema()
            }

            fn put(self, out: &mut Vec<u8>) {
                let $name = self;
                object!(@fields out, $($field: $value),+);
                out.push(b'}');
            }
        }
    )+ };
    (@fields $line:expr, $first:literal: $value:expr $(, $field:literal: $more:expr)*) => {
        put!($line, "{", $first: $value $(, $field: $more)*)
    };
}

object! {
    CloseFields<'_>, Self { code: None, reason: None, at: Duration::ZERO } => close {
        "code": close.code,
        "reason": close.reason,
        "at_ms": Millis(close.at),
    }
    Saw, Self { code: None, clean: false, certain: false } => saw {
        "code": saw.code,
        "clean": saw.clean,
        "certain": saw.certain,
    }
    TcpFacts, Self { rtt: Duration::ZERO, retransmits: 0 } => tcp {
        "rtt_ms": Millis(tcp.rtt),
        "retransmits": tcp.retransmits,
    }
}

impl Put for Level {
    fn schema() -> Value {
        one_of(["info", "warn"])
    }

    fn put(self, out: &mut Vec<u8>) {
        self.0.put(out);
    }
}

impl Put for Hint {
    fn schema() -> Value {
        one_of(Mechanism::ALL.iter().map(|mechanism| mechanism.as_str()))
    }

    fn put(self, out: &mut Vec<u8>) {
        self.0.put(out);
    }
}
