//! Common features of victims that others do not have.

use super::address;
use super::cluster::surprise;
use super::cores::Cores;
use super::finding::Common;
use super::leg_tls::LegTls;
use super::log::{Log, left_out};
use super::names::Name;
use super::show::shown;
pub(super) use super::traits::Trait;

/// Victims have a value in common if so many of them have it.
const MOST: f64 = 0.9;
/// And if it is no more frequent among the others than this.
const FEW: f64 = 0.5;
/// Others that must be there to compare with.
const OTHERS: usize = 8;

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
    let column = log.columns.of_trait(property);
    let (number, count) = column.most(victims, &log.weight, 0);
    let of_victims = count / log.count(victims);
    if number == 0 || of_victims < most {
        return None;
    }
    let of_others = column.count(others, &log.weight, number) / log.count(others);
    (of_others <= FEW).then(|| column.value(number))
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
            Trait::ClientTls => common.client_tls_version = Some(LegTls::of_key(found).as_str()),
            Trait::UpstreamTls => common.upstream_tls_version = Some(LegTls::of_key(found).as_str()),
            Trait::Reason => common.reason = named(found),
        }
    }
    common
}

/// Rows among `scope` that are not among `victims`; both in order.
pub(super) fn others(scope: &[usize], victims: &[usize]) -> Vec<usize> {
    let mut victims = victims.iter().copied().peekable();
    let is_other = |row: &usize| {
        while victims.next_if(|victim| victim < row).is_some() {}
        victims.peek() != Some(row)
    };
    scope.iter().copied().filter(is_other).collect()
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
    let stands_for = log.stands_for(members);
    let at = |row: usize| log.at[row];
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
            let sure = surprise((sums[start + size] - sums[start]) / stands_for, rate * took / stands_for);
            if sure >= SURE && best.is_none_or(|(best, _, _)| sure > best) {
                best = Some((sure, start, size));
            }
        }
    }
    let (_, start, size) = best?;
    let window = &members[start..start + size];
    let (from, to) = log.span(window);
    // Handshakes fail when they are tried, and sessions end later: those that were tried meanwhile are beside them.
    let beside = if log.session(window[0]).is_none() {
        let tried = |row: usize| if log.session(row).is_some() { log.rows[row].opened() } else { at(row) };
        let later = &scope[scope.partition_point(|row| at(*row) < from)..];
        let meanwhile: Vec<usize> = later.iter().copied().filter(|row| (from..=to).contains(&tried(*row))).collect();
        with_error(log, &meanwhile)
    } else {
        with_error(log, log.within(scope, (from, to)))
    };
    let share = log.count(window) / beside.max(1.0);
    (share >= least.max(SHARE)).then(|| window.to_vec())
}

/// The greatest number of records that these rows may stand for.
fn with_error(log: &Log<'_>, rows: &[usize]) -> f64 {
    log.count(rows) + log.error(rows.iter().map(|row| left_out(log.weight[*row])).sum())
}

/// The value of a property to which they are confined.
fn confined(log: &Log<'_>, members: &[usize], scope: &[usize], floor: f64) -> Option<Vec<usize>> {
    let (all, whole) = (log.count(members), log.count(scope));
    let stands_for = log.stands_for(members);
    // The number of the value that most of them have, if it stands out, and the share of them among all that have it.
    let outstanding = |property: &Trait| {
        let column = log.columns.of_trait(*property);
        let (number, hit) = column.most(members, &log.weight, 1);
        if number == 0 || hit < LEAST as f64 {
            return None;
        }
        let (mut of, mut missed) = (0.0, 0.0);
        for row in column.having(scope, number) {
            of += log.weight[row];
            missed += left_out(log.weight[row]);
        }
        of += log.error(missed);
        let elsewhere = (all - hit + 0.5) / (whole - of).max(1.0);
        let rate = hit / of.max(1.0);
        let stands_out = whole - of >= OTHERS as f64
            && rate >= 6.0 * elsewhere
            && surprise(hit / stands_for, elsewhere * of / stands_for) >= SURE;
        stands_out.then_some((column, number, rate))
    };
    // Where most rows are looked at, routes are not side by side.
    let cores = if scope.len() * 2 > log.rows.len() { log.cores } else { Cores::ONE };
    for (column, number, rate) in cores.map(&Trait::CONFINING, outstanding).into_iter().flatten() {
        let here: Vec<usize> = column.having(members, number).collect();
        let least = (floor * 2.0).max(SHARE);
        if rate >= least {
            return Some(here);
        }
        let scope: Vec<usize> = column.having(scope, number).collect();
        if let Some(here) = stretch(log, &here, &scope, least) {
            return Some(here);
        }
    }
    None
}
