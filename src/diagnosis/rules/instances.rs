//! One instance or upstream address that fails while its siblings are well, whatever the form.

use super::{CLIENTS, Cause};
use crate::close::Outcome;
use crate::diagnosis::cluster::surprise;
use crate::diagnosis::cohort::{LEAST, Trait};
use crate::diagnosis::finding::{Culprit, Mechanism};
use crate::diagnosis::log::Log;
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

/// One instance or address of a route.
#[derive(Clone, Debug, Default)]
struct Unit {
    /// The weight of its sessions and handshakes.
    all: f64,
    /// Those that speak against the upstream.
    bad: Vec<usize>,
    /// The weight of those whose client's leg failed.
    front: f64,
}

/// Finds them, and explains their rows.
pub(super) fn causes(log: &mut Log<'_>) -> Vec<Cause> {
    let mut causes = vec![];
    for route in log.routes() {
        for property in [Trait::Upstream, Trait::Instance] {
            while let Some(cause) = sick(log, route, property) {
                log.explain(&cause.members);
                causes.push(cause);
            }
        }
    }
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

fn sick(log: &Log<'_>, route: Name, property: Trait) -> Option<Cause> {
    let column = log.columns.of_trait(property);
    let mut units = vec![Unit::default(); column.len()];
    for row in log.rows_of(Some(route)) {
        let unit = &mut units[column.number(*row) as usize];
        unit.all += log.weight[*row];
        if log.is_explained(*row) {
            continue;
        }
        if against_upstream(log, *row) {
            unit.bad.push(*row);
        } else if against_client_leg(log, *row) {
            unit.front += log.weight[*row];
        }
    }
    let mut units: Vec<Unit> = units.into_iter().skip(1).collect();
    units.retain(|unit| unit.all >= SESSIONS);
    if units.len() < 2 {
        return None;
    }
    let (all, bad, front) = units.iter().fold((0.0, 0.0, 0.0), |(all, bad, front), unit| {
        (all + unit.all, bad + log.count(&unit.bad), front + unit.front)
    });
    let rate = |unit: &Unit| log.count(&unit.bad) / unit.all;
    let worst = units.into_iter().rev().max_by(|a, b| rate(a).total_cmp(&rate(b)));
    let Unit { all: here, bad: members, front: front_here } = worst?;
    let count = log.count(&members);
    let siblings = (bad - count) / (all - here);
    let rate = count / here;
    let well = siblings <= WELL && rate >= SICK && rate >= TIMES * siblings;
    let expected = (bad - count + 0.5) / (all - here) * here;
    if members.len() < LEAST || !well || surprise(count, expected) < 12.0 || log.clients(&members) < CLIENTS {
        return None;
    }
    let both_legs = property == Trait::Instance
        && front_here >= 5.0
        && front_here >= 0.25 * count
        && front_here / here >= FRONT * (front - front_here) / (all - here)
        && surprise(front_here, (front - front_here + 0.5) / (all - here) * here) >= FRONT_SURE;
    let (culprit, or): (_, &[_]) = if both_legs {
        (Culprit::Proxy, &[])
    } else if property == Trait::Instance {
        (Culprit::Upstream, &[Culprit::Proxy, Culprit::NetworkUpstreamSide])
    } else {
        (Culprit::Upstream, &[Culprit::NetworkUpstreamSide])
    };
    let mut members = members;
    if both_legs {
        let unit = column.number(members[0]);
        let here = |row: &usize| column.number(*row) == unit && against_client_leg(log, *row);
        members.extend(log.unexplained(Some(route)).into_iter().filter(here));
        members.sort_unstable();
    }
    Some(
        Cause::new(Mechanism::BadInstance, culprit, or, members)
            .sure(0.95)
            .because("share of its sessions and handshakes that failed", rate)
            .because("the same share of its siblings", siblings),
    )
}
