//! B3, Zipkin's format of a trace's headers (openzipkin/b3-propagation), as one header or as several.
//!
//! The propagator of `opentelemetry-zipkin` 0.33 is no substitute: its crate is marked as deprecated, brings a whole exporter, and
//! reads the debug header `b3: …-d` as not sampled, so that the trace somebody asked for would be the one that is missing.

use opentelemetry::propagation::Extractor;
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

/// The span that the one header names.
pub(super) fn extract(headers: &dyn Extractor) -> Option<SpanContext> {
    let mut parts = headers.get("b3")?.trim().split('-');
    let (trace, span) = (parts.next()?, parts.next()?);
    context(trace, span, parts.next().unwrap_or_default())
}

/// The span that the several headers name.
pub(super) fn extract_multi(headers: &dyn Extractor) -> Option<SpanContext> {
    let header = |name| headers.get(name).map(str::trim);
    let debug = header("x-b3-flags") == Some("1");
    let sampled = if debug { "d" } else { header("x-b3-sampled").unwrap_or_default() };
    context(header("x-b3-traceid")?, header("x-b3-spanid")?, sampled)
}

/// The one header.
pub(super) fn inject(span: &SpanContext, headers: &mut Vec<(&'static str, String)>) {
    headers.push(("b3", format!("{}-{}-{}", span.trace_id(), span.span_id(), sampled(span))));
}

/// The several headers; what the client said beyond them was of its own span.
pub(super) fn inject_multi(span: &SpanContext, headers: &mut Vec<(&'static str, String)>) {
    headers.extend([
        ("x-b3-traceid", span.trace_id().to_string()),
        ("x-b3-spanid", span.span_id().to_string()),
        ("x-b3-sampled", sampled(span).to_string()),
        ("x-b3-parentspanid", String::new()),
        ("x-b3-flags", String::new()),
    ]);
}

fn sampled(span: &SpanContext) -> u8 {
    u8::from(span.is_sampled())
}

/// A decision that is put off counts as a no, as in OpenTelemetry's own propagators.
fn context(trace: &str, span: &str, sampled: &str) -> Option<SpanContext> {
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !matches!(trace.len(), 16 | 32) || span.len() != 16 || !is_hex(trace) || !is_hex(span) {
        return None;
    }
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    let flags = match sampled {
        "1" | "d" | "true" => TraceFlags::SAMPLED,
        _ => TraceFlags::default(),
    };
    Some(SpanContext::new(trace, span, flags, true, TraceState::default())).filter(SpanContext::is_valid)
}
