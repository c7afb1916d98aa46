//! Announcements of findings: a series each, and a line of closewatch's own log when one appears and when it is over.

use crate::diagnosis::Finding;
use crate::export::metrics::Findings;

/// Findings that were said to be there.
pub(super) struct Announcer {
    series: Findings,
    said: Vec<(u64, Finding)>,
}

// === impl Announcer ===

impl Announcer {
    pub(super) const fn new(series: Findings) -> Self {
        Self { series, said: vec![] }
    }

    /// These are there now, each with its number. One whose culprit has become another goes on, in the series of that culprit;
    /// one whose mechanism or route has become another has a line of its new name.
    pub(super) fn announce<'a>(&mut self, now: impl Iterator<Item = (u64, &'a Finding)>) {
        let now: Vec<(u64, Finding)> = now.map(|(id, finding)| (id, finding.clone())).collect();
        for (id, over) in &self.said {
            self.series.set(over, false);
            if !now.iter().any(|(other, _)| other == id) {
                tracing::info!(
                    route = over.route.as_deref(),
                    culprit = over.culprit.as_str(),
                    mechanism = over.mechanism.as_str(),
                    first_at = over.first_at,
                    last_at = over.last_at,
                    sessions = over.sessions,
                    handshakes = over.handshakes,
                    "a finding is over"
                );
            }
        }
        for (id, finding) in &now {
            self.series.set(finding, true);
            match self.said.iter().find(|(other, _)| other == id) {
                None => tracing::warn!(
                    route = finding.route.as_deref(),
                    culprit = finding.culprit.as_str(),
                    mechanism = finding.mechanism.as_str(),
                    limit_s = finding.limit_s,
                    confidence = finding.confidence,
                    runbook = finding.runbook,
                    "a finding: {}",
                    finding.sentence
                ),
                Some((_, before)) if before.mechanism != finding.mechanism || before.route != finding.route => {
                    tracing::info!(
                        route = finding.route.as_deref(),
                        culprit = finding.culprit.as_str(),
                        mechanism = finding.mechanism.as_str(),
                        limit_s = finding.limit_s,
                        confidence = finding.confidence,
                        runbook = finding.runbook,
                        was = before.mechanism.as_str(),
                        "a finding is now known better: {}",
                        finding.sentence
                    );
                }
                Some(_) => {}
            }
        }
        self.said = now;
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt::MakeWriter;

    use super::*;
    use crate::diagnosis::{Common, Culprit, Mechanism};
    use crate::export::Metrics;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Lines {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    fn finding(culprit: Culprit) -> Finding {
        Finding {
            culprit,
            or: vec![],
            mechanism: Mechanism::IdleCut,
            limit_s: Some(60.0),
            route: Some("chat".to_owned()),
            sessions: 20,
            handshakes: 0,
            share: 0.5,
            confidence: 0.9,
            first_at: String::new(),
            last_at: String::new(),
            common: Common::default(),
            evidence: vec![],
            examples: vec![],
            consequences: vec![],
            sentence: "A box cut 20 sessions at 60 s.".to_owned(),
            action: String::new(),
            runbook: String::new(),
        }
    }

    #[test]
    fn a_finding_has_a_line_when_it_appears_and_one_when_it_is_over() {
        let (metrics, lines) = (Metrics::new(), Lines::default());
        metrics.expect_diagnosis("chat");
        let mut announcer = Announcer::new(metrics.findings());
        let series = |culprit: &str, value: u8| {
            let series =
                format!(r#"closewatch_findings{{culprit="{culprit}",mechanism="idle_cut",route="chat"}} {value}"#);
            assert!(String::from_utf8(metrics.encode()).unwrap().contains(&series), "{series}");
        };
        let subscriber = tracing_subscriber::fmt().with_writer(lines.clone()).with_ansi(false).finish();
        tracing::subscriber::with_default(subscriber, || {
            let front = finding(Culprit::MiddleboxFront);
            announcer.announce([(1, &front)].into_iter());
            announcer.announce([(1, &front)].into_iter());
            series("middlebox_front", 1);
            // The culprit becomes another: it is no news, and the series are right.
            let network = finding(Culprit::NetworkClientSide);
            announcer.announce([(1, &network)].into_iter());
            series("middlebox_front", 0);
            series("network_client_side", 1);
            // So does the mechanism: that is a line, and the same finding.
            let age = Finding { mechanism: Mechanism::MaxLifetime, ..network };
            announcer.announce([(1, &age)].into_iter());
            series("network_client_side", 0);
            announcer.announce([].into_iter());
            announcer.announce([].into_iter());
        });
        let lines = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<_> = lines.lines().collect();
        assert_eq!(lines.len(), 3, "{lines:#?}");
        assert!(
            lines[0].contains("WARN") && lines[0].contains("a finding: A box cut 20 sessions at 60 s."),
            "{lines:#?}"
        );
        assert!(lines[0].contains("limit_s=60") && lines[0].contains(r#"route="chat""#), "{lines:#?}");
        assert!(lines[1].contains("INFO") && lines[1].contains("a finding is now known better"), "{lines:#?}");
        assert!(lines[1].contains(r#"was="idle_cut""#) && lines[1].contains("max_lifetime"), "{lines:#?}");
        assert!(lines[2].contains("INFO") && lines[2].contains("a finding is over"), "{lines:#?}");
    }
}
