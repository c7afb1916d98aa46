//! What comes behind the fall of an upstream: handshakes that fail until it is back, sessions that are shed, and those that are open
//! again.

use std::collections::BTreeMap;

use super::Cause;
use crate::close::Outcome;
use crate::diagnosis::cluster::sorted;
use crate::diagnosis::finding::Mechanism;
use crate::diagnosis::log::Log;
use crate::diagnosis::names::Name;
use crate::diagnosis::row::What;
use crate::diagnosis::sign::Sign;
use crate::wire::Peer;

/// Handshakes that fail so soon behind a burst are its consequence.
const BEHIND: f64 = 90.0;
/// And later ones, as long as nobody is let in meanwhile and the next attempt comes within this time.
const NEXT_ATTEMPT: f64 = 900.0;

/// Ends at one instant.
#[derive(Clone, Debug)]
pub(super) struct Burst {
    pub(super) at: f64,
    pub(super) until: f64,
    pub(super) members: Vec<usize>,
    /// Share of the sessions then open that it took.
    pub(super) took: f64,
}

/// An upstream as one instance sees it.
pub(super) type Seat = (Name, Name);

/// Sessions that the same upstreams took soon behind their bursts: those that are over, or all of which one is told.
pub(super) fn reopened(log: &Log<'_>, units: &BTreeMap<Seat, Vec<Vec<Burst>>>) -> f64 {
    let soon = |unit: &Seat, row: usize| {
        let opened = log.rows[row].opened();
        let here = log.session(row).is_some_and(|session| session.upstream == unit.0);
        here && units[unit].iter().flatten().any(|burst| (burst.until..burst.until + BEHIND).contains(&opened))
    };
    let back: Vec<usize> = (0..log.rows.len()).filter(|row| units.keys().any(|unit| soon(unit, *row))).collect();
    let taken = units.iter().flat_map(|(unit, seen)| {
        seen.iter().flatten().map(|burst| log.taken.within(unit.0, (burst.until, burst.until + BEHIND)))
    });
    log.count(&back).max(taken.sum::<u64>() as f64)
}

/// Handshakes that failed so behind a burst.
pub(super) fn behind(log: &Log<'_>, units: &BTreeMap<Seat, Vec<Vec<Burst>>>, outcomes: &[Outcome]) -> Vec<usize> {
    let mut failed = log.handshakes(None, |row| {
        let What::Handshake { outcome, .. } = &row.what else { return false };
        outcomes.contains(outcome)
    });
    let outages = outages(log, units, &failed);
    failed.retain(|row| outages.iter().any(|(from, until)| (*from..=*until).contains(&log.at[*row])));
    failed
}

/// The time behind each burst in which handshakes fail for it: a while, and on until the upstream takes sessions again.
fn outages(log: &Log<'_>, units: &BTreeMap<Seat, Vec<Vec<Burst>>>, failed: &[usize]) -> Vec<(f64, f64)> {
    let at = |row: usize| log.at[row];
    let last = failed.last().map_or(f64::NEG_INFINITY, |row| at(*row));
    let mut outages = vec![];
    for (unit, seen) in units {
        let here = |row: &&usize| {
            log.session(**row).is_some_and(|session| session.upstream == unit.0)
                && (unit.1 == 0 || log.rows[**row].instance == unit.1)
        };
        let mut opened: Option<Vec<f64>> = None;
        for burst in seen.iter().flatten() {
            let mut until = burst.until + BEHIND;
            if last > until {
                let opened = opened.get_or_insert_with(|| {
                    sorted(log.sessions_of(None).iter().filter(here).map(|row| log.rows[*row].opened()))
                });
                for row in &failed[failed.partition_point(|row| at(*row) <= until)..] {
                    let at = at(*row);
                    let let_in = opened.get(opened.partition_point(|opened| *opened < at - BEHIND));
                    if at > until + NEXT_ATTEMPT || let_in.is_some_and(|opened| *opened < at) {
                        break;
                    }
                    until = at;
                }
            }
            outages.push((burst.at - 5.0, until));
        }
    }
    outages
}

/// An effect of a burst is its consequence, and no cause of its own.
pub(super) fn consequences(log: &Log<'_>, units: &BTreeMap<Seat, Vec<Vec<Burst>>>, cause: &mut Cause) {
    let mut outcomes = Outcome::ALL.to_vec();
    outcomes.retain(|outcome| {
        matches!(
            outcome,
            Outcome::Refused
                | Outcome::DialFailed
                | Outcome::DialTimeout
                | Outcome::UpstreamClosed
                | Outcome::UpstreamTimeout
                | Outcome::BadResponse
                | Outcome::ClientGone
        )
    });
    let failed = behind(log, units, &outcomes);
    let bursts: Vec<(f64, f64)> = units.values().flatten().flatten().map(|burst| (burst.at, burst.until)).collect();
    let near = |at: f64| bursts.iter().any(|(from, until)| (from - 5.0..until + BEHIND).contains(&at));
    let sheds =
        |sign| matches!(sign, Sign::Overloaded(Peer::Upstream) | Sign::GaveUp) || sign.may_be_fall_of_upstream();
    let mut shed = log.open(None, sheds);
    shed.retain(|row| near(log.at[*row]));
    log.explain(&failed);
    log.explain(&shed);
    cause.followers.extend(failed.iter().chain(&shed));
    if failed.len() >= 3 {
        cause.consequences.push(Mechanism::HandshakesRefused);
    }
    if failed.len() + shed.len() > 2 * cause.members.len() {
        cause.consequences.push(Mechanism::ReconnectStorm);
    }
    cause
        .members
        .extend(shed.iter().filter(|row| log.session(**row).is_some_and(|s| s.sign.may_be_fall_of_upstream())));
    cause.members.sort_unstable();
}
