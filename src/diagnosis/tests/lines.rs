//! Observations as lines of the close log.

use serde_json::{Value, json};

use crate::diagnosis::{Closed, Event, LegTls, Observation, Side};
use crate::wire::Peer;

/// The line that closewatch would have written.
pub(super) fn line(seen: &Observation<'_>) -> String {
    let mut value = json!({
        "schema": 1,
        "time": instant(seen.at),
        "instance": seen.instance,
        "route": seen.route,
        "client": {"address": seen.address, "real_address": some(&seen.real_address), "tls_version": tls(seen.client_tls)},
        "request": {
            "method": "GET",
            "path": seen.request.path,
            "user_agent": some(&seen.request.user_agent),
            "origin": some(&seen.request.origin),
            "subprotocol": some(&seen.request.subprotocol),
            "extensions": some(&seen.request.extensions),
            "subprotocols_offered": seen.request.subprotocols_offered,
        },
    });
    let more = match &seen.event {
        Event::Closed(closed) => of_session(seen, closed),
        Event::Refused(refused) => json!({
            "event": "websocket.handshake_failed",
            "outcome": refused.outcome,
            "status": refused.status,
            "duration_ms": refused.duration * 1000.0,
            "tls_error": some(&refused.tls_error),
        }),
    };
    join(&mut value, more);
    value.to_string()
}

fn of_session(seen: &Observation<'_>, closed: &Closed<'_>) -> Value {
    json!({
        "event": "websocket.closed",
        "session": closed.session,
        "class": closed.class,
        "code": closed.code,
        "initiator": closed.initiator,
        "cause": closed.cause,
        "reason": closed.reason,
        "ended_at": instant(seen.at),
        "duration_ms": closed.duration * 1000.0,
        "idle_ms": closed.idle * 1000.0,
        "handshake_ms": closed.handshake.map(|seconds| seconds * 1000.0),
        "client": side(closed.of(Peer::Client)),
        "upstream": join(&mut side(closed.of(Peer::Upstream)), json!({"address": closed.upstream, "tls_version": tls(closed.upstream_tls)})),
    })
}

fn side(side: &Side) -> Value {
    let millis = |seconds: Option<f64>| seconds.map(|seconds| seconds * 1000.0);
    let mut violations = json!({});
    if side.violations > 0 {
        violations["mask"] = side.violations.into();
    }
    if side.contradicted {
        violations["subprotocol"] = 1.into();
    }
    json!({
        "close": side.close.map(|code| json!({"code": code, "reason": "", "at_ms": 1.0})),
        "end": side.end,
        "text_messages": side.messages,
        "frames": side.frames,
        "last_frame_at_ms": millis(side.last_frame),
        "last_message_at_ms": millis(side.last_message),
        "unanswered_pings": side.unanswered_pings,
        "violations": violations,
        "stalled_ms": side.stalled * 1000.0,
        "stalled_at_end_ms": millis(side.stalled_at_end),
        "undelivered_bytes": side.undelivered,
        "silence_before_last_ms": millis(side.silence_before_last),
        "longest_silence_ms": millis(side.longest_silence),
    })
}

fn tls(tls: LegTls) -> Option<&'static str> {
    some(tls.as_str()).filter(|version| *version != "none")
}

fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn instant(at: f64) -> String {
    crate::diagnosis::show::instant(at)
}

fn join(value: &mut Value, more: Value) -> Value {
    if let (Value::Object(value), Value::Object(more)) = (&mut *value, more) {
        for (key, part) in more {
            match value.get_mut(&key) {
                Some(known) if known.is_object() => {
                    join(known, part);
                }
                _ => {
                    value.insert(key, part);
                }
            }
        }
    }
    value.clone()
}
