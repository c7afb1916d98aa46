//! One instance or upstream address that fails while its siblings are well, whatever the form.

use std::collections::HashMap;

use super::{CLIENTS, Cause};
use crate::close::Outcome;
use crate::diagnosis::cluster::surprise;
use crate::diagnosis::cohort::{LEAST, Trait};
use crate::diagnosis::finding::{Culprit, Mechanism};
use crate::diagnosis::log::Log;
use crate::diagnosis::names::Name;
use crate::diagnosis::row::{Row, What};
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

fn against_upstream(row: &Row) -> bool {
    match &row.what {
        What::Session(session) => session.sign.against_upstream(),
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

fn against_client_leg(row: &Row) -> bool {
    let sign = row.session().map(|session| session.sign);
    matches!(sign, Some(Sign::Reset(Peer::Client) | Sign::Vanished(Peer::Client)))
}

fn sick(log: &Log<'_>, route: Name, property: Trait) -> Option<Cause> {
    let mut units: HashMap<u128, (f64, Vec<usize>, f64)> = HashMap::new();
    for (at, row) in log.rows.iter().enumerate() {
        let unit = property.of(row);
        if row.route != route || unit == 0 {
            continue;
        }
        let unit = units.entry(unit).or_default();
        unit.0 += log.weight[at];
        if log.is_explained(at) {
            continue;
        }
        if against_upstream(row) {
            unit.1.push(at);
        } else if against_client_leg(row) {
            unit.2 += log.weight[at];
        }
    }
    units.retain(|_, (all, _, _)| *all >= SESSIONS);
    if units.len() < 2 {
        return None;
    }
    let (all, bad, front) = units
        .values()
        .fold((0.0, 0.0, 0.0), |(all, bad, front), unit| (all + unit.0, bad + log.count(&unit.1), front + unit.2));
    let worst = units
        .into_iter()
        .max_by(|a, b| (log.count(&a.1.1) / a.1.0).total_cmp(&(log.count(&b.1.1) / b.1.0)).then(b.0.cmp(&a.0)));
    let (_, (here, members, front_here)) = worst?;
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
        let unit = property.of(log.rows[members[0]]);
        let here = |row: &Row| row.route == route && property.of(row) == unit && against_client_leg(row);
        members.extend(log.select(here));
        members.sort_unstable();
    }
    Some(
        Cause::new(Mechanism::BadInstance, culprit, or, members)
            .sure(0.95)
            .because("share of its sessions and handshakes that failed", rate)
            .because("the same share of its siblings", siblings),
    )
}
