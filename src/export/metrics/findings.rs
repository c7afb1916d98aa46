//! The series of findings: they appear with a finding, and go to 0 when it is over.

use prometheus::IntGaugeVec;

use crate::diagnosis::Finding;

/// The label `route` of a finding on several routes: no route can have this name.
const SEVERAL: &str = "*";

/// Handles to the series.
#[derive(Clone, Debug)]
pub(in crate::export) struct Findings(pub(super) IntGaugeVec);

// === impl Findings ===

impl Findings {
    /// Whether a finding is there.
    pub(in crate::export) fn set(&self, finding: &Finding, is_there: bool) {
        let route = finding.route.as_deref().unwrap_or(SEVERAL);
        let labels = [route, finding.culprit.as_str(), finding.mechanism.as_str()];
        self.0.with_label_values(&labels).set(i64::from(is_there));
    }
}
