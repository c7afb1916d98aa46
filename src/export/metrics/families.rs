//! The families that have a route, made and registered once.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use prometheus::core::{Collector, MetricVec, MetricVecBuilder};
use prometheus::{GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::exemplars::Exemplars;
use super::names::{self, Family};
use super::sessions::Sessions;

/// Why making and registering a family cannot fail.
const CONSTANT: &str = "names and labels are constants, valid and different";

/// Handles to every family with a label `route`, and to the gauges that all routes share.
#[derive(Debug)]
pub(super) struct Families {
    pub(super) opened: IntCounterVec,
    pub(super) closes: IntCounterVec,
    pub(super) session_duration: HistogramVec,
    pub(super) idle_before_close: HistogramVec,
    pub(super) close_handshake: HistogramVec,
    pub(super) saw_mismatch: IntCounterVec,
    pub(super) handshakes: IntCounterVec,
    pub(super) handshake_duration: HistogramVec,
    pub(super) messages: IntCounterVec,
    pub(super) frame_bytes: IntCounterVec,
    pub(super) undelivered_bytes: IntCounterVec,
    pub(super) ping_rtt: HistogramVec,
    pub(super) violations: IntCounterVec,
    pub(super) blind_sessions: IntCounterVec,
    pub(super) http_requests: IntCounterVec,
    pub(super) findings: IntGaugeVec,
    pub(super) finding_limit: GaugeVec,
    diagnosed: Mutex<HashSet<String>>,
    pub(super) lost: IntCounterVec,
    pub(super) reconnect: HistogramVec,
    pub(super) never_returned: IntCounterVec,
    pub(super) hasty_reconnects: IntCounterVec,
    pub(super) hints: IntCounterVec,
    pub(super) stalled: IntGauge,
    pub(super) spilled_bytes: IntGauge,
    pub(super) upstream_connections: IntGauge,
    pub(super) exemplars: Exemplars,
}

// === impl Families ===

impl Families {
    pub(super) fn register(registry: &Registry) -> Self {
        let sessions = Sessions::new(counter(&names::SESSIONS_OPENED), counter(&names::CLOSES));
        let (opened, closes) = (sessions.opened.clone(), sessions.closes.clone());
        register(registry, sessions);
        let counter = |family| registered(registry, counter(family));
        let histogram = |family, buckets| registered(registry, histogram(family, buckets));
        let gauge = |family| registered(registry, gauge(family));
        Self {
            opened,
            closes,
            session_duration: histogram(&names::SESSION_DURATION, names::SESSION_DURATION_BUCKETS),
            idle_before_close: histogram(&names::IDLE_BEFORE_CLOSE, names::IDLE_BUCKETS),
            close_handshake: histogram(&names::CLOSE_HANDSHAKE, names::CLOSE_HANDSHAKE_BUCKETS),
            saw_mismatch: counter(&names::SAW_MISMATCH),
            handshakes: counter(&names::HANDSHAKES),
            handshake_duration: histogram(&names::HANDSHAKE_DURATION, names::HANDSHAKE_DURATION_BUCKETS),
            messages: counter(&names::MESSAGES),
            frame_bytes: counter(&names::FRAME_BYTES),
            undelivered_bytes: counter(&names::UNDELIVERED_BYTES),
            ping_rtt: histogram(&names::PING_RTT, names::PING_RTT_BUCKETS),
            violations: counter(&names::VIOLATIONS),
            blind_sessions: counter(&names::BLIND_SESSIONS),
            http_requests: counter(&names::HTTP_REQUESTS),
            findings: registered(registry, gauges(&names::FINDINGS)),
            finding_limit: registered(registry, float_gauges(&names::FINDING_LIMIT)),
            diagnosed: Mutex::default(),
            lost: counter(&names::SESSIONS_LOST),
            reconnect: histogram(&names::RECONNECT, names::RECONNECT_BUCKETS),
            never_returned: counter(&names::NEVER_RETURNED),
            hasty_reconnects: counter(&names::HASTY_RECONNECTS),
            hints: counter(&names::HINTS),
            stalled: gauge(&names::SESSIONS_STALLED),
            spilled_bytes: gauge(&names::SPILLED_BYTES),
            upstream_connections: gauge(&names::UPSTREAM_CONNECTIONS),
            exemplars: Exemplars::default(),
        }
    }

    /// The routes whose findings have series. Diagnosis remembers records of a route for longer than there may be such a route.
    pub(super) fn diagnosed(&self) -> MutexGuard<'_, HashSet<String>> {
        self.diagnosed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes every series of a route.
    pub(super) fn forget(&self, route: &str) {
        let mut diagnosed = self.diagnosed();
        diagnosed.remove(route);
        for counters in [
            &self.opened,
            &self.closes,
            &self.saw_mismatch,
            &self.handshakes,
            &self.messages,
            &self.frame_bytes,
            &self.undelivered_bytes,
            &self.violations,
            &self.blind_sessions,
            &self.http_requests,
            &self.hints,
            &self.lost,
            &self.never_returned,
            &self.hasty_reconnects,
        ] {
            remove_route(counters, route);
        }
        remove_route(&self.findings, route);
        remove_route(&self.finding_limit, route);
        self.exemplars.forget(route);
        for histograms in [
            &self.session_duration,
            &self.idle_before_close,
            &self.close_handshake,
            &self.handshake_duration,
            &self.ping_rtt,
            &self.reconnect,
        ] {
            remove_route(histograms, route);
        }
    }
}

fn remove_route<B: MetricVecBuilder>(series: &MetricVec<B>, route: &str) {
    for family in series.collect() {
        for metric in family.get_metric() {
            let labels: HashMap<_, _> = metric.get_label().iter().map(|label| (label.name(), label.value())).collect();
            if labels.get("route") == Some(&route) {
                // It was there a moment ago; if it is gone, so much the better.
                let _ = series.remove(&labels);
            }
        }
    }
}

pub(super) fn counter(family: &Family) -> IntCounterVec {
    IntCounterVec::new(Opts::new(family.name, family.help), family.labels).expect(CONSTANT)
}

pub(super) fn gauge(family: &Family) -> IntGauge {
    IntGauge::new(family.name, family.help).expect(CONSTANT)
}

fn float_gauges(family: &Family) -> GaugeVec {
    GaugeVec::new(Opts::new(family.name, family.help), family.labels).expect(CONSTANT)
}

fn gauges(family: &Family) -> IntGaugeVec {
    IntGaugeVec::new(Opts::new(family.name, family.help), family.labels).expect(CONSTANT)
}

fn histogram(family: &Family, buckets: &[f64]) -> HistogramVec {
    let options = HistogramOpts::new(family.name, family.help).buckets(buckets.to_vec());
    HistogramVec::new(options, family.labels).expect(CONSTANT)
}

/// Puts a handle's family into the exposition.
pub(super) fn registered<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> C {
    register(registry, collector.clone());
    collector
}

pub(super) fn register(registry: &Registry, collector: impl Collector + 'static) {
    registry.register(Box::new(collector)).expect(CONSTANT);
}
