//! Common features of victims that others do not have.

use std::collections::HashMap;

use super::address;
use super::cluster::surprise;
use super::finding::Common;
use super::log::Log;
use super::names::Name;
use super::row::Row;
use super::show::shown;

/// A property that can be common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trait {
    UserAgent,
    Origin,
    Subnet,
    Hop,
    Instance,
    Upstream,
    Path,
    Subprotocol,
    Extensions,
    Reason,
}

/// Victims have a value in common if so many of them have it.
const MOST: f64 = 0.9;
/// And if it is no more frequent among the others than this.
const FEW: f64 = 0.5;
/// Others that must be there to compare with.
const OTHERS: usize = 8;

// === impl Trait ===

impl Trait {
    const ALL: [Self; 10] = [
        Self::UserAgent,
        Self::Origin,
        Self::Subnet,
        Self::Hop,
        Self::Instance,
        Self::Upstream,
        Self::Path,
        Self::Subprotocol,
        Self::Extensions,
        Self::Reason,
    ];

    /// Those that an illness can be confined to.
    pub(super) const CONFINING: [Self; 7] =
        [Self::UserAgent, Self::Subnet, Self::Instance, Self::Upstream, Self::Path, Self::Subprotocol, Self::Origin];

    /// A row's value; 0 if it has none.
    pub(super) fn of(self, row: &Row) -> u128 {
        let session = row.session();
        match self {
            Self::UserAgent => row.user_agent.into(),
            Self::Origin => row.origin.into(),
            Self::Subnet => address::subnet(row.client),
            Self::Hop => row.hop,
            Self::Instance => row.instance.into(),
            Self::Path => row.path.into(),
            Self::Upstream => session.map_or(0, |session| session.upstream.into()),
            Self::Subprotocol => session.map_or(0, |session| session.subprotocol.into()),
            Self::Extensions => session.map_or(0, |session| session.extensions.into()),
            Self::Reason => session.map_or(0, |session| session.reason.into()),
        }
    }
}

/// The value of this property that victims share and others do not.
pub(super) fn shared(log: &Log<'_>, victims: &[usize], others: &[usize], property: Trait) -> Option<u128> {
    shared_by(log, victims, others, property, MOST)
}

/// The same, if this share of the victims is enough.
pub(super) fn shared_by(
    log: &Log<'_>,
    victims: &[usize],
    others: &[usize],
    property: Trait,
    most: f64,
) -> Option<u128> {
    if others.len() < OTHERS || victims.is_empty() {
        return None;
    }
    let mut values: HashMap<u128, f64> = HashMap::new();
    for row in victims {
        *values.entry(property.of(log.rows[*row])).or_default() += log.weight[*row];
    }
    let frequent = values.into_iter().max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
    let (value, count) = frequent.filter(|(value, _)| *value != 0)?;
    let of_victims = count / log.count(victims);
    if of_victims < most {
        return None;
    }
    let same: f64 = others.iter().filter(|row| property.of(log.rows[**row]) == value).map(|row| log.weight[*row]).sum();
    let of_others = same / log.count(others);
    (of_others <= FEW).then_some(value)
}

/// All that victims share and others do not.
pub(super) fn common(log: &Log<'_>, victims: &[usize], others: &[usize]) -> Common {
    let mut common = Common::default();
    let named = |value: u128| Some(shown(log.names.of(value as Name))).filter(|name| !name.is_empty());
    for property in Trait::ALL {
        let Some(found) = shared(log, victims, others, property) else { continue };
        match property {
            Trait::UserAgent => common.user_agent = named(found),
            Trait::Origin => common.origin = named(found),
            Trait::Subnet => common.client_subnet = Some(address::show_subnet(found)),
            Trait::Hop => {
                let is_hop = victims.iter().take(50).any(|row| log.is_hop(*row));
                common.client_address = is_hop.then(|| address::show(found));
            }
            Trait::Instance => common.instance = named(found),
            Trait::Upstream => common.upstream = named(found),
            Trait::Path => common.path = named(found),
            Trait::Subprotocol => common.subprotocol = named(found),
            Trait::Extensions => common.extensions = named(found),
            Trait::Reason => common.reason = named(found),
        }
    }
    common
}

/// Rows among `scope` that are not among `victims`; both in order.
pub(super) fn others(scope: &[usize], victims: &[usize]) -> Vec<usize> {
    scope.iter().copied().filter(|row| victims.binary_search(row).is_err()).collect()
}

