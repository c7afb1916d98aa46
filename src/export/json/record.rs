//! The fields of a line, in their order.
//!
//! Written without a description of the record in between: a line is made for every session, and names and labels are
//! constants that nobody has to look through for something to escape.

use std::time::Duration;

use super::fields::{Millis, Rfc3339};
use super::put::{Put, put};
use super::style::JsonStyle;
use crate::close::{Close, CloseRecord, HandshakeRecord, Request, Saw, TcpFacts};
use crate::export::{Event, event};
use crate::wire::Peer;

/// The version of the field names and meanings. It changes only if a reader of the old one would go wrong.
const SCHEMA: u32 = 1;

/// A value that is absent.
const NONE: Option<u32> = None;

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
        out.push(b'\n');
    }

    /// Appends the line of a handshake that led to no session.
    pub fn write_handshake_failed(&self, route: &str, record: &HandshakeRecord, out: &mut Vec<u8>) {
        handshake_failed(route, record, self, out);
        out.push(b'\n');
    }
}

/// Appends the object of `websocket.closed`.
fn closed(record: &CloseRecord, style: &JsonStyle, out: &mut Vec<u8>) {
    let (session, verdict) = (&*record.session, &record.verdict);
    put!(out, "{",
        "schema": SCHEMA,
        "event": "websocket.closed",
        "level": verdict.level(),
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
    out.extend_from_slice(b",\"client\":");
    put!(out, "{", "address": &session.client, "real_address": session.request.real_address.as_deref());
    peer(record, Peer::Client, style, out);
    out.extend_from_slice(b"},\"upstream\":");
    put!(out, "{", "address": &session.upstream, "name": &*session.route.upstream);
    peer(record, Peer::Upstream, style, out);
    out.extend_from_slice(b"},\"request\":");
    request(&session.request, style, out);
    put!(out, ",",
        "hint": record.hint,
        "trace_id": record.span.as_ref().map(|span| span.trace_id),
        "span_id": record.span.as_ref().map(|span| span.span_id),
        "handshake_trace_id": session.trace.as_ref().map(|trace| trace.span.trace_id),
    );
    out.push(b'}');
}

/// Appends the object of `websocket.handshake_failed`.
fn handshake_failed(route: &str, record: &HandshakeRecord, style: &JsonStyle, out: &mut Vec<u8>) {
    put!(out, "{",
        "schema": SCHEMA,
        "event": "websocket.handshake_failed",
        "level": event::handshake_level(record),
        "time": Rfc3339(record.time),
        "instance": style.instance.as_deref(),
        "outcome": record.outcome,
        "status": record.status,
        "route": route,
    );
    out.extend_from_slice(b",\"request\":");
    request(&record.request, style, out);
    out.extend_from_slice(b",\"client\":");
    put!(out, "{", "address": &record.client, "real_address": record.request.real_address.as_deref());
    out.push(b'}');
    put!(out, ",", "duration_ms": Millis(record.duration), "tls_error": record.tls_error, "detail": record.detail.as_ref());
    out.push(b'}');
}

/// Goes on in the object of a peer.
fn peer(record: &CloseRecord, peer: Peer, style: &JsonStyle, out: &mut Vec<u8>) {
    let (facts, saw) = record.of(peer);
    let ended = record.verdict.ended;
    let millis = |time: Option<Duration>| time.map(Millis);
    out.extend_from_slice(b",\"close\":");
    match &facts.close {
        Some(found) => close(found, style, out),
        None => NONE.put(out),
    }
    put!(out, ",",
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
    );
    out.extend_from_slice(b",\"violations\":{");
    for (number, (kind, count)) in facts.violations.iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        kind.as_str().put(out);
        out.push(b':');
        count.put(out);
    }
    out.push(b'}');
    put!(out, ",",
        "frames_after_close": facts.frames_after_close,
        "since_answered_ping_ms": millis(facts.last_answered_ping.map(|at| ended.saturating_sub(at))),
        "blind": facts.blind.is_some(),
        "stalled_ms": Millis(facts.stalled),
        "stalled_at_end_ms": Millis(facts.stalled_at(ended)),
        "undelivered_bytes": facts.undelivered_bytes,
        "tcp": facts.tcp,
        "reset_after_fin": facts.reset_after_fin,
        "tls_alert": facts.tls_alert,
    );
}

fn close(close: &Close, style: &JsonStyle, out: &mut Vec<u8>) {
    let reason = style.reason(close.reason.as_str());
    put!(out, "{", "code": close.code, "reason": reason, "at_ms": Millis(close.at));
    out.push(b'}');
}

fn request(request: &Request, style: &JsonStyle, out: &mut Vec<u8>) {
    put!(out, "{",
        "method": &request.method,
        "path": &*style.path(&request.path),
        "host": request.host.as_ref(),
        "http_version": request.http_version,
        "user_agent": request.user_agent.as_ref(),
        "origin": request.origin.as_ref(),
        "subprotocol": request.subprotocol.as_ref(),
        "extensions": request.extensions.as_ref(),
        "request_id": request.request_id.as_ref(),
        "forwarded_for": request.forwarded_for.as_deref(),
        "subprotocols_offered": request.subprotocols_offered,
    );
    out.push(b'}');
}

impl Put for Saw {
    fn put(self, out: &mut Vec<u8>) {
        put!(out, "{", "code": self.code, "clean": self.clean, "certain": self.certain);
        out.push(b'}');
    }
}

impl Put for TcpFacts {
    fn put(self, out: &mut Vec<u8>) {
        put!(out, "{", "rtt_ms": Millis(self.rtt), "retransmits": self.retransmits);
        out.push(b'}');
    }
}
