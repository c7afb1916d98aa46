//! Timers: a silence or an age at which many sessions end, one by one.

use super::CLIENTS;
use crate::diagnosis::cluster::{self, Cluster, quantile};
use crate::diagnosis::cohort::LEAST;
use crate::diagnosis::log::{Log, Scope};
use crate::diagnosis::row::Session;
use crate::diagnosis::sign::Sign;
use crate::wire::Peer;

/// A length of time that a timer can look at. Silence of both comes first: where several explain the same, it is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    Idle,
    SilentUpstream,
    SilentClient,
    Age,
}

/// A timer that was found.
pub(super) struct Timer {
    pub(super) clock: Clock,
    pub(super) cluster: Cluster,
    pub(super) members: Vec<usize>,
}

/// Fewer than this are not looked for.
const FEWEST: usize = LEAST;
/// A later clock must explain so much more than an earlier one.
pub(super) const BETTER: f64 = 1.1;
/// And an age so much more: a side that never speaks is as silent as its session is old.
const MUCH_BETTER: f64 = 1.15;
/// Unless its times differ so much less, beside silences that differ by more than this, in seconds and as a part.
const NARROWER: f64 = 0.25;
const INEXACT: f64 = 0.5;
const INEXACT_PART: f64 = 0.01;
/// Sessions that end within this time of each other may have one cause at one instant.
const INSTANT: f64 = 1.0;
/// The ends of two that one event ended are so much closer than their times.
const PAIR: f64 = 0.5;
/// Times at which a timer's clock must have begun to run, and how far apart they are at least.
const BEGINNINGS: usize = 5;
const LEAST_APART: f64 = 0.02;
/// Ends no further apart than this may be of one sweep.
const SWEEP: f64 = 2.0;
/// A session has survived a silence if it was longer than that at its end by more than a timer's jitter, as a part and in seconds.
const OUTLIVED: f64 = 1.005;
const OUTLIVED_BY: f64 = 0.02;
/// Ends that all come within so many seconds are of one event.
pub(super) const BURST: f64 = 10.0;

// === impl Clock ===

impl Clock {
    const ALL: [Self; 4] = [Self::Idle, Self::SilentUpstream, Self::SilentClient, Self::Age];

    pub(super) fn of(self, session: &Session) -> f64 {
        match self {
            Self::Idle => session.idle,
            Self::SilentUpstream => session.silent[1],
            Self::SilentClient => session.silent[0],
            Self::Age => session.age,
        }
    }

    /// Whether the session had survived a longer time by this clock than the one at which it ended: no timer of that length was there.
    fn is_outlived(self, session: &Session) -> bool {
        let survived = match self {
            Self::Idle => session.survived_before(),
            Self::SilentUpstream => session.survived_of(Peer::Upstream),
            Self::SilentClient => session.survived_of(Peer::Client),
            Self::Age => return false,
        };
        survived > OUTLIVED * self.of(session) + OUTLIVED_BY
    }

    /// Of a silence, the side that was silent.
    pub(super) const fn heard(self) -> Option<&'static str> {
        match self {
            Self::Idle => Some("on both sides"),
            Self::SilentUpstream => Some("from the upstream"),
            Self::SilentClient => Some("from the client"),
            Self::Age => None,
        }
    }
}

// === impl Timer ===

impl Timer {
    /// Whether its times are those of a timer, where those of the other one only lie near each other: of sessions in which one side
    /// speaks only at the beginning, the silence is an age less some seconds.
    fn is_exact_beside(&self, log: &Log<'_>, other: &Self) -> bool {
        // Without the few that are there by chance.
        let width = |timer: &Self| {
            let values = log.values(&timer.members, |session| timer.clock.of(session));
            quantile(&values, 0.9) - quantile(&values, 0.1)
        };
        let relative = |timer: &Self| width(timer) / timer.cluster.center;
        other.clock != Clock::Age
            && width(other) > INEXACT + INEXACT_PART * other.cluster.center
            && relative(self) < NARROWER * relative(other)
    }
}

/// The timer that explains most ends of this leg's transport.
pub(super) fn best(log: &Log<'_>, route: Scope, leg: Peer) -> Option<Timer> {
    let groups = [vec![Sign::Fin(leg), Sign::Reset(leg)], vec![Sign::Fin(leg)], vec![Sign::Reset(leg)]];
    let mut best: Option<Timer> = None;
    for group in groups {
        let mut rows = log.open(route, |sign| group.contains(&sign));
        rows.retain(|row| log.session(*row).is_some_and(|session| !session.is_stalled(leg)));
        for clock in Clock::ALL {
            let is_one = |found: &Timer| !swept_along(log, &rows, found) && !are_answers(log, found);
            let Some(found) = timer(log, &rows, clock, FEWEST).filter(is_one) else { continue };
            let excess = |timer: &Timer| timer.cluster.count as f64 - timer.cluster.expected;
            let is_better = |best: &Timer| {
                let better = match clock {
                    Clock::Age if found.is_exact_beside(log, best) => 1.0 / BETTER,
                    Clock::Age => MUCH_BETTER,
                    Clock::Idle | Clock::SilentUpstream | Clock::SilentClient => BETTER,
                };
                excess(&found) > better * excess(best)
            };
            if best.as_ref().is_none_or(is_better) {
                best = Some(found);
            }
        }
    }
    best
}

