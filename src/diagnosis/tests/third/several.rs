//! Two causes in one log: both must be found, and nothing else.

use super::talk::{Beat, Leave};
use super::world::{Build, Fate, Limit, World};
use crate::close::{End, Outcome};
use crate::diagnosis::Culprit::{Client, MiddleboxBack, MiddleboxFront, NetworkClientSide, Upstream};
use crate::diagnosis::Mechanism::{
    AuthExpired, Crash, HandlerError, HandshakesRefused, IdleCut, KeepaliveTimeout, MaxLifetime, MessageTooBig,
    PolicyRejected, RandomResets,
};
use crate::wire::Peer;

const BOTH: &[Peer] = &[Peer::Client, Peer::Upstream];

pub(super) const SEVERAL: &[(&str, Build)] = &[
    ("idle 60 s in front, and tokens of an hour", idle_and_tokens),
    ("a crash, and messages that are too big", crash_and_size),
    ("two routes: idle behind one, 503 on the other", two_routes),
    ("idle 90 s in front and 150 s behind", two_limits),
    ("a subnet that resets, and 1011 behind messages", subnet_and_handler),
    ("lifetime 30 min in front, and rate limits", life_and_rate),
    ("keepalive timeouts on one route, a crash on the other", keepalive_and_crash),
];

fn idle_and_tokens(w: &mut World) {
    w.quiet(60.0);
    for program in &mut w.programs {
        program.life = (3600.0, 0.8);
        program.pings = if program.talks.0 > 0.0 && program.agent.len() % 2 == 0 { 24.0 } else { 0.0 };
    }
    w.span = w.span.max(12.0 * 3600.0);
    w.expect(IdleCut, &[MiddleboxFront], Limit::Is(60.0));
    w.expect(AuthExpired, &[Client, Upstream], Limit::Is(3600.0));
    let pinging = w.programs[0].clone();
    w.programs[0].pings = 24.0;
    if w.programs.len() < 2 || w.programs.iter().all(|program| program.pings > 0.0) {
        w.programs.push(pinging);
        w.programs.last_mut().unwrap().pings = 0.0;
    }
    w.day(|w, draft| {
        let silent = draft.talk.silent_for(60.0, BOTH).map(|at| at + w.rng.f64() * 0.05);
        let expired = 3600.0 + w.rng.f64();
        match silent.filter(|at| *at < draft.talk.life) {
            Some(at) if at < expired => draft.talk.cut(at, Leave::End(Peer::Client, End::Fin)),
            _ if draft.talk.life > expired => {
                draft.talk.cut(expired, Leave::close(Peer::Upstream, 1008, "token expired"));
            }
            _ => return Fate::Ends,
        }
        Fate::Back(w.between(0.5, 9.0))
    });
}

fn crash_and_size(w: &mut World) {
    w.long_lived();
    w.one_route(1);
    let instant = w.span * w.between(0.4, 0.7);
    w.expect(Crash, &[Upstream], Limit::None);
    w.expect(MessageTooBig, &[Client], Limit::None);
    w.day(|w, draft| {
        if draft.opened > instant && draft.opened < instant + 45.0 {
            let again = w.between(2.0, 15.0);
            return Fate::Refused(Outcome::DialFailed, Some(502), 0.001, Some(again));
        }
        if w.chance(0.08) {
            let at = draft.talk.life * w.between(0.1, 0.9);
            if !(draft.opened < instant && draft.opened + at > instant) {
                draft.talk.cut(at, Leave::close(Peer::Upstream, 1009, "message too big"));
                draft.talk.beats.push((draft.talk.life - 0.001, Beat::Text(Peer::Client)));
                return Fate::Ends;
            }
        }
        if draft.open_at(instant) {
            let at = instant + w.rng.f64() * 0.1;
            draft.cut_at(at, Leave::End(Peer::Upstream, End::Reset));
            return Fate::Back(w.between(0.3, 4.0));
        }
        Fate::Ends
    });
}

fn two_routes(w: &mut World) {
    w.two_routes();
    w.quiet(120.0);
    let (from, to) = (w.span * 0.5, w.span * 0.62);
    w.expect(IdleCut, &[MiddleboxBack, Upstream], Limit::Is(120.0));
    w.expect(HandshakesRefused, &[Upstream], Limit::None);
    w.day(|w, draft| {
        if draft.route == 1 {
            if draft.opened > from && draft.opened < to && w.chance(0.9) {
                let again = w.between(10.0, 90.0);
                return Fate::Refused(Outcome::Refused, Some(503), 0.003, Some(again));
            }
            return Fate::Ends;
        }
        match draft.talk.silent_for(120.0, BOTH).map(|at| at + 0.01).filter(|at| *at < draft.talk.life) {
            Some(at) => draft.talk.cut(at, Leave::End(Peer::Upstream, End::Fin)),
            None => return Fate::Ends,
        }
        Fate::Back(w.between(0.5, 9.0))
    });
}

