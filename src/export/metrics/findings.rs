//! The series of findings: they appear with a finding, and go to 0 when it is over.

use std::sync::Arc;

use super::families::Families;
use crate::diagnosis::Finding;

/// The label `route` of a finding on several routes: no route can have this name.
const SEVERAL: &str = "*";

/// Handles to the series.
#[derive(Clone, Debug)]
pub(in crate::export) struct Findings(pub(super) Arc<Families>);

// === impl Findings ===

impl Findings {
    /// Whether a finding is there. Its limit has a series only meanwhile, and a route that was forgotten has none.
    pub(in crate::export) fn set(&self, finding: &Finding, is_there: bool) {
        let route = finding.route.as_deref().unwrap_or(SEVERAL);
        let labels = [route, finding.culprit.as_str(), finding.mechanism.as_str()];
        let Families { findings, finding_limit, .. } = &*self.0;
        // Held to the end: a route that is forgotten meanwhile is forgotten whole.
        let diagnosed = self.0.diagnosed();
        if route != SEVERAL && !diagnosed.contains(route) {
            return;
        }
        findings.with_label_values(&labels).set(i64::from(is_there));
        if let Some(limit) = finding.limit_s.filter(|_| is_there) {
            finding_limit.with_label_values(&labels).set(limit);
        } else {
            // Fails if there is none, which is as well.
            let _ = finding_limit.remove_label_values(&labels);
        }
    }
}
