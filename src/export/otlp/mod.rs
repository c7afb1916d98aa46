//! OpenTelemetry: spans, and if they are asked for log records and metrics, over OTLP.
//!
//! A worker only decides whether a span is kept and puts a pointer into the queue; all else is the work of one thread with a
//! runtime of its own. What does not fit into the queue, or is not taken by the collector in time, is dropped and counted.

mod attributes;
mod b3;
mod collector;
mod context;
mod error;
mod facts;
mod logs;
mod meters;
mod output;
mod sender;
mod spans;
#[cfg(test)]
mod tests;
mod tracer;

pub use self::error::OtlpError;
pub(super) use self::meters::Durations;
pub(super) use self::output::{Flushing, Otlp};
