//! Exemplars: of each kind of abnormal end, the trace of the latest one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use super::names;
use crate::close::{Class, CloseRecord, SpanId, TraceId};

/// One end, as its counter refers to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exemplar {
    pub(super) trace_id: TraceId,
    pub(super) span_id: SpanId,
    pub(super) time: Timestamp,
}

/// The exemplars of `closes_total`: as many as it has series of class `abnormal`, at most.
#[derive(Clone, Debug, Default)]
pub(super) struct Exemplars(Arc<Mutex<HashMap<Labels, Exemplar>>>);

/// The values of the labels of a series, in the order of [`names::CLOSES`].
type Labels = [Box<str>; names::CLOSES.labels.len()];

// === impl Exemplars ===

impl Exemplars {
    /// Remembers an abnormal end whose span is kept. Others are not worth a look.
    pub(super) fn remember(&self, record: &CloseRecord) {
        let verdict = &record.verdict;
        let (Class::Abnormal, Some(span)) = (verdict.class, &record.span) else { return };
        let labels: Labels = [
            (*record.session.route.name).into(),
            verdict.label.to_string().into(),
            verdict.class.as_str().into(),
            verdict.initiator.as_str().into(),
            verdict.cause.as_str().into(),
        ];
        let exemplar = Exemplar { trace_id: span.trace_id, span_id: span.span_id, time: record.time };
        self.lock().insert(labels, exemplar);
    }

    /// That of the series with these values, if it has one.
    pub(super) fn of(&self, labels: &[&str]) -> Option<Exemplar> {
        let labels: Labels = labels.iter().map(|value| Box::from(*value)).collect::<Vec<_>>().try_into().ok()?;
        self.lock().get(&labels).copied()
    }

    /// Forgets those of a route.
    pub(super) fn forget(&self, route: &str) {
        self.lock().retain(|labels, _| *labels[0] != *route);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Labels, Exemplar>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
