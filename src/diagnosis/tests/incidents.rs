//! Incidents: each does to a day what its name says.

use super::stage::{Ends, Session, Stage, exponential};
use crate::close::Outcome;
use crate::wire::Peer;

/// A Close and its echo.
pub(super) fn close(by: Peer, code: u16) -> Ends {
    says(by, code, "")
}

/// A Close with a reason, and its echo.
pub(super) fn says(by: Peer, code: u16, reason: &str) -> Ends {
    Ends::Close { by, code: Some(code), reason: reason.to_owned(), answer: Some(code) }
}

/// Where a session is first silent for longer than `limit`, in the sense of `heard`.
fn silence(session: &Session, limit: f64, heard: impl Fn(Peer) -> bool) -> Option<f64> {
    let mut before = 0.0;
    let times = session.frames.iter().filter(|(_, from)| heard(*from)).map(|(at, _)| *at);
    for at in times.chain([session.life]) {
        if at - before > limit {
            return Some(before);
        }
        before = at;
    }
    None
}

/// A box cuts at `limit(time of day)` of silence; clients come back.
pub(super) fn cut_idle(
    stage: &mut Stage,
    leg: Peer,
    heard: fn(Peer) -> bool,
    limit: impl Fn(f64, f64) -> f64,
    affected: impl Fn(&Stage, &Session) -> bool,
) {
    let reset = stage.rng.bool();
    let mut at = 0;
    while at < stage.sessions.len() {
        let session = stage.sessions[at].clone();
        let limit = limit(session.opened, stage.rng.f64());
        if affected(stage, &session)
            && let Some(start) = silence(&session, limit, heard)
        {
            let ends = if reset { Ends::Reset(leg) } else { Ends::Fin(leg) };
            let late = stage.rng.f64() * 0.05;
            stage.end(at, start + limit + late, ends);
            if stage.sessions.len() < 12_000 && stage.rng.f64() < 0.4 {
                let after = exponential(&mut stage.rng, 3.0);
                stage.comes_back(at, after);
            }
        }
        at += 1;
    }
}

/// Sessions end at an age.
pub(super) fn cut_old(stage: &mut Stage, age: f64, ends: &Ends, affected: impl Fn(&Session) -> bool) {
    let mut at = 0;
    while at < stage.sessions.len() {
        let session = stage.sessions[at].clone();
        if session.life > age && affected(&session) {
            let late = stage.rng.f64() * 0.1;
            stage.end(at, age + late, ends.clone());
            if stage.sessions.len() < 12_000 && stage.rng.bool() {
                let after = exponential(&mut stage.rng, 2.0);
                stage.comes_back(at, after);
            }
        }
        at += 1;
    }
}

/// A box forgets flows; the next packet is answered by a reset.
pub(super) fn forget(stage: &mut Stage, leg: Peer, limit: f64, affected: impl Fn(&Session) -> bool) {
    for at in 0..stage.sessions.len() {
        let session = stage.sessions[at].clone();
        if !affected(&session) {
            continue;
        }
        let mut before = 0.0;
        for (i, (time, from)) in session.frames.iter().enumerate() {
            if time - before > limit {
                // A packet that comes through the box never arrives; one that goes into it does leave.
                let arrives = *from != leg;
                stage.end(at, time + 0.02, Ends::Reset(leg));
                if !arrives {
                    let kept: Vec<_> = session.frames[..i].to_vec();
                    stage.sessions[at].frames = kept;
                }
                break;
            }
            before = *time;
        }
    }
}

/// All sessions of an upstream end at once; it is away for a while; clients come back until it takes them.
pub(super) fn falls(stage: &mut Stage, when: f64, upstream: Option<usize>, ends: &Ends, spread: f64, away: f64) {
    let of = |session: &Session| upstream.is_none_or(|upstream| session.upstream == upstream);
    for at in stage.open_at(when) {
        if !of(&stage.sessions[at]) {
            continue;
        }
        let life = when - stage.sessions[at].opened + stage.rng.f64() * spread;
        stage.end(at, life, ends.clone());
        let mut after = stage.rng.f64() * 2.0;
        let client = stage.sessions[at].client;
        while after < away {
            let outcome = if stage.rng.bool() { Outcome::DialFailed } else { Outcome::UpstreamClosed };
            stage.fail(when + after, client, outcome, Some(502));
            after += 0.5 + exponential(&mut stage.rng, 3.0);
        }
        stage.comes_back(at, after);
    }
    // Clients that would have come meanwhile are refused.
    let mut at = 0;
    while at < stage.sessions.len() {
        let session = &stage.sessions[at];
        if of(session) && session.opened > when && session.opened < when + away {
            let (opened, client) = (session.opened, session.client);
            stage.sessions.swap_remove(at);
            stage.fail(opened, client, Outcome::DialFailed, Some(502));
        } else {
            at += 1;
        }
    }
}

/// A share of the sessions of a time ends in a way, some time before they would have; `rest` makes them be silent before.
pub(super) fn some(
    stage: &mut Stage,
    share: f64,
    between: (f64, f64),
    affected: impl Fn(&Stage, &Session) -> bool,
    change: impl Fn(&mut Stage, usize),
) {
    for at in 0..stage.sessions.len() {
        let session = &stage.sessions[at];
        let end = session.opened + session.life;
        if (between.0..between.1).contains(&end) && affected(stage, &stage.sessions[at]) && stage.rng.f64() < share {
            let life = stage.sessions[at].life * (0.3 + 0.7 * stage.rng.f64());
            let ends = stage.sessions[at].ends.clone();
            stage.end(at, life, ends);
            change(stage, at);
        }
    }
}

/// Makes a peer silent for `time` before the end, while the other goes on if `other` says so.
pub(super) fn falls_silent(stage: &mut Stage, at: usize, who: &[Peer], time: f64) {
    let session = &mut stage.sessions[at];
    let last = session.life;
    session.life = last + time;
    for peer in Peer::ALL {
        if !who.contains(&peer) {
            let mut next = last + 3.0;
            while next < session.life {
                session.frames.push((next, peer));
                next += 7.0;
            }
        }
    }
    // Silence begins with the last frame.
    for peer in who {
        session.frames.retain(|(at, from)| from != peer || *at < last - 1e-9);
        session.frames.push((last, *peer));
    }
    session.frames.sort_by(|a, b| a.0.total_cmp(&b.0));
}

/// Handshakes of a time fail.
pub(super) fn refuse(
    stage: &mut Stage,
    between: (f64, f64),
    share: f64,
    how: &[(Outcome, Option<u16>)],
    affected: impl Fn(&Stage, &Session) -> bool,
) {
    let mut at = 0;
    while at < stage.sessions.len() {
        let session = stage.sessions[at].clone();
        let hit = (between.0..between.1).contains(&session.opened) && affected(stage, &session);
        if hit && stage.rng.f64() < share {
            stage.sessions.swap_remove(at);
            let mut when = session.opened;
            for _ in 0..=stage.rng.usize(..3) {
                let (outcome, status) = how[stage.rng.usize(..how.len())];
                stage.fail(when, session.client, outcome, status);
                if let Some(failure) = stage.failures.last_mut() {
                    failure.route = session.route;
                    failure.instance = session.instance;
                    if outcome == Outcome::UpstreamTimeout {
                        failure.took = 30.0;
                    }
                }
                when += 5.0 + exponential(&mut stage.rng, 10.0);
            }
        } else {
            at += 1;
        }
    }
}