fn two_limits(w: &mut World) {
    w.two_routes();
    w.quiet(100.0);
    w.expect(IdleCut, &[MiddleboxFront, NetworkClientSide], Limit::Is(90.0));
    w.expect(IdleCut, &[MiddleboxBack, Upstream], Limit::Is(150.0));
    w.behind(2);
    w.day(|w, draft| {
        let (limit, side) =
            if w.clients[draft.client].hop % 2 == 0 { (90.0, Peer::Client) } else { (150.0, Peer::Upstream) };
        if let Some(at) = draft.talk.silent_for(limit, BOTH).map(|at| at + 0.02).filter(|at| *at < draft.talk.life) {
            draft.talk.cut(at, Leave::End(side, End::Fin));
            return Fate::Back(w.between(0.5, 9.0));
        }
        Fate::Ends
    });
}

fn subnet_and_handler(w: &mut World) {
    w.direct();
    w.expect(RandomResets, &[NetworkClientSide], Limit::None);
    w.expect(HandlerError, &[Upstream], Limit::None);
    w.day(|w, draft| {
        if draft.client.is_multiple_of(4) {
            w.clients[draft.client].ip = [185, 44, 12, 1 + (draft.client / 4 % 250) as u8].into();
            if w.chance(0.6) {
                let at = draft.talk.life * w.between(0.1, 0.9);
                draft.talk.cut(at, Leave::End(Peer::Client, End::Reset));
                return Fate::Back(w.between(1.0, 20.0));
            }
        } else if w.chance(0.1) {
            let at = draft.talk.life * w.between(0.1, 0.9);
            draft.talk.cut(at, Leave::close(Peer::Upstream, 1011, ""));
            draft.talk.beats.push((draft.talk.life - 0.001, Beat::Text(Peer::Client)));
        }
        Fate::Ends
    });
}

fn life_and_rate(w: &mut World) {
    for program in &mut w.programs {
        program.life = (1500.0, 1.0);
    }
    w.behind(2);
    w.expect(MaxLifetime, &[MiddleboxFront], Limit::Is(1800.0));
    w.expect(PolicyRejected, &[Client], Limit::None);
    w.day(|w, draft| {
        if w.chance(0.08) {
            let at = draft.talk.life.min(1700.0) * w.between(0.1, 0.9);
            draft.talk.cut(at, Leave::close(Peer::Upstream, 1008, "rate limited"));
            draft.talk.beats.push((draft.talk.life - 0.001, Beat::Text(Peer::Client)));
            return Fate::Ends;
        }
        let at = 1800.0 + w.rng.f64() * 0.1;
        if draft.talk.life < at {
            return Fate::Ends;
        }
        draft.talk.cut(at, Leave::End(Peer::Client, End::Fin));
        Fate::Back(w.between(0.3, 5.0))
    });
}

fn keepalive_and_crash(w: &mut World) {
    w.two_routes();
    w.direct();
    w.upstreams(1, 1);
    for program in &mut w.programs {
        program.life = (w.span / 6.0, 0.8);
        program.pings = 0.0;
        program.beats = 0.0;
    }
    w.routes[0].pings = w.span / 1000.0;
    w.routes[1].pings = 0.0;
    let every = w.routes[0].pings;
    let instant = w.span * w.between(0.4, 0.7);
    w.expect(KeepaliveTimeout, &[NetworkClientSide, Client], Limit::Any);
    w.expect(Crash, &[Upstream], Limit::None);
    w.day(|w, draft| {
        if draft.route == 0 {
            if w.chance(0.15) {
                super::silences::vanish(w, draft, every, 15.0);
            }
            return Fate::Ends;
        }
        if draft.opened > instant && draft.opened < instant + 45.0 {
            let again = w.between(2.0, 15.0);
            return Fate::Refused(Outcome::DialFailed, Some(502), 0.001, Some(again));
        }
        if draft.open_at(instant) {
            let at = instant + w.rng.f64() * 0.1;
            draft.cut_at(at, Leave::End(Peer::Upstream, End::Reset));
            return Fate::Back(w.between(0.3, 4.0));
        }
        Fate::Ends
    });
}
