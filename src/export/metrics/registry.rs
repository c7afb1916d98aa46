//! The registry of one process, and what concerns no route.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use prometheus::{Encoder, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};

use super::families::{Families, counter, gauge, register, registered};
use super::findings::Findings;
use super::names;
use super::openmetrics;
use super::process::Process;
use super::reconnects::{self, Reconnects};
use super::route::{RouteMetrics, expect};
use crate::close::{CloseCode, CloseRecord, CodeRules, NO_ROUTE, Rejection};
use crate::diagnosis::Mechanism;

/// The media type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Every series of this process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    families: Arc<Families>,
    draining: IntGauge,
    diagnosis_enabled: IntGauge,
    records_dropped: IntCounterVec,
    connections_rejected: IntCounterVec,
    config_reload_success: IntGauge,
    config_last_reload: IntGauge,
    certificate_expiry: IntGaugeVec,
    streams_refused: IntCounter,
    reloads: Mutex<Reloads>,
}

/// The outcome of the last reloads.
#[derive(Debug, Default)]
struct Reloads {
    config_refused: bool,
    certificates_refused: bool,
    /// The files that have a series.
    certificates: BTreeSet<String>,
}

/// An output that can lose records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sink {
    /// The close log.
    Log,
    /// The OTLP exporter: spans and log records, each for itself.
    Otlp,
    /// Diagnosis.
    Diagnosis,
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
        register(&registry, info(&names::BUILD_INFO, env!("CARGO_PKG_VERSION")));
        match Process::new() {
            Ok(process) => register(&registry, process),
            Err(error) => tracing::warn!(%error, "there are no metrics of the process: /proc cannot be read"),
        }
        Self {
            families,
            draining: gauge(&names::DRAINING),
            diagnosis_enabled: gauge(&names::DIAGNOSIS_ENABLED),
            records_dropped,
            connections_rejected,
            config_reload_success: gauge(&names::CONFIG_RELOAD_SUCCESS),
            config_last_reload: gauge(&names::CONFIG_LAST_RELOAD),
            certificate_expiry: registered(&registry, certificate_expiry()),
            streams_refused: registered(&registry, streams_refused()),
            reloads: Mutex::default(),
            registry,
        }
    }

    /// Makes the series that a route can be expected to have, with 0. `own_codes` are the codes of the Closes that
    /// closewatch may send itself. Series that exist already stay as they are.
    pub fn expect(&self, name: &str, rules: &CodeRules, own_codes: &[CloseCode]) {
        expect(&self.families, name, rules, own_codes);
    }

    /// Makes the series of a route that only diagnosis moves, with 0.
    pub fn expect_diagnosis(&self, route: &str) {
        reconnects::expect(&self.families, route);
        self.families.diagnosed().insert(route.to_owned());
        if route != NO_ROUTE {
            for mechanism in Mechanism::ALL {
                self.families.hints.with_label_values(&[route, mechanism.as_str()]);
            }
        }
    }

    /// The series of findings.
    pub(in crate::export) fn findings(&self) -> Findings {
        Findings(Arc::clone(&self.families))
    }

    /// The series of clients that come back.
    pub(in crate::export) fn reconnects(&self) -> Reconnects {
        Reconnects(Arc::clone(&self.families))
    }

    /// The handles of a route's series.
    pub fn route(&self, name: &str) -> RouteMetrics {
        RouteMetrics::new(Arc::clone(&self.families), name)
    }

    /// A connection was turned away before it said anything.
    pub fn rejected(&self, reason: Rejection) {
        self.connections_rejected.with_label_values(&[reason.as_str()]).inc();
    }

    /// People reach the admin address by this URL.
    pub fn admin_url(&self, url: &str) {
        register(&self.registry, info(&names::ADMIN_INFO, url));
    }

    /// A client's request for a stream was refused.
    pub fn stream_refused(&self) {
        self.streams_refused.inc();
    }

    /// Diagnosis runs from now on, or does not.
    pub fn diagnosis_enabled(&self, is_enabled: bool) {
        self.diagnosis_enabled.set(i64::from(is_enabled));
    }

    /// A drain has begun.
    pub fn draining(&self) {
        self.draining.set(1);
    }

    /// A configuration was taken, at the start or on request.
    pub fn config_taken(&self, at: Timestamp) {
        self.reloaded(|reloads| reloads.config_refused = false);
        self.config_last_reload.set(at.as_second());
    }

    /// A configuration was refused; the one before it stays.
    pub fn config_refused(&self) {
        self.reloaded(|reloads| reloads.config_refused = true);
    }

    /// The certificates were read; each file with the end of its validity.
    pub fn certificates_taken(&self, certificates: &[(PathBuf, Timestamp)]) {
        self.reloaded(|reloads| {
            reloads.certificates_refused = false;
            let files: BTreeSet<_> = certificates.iter().map(|(file, _)| file.display().to_string()).collect();
            for gone in reloads.certificates.difference(&files) {
                // Fails if there is none, which is as well.
                let _ = self.certificate_expiry.remove_label_values(&[gone]);
            }
            reloads.certificates = files;
        });
        for (file, until) in certificates {
            self.certificate_expiry.with_label_values(&[&file.display().to_string()]).set(until.as_second());
        }
    }

    /// Changed certificates were refused; the ones before stay.
    pub fn certificates_refused(&self) {
        self.reloaded(|reloads| reloads.certificates_refused = true);
    }

    fn reloaded(&self, note: impl FnOnce(&mut Reloads)) {
        let mut reloads = self.reloads.lock().unwrap_or_else(PoisonError::into_inner);
        note(&mut reloads);
        self.config_reload_success.set(i64::from(!reloads.config_refused && !reloads.certificates_refused));
    }

    /// A session ended so, and its span is decided.
    pub fn traced(&self, record: &CloseRecord) {
        self.families.exemplars.remember(record);
    }

    /// Removes every series of a route.
    pub fn forget_route(&self, name: &str) {
        self.families.forget(name);
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

    /// The same as OpenMetrics, with exemplars; of [`OPENMETRICS`](super::OPENMETRICS).
    pub fn encode_openmetrics(&self) -> Vec<u8> {
        openmetrics::encode(&self.registry.gather(), &self.families.exemplars).into_bytes()
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
    pub const ALL: [Self; 3] = [Self::Log, Self::Otlp, Self::Diagnosis];

    /// The value of the label `sink`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Otlp => "otlp",
            Self::Diagnosis => "diagnosis",
        }
    }
}

fn certificate_expiry() -> IntGaugeVec {
    let names::Family { name, help, labels } = names::CERTIFICATE_EXPIRY;
    IntGaugeVec::new(Opts::new(name, help), labels).expect("names and labels are constants, valid and different")
}

fn streams_refused() -> IntCounter {
    IntCounter::new(names::STREAMS_REFUSED.name, names::STREAMS_REFUSED.help).expect("the name is valid")
}

/// A family whose one series is 1, and whose one label is the information.
fn info(family: &names::Family, value: &str) -> IntGaugeVec {
    let info = IntGaugeVec::new(Opts::new(family.name, family.help), family.labels).expect("the labels are valid");
    info.with_label_values(&[value]).set(1);
    info
}
