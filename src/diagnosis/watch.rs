//! The watch: findings as they come and go.
//!
//! A finding appears with the first report that has it, and is over when no report has had it for [`QUIET`]: a limit that is
//! now just found, now just not, is one finding. It is the same finding as long as route and mechanism are the same, or
//! most of its records: what more records tell better is the same finding by another name.

use std::time::Duration;

use super::engine::Engine;
use super::finding::{Finding, Mechanism, Report};
use super::hint::Active;
use super::merge;
use super::observation::Observation;
use super::pattern::Pattern;
use super::window::{Past, Window};

/// Without a report that has it, a finding is over after this time.
pub const QUIET: Duration = Duration::from_mins(2);
/// Memory that one record of a watch takes, with its names, its part of what a look is made from, and a client that is waited for.
const RECORD: usize = 2048;
/// Memory that a watch takes without any.
const EMPTY: usize = 4 << 20;
/// Limits of one timer that two reports estimate.
const SAME_LIMIT: f64 = 0.25;
/// A silence and an age that differ by no more are one timer's.
const SAME_TIMER: f64 = 0.03;
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
    next_id: u64,
}

/// A finding that is going on.
#[derive(Clone, Debug)]
pub struct GoingOn {
    /// The same for as long as it goes on, whatever its name.
    pub id: u64,
    /// Its last word.
    pub finding: Finding,
    pattern: Pattern,
    /// The last report that had it.
    seen_at: f64,
}

/// A finding of a report, and what its sessions look like.
type Found = (Finding, Pattern);