/// The part of `members` that is far more frequent than elsewhere: all of the scope, a stretch of time, or one value of a
/// property. `floor` is the share of the scope from which on it is no background.
pub(super) fn notable(log: &Log<'_>, members: &[usize], scope: &[usize], floor: f64) -> Option<Vec<usize>> {
    let total = log.count(scope);
    if members.len() < LEAST || total <= 0.0 {
        return None;
    }
    if log.count(members) / total >= floor {
        return Some(members.to_vec());
    }
    stretch(log, members, scope, floor * DENSER).or_else(|| confined(log, members, scope, floor))
}

/// Fewer are a note.
pub(super) const LEAST: usize = 10;
/// In a stretch, or of one value, so many times the floor must be affected.
const DENSER: f64 = 3.0;
/// And at least this share.
const SHARE: f64 = 0.12;
const SURE: f64 = 16.0;

/// The time in which they are densest, if it is far denser than the rest.
pub(super) fn stretch(log: &Log<'_>, members: &[usize], scope: &[usize], least: f64) -> Option<Vec<usize>> {
    let rate = log.count(members) / log.length();
    let at = |row: usize| log.rows[row].at;
    let mut best: Option<(f64, usize, usize)> = None;
    // Sums of the weights up to each row, as windows overlap.
    let mut sums = vec![0.0];
    sums.extend(members.iter().scan(0.0, |sum, row| {
        *sum += log.weight[*row];
        Some(*sum)
    }));
    let sizes = std::iter::successors(Some(LEAST), |size| Some(size + size.div_ceil(2)));
    for size in sizes.take_while(|size| *size <= members.len()) {
        for start in (0..=members.len() - size).step_by(size.div_ceil(8)) {
            let window = &members[start..start + size];
            let took = (at(window[size - 1]) - at(window[0])).max(1.0);
            let sure = surprise(sums[start + size] - sums[start], rate * took);
            if sure >= SURE && best.is_none_or(|(best, _, _)| sure > best) {
                best = Some((sure, start, size));
            }
        }
    }
    let (_, start, size) = best?;
    let window = &members[start..start + size];
    let (from, to) = log.span(window);
    let meanwhile: Vec<usize> = scope.iter().copied().filter(|row| (from..=to).contains(&at(*row))).collect();
    let share = log.count(window) / log.count(&meanwhile).max(1.0);
    (share >= least.max(SHARE)).then(|| window.to_vec())
}

/// The value of a property to which they are confined.
fn confined(log: &Log<'_>, members: &[usize], scope: &[usize], floor: f64) -> Option<Vec<usize>> {
    let (all, whole) = (log.count(members), log.count(scope));
    // The value that most of them have, of each property.
    let most = Trait::CONFINING.map(|property| {
        let mut counts: HashMap<u128, f64> = HashMap::new();
        for row in members {
            *counts.entry(property.of(log.rows[*row])).or_default() += log.weight[*row];
        }
        let known = counts.into_iter().filter(|(value, _)| *value != 0);
        known.max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0))).unwrap_or_default()
    });
    // How many have it in all: in one pass, as there are far more of these.
    let mut in_all = Trait::CONFINING.map(|_| 0.0);
    for row in scope {
        for ((property, (value, _)), of) in Trait::CONFINING.iter().zip(&most).zip(&mut in_all) {
            *of += if property.of(log.rows[*row]) == *value { log.weight[*row] } else { 0.0 };
        }
    }
    for ((property, (value, hit)), of) in Trait::CONFINING.into_iter().zip(most).zip(in_all) {
        if value == 0 {
            continue;
        }
        let elsewhere = (all - hit + 0.5) / (whole - of).max(1.0);
        let rate = hit / of.max(1.0);
        let stands_out = hit >= LEAST as f64
            && whole - of >= OTHERS as f64
            && rate >= 6.0 * elsewhere
            && surprise(hit, elsewhere * of) >= SURE;
        if !stands_out {
            continue;
        }
        let has = |row: &&usize| property.of(log.rows[**row]) == value;
        let here: Vec<usize> = members.iter().filter(has).copied().collect();
        let least = (floor * 2.0).max(SHARE);
        if rate >= least {
            return Some(here);
        }
        let scope: Vec<usize> = scope.iter().filter(has).copied().collect();
        if let Some(here) = stretch(log, &here, &scope, least) {
            return Some(here);
        }
    }
    None
}
