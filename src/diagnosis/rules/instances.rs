//! One instance or upstream address that fails while its siblings are well, whatever the form.

use std::collections::BTreeMap;

use super::{CLIENTS, Cause};
use crate::close::Outcome;
use crate::diagnosis::cluster::surprise;
use crate::diagnosis::cohort::{LEAST, Trait};
use crate::diagnosis::finding::{Culprit, Mechanism};
use crate::diagnosis::log::{Log, Scope};
use crate::diagnosis::names::Name;
use crate::diagnosis::row::What;
use crate::diagnosis::sign::Sign;
use crate::wire::Peer;

/// Sessions that an instance needs to be judged.
const SESSIONS: f64 = 8.0;
/// Of the sick one's sessions so many must be affected.
const SICK: f64 = 0.04;
/// And so many times as many as of the siblings'.
const TIMES: f64 = 6.0;
/// The clients' leg fails so many times as often as the siblings', too: phones make some of it everywhere.
const FRONT: f64 = 2.5;
const FRONT_SURE: f64 = 6.0;
/// Of the siblings' no more.
const WELL: f64 = 0.05;

/// Whether a row speaks against its unit: an instance, or an address.
type Illness = fn(&Log<'_>, usize) -> bool;

const ILLNESSES: [(Trait, Illness); 3] = [
    // Before the upstreams: where each instance has one of its own, its clients' leg tells the two apart.
    (Trait::Instance, against_upstream),
    (Trait::Upstream, against_upstream),
    // Clients do not choose their upstream: what only one of them complains of is its own fault.
    (Trait::Upstream, |log, row| log.sign(row).is_some_and(Sign::is_complaint_of_upstream)),
];

/// One unit on one route.
#[derive(Clone, Debug, Default)]
struct Place {
    /// The weight of its sessions and handshakes.
    all: f64,
    /// Those that speak against it.
    bad: f64,
    members: Vec<usize>,
    /// The weight of those whose client's leg failed.
    front: f64,
}

/// A unit beside those that serve the same routes.
#[derive(Clone, Debug, Default)]
struct Unit {
    here: f64,
    bad: f64,
    members: Vec<usize>,
    front: f64,
    /// The same of the siblings, for as many sessions as the unit has on each route.
    bad_beside: f64,
    front_beside: f64,
    /// Half of one that the siblings may have had by chance.
    chance: f64,
}

/// Finds them, and explains their rows.
pub(super) fn causes(log: &Log<'_>) -> Vec<Cause> {
    let of_scope = |scope: Scope| {
        let mut causes = vec![];
        for (property, illness) in ILLNESSES {
            while let Some(cause) = sick(log, scope, property, illness) {
                log.explain(&cause.members);
                causes.push(cause);
            }
        }
        causes
    };
    // A unit that serves several routes falls ill on all of them at once, and each of them alone may be too thin.
    let mut scopes = log.scopes();
    let mut causes = if scopes.len() > 1 { scopes.pop().map(of_scope).unwrap_or_default() } else { vec![] };
    scopes.reverse();
    causes.extend(log.cores.map(&scopes, |scope| of_scope(*scope)).into_iter().flatten());
    causes
}

fn against_upstream(log: &Log<'_>, row: usize) -> bool {
    if let Some(sign) = log.sign(row) {
        return sign.against_upstream();
    }
    match &log.rows[row].what {
        What::Session(_) => false,
        What::Handshake { outcome, status, .. } => match outcome {
            Outcome::DialFailed | Outcome::UpstreamClosed | Outcome::UpstreamTimeout | Outcome::BadResponse => true,
            Outcome::Refused => *status >= 500,
            Outcome::Upgraded
            | Outcome::NoRoute
            | Outcome::BadRequest
            | Outcome::OverLimit
            | Outcome::Draining
            | Outcome::DialTimeout
            | Outcome::TlsFailed
            | Outcome::Internal
            | Outcome::ClientGone => false,
        },
    }
}

fn against_client_leg(log: &Log<'_>, row: usize) -> bool {
    matches!(log.sign(row), Some(Sign::Reset(Peer::Client) | Sign::Vanished(Peer::Client)))
}

fn sick(log: &Log<'_>, scope: Scope, property: Trait, illness: Illness) -> Option<Cause> {
    let units = beside(log, scope, property, illness);
    let rate = |unit: &Unit| unit.bad / unit.here;
    let (number, worst) = units.into_iter().rev().max_by(|a, b| rate(&a.1).total_cmp(&rate(&b.1)))?;
    let (rate, siblings) = (rate(&worst), worst.bad_beside / worst.here);
    let Unit { bad, mut members, front, bad_beside, front_beside, chance, .. } = worst;
    let well = siblings <= WELL && rate >= SICK && rate >= TIMES * siblings;
    let stands_for = log.stands_for(&members);
    let sure = |bad: f64, beside: f64| surprise(bad / stands_for, (beside + chance) / stands_for);
    let both_legs = property == Trait::Instance
        && front >= 5.0
        && front >= 0.25 * bad
        && front >= FRONT * front_beside
        && sure(front, front_beside) >= FRONT_SURE;
    if both_legs {
        let column = log.columns.of_trait(property);
        let here = |row: &usize| column.number(*row) == number && against_client_leg(log, *row);
        members.extend(log.unexplained(scope).into_iter().filter(here));
    }
    members.sort_unstable();
    if members.len() < LEAST || !well || sure(bad, bad_beside) < 12.0 || log.clients(&members) < CLIENTS {
        return None;
    }
    let (culprit, or): (_, &[_]) = if both_legs {
        (Culprit::Proxy, &[])
    } else if property == Trait::Instance {
        (Culprit::Upstream, &[Culprit::Proxy, Culprit::NetworkUpstreamSide])
    } else {
        (Culprit::Upstream, &[Culprit::NetworkUpstreamSide])
    };
    Some(
        Cause::new(Mechanism::BadInstance, culprit, or, members)
            .sure(0.95)
            .because("share that failed here", rate)
            .because("share that failed at its siblings", siblings),
    )
}

/// Each unit, by its number, beside its siblings: those that serve the same routes, on those routes.
fn beside(log: &Log<'_>, scope: Scope, property: Trait, illness: Illness) -> BTreeMap<u32, Unit> {
    let routes = scope.map_or_else(|| log.routes().to_vec(), |route| vec![route]);
    let places = log.cores_of(scope).map(&routes, |route| places(log, *route, property, illness));
    let mut totals = BTreeMap::<u32, f64>::new();
    for (unit, place) in places.iter().flatten() {
        *totals.entry(*unit).or_default() += place.all;
    }
    let mut units = BTreeMap::<u32, Unit>::new();
    for mut of_route in places {
        // Units of a few sessions are no measure.
        of_route.retain(|unit, _| totals[unit] >= SESSIONS);
        let sum = |part: fn(&Place) -> f64| of_route.values().map(part).sum::<f64>();
        let (all, bad, front) = (sum(|place| place.all), sum(|place| place.bad), sum(|place| place.front));
        for (unit, place) in of_route {
            let others = all - place.all;
            if others < SESSIONS {
                continue;
            }
            let part = place.all / others;
            let unit = units.entry(unit).or_default();
            unit.here += place.all;
            unit.bad += place.bad;
            unit.front += place.front;
            unit.bad_beside += (bad - place.bad) * part;
            unit.front_beside += (front - place.front) * part;
            unit.chance = unit.chance.max(0.5 * part);
            unit.members.extend(place.members);
        }
    }
    units.retain(|_, unit| unit.here >= SESSIONS);
    units
}

/// The units that a route has, by number; those without a name are none.
fn places(log: &Log<'_>, route: Name, property: Trait, illness: Illness) -> BTreeMap<u32, Place> {
    let column = log.columns.of_trait(property);
    let mut places = vec![Place::default(); column.len()];
    for row in log.rows_of(Some(route)) {
        let unit = column.number(*row);
        if unit == 0 {
            continue;
        }
        let place = &mut places[unit as usize];
        place.all += log.weight[*row];
        if log.is_explained(*row) {
            continue;
        }
        if illness(log, *row) {
            place.bad += log.weight[*row];
            place.members.push(*row);
        } else if against_client_leg(log, *row) {
            place.front += log.weight[*row];
        }
    }
    (0..).zip(places).filter(|(_, place)| place.all > 0.0).collect()
}
