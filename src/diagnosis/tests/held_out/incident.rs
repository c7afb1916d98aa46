//! Things that happen to sessions: boxes that cut, hosts that fall over, peers that fall silent.

use super::chance::exponential;
use super::day::{Day, Planned, last};
use super::program::{Program, traffic};
use super::script::{Act, Ending, What};
use crate::close::Outcome;
use crate::wire::Peer;
use Peer::{Client, Upstream};

/// A share of the sessions says little, and lasts longer.
pub(super) fn quiet(day: &mut Day, share: f64, program: Program, life: f64) {
    for at in 0..day.sessions.len() {
        if day.rng.f64() < share {
            let longest = (day.length() * 0.9 - day.sessions[at].opened).max(1.0);
            let life = (life * (0.3 + exponential(&mut day.rng, 1.0))).min(longest);
            let script = &mut day.sessions[at].script;
            script.life = life;
            script.acts = traffic(&mut day.rng, program, life);
        }
    }
}

/// A box cuts what it takes for idle: `sees` says whose frames it hears. Gives the number of sessions that it cut.
pub(super) fn cut_idle(
    day: &mut Day,
    leg: Peer,
    ending: &Ending,
    sees: impl Fn(Peer) -> bool,
    limit: impl Fn(&Planned) -> f64,
    passes: impl Fn(&Day, &Planned) -> bool,
) -> usize {
    let _ = leg;
    let mut count = 0;
    for at in 0..day.sessions.len() {
        if !passes(day, &day.sessions[at]) {
            continue;
        }
        let session = &day.sessions[at];
        let limit = limit(session);
        let mut before = 0.0;
        let script = &session.script;
        let heard = script.acts.iter().filter(|act| sees(act.by)).map(|act| act.at).chain([script.life]);
        let mut cut = None;
        for time in heard {
            if time - before > limit {
                cut = Some(before + limit);
                break;
            }
            before = time;
        }
        if let Some(cut) = cut {
            let life = cut + 0.002 + 0.03 * day.rng.f64();
            day.strike(at, life, ending.clone());
            count += 1;
            if day.rng.f64() < 0.6 {
                let after = 0.2 + 3.0 * day.rng.f64();
                day.again(at, after);
            }
        }
    }
    count
}

/// A box ends sessions at an age.
pub(super) fn cut_old(
    day: &mut Day,
    ending: &Ending,
    age: f64,
    jitter: f64,
    passes: impl Fn(&Day, &Planned) -> bool,
) -> usize {
    let mut count = 0;
    for at in 0..day.sessions.len() {
        let age = age * (1.0 + jitter * (day.rng.f64() - 0.5)) + 0.05 * day.rng.f64();
        if day.sessions[at].script.life > age && passes(day, &day.sessions[at]) {
            day.strike(at, age, ending.clone());
            count += 1;
        }
    }
    count
}

/// A box on a leg forgets flows that are silent for so long; the next packet dies of it.
pub(super) fn forget(
    day: &mut Day,
    leg: Peer,
    limit: f64,
    timeout: bool,
    passes: impl Fn(&Day, &Planned) -> bool,
) -> usize {
    let mut count = 0;
    for at in 0..day.sessions.len() {
        if !passes(day, &day.sessions[at]) {
            continue;
        }
        let acts = day.sessions[at].script.acts.clone();
        let mut before = 0.0;
        for (number, act) in acts.iter().enumerate() {
            if act.at - before > limit {
                // A packet of the peer behind the box never comes through; what is sent to it is answered by a reset.
                let from_behind = act.by == leg;
                let hit = if from_behind {
                    acts[number..].iter().find(|act| act.by != leg).map_or(act.at + 0.05, |act| act.at)
                } else {
                    act.at
                };
                let script = &mut day.sessions[at].script;
                script.acts.retain(|act| act.at < before + 1e-9 || (act.by != leg && act.at <= hit));
                let (life, ending) =
                    if timeout { (hit + 60.0, Ending::Timeout(leg)) } else { (hit + 0.03, Ending::Reset(leg)) };
                day.strike(at, life, ending);
                count += 1;
                break;
            }
            before = act.at;
        }
    }
    count
}

/// The way in which an upstream comes back.
#[derive(Clone, Copy)]
pub(super) struct Fall {
    pub(super) when: f64,
    /// Between the first and the last end.
    pub(super) spread: f64,
    /// So long nobody is let in.
    pub(super) away: f64,
    /// Attempts that are refused meanwhile, a client and second.
    pub(super) eager: f64,
    pub(super) outcome: (Outcome, Option<u16>),
}

impl Fall {
    pub(super) const fn at(when: f64) -> Self {
        Self { when, spread: 0.05, away: 0.0, eager: 0.3, outcome: (Outcome::DialFailed, Some(502)) }
    }
}