/// The records that a watch may keep, and the clients that may be waited for, in so many bytes of memory, about.
pub const fn room(memory: usize) -> usize {
    memory.saturating_sub(EMPTY) / RECORD
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
            next_id: 0,
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

    /// An upstream of this address took a session at this instant of Unix time. Clients that come back behind its fall may stay for hours.
    pub fn opened(&mut self, upstream: &str, at: f64) {
        let past = self.recent.opened(upstream, at);
        self.keep(past);
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
        let found = joined(found(0).collect(), lasting);
        self.settle(found, now);
    }

    /// The last reports, of the shorter and the longer window.
    pub const fn reports(&self) -> &[Report; 2] {
        &self.reports
    }

    /// The findings that are going on.
    pub fn going_on(&self) -> &[GoingOn] {
        &self.going_on
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

    /// Takes the findings of a look for those that were known, by name or by their records.
    fn settle(&mut self, found: Vec<Found>, now: f64) {
        let mut known = std::mem::take(&mut self.going_on);
        let mut named = vec![None; found.len()];
        for (name, found) in named.iter_mut().zip(&found) {
            *name = taken(&mut known, |known| known.is_named(found));
        }
        for (name, (finding, pattern)) in named.into_iter().zip(found) {
            // An effect of what is known, or one part of it, is no news.
            let cause = known.iter_mut().find(|known| name.is_none() && known.is_cause_of(&finding, &pattern));
            if let Some(cause) = cause {
                cause.seen_at = now;
                continue;
            }
            let before = name.or_else(|| taken(&mut known, |known| known.is_renamed(&finding, &pattern)));
            let mut pattern = pattern;
            let id = if let Some(before) = before {
                // One of its routes may have enough for a finding by then, and the others not yet.
                if before.finding.is_alike(&finding) {
                    pattern.also_on_routes_of(&before.pattern);
                }
                before.id
            } else {
                self.next_id += 1;
                self.next_id
            };
            self.going_on.push(GoingOn { id, finding, pattern, seen_at: now });
        }
        // A finding that has become a part of another is over at once.
        known.retain(|known| {
            now - known.seen_at < QUIET.as_secs_f64()
                && !self.going_on.iter().any(|other| other.pattern.shares(&known.pattern))
        });
        self.going_on.extend(known);
    }
}

/// Takes the first that fits out of those that are known.
fn taken(known: &mut Vec<GoingOn>, fits: impl Fn(&GoingOn) -> bool) -> Option<GoingOn> {
    known.iter().position(fits).map(|at| known.remove(at))
}

/// The findings of both windows. The shorter window's word comes first; but of two names of one incident that of the window that has
/// more of it.
fn joined(recent: Vec<Found>, lasting: impl Iterator<Item = Found>) -> Vec<Found> {
    let mut joined = recent;
    for found in lasting {
        let is_effect = |cause: &Found, effect: &Found| cause.0.brings_about(&effect.0) && cause.1.covers(&effect.1);
        if joined.iter().any(|known| known.0.is_same(&found.0) || is_effect(known, &found)) {
            continue;
        }
        joined.retain(|known| !is_effect(&found, known));
        let is_other_name = |known: &Found| {
            known.1.shares(&found.1)
                || known.0.is_alike(&found.0) && known.1.covers(&found.1)
                || known.0.is_one_timer(&found.0)
        };
        let named: u64 = joined.iter().filter(|known| is_other_name(known)).map(|known| known.0.size()).sum();
        if found.0.size() >= named {
            joined.retain(|known| !is_other_name(known));
            joined.push(found);
        }
    }
    joined
}

// === impl GoingOn ===

impl GoingOn {
    fn is_named(&self, found: &Found) -> bool {
        self.finding.is_same(&found.0)
    }

    /// The same incident, of which more is known now: other routes, or another mechanism.
    fn is_renamed(&self, finding: &Finding, pattern: &Pattern) -> bool {
        self.pattern.shares(pattern)
            || self.finding.is_alike(finding) && self.pattern.covers(pattern)
            || self.finding.is_one_timer(finding)
    }

    fn is_cause_of(&self, finding: &Finding, pattern: &Pattern) -> bool {
        // More of the same records under another name is a better name.
        let is_better = self.pattern.shares(pattern) && finding.size() > self.finding.size();
        self.finding.brings_about(finding) && self.pattern.covers(pattern) && !is_better
    }
}

// === impl Finding ===

impl Finding {
    /// Whether it is the same finding as another one, of another report: of two timers on one route each is its own.
    fn is_same(&self, other: &Self) -> bool {
        self.route == other.route && self.is_alike(other)
    }

    /// The same without a look at the route.
    fn is_alike(&self, other: &Self) -> bool {
        let limits = self.limit_s.zip(other.limit_s);
        let near = limits.is_none_or(|(a, b)| (a - b).abs() <= SAME_LIMIT * a.max(b));
        self.mechanism == other.mechanism && (near || !self.is_timer())
    }

    fn is_timer(&self) -> bool {
        matches!(self.mechanism, Mechanism::IdleCut | Mechanism::MaxLifetime)
    }

    /// Whether both are the timer of one box, whatever the routes: a peer that never spoke is as silent as its session is old.
    fn is_one_timer(&self, other: &Self) -> bool {
        let limits = self.limit_s.zip(other.limit_s);
        let near = limits.is_some_and(|(a, b)| (a - b).abs() <= SAME_TIMER * a.max(b));
        self.is_timer() && other.is_timer() && self.culprit == other.culprit && near
    }

    const fn size(&self) -> u64 {
        self.sessions + self.handshakes
    }

    /// Whether the other one is what this one brings about, or a part of it that is new.
    fn brings_about(&self, other: &Self) -> bool {
        let is_fall = |mechanism| {
            matches!(
                mechanism,
                Mechanism::BadInstance | Mechanism::CrashLoop | Mechanism::Crash | Mechanism::UnannouncedRestart
            )
        };
        let next = is_fall(self.mechanism)
            && is_fall(other.mechanism)
            && self.culprit == other.culprit
            && merge::precedence(self.mechanism) < merge::precedence(other.mechanism);
        let (cause, effect) = ((self.mechanism, self.culprit), (other.mechanism, other.culprit));
        // While the cuts of a route are too few to be told from its resets, they are resets for no cause.
        let leaves = merge::may_leave(cause, effect) && other.size() < self.size();
        next || leaves || merge::brings_about(cause, effect)
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
            assert_eq!(watch.going_on().len(), 1, "{now}");
        }
        let last = 48.0 * 60.0;
        watch.settle(vec![], last + QUIET.as_secs_f64() - 1.0);
        assert_eq!(watch.going_on().len(), 1);
        watch.settle(vec![], last + QUIET.as_secs_f64());
        assert_eq!(watch.going_on().len(), 0);
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
        let limits: Vec<_> = watch.going_on().iter().map(|it| it.finding.limit_s).collect();
        assert_eq!(limits, [Some(58.0), Some(101.0)]);
    }

    #[test]
    fn one_mechanism_of_a_route_is_one_finding_whatever_the_culprit() {
        let mut watch = Watch::new([Duration::from_mins(15), Duration::from_hours(24)], 100);
        watch.settle(vec![cut(), finding(Mechanism::Crash, Culprit::Upstream)], 0.0);
        watch
            .settle(joined(vec![finding(Mechanism::IdleCut, Culprit::NetworkClientSide)], std::iter::once(cut())), 5.0);
        let there: Vec<_> = watch.going_on().iter().map(|it| (it.finding.mechanism, it.finding.culprit)).collect();
        let expected = [(Mechanism::IdleCut, Culprit::NetworkClientSide), (Mechanism::Crash, Culprit::Upstream)];
        assert_eq!(there, expected, "the newest word first, and what the last look missed behind it");
    }
}
