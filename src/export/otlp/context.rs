//! Spans of ours as OpenTelemetry has them, and back.

use std::str::FromStr;

use opentelemetry::propagation::Extractor;
use opentelemetry::trace::{SpanContext, TraceFlags, TraceState};

use crate::close::{RequestHeaders, SpanId, TraceId, TraceSpan};

/// The headers of a request, in the form that propagators read.
pub(super) struct Headers<'h>(pub(super) &'h dyn RequestHeaders);

/// A span of ours as OpenTelemetry has it.
pub(super) fn of_span(span: &TraceSpan) -> SpanContext {
    let flags = if span.sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
    let state = TraceState::from_str(&span.state).unwrap_or_default();
    SpanContext::new(of_trace_id(span.trace_id), of_span_id(span.span_id), flags, false, state)
}

/// The same of its trace's identity.
pub(super) const fn of_trace_id(id: TraceId) -> opentelemetry::TraceId {
    opentelemetry::TraceId::from_bytes(id.0)
}

/// The same of its own.
pub(super) const fn of_span_id(id: SpanId) -> opentelemetry::SpanId {
    opentelemetry::SpanId::from_bytes(id.0)
}

/// OpenTelemetry's span as ours. Its flags but the one for sampling are left out, as are those of every span made here.
pub(super) fn to_span(context: &SpanContext) -> TraceSpan {
    TraceSpan {
        trace_id: TraceId(context.trace_id().to_bytes()),
        span_id: SpanId(context.span_id().to_bytes()),
        sampled: context.is_sampled(),
        state: context.trace_state().header().into(),
    }
}

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.value(key)
    }

    /// No propagator here asks for them.
    fn keys(&self) -> Vec<&str> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_comes_back_as_it_was() {
        for (sampled, state) in [(true, ""), (false, "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE")] {
            let span = TraceSpan { trace_id: TraceId([7; 16]), span_id: SpanId([3; 8]), sampled, state: state.into() };
            assert_eq!(to_span(&of_span(&span)), span);
        }
        assert_eq!(TraceId([0xa1; 16]).to_string(), of_trace_id(TraceId([0xa1; 16])).to_string());
        assert_eq!(SpanId([0x0f; 8]).to_string(), of_span_id(SpanId([0x0f; 8])).to_string());
    }
}
