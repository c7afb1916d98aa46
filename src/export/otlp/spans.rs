//! Records as spans.

use std::time::SystemTime;

use opentelemetry::InstrumentationScope;
use opentelemetry::trace::{Link, SpanContext, SpanId, SpanKind, Status};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use super::attributes::{Attributes, known_method};
use super::context;
use crate::close::{Class, CloseRecord, HandshakeRecord, Outcome};
use crate::export::{JsonStyle, event};

/// The span of a session, if it is kept: from its opening to the event that ended it.
///
/// It is an error only if it is abnormal. Its kind is internal, so that no latency of requests is ever made from it.
pub(super) fn session(record: &CloseRecord, style: &JsonStyle, scope: &InstrumentationScope) -> Option<SpanData> {
    let span = record.span.as_ref()?;
    let handshake = record.session.trace.as_ref().map(|trace| &trace.span);
    let is_child = handshake.is_some_and(|handshake| handshake.trace_id == span.trace_id);
    let mut links = SpanLinks::default();
    if !is_child {
        links.links.extend(handshake.map(|span| Link::with_context(context::of_span(span))));
    }
    let mut attributes = Attributes::of_session(record, style);
    let status = if record.verdict.class == Class::Abnormal {
        attributes.add("error.type", record.verdict.label.to_string());
        Status::error(record.verdict.cause.as_str())
    } else {
        Status::Unset
    };
    let start_time = SystemTime::from(record.session.opened_at);
    Some(SpanData {
        start_time,
        end_time: start_time + record.verdict.ended,
        attributes: attributes.0,
        parent_span_id: handshake
            .filter(|_| is_child)
            .map_or(SpanId::INVALID, |handshake| context::of_span_id(handshake.span_id)),
        links,
        status,
        ..blank(
            context::of_span(span),
            SpanKind::Internal,
            format!("websocket.session {}", record.session.route.name),
            scope,
        )
    })
}

/// The span of a handshake, if it is sampled: from the request's head, read, to the answer, written.
pub(super) fn handshake(
    route: &str,
    record: &HandshakeRecord,
    style: &JsonStyle,
    scope: &InstrumentationScope,
) -> Option<SpanData> {
    let trace = record.trace.as_ref().filter(|trace| trace.span.sampled)?;
    let mut attributes = Attributes::of_handshake(route, record, style);
    let status = if event::handshake_level(record) == "warn" {
        attributes.add(
            "error.type",
            match (record.outcome, record.status) {
                (Outcome::Refused, Some(status)) => status.to_string(),
                (outcome, _) => outcome.to_string(),
            },
        );
        Status::error(record.outcome.as_str())
    } else {
        Status::Unset
    };
    let name = format!("{} {route}", known_method(record.request.method.as_str()).unwrap_or("HTTP"));
    let end_time = SystemTime::from(record.time);
    Some(SpanData {
        start_time: end_time.checked_sub(record.duration).unwrap_or(end_time),
        end_time,
        attributes: attributes.0,
        parent_span_id: trace.parent.map_or(SpanId::INVALID, context::of_span_id),
        parent_span_is_remote: trace.parent.is_some(),
        status,
        ..blank(context::of_span(&trace.span), SpanKind::Server, name, scope)
    })
}

/// Whether a handshake has a span to be exported.
pub(super) fn is_sampled(record: &HandshakeRecord) -> bool {
    record.trace.as_ref().is_some_and(|trace| trace.span.sampled)
}

/// A span of which nothing more is known.
fn blank(span_context: SpanContext, span_kind: SpanKind, name: String, scope: &InstrumentationScope) -> SpanData {
    SpanData {
        span_context,
        parent_span_id: SpanId::INVALID,
        parent_span_is_remote: false,
        span_kind,
        name: name.into(),
        start_time: SystemTime::UNIX_EPOCH,
        end_time: SystemTime::UNIX_EPOCH,
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: scope.clone(),
    }
}