pub(super) fn timer(log: &Log<'_>, rows: &[usize], clock: Clock, least: usize) -> Option<Timer> {
    if rows.len() < least {
        return None;
    }
    let values = log.values(rows, |session| clock.of(session));
    let cluster = cluster::heaviest(&values, least)?;
    let inside = |row: &usize| {
        log.session(*row).is_some_and(|session| (cluster.low..=cluster.high).contains(&clock.of(session)))
    };
    let members: Vec<usize> = rows.iter().copied().filter(inside).collect();
    let outlived = |row: &usize| log.session(*row).is_some_and(|session| clock.is_outlived(session));
    if members.iter().filter(|row| outlived(row)).count() * 2 > members.len() {
        let others: Vec<usize> = rows.iter().copied().filter(|row| !outlived(row)).collect();
        return timer(log, &others, clock, least);
    }
    // Equal silences at several instants are a timer's, even if all fell silent together.
    let equal = cluster.high - cluster.low <= 0.004 * cluster.center + 0.1;
    let again = clock != Clock::Age && equal && instants(log, &members) >= 3;
    let one_by_one = again || !at_instants(log, &members, |session| clock.of(session));
    (one_by_one && begin_apart(log, &members, clock) && log.clients(&members) >= CLIENTS).then_some(Timer {
        clock,
        cluster,
        members,
    })
}

/// Whether these ends came with packets, by whose rhythm silences and ages are equal: a timer ends sessions at any phase of it.
fn are_answers(log: &Log<'_>, timer: &Timer) -> bool {
    let answers = timer.members.iter().filter(|row| log.session(**row).is_some_and(Session::is_answer)).count();
    timer.clock != Clock::Idle && answers * 10 >= timer.members.len() * 7
}

/// Whether these ends are a small part of many at the same instants: of a fleet that restarts by the clock some have been silent
/// since its last restart.
fn swept_along(log: &Log<'_>, ends: &[usize], timer: &Timer) -> bool {
    let at = |row: usize| log.at[row];
    let near = |rows: &[usize], row: usize| {
        let from = rows.partition_point(|other| at(*other) < at(row) - SWEEP);
        rows[from..].iter().take_while(|other| at(**other) <= at(row) + SWEEP).count() as f64
    };
    let by_chance = 2.0 * SWEEP * ends.len() as f64 / log.length();
    let swept = |row: &&usize| near(ends, **row) >= 3.0 * near(&timer.members, **row) + 10.0 * by_chance;
    timer.members.iter().filter(swept).count() * 10 >= timer.members.len() * 7
}

/// Whether these ends were events of an instant, of which the equal silences or ages are only a result. A timer of each
/// session makes the instants differ and the times equal; an event makes the instants equal and the times differ.
pub(super) fn at_instants(log: &Log<'_>, members: &[usize], value: impl Fn(&Session) -> f64) -> bool {
    let mut groups: Vec<&[usize]> = vec![];
    let mut start = 0;
    let instant = instant(log, members);
    for at in 1..=members.len() {
        let apart = at == members.len() || log.at[members[at]] - log.at[members[at - 1]] > instant;
        if apart {
            groups.push(&members[start..at]);
            start = at;
        }
    }
    let mut together = 0;
    let mut as_event = 0;
    for group in groups.iter().filter(|group| group.len() >= 2) {
        let (from, to) = log.span(group);
        let values = log.values(group, &value);
        let spread = values.last().unwrap_or(&0.0) - values.first().unwrap_or(&0.0);
        // Two may be close by chance, and end closer than their times differ if one event ended them.
        let is_event = if group.len() == 2 { to - from <= spread * PAIR } else { to - from <= spread * 1.5 + 0.05 };
        together += if group.len() == 2 { 0 } else { group.len() };
        if is_event {
            as_event += group.len();
        }
    }
    let few_instants = groups.len() < 3 && together == members.len();
    as_event * 2 > members.len() || few_instants && as_event * 4 > members.len()
}

/// Whether the clock began to run at several times, told apart by more than the times that it shows differ. Sessions that
/// began together and ended together have one time, too, and no timer.
fn begin_apart(log: &Log<'_>, members: &[usize], clock: Clock) -> bool {
    let values = log.values(members, |session| clock.of(session));
    let apart = 2.0 * (quantile(&values, 0.95) - quantile(&values, 0.05)) + LEAST_APART;
    let began = members.iter().filter_map(|row| log.session(*row).map(|session| log.at[*row] - clock.of(session)));
    let (mut groups, mut first) = (0, f64::NEG_INFINITY);
    for began in cluster::sorted(began) {
        if began > first + apart {
            groups += 1;
            first = began;
        }
    }
    groups >= BEGINNINGS
}

/// Ends closer than this are of one instant. Where many come one by one, some are close by chance: then it is shorter.
fn instant(log: &Log<'_>, members: &[usize]) -> f64 {
    let (from, to) = log.span(members);
    let usual = (to - from) / members.len() as f64;
    if to - from <= BURST { INSTANT } else { INSTANT.min(usual / 10.0) }
}

/// How many instants these ends have.
fn instants(log: &Log<'_>, members: &[usize]) -> usize {
    1 + members.windows(2).filter(|pair| log.at[pair[1]] - log.at[pair[0]] > INSTANT).count()
}

/// The limit behind a cluster: its mode, as a timer is never early.
pub(super) fn limit_of(log: &Log<'_>, members: &[usize], clock: Clock) -> f64 {
    let values = log.values(members, |session| clock.of(session));
    let (low, high) = (quantile(&values, 0.1), quantile(&values, 0.9));
    if high - low > 0.03 * low { quantile(&values, 0.5) } else { cluster::mode(&values) }
}
