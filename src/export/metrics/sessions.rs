//! Sessions opened, closed, and the difference.

use std::collections::BTreeMap;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntCounterVec, IntGaugeVec, Opts};

use super::names;

/// Collects `sessions_opened_total`, `closes_total`, and from these same two values `sessions_active`.
///
/// So in every scrape opened = closes + active holds exactly, and no gauge can drift.
#[derive(Debug)]
pub(super) struct Sessions {
    pub(super) opened: IntCounterVec,
    pub(super) closes: IntCounterVec,
    /// Never holds a value: it describes the family. Two scrapes at once must not share one gauge.
    active: IntGaugeVec,
}

// === impl Sessions ===

impl Sessions {
    pub(super) fn new(opened: IntCounterVec, closes: IntCounterVec) -> Self {
        Self { opened, closes, active: active() }
    }
}

impl Collector for Sessions {
    fn desc(&self) -> Vec<&Desc> {
        [self.opened.desc(), self.closes.desc(), self.active.desc()].concat()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        // Closes first: a session that opens and closes meanwhile counts as still active, never as less than none.
        let closes = self.closes.collect();
        let opened = self.opened.collect();
        let ended = by_route(&closes);
        let active = active();
        for (route, count) in by_route(&opened) {
            let up = count.saturating_sub(ended.get(route).copied().unwrap_or_default());
            active.with_label_values(&[route]).set(up.cast_signed());
        }
        [closes, opened, active.collect()].concat()
    }
}

fn active() -> IntGaugeVec {
    let family = &names::SESSIONS_ACTIVE;
    IntGaugeVec::new(Opts::new(family.name, family.help), family.labels).expect("the name and the label are valid")
}

/// The sum of counters over all labels but `route`.
fn by_route(families: &[MetricFamily]) -> BTreeMap<&str, u64> {
    let mut sums = BTreeMap::new();
    for metric in families.iter().flat_map(MetricFamily::get_metric) {
        let route = metric.get_label().iter().find(|label| label.name() == "route").map_or("", |label| label.value());
        #[expect(clippy::cast_sign_loss, reason = "an integer counter, exact as a float up to 2^53")]
        let value = metric.get_counter().get_value() as u64;
        *sums.entry(route).or_default() += value;
    }
    sums
}
