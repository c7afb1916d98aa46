//! Peers that fall silent, or take nothing, while the other side waits.

use super::talk::{Answer, Beat, Leave};
use super::words::{some_use, uses};
use super::world::{Build, Draft, Fate, Limit, World};
use crate::close::End;
use crate::diagnosis::Culprit::{Client, NetworkClientSide, NetworkUpstreamSide, Upstream};
use crate::diagnosis::Mechanism::{HeartbeatTimeout, KeepaliveTimeout, SlowConsumer};
use crate::wire::Peer;

pub(super) const SILENCES: &[(&str, Build)] = &[
    ("one version answers no ping, 1011", deaf_version),
    ("clients vanish: keepalive 20 + 20 s", |w| vanishes(w, 20.0, 20.0, 0.12)),
    ("clients vanish: keepalive 54 + 6 s", |w| vanishes(w, 54.0, 6.0, 0.1)),
    ("3 % keepalive timeouts among phones", vanish_among_phones),
    ("the upstream answers no ping of clients", deaf_upstream),
    ("phoenix: heartbeat timeout by the client", phoenix),
    ("the server misses heartbeats for 45 s", |w| heartless(w, 45.0, 4408, "")),
    ("the server closes 1000 behind 70 s of silence of clients that had beaten", |w| {
        heartless(w, 70.0, 1000, "heartbeat missed");
    }),
    ("clients do not read, the upstream ends it", |w| stuck(w, Peer::Client)),
    ("the upstream does not read, clients end it", |w| stuck(w, Peer::Upstream)),
];

fn deaf_version(w: &mut World) {
    const AGENT: &str = "acme-sdk/4.0.1";
    some_use(w, AGENT, 2);
    for route in &mut w.routes {
        route.pings = 20.0;
    }
    w.expect(KeepaliveTimeout, &[Client], Limit::Any);
    w.day(|w, draft| {
        if !uses(w, draft, AGENT) {
            return Fate::Ends;
        }
        draft.talk.beats.retain(|(_, beat)| !matches!(beat, Beat::Pong(Peer::Client, _)));
        if draft.talk.life > 40.0 {
            let at = 40.0 + w.rng.f64() * 0.05;
            draft.talk.cut(at, Leave::close(Peer::Upstream, 1011, "keepalive ping timeout"));
            return Fate::Back(w.between(1.0, 5.0));
        }
        Fate::Ends
    });
}

/// The client's host goes away at some time; the server's ping finds it out.
pub(super) fn vanish(w: &mut World, draft: &mut Draft, every: f64, waits: f64) {
    let gone = draft.talk.life * w.between(0.2, 0.95);
    let ping = (gone / every).ceil() * every;
    draft.talk.beats.retain(|(at, beat)| *at < gone || beat.is_of(Peer::Upstream));
    draft.talk.beats.retain(|(at, _)| *at < ping - 0.001);
    draft.talk.beats.push((ping, Beat::Ping(Peer::Upstream, 9999)));
    draft.talk.life = ping + waits;
    draft.talk.leave = Leave::Close(Peer::Upstream, Some(1011), "keepalive ping timeout".to_owned(), Answer::Silence);
}

fn vanishes(w: &mut World, every: f64, waits: f64, share: f64) {
    w.direct();
    for route in &mut w.routes {
        route.pings = every;
    }
    for program in &mut w.programs {
        program.life.0 = program.life.0.max(every * 8.0);
    }
    w.expect(KeepaliveTimeout, &[NetworkClientSide, Client], Limit::Any);
    w.day(|w, draft| {
        if w.chance(share) {
            vanish(w, draft, every, waits);
        }
        Fate::Ends
    });
}

fn vanish_among_phones(w: &mut World) {
    w.size = w.size.max(1000);
    for program in &mut w.programs {
        program.leaves[3] += 80;
    }
    vanishes(w, 25.0, 10.0, 0.035);
}

