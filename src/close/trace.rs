//! The place of a session in a distributed trace, if sessions are traced.
//!
//! Opaque here: the exporter gives these identities out and reads them back, everybody else only carries them.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// The identity of a trace: 16 bytes (W3C Trace Context §3.2.2.3).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TraceId(pub [u8; 16]);

/// The identity of a span in its trace: 8 bytes (W3C Trace Context §3.2.2.4).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SpanId(pub [u8; 8]);

/// One span, as other spans refer to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceSpan {
    /// Its trace.
    pub trace_id: TraceId,
    /// Itself.
    pub span_id: SpanId,
    /// Whether it is recorded, and exported.
    pub sampled: bool,
    /// The `tracestate` of its trace, as it is spelt in the header; empty if there is none.
    pub state: Box<str>,
}

/// The span of an upgrade, fixed before the upstream is asked; the span of the session refers to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandshakeTrace {
    /// The span itself, which the upstream is told of. Exported only if it is sampled.
    pub span: TraceSpan,
    /// The span that the client named as its own.
    pub parent: Option<SpanId>,
}

/// A span that was begun, and the headers that tell the upstream of it.
#[derive(Clone, Debug)]
pub struct Propagation {
    /// The span.
    pub trace: Arc<HandshakeTrace>,
    /// Headers in place of those of the same name, names in lower case. An empty value only removes them.
    pub headers: Vec<(&'static str, String)>,
}

/// The headers of a request, for looking up the trace that it belongs to.
pub trait RequestHeaders {
    /// The first value of the header with this name, in whatever case; `None` if there is none, or it is not text.
    fn value(&self, name: &str) -> Option<&str>;
}

/// Lower-case hex, as the W3C spells it, and OTLP over JSON.
macro_rules! hex {
    ($($id:ident),+) => { $(
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $id {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )+ };
}
hex!(TraceId, SpanId);
