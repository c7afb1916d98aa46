//! The watch: findings as they come and go.
//!
//! A finding appears with the first report that has it, and is over when no report has had it for [`QUIET`]: a limit that is
//! now just found, now just not, is one finding. It is the same finding as long as route and mechanism are the same.

use std::time::Duration;

use super::engine::Engine;
use super::finding::{Finding, Mechanism, Report};
use super::hint::Active;
use super::observation::Observation;
use super::pattern::Pattern;
use super::window::{Past, Window};

/// Without a report that has it, a finding is over after this time.
pub const QUIET: Duration = Duration::from_mins(2);
/// Limits of one timer that two reports estimate.
const SAME_LIMIT: f64 = 0.25;
/// The long window changes little in this time.
const SELDOM: f64 = 60.0;

/// Two windows, and the findings that are going on.
#[derive(Clone, Debug)]
pub struct Watch {
    recent: Window,
    /// Records that the shorter window has forgotten: each record is taken in once.
    long: Window,
    /// The last report of each.
    reports: [Report; 2],
    /// Of each finding of theirs.
    patterns: [Vec<Pattern>; 2],
    looked_long: f64,
    going_on: Vec<GoingOn>,
}

#[derive(Clone, Debug)]
struct GoingOn {
    finding: Finding,
    pattern: Pattern,
    /// The last report that had it.
    seen_at: f64,
}

// === impl Watch ===

impl Watch {
    /// Watches records of these lengths of time, the shorter first, and keeps about so many of them.
    pub fn new([recent, long]: [Duration; 2], room: usize) -> Self {
        Self {
            recent: Window::new(recent, room / 2),
            long: Window::new(long, room / 2),
            reports: [Engine::default().report(), Engine::default().report()],
            patterns: Default::default(),
            looked_long: f64::NEG_INFINITY,
            going_on: vec![],
        }
    }

    /// Takes a record in.
    pub fn add(&mut self, seen: &Observation<'_>) {
        if self.recent.reaches(seen.at) {
            let past = self.recent.add(seen);
            self.keep(past);
        } else {
            self.long.add(seen);
        }
    }

    /// Looks at what there is at this instant of Unix time. The long window is looked at once a minute, or if `all` says so.
    pub fn look(&mut self, now: f64, all: bool) {
        let past = self.recent.forget(now);
        self.keep(past);
        (self.reports[0], self.patterns[0]) = self.recent.report(None);
        if all || now - self.looked_long >= SELDOM {
            self.looked_long = now;
            self.long.forget(now);
            (self.reports[1], self.patterns[1]) = self.long.report(Some(&self.recent));
        }
        let since = now - self.recent.length().as_secs_f64();
        let found = |at: usize| {
            let patterns = self.patterns[at].iter().cloned();
            self.reports[at].findings.iter().cloned().zip(patterns)
        };
        // A finding that is long over is history: it is in the report of the long window, and not going on.
        let lasting = found(1).filter(|(finding, _)| finding.ended() >= since);
        let found = found(0).chain(lasting).collect();
        self.settle(found, now);
    }

    /// The last reports, of the shorter and the longer window.
    pub const fn reports(&self) -> &[Report; 2] {
        &self.reports
    }

    /// The findings that are going on.
    pub fn going_on(&self) -> impl Iterator<Item = &Finding> {
        self.going_on.iter().map(|going_on| &going_on.finding)
    }

    /// The same for hints, the weightiest first.
    pub fn active(&self) -> Vec<Active> {
        self.going_on.iter().map(|it| Active::new(it.finding.mechanism, it.pattern.clone())).collect()
    }

    /// Whether nothing can change until the next record.
    pub fn is_idle(&self) -> bool {
        self.recent.is_empty() && self.long.is_empty() && self.going_on.is_empty()
    }

    fn keep(&mut self, past: Vec<Past>) {
        for past in past {
            self.long.take_in(past);
        }
    }

