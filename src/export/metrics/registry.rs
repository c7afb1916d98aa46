//! The registry of one process, and what concerns no route.

use std::sync::Arc;

use jiff::Timestamp;
use prometheus::{Encoder, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};

use super::families::{Families, counter, gauge, register, registered};
use super::names;
use super::route::{RouteMetrics, expect};
use crate::close::{CloseCode, CodeRules, Rejection};

/// The media type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Every series of this process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    families: Arc<Families>,
    draining: IntGauge,
    records_dropped: IntCounterVec,
    connections_rejected: IntCounterVec,
    config_reload_success: IntGauge,
    config_last_reload: IntGauge,
}

/// An output that can lose records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sink {
    /// The close log.
    Log,
    /// The OTLP exporter: spans and log records, each for itself.
    Otlp,
}

// === impl Metrics ===

impl Metrics {
    /// A registry of its own, with every family in it.
    pub fn new() -> Self {
        let registry = Registry::new();
        let families = Arc::new(Families::register(&registry));
        let counter = |family| registered(&registry, counter(family));
        let gauge = |family| registered(&registry, gauge(family));

        let records_dropped = counter(&names::RECORDS_DROPPED);
        for sink in Sink::ALL {
            records_dropped.with_label_values(&[sink.as_str()]);
        }
        let connections_rejected = counter(&names::CONNECTIONS_REJECTED);
        for reason in Rejection::ALL {
            connections_rejected.with_label_values(&[reason.as_str()]);
        }
        register(&registry, build_info());
        #[cfg(target_os = "linux")]
        register(&registry, prometheus::process_collector::ProcessCollector::for_self());
        Self {
            families,
            draining: gauge(&names::DRAINING),
            records_dropped,
            connections_rejected,
            config_reload_success: gauge(&names::CONFIG_RELOAD_SUCCESS),
            config_last_reload: gauge(&names::CONFIG_LAST_RELOAD),
            registry,
        }
    }

    /// Makes the series that a route can be expected to have, with 0. `own_codes` are the codes of the Closes that
    /// closewatch may send itself. Series that exist already stay as they are.
    pub fn expect(&self, name: &str, rules: &CodeRules, own_codes: &[CloseCode]) {
        expect(&self.families, name, rules, own_codes);
    }

    /// The handles of a route's series.
    pub fn route(&self, name: &str) -> RouteMetrics {
        RouteMetrics::new(Arc::clone(&self.families), name)
    }

    /// A connection was turned away before it said anything.
    pub fn rejected(&self, reason: Rejection) {
        self.connections_rejected.with_label_values(&[reason.as_str()]).inc();
    }

    /// A drain has begun.
    pub fn draining(&self) {
        self.draining.set(1);
    }

    /// A configuration was taken, at the start or on request.
    pub fn config_taken(&self, at: Timestamp) {
        self.config_reload_success.set(1);
        self.config_last_reload.set(at.as_second());
    }

    /// A configuration was refused; the one before it stays.
    pub fn config_refused(&self) {
        self.config_reload_success.set(0);
    }

    /// The counter of records that `sink` lost.
    pub fn records_dropped(&self, sink: Sink) -> IntCounter {
        self.records_dropped.with_label_values(&[sink.as_str()])
    }

    /// Whatever is in the exposition, for another one.
    pub(in crate::export) fn registry(&self) -> Registry {
        self.registry.clone()
    }

    /// The exposition, of [`CONTENT_TYPE`].
    pub fn encode(&self) -> Vec<u8> {
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            // Only a family without a name or without series fails, and `gather` leaves these out.
            tracing::error!(%error, "the metrics cannot be written whole");
        }
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

// === impl Sink ===

impl Sink {
    /// Every output.
    pub const ALL: [Self; 2] = [Self::Log, Self::Otlp];

    /// The value of the label `sink`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Otlp => "otlp",
        }
    }
}

fn build_info() -> IntGaugeVec {
    let family = &names::BUILD_INFO;
    let info = IntGaugeVec::new(Opts::new(family.name, family.help), family.labels).expect("the labels are valid");
    info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
    info
}
