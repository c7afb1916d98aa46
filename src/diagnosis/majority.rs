//! The close code, and the failure of the upgrade, that most sessions and handshakes of a finding have.

use foldhash::HashMap;

use super::log::Log;
use super::row::What;
use crate::close::Outcome;

/// The values that more than half of them have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Majority {
    /// The code of the sessions' records; 1006 if there was no Close.
    pub(super) code: Option<u16>,
    /// How the handshakes failed.
    pub(super) outcome: Option<Outcome>,
    /// The status that their clients got.
    pub(super) status: Option<u16>,
}

impl Majority {
    pub(super) fn of(log: &Log<'_>, members: &[usize]) -> Self {
        let handshake = |row: usize| match &log.rows[row].what {
            What::Session(_) => None,
            What::Handshake { outcome, status, .. } => Some((*outcome, *status)),
        };
        Self {
            code: most(log, members, |row| Some(log.session(row)?.code)).filter(|code| *code > 0),
            outcome: most(log, members, |row| Some(handshake(row)?.0)),
            status: most(log, members, |row| Some(handshake(row)?.1)).filter(|status| *status > 0),
        }
    }
}

/// The value of more than half of the rows that have one.
fn most<V: Copy + Eq + std::hash::Hash>(
    log: &Log<'_>,
    members: &[usize],
    value: impl Fn(usize) -> Option<V>,
) -> Option<V> {
    let mut counts: HashMap<V, f64> = HashMap::default();
    for (row, value) in members.iter().filter_map(|row| Some((*row, value(*row)?))) {
        *counts.entry(value).or_default() += log.weight[row];
    }
    let all: f64 = counts.values().sum();
    counts.into_iter().find(|(_, count)| *count > 0.5 * all).map(|(value, _)| value)
}
