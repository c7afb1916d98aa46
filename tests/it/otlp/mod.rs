//! OpenTelemetry, as real receivers are given it: spans, log records and metrics, over HTTP and gRPC.
//!
//! `tests/run` installs the receivers: Elastic's mockotlpserver, which says what it was sent, and rotel, a collector.

mod collectors;
mod losses;
mod propagation;
mod receiver;
mod refusals;
mod secured;
mod signals;
mod spans;