fn deaf_upstream(w: &mut World) {
    w.one_route(2);
    for program in &mut w.programs {
        program.pings = 30.0;
        program.life.0 = program.life.0.max(300.0);
    }
    w.routes[0].pings = 0.0;
    w.expect(KeepaliveTimeout, &[Upstream, NetworkUpstreamSide], Limit::Any);
    w.day(|w, draft| {
        if !w.chance(0.2) || draft.talk.life < 70.0 {
            return Fate::Ends;
        }
        // The upstream hangs at some time: it says nothing more.
        let hangs = draft.talk.life * w.between(0.2, 0.9);
        let ping = (hangs / 30.0).ceil() * 30.0;
        draft.talk.beats.retain(|(at, beat)| *at < hangs || (beat.is_of(Peer::Client) && *at < ping));
        draft.talk.beats.push((ping, Beat::Ping(Peer::Client, 777)));
        draft.talk.life = ping + 10.0 + w.rng.f64() * 0.02;
        draft.talk.leave = Leave::Close(Peer::Client, Some(1011), "keepalive ping timeout".to_owned(), Answer::Silence);
        Fate::Back(w.between(1.0, 5.0))
    });
}

fn phoenix(w: &mut World) {
    for program in &mut w.programs {
        program.beats = 30.0;
        program.pings = 0.0;
        program.life.0 = program.life.0.max(400.0);
    }
    for route in &mut w.routes {
        route.pings = 0.0;
    }
    w.expect(HeartbeatTimeout, &[Upstream, NetworkUpstreamSide], Limit::Any);
    w.day(|w, draft| {
        if !w.chance(0.15) || draft.talk.life < 100.0 {
            return Fate::Ends;
        }
        let hangs = draft.talk.life * w.between(0.2, 0.8);
        let beat = (hangs / 30.0).ceil() * 30.0;
        draft.talk.beats.retain(|(at, beat)| *at < hangs || beat.is_of(Peer::Client));
        draft
            .talk
            .cut(beat + 30.0, Leave::Close(Peer::Client, Some(1000), "heartbeat timeout".to_owned(), Answer::Silence));
        Fate::Back(w.between(1.0, 5.0))
    });
}

/// Clients have heartbeats, and some fall silent: the upstream, which talks on, closes.
fn heartless(w: &mut World, limit: f64, code: u16, reason: &str) {
    for program in &mut w.programs {
        program.beats = limit / 3.0;
        program.pings = 0.0;
        program.pushes = (limit / 8.0, 0.6);
        program.life.0 = program.life.0.max(limit * 8.0);
    }
    for route in &mut w.routes {
        route.pings = 0.0;
    }
    w.expect(HeartbeatTimeout, &[Client, NetworkClientSide], Limit::Is(limit));
    let leave = Leave::Close(Peer::Upstream, Some(code), reason.to_owned(), Answer::Silence);
    w.day(|w, draft| {
        if !w.chance(0.15) {
            return Fate::Ends;
        }
        let asleep = draft.talk.life * w.between(0.2, 0.9);
        draft.talk.beats.retain(|(at, beat)| *at < asleep || beat.is_of(Peer::Upstream));
        let last = draft.talk.beats.iter().rev().find(|(_, beat)| beat.is_of(Peer::Client)).map_or(0.0, |(at, _)| *at);
        let at = last + limit + w.rng.f64() * 0.05;
        if at > draft.talk.life {
            let pushes: Vec<f64> = (0..8).map(|n| last + limit * (f64::from(n) + 0.5) / 8.0).collect();
            draft.talk.beats.retain(|(when, _)| *when <= last);
            draft.talk.beats.extend(pushes.iter().map(|at| (*at, Beat::Text(Peer::Upstream))));
        }
        draft.talk.cut(at, leave.clone());
        Fate::Ends
    });
}

fn stuck(w: &mut World, who: Peer) {
    let culprits: &[_] =
        if who == Peer::Client { &[Client, NetworkClientSide] } else { &[Upstream, NetworkUpstreamSide] };
    w.expect(SlowConsumer, culprits, Limit::None);
    let ender = who.other();
    w.day(|w, draft| {
        if !w.chance(0.12) || draft.talk.life < 20.0 {
            return Fate::Ends;
        }
        let waits = w.between(6.0, 15.0).min(draft.talk.life * 0.6);
        let since = draft.talk.life - waits;
        draft.talk.beats.retain(|(at, beat)| *at < since || beat.is_of(ender));
        for n in 0..6 {
            draft.talk.beats.push((since + waits * (f64::from(n) + 0.2) / 6.5, Beat::Text(ender)));
        }
        draft.talk.beats.sort_by(|a, b| a.0.total_cmp(&b.0));
        draft.talk.stuck = Some((who, waits));
        let how = w.one(&[End::Reset, End::Fin]);
        draft.talk.leave = Leave::End(ender, how);
        Fate::Ends
    });
}
