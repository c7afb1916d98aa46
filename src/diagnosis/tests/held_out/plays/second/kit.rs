//! Steps that several of these plays take.

use super::super::play::share;
use crate::diagnosis::tests::held_out::day::{Day, Makings, Planned};
use crate::diagnosis::tests::held_out::program::{Program, traffic};

/// Three routes lead to the same upstreams.
pub(super) fn shared_by_three_routes(makings: &mut Makings) {
    (makings.routes, makings.shared) = (3, true);
}

/// Some clients are of one place.
pub(super) fn move_clients(day: &mut Day, part: f64, address: fn(&mut fastrand::Rng) -> String) -> Vec<bool> {
    let mut moved = vec![];
    for client in &mut day.clients {
        let is_one = day.rng.f64() < part;
        if is_one {
            client.address = address(&mut day.rng);
        }
        moved.push(is_one);
    }
    moved
}

/// Some clients are of one program.
pub(super) fn rename_clients(day: &mut Day, part: f64, agent: &str) -> Vec<bool> {
    let mut renamed = vec![];
    for client in &mut day.clients {
        let is_one = day.rng.f64() < part;
        if is_one {
            agent.clone_into(&mut client.agent);
        }
        renamed.push(is_one);
    }
    renamed
}

/// These sessions go on for so long, and say little.
pub(super) fn make_quiet(day: &mut Day, limit: f64, of: impl Fn(&Planned) -> bool) {
    for at in 0..day.sessions.len() {
        if of(&day.sessions[at]) {
            let life = limit * (2.0 + 5.0 * day.rng.f64());
            let acts = traffic(&mut day.rng, Program::Quiet(limit * 0.8), life);
            let script = &mut day.sessions[at].script;
            (script.life, script.acts) = (life, acts);
        }
    }
}

/// The log has holes: sessions that ended in them are not in it.
pub(super) fn lose_hours(day: &mut Day, holes: &[(f64, f64)]) {
    let length = day.length();
    day.sessions.retain(|it| {
        let end = (it.opened + it.script.life) / length;
        !holes.iter().any(|(from, to)| (*from..*to).contains(&end))
    });
}

/// A share that is found, of a day with at least so many sessions.
pub(super) fn few(day: &mut Day) -> f64 {
    share(day).max(0.04)
}
