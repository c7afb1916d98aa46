//! Records as log records: events in OpenTelemetry's sense, with a name.

use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, Severity};
use opentelemetry::{KeyValue, Value};
use opentelemetry_sdk::logs::{SdkLogRecord, SdkLogger};

use super::attributes::Attributes;
use super::{context, facts};
use crate::close::{Text, TlsFailure, TraceSpan};
use crate::export::{Event, JsonStyle};

/// The log record of an event. It belongs to the session's span, or to the handshake's if that one has none.
pub(super) fn record(event: &Event, style: &JsonStyle, logger: &SdkLogger) -> SdkLogRecord {
    let mut log = logger.create_log_record();
    let (name, time, body, attributes, span): (_, _, _, _, Option<&TraceSpan>) = match event {
        Event::Closed(record) => {
            let verdict = &record.verdict;
            let mut attributes = Attributes::of_session(record, style);
            attributes.add("closewatch.duration", verdict.ended.as_secs_f64());
            facts::of_session(record, &mut attributes);
            let body = format!("{} by {}: {}", verdict.label, verdict.initiator, verdict.cause);
            let handshake = record.session.trace.as_ref().map(|trace| &trace.span);
            ("websocket.closed", record.time, body, attributes, record.span.as_ref().or(handshake))
        }
        Event::HandshakeFailed { route, record } => {
            let mut attributes = Attributes::of_handshake(route, record, style);
            attributes.add("closewatch.duration", record.duration.as_secs_f64());
            facts::of_request(&record.request, &mut attributes);
            attributes.add_some("closewatch.tls_error", record.tls_error.map(TlsFailure::as_str));
            attributes.add_some("closewatch.detail", record.detail.as_ref().map(Text::escaped));
            let body = record.outcome.to_string();
            let span = record.trace.as_ref().map(|trace| &trace.span);
            ("websocket.handshake_failed", record.time, body, attributes, span)
        }
    };
    let (severity, text) = if event.is_warning() { (Severity::Warn, "WARN") } else { (Severity::Info, "INFO") };
    log.set_event_name(name);
    log.set_timestamp(time.into());
    log.set_observed_timestamp(time.into());
    log.set_severity_number(severity);
    log.set_severity_text(text);
    log.set_body(body.into());
    log.add_attributes(attributes.0.into_iter().map(|KeyValue { key, value, .. }| (key, any(value))));
    if let Some(span) = span {
        let span = context::of_span(span);
        log.set_trace_context(span.trace_id(), span.span_id(), Some(span.trace_flags()));
    }
    log
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the list is open, and none of ours is of another kind")]
fn any(value: Value) -> AnyValue {
    match value {
        Value::Bool(value) => AnyValue::Boolean(value),
        Value::I64(value) => AnyValue::Int(value),
        Value::F64(value) => AnyValue::Double(value),
        Value::String(value) => AnyValue::String(value),
        other => AnyValue::String(other.to_string().into()),
    }
}
