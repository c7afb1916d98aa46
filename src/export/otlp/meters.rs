//! The metrics over OTLP: the counters and gauges of `/metrics`, read from the same registry, and the durations as
//! exponential histograms.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Histogram, Meter, MeterProvider as _};
use opentelemetry_otlp::MetricExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter as _;
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::metrics::{
    Aggregation, Instrument, InstrumentKind, ManualReader, Pipeline, SdkMeterProvider, Stream, Temporality,
};
use prometheus::Registry;
use prometheus::proto::{Metric, MetricFamily, MetricType};

use super::collector;
use crate::close::{Class, CloseRecord, HandshakeRecord};
use crate::export::metrics::names;
use crate::wire::Peer;

/// Series of one metric, beyond which they become one: the largest configuration has 10,000 routes.
const CARDINALITY: usize = 100_000;

/// The size and scale of a histogram, as OpenTelemetry recommends them: 160 buckets, never wider than 4.4 % up to a span of
/// values of a thousand to one, coarser beyond.
const EXPONENTIAL: Aggregation =
    Aggregation::Base2ExponentialHistogram { max_size: 160, max_scale: 20, record_min_max: true };

/// Where durations are recorded as they become known.
#[derive(Clone, Debug)]
pub(in crate::export) struct Durations {
    session: Histogram<f64>,
    idle: Histogram<f64>,
    close_handshake: Histogram<f64>,
    handshake: Histogram<f64>,
    ping_rtt: Histogram<f64>,
    reconnect: Histogram<f64>,
}

/// The meters, to be read and sent now and then.
pub(super) struct Meters {
    _provider: SdkMeterProvider,
    meter: Meter,
    reader: Reader,
    exporter: MetricExporter,
    registry: Registry,
    /// The content of the registry at the last reading; every instrument looks for its own family there.
    snapshot: Arc<Snapshot>,
    /// Families that have an instrument.
    known: HashSet<String>,
    read: ResourceMetrics,
}

#[derive(Default)]
struct Snapshot(Mutex<Vec<MetricFamily>>);

/// A reader that its provider and its user share.
#[derive(Clone, Debug)]
struct Reader(Arc<ManualReader>);

// === impl Durations ===

impl Durations {
    fn new(meter: &Meter) -> Self {
        let histogram = |family: &names::Family| {
            let (name, unit) = spelt(family.name);
            meter.f64_histogram(name).with_unit(unit).with_description(family.help).build()
        };
        Self {
            session: histogram(&names::SESSION_DURATION),
            idle: histogram(&names::IDLE_BEFORE_CLOSE),
            close_handshake: histogram(&names::CLOSE_HANDSHAKE),
            handshake: histogram(&names::HANDSHAKE_DURATION),
            ping_rtt: histogram(&names::PING_RTT),
            reconnect: histogram(&names::RECONNECT),
        }
    }

    /// A session ended.
    pub(in crate::export) fn closed(&self, route: &Arc<str>, record: &CloseRecord) {
        let verdict = &record.verdict;
        let route = KeyValue::new("route", Arc::clone(route));
        let labels = [route.clone(), KeyValue::new("class", verdict.class.as_str())];
        self.session.record(verdict.ended.as_secs_f64(), &labels);
        self.idle.record(record.idle().as_secs_f64(), &labels);
        if let Some(time) = verdict.close_handshake {
            let labels = [route, KeyValue::new("initiator", verdict.initiator.as_str())];
            self.close_handshake.record(time.as_secs_f64(), &labels);
        }
    }

    /// An upgrade was answered, or its client went away.
    pub(in crate::export) fn handshake(&self, route: &Arc<str>, record: &HandshakeRecord) {
        self.handshake.record(record.duration.as_secs_f64(), &[KeyValue::new("route", Arc::clone(route))]);
    }

    /// `peer` answered a ping.
    pub(in crate::export) fn ping_rtt(&self, route: &Arc<str>, peer: Peer, rtt: Duration) {
        let labels = [KeyValue::new("route", Arc::clone(route)), KeyValue::new("peer", peer.as_str())];
        self.ping_rtt.record(rtt.as_secs_f64(), &labels);
    }

    /// A client came back so many seconds after a session of this class.
    pub(in crate::export) fn returned(&self, route: &str, class: Class, after: f64) {
        let labels = [KeyValue::new("route", route.to_owned()), KeyValue::new("class", class.as_str())];
        self.reconnect.record(after, &labels);
    }
}

// === impl Meters ===