/// All sessions of some place end at once, and come back when they are let in.
pub(super) fn fall(day: &mut Day, fall: Fall, ending: &Ending, of: impl Fn(&Planned) -> bool) -> usize {
    let mut count = 0;
    for at in day.open(fall.when) {
        if !of(&day.sessions[at]) {
            continue;
        }
        count += 1;
        let life = fall.when - day.sessions[at].opened + fall.spread * day.rng.f64();
        day.strike(at, life, ending.clone());
        let session = day.sessions[at].clone();
        let mut after = 0.3 + 2.0 * day.rng.f64();
        while after < fall.away {
            let failed = day.fails(fall.when + after, session.client, fall.outcome.0, fall.outcome.1);
            (failed.route, failed.instance, failed.path) = (session.route, session.instance, session.path);
            after += 0.2 + exponential(&mut day.rng, 1.0 / fall.eager);
        }
        if day.rng.f64() < 0.9 {
            day.again(at, after);
        }
    }
    let mut at = 0;
    while at < day.sessions.len() {
        let session = day.sessions[at].clone();
        let meanwhile = session.opened > fall.when && session.opened < fall.when + fall.away;
        if meanwhile && of(&session) {
            day.sessions.swap_remove(at);
            let failed = day.fails(session.opened, session.client, fall.outcome.0, fall.outcome.1);
            (failed.route, failed.instance, failed.path) = (session.route, session.instance, session.path);
        } else {
            at += 1;
        }
    }
    count
}

/// So many of those sessions meet something; they are chosen at random. `what` is given each.
pub(super) fn some(
    day: &mut Day,
    share: f64,
    of: impl Fn(&Day, &Planned) -> bool,
    mut what: impl FnMut(&mut Day, usize),
) -> usize {
    let mut chosen: Vec<usize> = (0..day.sessions.len()).filter(|at| of(day, &day.sessions[*at])).collect();
    day.rng.shuffle(&mut chosen);
    chosen.truncate((share * chosen.len() as f64).round() as usize);
    let count = chosen.len();
    for at in chosen {
        what(day, at);
    }
    count
}

pub(super) fn all(_: &Day, _: &Planned) -> bool {
    true
}

/// An end at some point of the session's life.
pub(super) fn soon(day: &mut Day, at: usize, ending: &Ending) {
    let life = day.sessions[at].script.life * (0.1 + 0.85 * day.rng.f64());
    day.strike(at, life.max(0.3), ending.clone());
}

/// An end right behind a message of a peer.
pub(super) fn behind_a_message(day: &mut Day, at: usize, by: Peer, ending: &Ending) {
    soon(day, at, ending);
    let script = &mut day.sessions[at].script;
    script.acts.retain(|act| act.at < script.life);
    script.acts.push(Act { at: script.life, by, what: What::Message });
    script.life += 0.01 + 0.1 * day.rng.f64();
}

/// A peer falls silent at some point, while the other goes on and pings; that one ends it after this time.
pub(super) fn falls_silent(day: &mut Day, at: usize, who: Peer, limit: f64, pings: Option<f64>, ending: &Ending) {
    // The other one would have gone on.
    let life = day.sessions[at].script.life;
    day.sessions[at].script.acts = traffic(&mut day.rng, day.makings.program, life + limit + 10.0);
    let script = &day.sessions[at].script;
    let from = last(&script.acts, |by| by == who, script.life * (0.3 + 0.6 * day.rng.f64()));
    let other = who.other();
    let acts = &mut day.sessions[at].script.acts;
    acts.retain(|act| act.at <= from || (act.by == other && !matches!(act.what, What::Ping(_) | What::Pong(_))));
    let life = from + limit + 0.05 * day.rng.f64();
    acts.retain(|act| act.at < life);
    if let Some(period) = pings {
        // One that is owed when the end comes.
        let first = life - period;
        for number in 0..2 {
            let at = first - f64::from(number) * period;
            if at > from {
                acts.push(Act { at, by: other, what: What::Ping(900_000 - number) });
            }
        }
    }
    acts.sort_by(|a, b| a.at.total_cmp(&b.at));
    day.strike(at, life, ending.clone());
}

/// A share of the upgrades of a time fails; each client tries a few times.
pub(super) fn refuse(
    day: &mut Day,
    between: (f64, f64),
    share: f64,
    how: &[(Outcome, Option<u16>)],
    tries: usize,
    of: impl Fn(&Day, &Planned) -> bool,
) -> usize {
    let mut count = 0;
    let mut at = 0;
    while at < day.sessions.len() {
        let session = day.sessions[at].clone();
        if (between.0..between.1).contains(&session.opened) && of(day, &session) && day.rng.f64() < share {
            day.sessions.swap_remove(at);
            let mut when = session.opened;
            for _ in 0..=day.rng.usize(..tries) {
                let (outcome, status) = how[day.rng.usize(..how.len())];
                let failed = day.fails(when, session.client, outcome, status);
                (failed.route, failed.instance, failed.path) = (session.route, session.instance, session.path);
                count += 1;
                when += 2.0 + exponential(&mut day.rng, 8.0);
            }
        } else {
            at += 1;
        }
    }
    count
}

pub(super) const BOTH: fn(Peer) -> bool = |_| true;
pub(super) const FROM_CLIENT: fn(Peer) -> bool = |by| matches!(by, Client);
pub(super) const FROM_UPSTREAM: fn(Peer) -> bool = |by| matches!(by, Upstream);
