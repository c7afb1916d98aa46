//! A cause: the word of a rule, before it becomes a finding.

use crate::diagnosis::cluster;
use crate::diagnosis::finding::{Culprit, Evidence, Mechanism};

/// A cause, found by a rule.
#[derive(Clone, Debug)]
pub(in crate::diagnosis) struct Cause {
    pub(in crate::diagnosis) mechanism: Mechanism,
    pub(in crate::diagnosis) culprit: Culprit,
    pub(in crate::diagnosis) or: Vec<Culprit>,
    pub(in crate::diagnosis) limit: Option<f64>,
    /// The rows that it explains.
    pub(in crate::diagnosis) members: Vec<usize>,
    /// How sure the rule is.
    pub(in crate::diagnosis) confidence: f64,
    pub(in crate::diagnosis) evidence: Vec<Evidence>,
    pub(in crate::diagnosis) consequences: Vec<Mechanism>,
    /// The rows of these consequences.
    pub(in crate::diagnosis) followers: Vec<usize>,
    /// Further facts in the sentence.
    pub(in crate::diagnosis) detail: Option<&'static str>,
}

/// Fewer clients than this are one client's own trouble.
pub(in crate::diagnosis) const CLIENTS: usize = 3;

// === impl Cause ===

impl Cause {
    pub(in crate::diagnosis) fn new(
        mechanism: Mechanism,
        culprit: Culprit,
        or: &[Culprit],
        members: Vec<usize>,
    ) -> Self {
        Self {
            mechanism,
            culprit,
            or: or.to_vec(),
            limit: None,
            members,
            confidence: 0.9,
            evidence: vec![],
            consequences: vec![],
            followers: vec![],
            detail: None,
        }
    }

    pub(in crate::diagnosis) fn with_limit(mut self, limit: Option<f64>) -> Self {
        self.limit = limit.map(cluster::tidy);
        self
    }

    pub(in crate::diagnosis) fn sure(mut self, confidence: f64) -> Self {
        self.confidence = confidence;
        self
    }

    pub(in crate::diagnosis) fn because(mut self, fact: &'static str, value: f64) -> Self {
        // No number is below zero, nor is zero: an empty sum is -0.
        self.evidence.push(Evidence { fact, value: (value * 1000.0).round().abs() / 1000.0 });
        self
    }
}