    fn settle(&mut self, found: Vec<(Finding, Pattern)>, now: f64) {
        let mut going_on: Vec<GoingOn> = vec![];
        for (finding, pattern) in found {
            // The shorter window's word comes first.
            if !going_on.iter().any(|known| known.finding.is_same(&finding)) {
                going_on.push(GoingOn { finding, pattern, seen_at: now });
            }
        }
        for known in std::mem::take(&mut self.going_on) {
            let renewed = going_on.iter().any(|other| other.finding.is_same(&known.finding));
            if !renewed && now - known.seen_at < QUIET.as_secs_f64() {
                going_on.push(known);
            }
        }
        self.going_on = going_on;
    }
}

// === impl Finding ===

impl Finding {
    /// Whether it is the same finding as another one, of another report: of two timers on one route each is its own.
    pub fn is_same(&self, other: &Self) -> bool {
        let limits = self.limit_s.zip(other.limit_s);
        let near = limits.is_none_or(|(a, b)| (a - b).abs() <= SAME_LIMIT * a.max(b));
        let timers = matches!(self.mechanism, Mechanism::IdleCut | Mechanism::MaxLifetime);
        self.mechanism == other.mechanism && self.route == other.route && (near || !timers)
    }

    /// The last of its records, in Unix time.
    pub(super) fn ended(&self) -> f64 {
        self.last_at.parse::<jiff::Timestamp>().map_or(0.0, |at| at.as_duration().as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::{Common, Culprit};

    fn finding(mechanism: Mechanism, culprit: Culprit) -> (Finding, Pattern) {
        let finding = Finding {
            culprit,
            or: vec![],
            mechanism,
            limit_s: None,
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
            sentence: String::new(),
            action: String::new(),
            runbook: String::new(),
        };
        (finding, Pattern::default())
    }

    fn cut() -> (Finding, Pattern) {
        finding(Mechanism::IdleCut, Culprit::MiddleboxFront)
    }

    #[test]
    fn a_finding_that_looks_miss_now_and_then_does_not_flap() {
        let mut watch = Watch::new([Duration::from_mins(15), Duration::from_hours(24)], 100);
        for step in 0..50 {
            let now = f64::from(step) * 60.0;
            // Two minutes less a second is the longest that it may be missed: every other look finds it.
            watch.settle(if step % 2 == 0 { vec![cut()] } else { vec![] }, now);
            assert_eq!(watch.going_on().count(), 1, "{now}");
        }
        let last = 48.0 * 60.0;
        watch.settle(vec![], last + QUIET.as_secs_f64() - 1.0);
        assert_eq!(watch.going_on().count(), 1);
        watch.settle(vec![], last + QUIET.as_secs_f64());
        assert_eq!(watch.going_on().count(), 0);
    }

    #[test]
    fn two_timers_of_a_route_are_two_findings_and_one_that_drifts_is_one() {
        let mut watch = Watch::new([Duration::from_mins(15), Duration::from_hours(24)], 100);
        let at = |limit| {
            let (mut finding, pattern) = cut();
            finding.limit_s = Some(limit);
            (finding, pattern)
        };
        watch.settle(vec![at(55.0), at(100.0)], 0.0);
        watch.settle(vec![at(58.0), at(101.0)], 5.0);
        let limits: Vec<_> = watch.going_on().map(|finding| finding.limit_s).collect();
        assert_eq!(limits, [Some(58.0), Some(101.0)]);
    }

    #[test]
    fn one_mechanism_of_a_route_is_one_finding_whatever_the_culprit() {
        let mut watch = Watch::new([Duration::from_mins(15), Duration::from_hours(24)], 100);
        watch.settle(vec![cut(), finding(Mechanism::Crash, Culprit::Upstream)], 0.0);
        watch.settle(vec![finding(Mechanism::IdleCut, Culprit::NetworkClientSide), cut()], 5.0);
        let there: Vec<_> = watch.going_on().map(|finding| (finding.mechanism, finding.culprit)).collect();
        let expected = [(Mechanism::IdleCut, Culprit::NetworkClientSide), (Mechanism::Crash, Culprit::Upstream)];
        assert_eq!(there, expected, "the newest word first, and what the last look missed behind it");
    }
}
