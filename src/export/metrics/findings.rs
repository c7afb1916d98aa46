//! The series of findings: they appear with a finding, and go to 0 when it is over.

use prometheus::{GaugeVec, IntGaugeVec};

use crate::diagnosis::Finding;

/// The label `route` of a finding on several routes: no route can have this name.
const SEVERAL: &str = "*";

/// Handles to the series.
#[derive(Clone, Debug)]
pub(in crate::export) struct Findings {
    pub(super) there: IntGaugeVec,
    pub(super) limit: GaugeVec,
}

// === impl Findings ===

impl Findings {
    /// Whether a finding is there. Its limit has a series only meanwhile.
    pub(in crate::export) fn set(&self, finding: &Finding, is_there: bool) {
        let route = finding.route.as_deref().unwrap_or(SEVERAL);
        let labels = [route, finding.culprit.as_str(), finding.mechanism.as_str()];
        self.there.with_label_values(&labels).set(i64::from(is_there));
        if let Some(limit) = finding.limit_s.filter(|_| is_there) {
            self.limit.with_label_values(&labels).set(limit);
        } else {
            // Fails if there is none, which is as well.
            let _ = self.limit.remove_label_values(&labels);
        }
    }
}
