//! Where an upgrade stands in a distributed trace, if sessions are traced.

use std::sync::Arc;

use opentelemetry::trace::{SpanContext, SpanId};

/// The span of an upgrade, fixed before the upstream is asked; the span of the session refers to it.
#[derive(Clone, Debug, PartialEq)]
pub struct HandshakeTrace {
    /// The span itself: what the upstream is told. Exported only if it is sampled.
    pub span: SpanContext,
    /// The span that the client named as its own.
    pub parent: Option<SpanId>,
}

/// A span that was begun, and what the upstream's request has to say of it.
#[derive(Clone, Debug)]
pub struct Propagation {
    /// The span.
    pub trace: Arc<HandshakeTrace>,
    /// Headers in place of those of the same name, names in lower case. An empty value only removes them.
    pub headers: Vec<(&'static str, String)>,
}
