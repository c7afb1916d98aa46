//! Which spans there are: the handshake's, before its upstream is asked; the session's, once it is known how it ended.

use std::fmt;
use std::sync::Arc;

use opentelemetry::Context;
use opentelemetry::propagation::{Extractor as _, TextMapPropagator};
use opentelemetry::trace::{SpanContext, SpanKind, TraceContextExt, TraceFlags, TraceId, TraceState};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, Sampler, SamplingDecision, ShouldSample};

use super::b3;
use super::context::{self, Headers};
use crate::close;
use crate::close::{CloseRecord, HandshakeTrace, Propagation, RequestHeaders, SpanId, TraceSpan};
use crate::config::{Otel, OtelPropagator, OtelSampler};

/// A longer `tracestate` goes on to the upstream, but no session holds it (W3C Trace Context §3.3.1.5 asks for 512).
const LONGEST_STATE: usize = 512;

/// Decides about spans, and gives them their ids.
pub(super) struct Tracer {
    sampler: Sampler,
    /// Of sampled traces, those that keep the span of a session that ended well.
    clean: Sampler,
    propagators: Vec<OtelPropagator>,
    trace_context: TraceContextPropagator,
    ids: RandomIdGenerator,
}

// === impl Tracer ===

impl Tracer {
    pub(super) fn new(otel: &Otel) -> Self {
        let ratio = Sampler::TraceIdRatioBased(otel.sampler_ratio);
        let sampler = match otel.sampler {
            OtelSampler::AlwaysOn => Sampler::AlwaysOn,
            OtelSampler::AlwaysOff => Sampler::AlwaysOff,
            OtelSampler::TraceIdRatio => ratio,
            OtelSampler::ParentBasedAlwaysOn => Sampler::ParentBased(Box::new(Sampler::AlwaysOn)),
            OtelSampler::ParentBasedAlwaysOff => Sampler::ParentBased(Box::new(Sampler::AlwaysOff)),
            OtelSampler::ParentBasedTraceIdRatio => Sampler::ParentBased(Box::new(ratio)),
        };
        Self {
            sampler,
            clean: Sampler::TraceIdRatioBased(otel.sample_clean),
            propagators: otel.propagators.clone(),
            trace_context: TraceContextPropagator::new(),
            ids: RandomIdGenerator::default(),
        }
    }

    /// The span of a handshake with these headers, and what its upstream is told of it.
    pub(super) fn handshake(&self, headers: &dyn RequestHeaders) -> Propagation {
        let headers = &Headers(headers);
        let parent = self.propagators.iter().find_map(|format| self.extract(*format, headers));
        let trace_id = parent.as_ref().map_or_else(|| self.ids.new_trace_id(), SpanContext::trace_id);
        let context = parent.clone().map(|parent| Context::new().with_remote_span_context(parent));
        let flags =
            if keeps(&self.sampler, context.as_ref(), trace_id) { TraceFlags::SAMPLED } else { TraceFlags::default() };
        let given = headers.get("tracestate");
        let state = parent.as_ref().map(SpanContext::trace_state).filter(|state| **state != TraceState::default());
        let is_of_this_trace = state.is_some();
        let state =
            state.filter(|_| given.is_some_and(|given| given.len() <= LONGEST_STATE)).cloned().unwrap_or_default();
        let span = SpanContext::new(trace_id, self.ids.new_span_id(), flags, false, state);
        let mut sent = Vec::new();
        for format in &self.propagators {
            match format {
                OtelPropagator::TraceContext => {
                    sent.push((
                        "traceparent",
                        format!("00-{}-{}-{:02x}", trace_id, span.span_id(), span.trace_flags()),
                    ));
                    // It goes on as it came, if it is of this trace, and readable (W3C Trace Context §3.3).
                    if given.is_some() && !is_of_this_trace {
                        sent.push(("tracestate", String::new()));
                    }
                }
                OtelPropagator::B3 => b3::inject(&span, &mut sent),
                OtelPropagator::B3Multi => b3::inject_multi(&span, &mut sent),
            }
        }
        let trace = HandshakeTrace {
            span: context::to_span(&span),
            parent: parent.map(|parent| SpanId(parent.span_id().to_bytes())),
        };
        Propagation { trace: Arc::new(trace), headers: sent }
    }

    /// The span of a session that has ended, if it is kept. With its handshake's, it is that one's child; without, it begins
    /// a trace of its own, because it ended in a way that somebody may have to look at.
    pub(super) fn session(&self, record: &CloseRecord) -> Option<TraceSpan> {
        let handshake = &record.session.trace.as_ref()?.span;
        let own = context::of_trace_id(handshake.trace_id);
        let trace_id = match (handshake.sampled, record.verdict.level() == "warn") {
            (true, true) => handshake.trace_id,
            (true, false) if keeps(&self.clean, None, own) => handshake.trace_id,
            (false, true) => close::TraceId(self.ids.new_trace_id().to_bytes()),
            (_, false) => return None,
        };
        let span_id = SpanId(self.ids.new_span_id().to_bytes());
        Some(TraceSpan { trace_id, span_id, sampled: true, state: handshake.state.clone() })
    }

    fn extract(&self, format: OtelPropagator, headers: &Headers<'_>) -> Option<SpanContext> {
        match format {
            OtelPropagator::TraceContext => {
                let context = self.trace_context.extract_with_context(&Context::new(), headers);
                Some(context.span().span_context().clone()).filter(SpanContext::is_valid)
            }
            OtelPropagator::B3 => b3::extract(headers),
            OtelPropagator::B3Multi => b3::extract_multi(headers),
        }
    }
}

fn keeps(sampler: &Sampler, parent: Option<&Context>, trace_id: TraceId) -> bool {
    let result = sampler.should_sample(parent, trace_id, "GET", &SpanKind::Server, &[], &[]);
    result.decision == SamplingDecision::RecordAndSample
}

impl fmt::Debug for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracer")
            .field("sampler", &self.sampler)
            .field("propagators", &self.propagators)
            .finish_non_exhaustive()
    }
}