impl Meters {
    /// Meters of what `registry` holds, now and later.
    pub(super) fn new(exporter: MetricExporter, registry: Registry, resource: Resource) -> (Self, Durations) {
        let reader = Reader(Arc::new(ManualReader::builder().with_temporality(Temporality::Cumulative).build()));
        let provider = SdkMeterProvider::builder()
            .with_resource(resource)
            .with_reader(reader.clone())
            .with_view(|instrument: &Instrument| {
                let stream = Stream::builder().with_cardinality_limit(CARDINALITY);
                let exponential = instrument.kind() == InstrumentKind::Histogram;
                let stream = if exponential { stream.with_aggregation(EXPONENTIAL) } else { stream };
                stream.build().ok()
            })
            .build();
        let meter = provider.meter_with_scope(collector::scope());
        let durations = Durations::new(&meter);
        let meters = Self {
            _provider: provider,
            meter,
            reader,
            exporter,
            registry,
            snapshot: Arc::default(),
            known: HashSet::new(),
            read: ResourceMetrics::default(),
        };
        (meters, durations)
    }

    /// Reads every meter, and sends what it says.
    pub(super) async fn export(&mut self) -> OTelSdkResult {
        let families = self.registry.gather();
        for family in &families {
            if family.name().starts_with("closewatch_") && self.known.insert(family.name().to_owned()) {
                self.observe(family);
            }
        }
        *self.snapshot.lock() = families;
        self.reader.collect(&mut self.read)?;
        self.snapshot.lock().clear();
        self.exporter.export(&self.read).await
    }

    /// Makes the instrument of a family. Histograms have their own.
    fn observe(&self, family: &MetricFamily) {
        let (name, unit) = spelt(family.name());
        let help = family.help().to_owned();
        let snapshot = Arc::clone(&self.snapshot);
        let family_name = family.name().to_owned();
        match family.get_field_type() {
            MetricType::COUNTER => {
                let counter = self.meter.u64_observable_counter(name).with_unit(unit).with_description(help);
                #[expect(
                    clippy::cast_sign_loss,
                    reason = "counts are integers, exact up to 2^53; of processor time whole seconds will do"
                )]
                let value = |metric: &Metric| metric.get_counter().get_value() as u64;
                counter
                    .with_callback(move |observer| {
                        snapshot.each(&family_name, |metric, labels| observer.observe(value(metric), labels));
                    })
                    .build();
            }
            MetricType::GAUGE => {
                let gauge = self.meter.f64_observable_gauge(name).with_unit(unit).with_description(help);
                let value = |metric: &Metric| metric.get_gauge().get_value();
                gauge
                    .with_callback(move |observer| {
                        snapshot.each(&family_name, |metric, labels| observer.observe(value(metric), labels));
                    })
                    .build();
            }
            MetricType::HISTOGRAM | MetricType::SUMMARY | MetricType::UNTYPED => {}
        }
    }
}

/// The name and unit of a metric in OpenTelemetry's spelling, from which a collector makes the one of Prometheus again.
fn spelt(name: &str) -> (String, &'static str) {
    let name = name.strip_suffix("_total").unwrap_or(name).replacen("closewatch_", "closewatch.", 1);
    for (suffix, unit) in [("_seconds", "s"), ("_bytes", "By")] {
        if let Some(name) = name.strip_suffix(suffix) {
            return (name.to_owned(), unit);
        }
    }
    (name, "")
}

// === impl Snapshot ===

impl Snapshot {
    fn lock(&self) -> MutexGuard<'_, Vec<MetricFamily>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows every series of a family, with its labels.
    fn each(&self, name: &str, mut show: impl FnMut(&Metric, &[KeyValue])) {
        let families = self.lock();
        for metric in families.iter().filter(|family| family.name() == name).flat_map(MetricFamily::get_metric) {
            let label =
                |label: &prometheus::proto::LabelPair| KeyValue::new(label.name().to_owned(), label.value().to_owned());
            let labels: Vec<_> = metric.get_label().iter().map(label).collect();
            show(metric, &labels);
        }
    }
}

// === impl Reader ===

impl MetricReader for Reader {
    fn register_pipeline(&self, pipeline: Weak<Pipeline>) {
        self.0.register_pipeline(pipeline);
    }

    fn collect(&self, metrics: &mut ResourceMetrics) -> OTelSdkResult {
        self.0.collect(metrics)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn temporality(&self, kind: InstrumentKind) -> Temporality {
        self.0.temporality(kind)
    }
}

impl fmt::Debug for Meters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meters").field("known", &self.known).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_spelt_so_that_a_collector_spells_them_back() {
        for (prometheus, name, unit) in [
            ("closewatch_closes_total", "closewatch.closes", ""),
            ("closewatch_session_duration_seconds", "closewatch.session_duration", "s"),
            ("closewatch_frame_bytes_total", "closewatch.frame", "By"),
            ("closewatch_sessions_active", "closewatch.sessions_active", ""),
        ] {
            assert_eq!(spelt(prometheus), (name.to_owned(), unit), "{prometheus}");
        }
    }
}
