//! More incidents: limits that vary, words of other hands, doors that stay shut, small logs.

use super::people::Program;
use super::talk::{Answer, Beat, Leave};
use super::world::{Build, Draft, Fate, Limit, World};
use crate::close::{End, Outcome};
use crate::diagnosis::Culprit::{
    Client, MiddleboxBack, MiddleboxFront, NetworkClientSide, NetworkUpstreamSide, Proxy, Upstream,
};
use crate::diagnosis::Mechanism::{
    AuthExpired, Crash, HandlerError, HandshakesRefused, IdleCut, KeepaliveTimeout, MaxLifetime, PeerVanished,
    PolicyRejected, ProtocolError, RandomResets, ReconnectStorm, SilentDrop, SlowConsumer,
};
use crate::diagnosis::{Culprit, Mechanism};
use crate::wire::Peer;

const BOTH: &[Peer] = &[Peer::Client, Peer::Upstream];

pub(super) const MORE: &[(&str, Build)] = &[
    ("lifetime of an hour, 5 % early or late", life_with_jitter),
    ("idle limit of 200 s, 4 % early or late", idle_with_jitter),
    ("an idle limit that drifts from 60 to 66 s", drifts),
    ("a box forgets 4 % of the flows among phones", forgets_among_phones),
    ("crash, with clocks 20 s apart", crash_clocks_apart),
    ("1008 slow consumer", |w| tells(w, 1008, "slow consumer", SlowConsumer, &[Client, NetworkClientSide])),
    ("4000 client is too slow, buffer overflow", |w| {
        tells(w, 4000, "client too slow: send buffer overflow", SlowConsumer, &[Client, NetworkClientSide]);
    }),
    ("1008 ExpiredSignatureError", |w| {
        tells(w, 1008, "ExpiredSignatureError: Signature has expired", AuthExpired, &[Client, Upstream]);
    }),
    ("4001 Sitzung abgelaufen", |w| tells(w, 4001, "Sitzung abgelaufen", AuthExpired, &[Client, Upstream])),
    ("4401 without words, at any age", |w| tells(w, 4401, "", PolicyRejected, &[Client, Upstream])),
    ("1008 origin not allowed", |w| tells(w, 1008, "origin not allowed", PolicyRejected, &[Client, Upstream])),
    ("the WAF says 403 to most", |w| door(w, 403)),
    ("a bad deploy says 404 on one route", |w| door(w, 404)),
    ("closewatch's own limit", over_limit),
    ("deploy with 1001, then 503 for minutes", deploy_then_refused),
    ("40 lines: crash", forty_crash),
    ("60 lines: 1011 behind messages", sixty_handler),
    ("one version of TLS is reset", old_tls),
    ("one agent's pushes are not UTF-8, on two routes", two_routes_utf8),
    ("keepalive 30 + 10 s while the upstream pushes on", vanish_while_pushed),
    ("ws heartbeats: terminate at the second tick, by reset", terminate),
    ("a hop answers pings late: the server gives up by FIN", gives_up_by_fin),
    ("the upstream's host vanishes for a third", upstream_vanishes),
    ("front idle 60 s beside phones asleep, hop that names nobody", nameless_hop),
    ("lifetime of 30 min, pings of 30 s", life_and_pings),
];

fn life_with_jitter(w: &mut World) {
    for program in &mut w.programs {
        program.life = (3600.0, 1.0);
    }
    w.span = w.span.max(24.0 * 3600.0);
    w.expect(MaxLifetime, &[MiddleboxFront], Limit::Is(3600.0));
    w.behind(2);
    w.day(|w, draft| {
        let at = 3600.0 * w.between(0.95, 1.05);
        if draft.talk.life < at {
            return Fate::Ends;
        }
        draft.talk.cut(at, Leave::End(Peer::Client, End::Fin));
        Fate::Back(w.between(0.3, 5.0))
    });
}

fn silence(w: &mut World, draft: &mut Draft, limit: f64, side: Peer) -> Fate {
    let Some(at) = draft.talk.silent_for(limit, BOTH).filter(|at| *at < draft.talk.life) else { return Fate::Ends };
    draft.talk.cut(at, Leave::End(side, End::Fin));
    if w.chance(0.5) { Fate::Back(w.between(0.5, 9.0)) } else { Fate::Ends }
}

fn idle_with_jitter(w: &mut World) {
    w.quiet(200.0);
    w.expect(IdleCut, &[MiddleboxFront, NetworkClientSide], Limit::Is(200.0));
    w.day(|w, draft| {
        let limit = 200.0 * w.between(0.96, 1.04);
        silence(w, draft, limit, Peer::Client)
    });
}

fn drifts(w: &mut World) {
    w.quiet(60.0);
    w.expect(IdleCut, &[MiddleboxFront, NetworkClientSide], Limit::Is(63.0));
    let span = w.span;
    w.day(|w, draft| {
        let limit = 60.0 + 6.0 * draft.opened / span;
        silence(w, draft, limit, Peer::Client)
    });
}

fn forgets_among_phones(w: &mut World) {
    w.size = w.size.max(1200);
    w.one_route(1);
    w.direct();
    w.routes[0].pings = 0.0;
    for program in &mut w.programs {
        program.leaves[3] += 80;
        program.pings = 0.0;
        program.beats = 0.0;
    }
    w.expect_any(&[SilentDrop], &[MiddleboxFront, NetworkClientSide], Limit::Is(300.0));
    w.day(|w, draft| {
        if !w.chance(0.05) {
            return Fate::Ends;
        }
        let last = draft.talk.beats.last().map_or(0.0, |(at, _)| *at);
        let wakes = last + 300.0 + w.between(1.0, 900.0);
        draft.talk.life = wakes + 0.05;
        draft.talk.leave = Leave::End(Peer::Client, End::Reset);
        draft.talk.beats.push((wakes, Beat::Text(Peer::Upstream)));
        Fate::Back(w.between(0.5, 9.0))
    });
}

fn falls(w: &mut World, draft: &mut Draft, instant: f64, down: f64) -> Fate {
    if draft.opened > instant && draft.opened < instant + down {
        let again = w.between(1.0, 15.0);
        return Fate::Refused(Outcome::DialFailed, Some(502), 0.001, Some(again));
    }
    if !draft.open_at(instant) {
        return Fate::Ends;
    }
    let at = instant + w.rng.f64() * 0.15;
    draft.cut_at(at, Leave::End(Peer::Upstream, End::Reset));
    Fate::Back(w.between(0.2, 6.0))
}

fn crash_clocks_apart(w: &mut World) {
    w.long_lived();
    w.one_route(1);
    w.instances = [-9.0, 0.0, 11.0].iter().enumerate().map(|(n, apart)| (format!("gw{n}"), *apart)).collect();
    let instant = w.span * w.between(0.4, 0.7);
    w.expect(Crash, &[Upstream], Limit::None);
    w.day(|w, draft| falls(w, draft, instant, 60.0));
}

fn tells(w: &mut World, code: u16, reason: &str, mechanism: Mechanism, culprits: &[Culprit]) {
    w.expect(mechanism, culprits, Limit::Any);
    let leave = Leave::close(Peer::Upstream, code, reason);
    w.day(|w, draft| {
        if !w.chance(0.14) {
            return Fate::Ends;
        }
        let at = draft.talk.life * w.between(0.1, 0.95);
        draft.talk.cut(at, leave.clone());
        if w.chance(0.6) { Fate::Back(w.between(0.5, 20.0)) } else { Fate::Ends }
    });
}

fn door(w: &mut World, status: u16) {
    w.two_routes();
    let from = w.span * w.between(0.3, 0.6);
    let to = from + w.span * 0.15;
    w.expect(HandshakesRefused, &[Upstream], Limit::None);
    w.day(|w, draft| {
        if draft.route == 1 || draft.opened < from || draft.opened > to || w.chance(0.15) {
            return Fate::Ends;
        }
        let again = w.between(5.0, 120.0);
        Fate::Refused(Outcome::Refused, Some(status), 0.01, Some(again))
    });
}

fn over_limit(w: &mut World) {
    w.one_route(2);
    let from = w.span * w.between(0.3, 0.6);
    let to = from + w.span * 0.1;
    w.expect(HandshakesRefused, &[Proxy], Limit::None);
    w.day(|w, draft| {
        if draft.opened < from || draft.opened > to || w.chance(0.3) {
            return Fate::Ends;
        }
        let again = w.between(3.0, 60.0);
        Fate::Refused(Outcome::OverLimit, Some(503), 0.0005, Some(again))
    });
}

fn deploy_then_refused(w: &mut World) {
    w.long_lived();
    w.one_route(1);
    let instant = w.span * w.between(0.4, 0.7);
    w.expect_any(&[HandshakesRefused, ReconnectStorm], &[Upstream, Client], Limit::None);
    w.day(|w, draft| {
        if draft.opened > instant && draft.opened < instant + 240.0 {
            let again = w.between(10.0, 60.0);
            return Fate::Refused(Outcome::Refused, Some(503), 0.01, Some(again));
        }
        if !draft.open_at(instant) {
            return Fate::Ends;
        }
        let at = instant + w.rng.f64() * 2.0;
        draft.cut_at(at, Leave::close(Peer::Upstream, 1001, "going away"));
        Fate::Back(w.between(0.5, 20.0))
    });
}

fn forty_crash(w: &mut World) {
    w.size = 36;
    w.span = 3.0 * 3600.0;
    w.one_route(1);
    for program in &mut w.programs {
        program.life = (5400.0, 0.3);
        (program.pings, program.beats) = (0.0, 0.0);
    }
    w.routes[0].pings = 0.0;
    let instant = w.span * 0.5;
    w.expect(Crash, &[Upstream], Limit::None);
    w.day(|w, draft| falls(w, draft, instant, 30.0));
}

fn handler(w: &mut World, share: f64) {
    w.expect(HandlerError, &[Upstream], Limit::None);
    w.day(|w, draft| {
        if w.chance(share) && draft.talk.life > 2.0 {
            let at = draft.talk.life * w.between(0.1, 0.95);
            draft.talk.cut(at, Leave::Close(Peer::Upstream, Some(1011), "KeyError: 'amount'".to_owned(), Answer::Echo));
            draft.talk.beats.push((draft.talk.life - 0.004, Beat::Text(Peer::Client)));
        }
        Fate::Ends
    });
}

fn sixty_handler(w: &mut World) {
    w.size = 60;
    handler(w, 0.35);
}

fn old_tls(w: &mut World) {
    w.direct();
    w.expect(RandomResets, &[Client, NetworkClientSide, MiddleboxFront], Limit::None);
    w.day(|w, draft| {
        if w.clients[draft.client].tls == Some(crate::close::TlsVersion::Tls12) && w.chance(0.8) {
            let at = draft.talk.life * w.between(0.05, 0.95);
            draft.talk.cut(at, Leave::End(Peer::Client, End::Reset));
            return Fate::Back(w.between(0.5, 9.0));
        }
        Fate::Ends
    });
}

fn two_routes_utf8(w: &mut World) {
    w.two_routes();
    for program in &mut w.programs {
        program.deflate = false;
    }
    w.expect(ProtocolError, &[Client], Limit::None);
    let program = Program::named("legacy-desktop/2.3").lives(300.0, 0.8).says(10.0, 0.8, 9.0, 0.8);
    w.programs.push(program);
    w.day(|w, draft| {
        if w.clients[draft.client].program.agent == "legacy-desktop/2.3" && w.chance(0.5) {
            let at = draft.talk.life * w.between(0.1, 0.9);
            draft.talk.cut(at, Leave::close(Peer::Upstream, 1007, "invalid UTF-8"));
            draft.talk.beats.push((draft.talk.life - 0.002, Beat::Text(Peer::Client)));
        }
        Fate::Ends
    });
}

/// The client's host goes away; pings and pushes of the upstream go on until it gives up.
fn gone(w: &mut World, draft: &mut Draft, every: f64, waits: f64, pushes: bool, leave: Leave) {
    let gone = draft.talk.life * w.between(0.2, 0.95);
    let ping = (gone / every).ceil() * every;
    let over = ping + waits;
    draft.talk.beats.retain(|(at, beat)| *at < gone || (beat.is_of(Peer::Upstream) && matches!(beat, Beat::Text(_))));
    draft.talk.beats.push((ping, Beat::Ping(Peer::Upstream, 9999)));
    let mut at = gone;
    while pushes && at < over {
        draft.talk.beats.push((at, Beat::Text(Peer::Upstream)));
        at += w.between(0.5, 6.0);
    }
    draft.talk.beats.sort_by(|a, b| a.0.total_cmp(&b.0));
    draft.talk.life = over;
    draft.talk.cut(over, leave);
}

fn pinged(w: &mut World, every: f64) {
    w.direct();
    for route in &mut w.routes {
        route.pings = every;
    }
    for program in &mut w.programs {
        program.life.0 = program.life.0.max(every * 8.0);
    }
}

fn vanish_while_pushed(w: &mut World) {
    pinged(w, 30.0);
    w.expect(KeepaliveTimeout, &[NetworkClientSide, Client], Limit::Any);
    w.day(|w, draft| {
        if w.chance(0.12) {
            let leave = Leave::Close(Peer::Upstream, Some(1011), "keepalive ping timeout".to_owned(), Answer::Silence);
            gone(w, draft, 30.0, 10.0, true, leave);
        }
        Fate::Ends
    });
}

fn terminate(w: &mut World) {
    pinged(w, 30.0);
    w.expect(KeepaliveTimeout, &[NetworkClientSide, Client], Limit::Any);
    w.day(|w, draft| {
        if w.chance(0.12) {
            gone(w, draft, 30.0, 30.0, false, Leave::End(Peer::Upstream, End::Reset));
        }
        Fate::Ends
    });
}

fn gives_up_by_fin(w: &mut World) {
    pinged(w, 25.0);
    w.expect(KeepaliveTimeout, &[NetworkClientSide, Client], Limit::Any);
    w.day(|w, draft| {
        if w.chance(0.12) {
            gone(w, draft, 25.0, 8.0, true, Leave::End(Peer::Upstream, End::Fin));
        }
        Fate::Ends
    });
}

fn upstream_vanishes(w: &mut World) {
    w.one_route(2);
    w.expect(PeerVanished, &[NetworkUpstreamSide, Upstream], Limit::None);
    w.day(|w, draft| {
        if w.chance(0.2) {
            let last = draft.talk.life * w.between(0.1, 0.9);
            draft.talk.cut(last, Leave::End(Peer::Upstream, End::Timeout));
            draft.talk.life = last + w.between(56.0, 66.0);
            return Fate::Back(w.between(0.5, 9.0));
        }
        Fate::Ends
    });
}

fn nameless_hop(w: &mut World) {
    w.quiet(60.0);
    w.behind(1);
    w.trusted = false;
    for program in &mut w.programs {
        program.leaves[3] += 60;
    }
    w.expect(IdleCut, &[MiddleboxFront], Limit::Is(60.0));
    w.day(|w, draft| silence(w, draft, 60.0, Peer::Client));
}

fn life_and_pings(w: &mut World) {
    w.behind(2);
    for program in &mut w.programs {
        program.life = (1500.0, 1.0);
        program.pings = 30.0;
    }
    for route in &mut w.routes {
        route.pings = 20.0;
    }
    let side = w.one(&[Peer::Client, Peer::Upstream]);
    let culprits: &[_] = if side == Peer::Client { &[MiddleboxFront] } else { &[MiddleboxBack, Upstream] };
    w.expect(MaxLifetime, culprits, Limit::Is(1800.0));
    w.day(|w, draft| {
        let at = 1800.0 + w.rng.f64() * 0.05;
        if draft.talk.life < at {
            return Fate::Ends;
        }
        draft.talk.cut(at, Leave::End(side, End::Fin));
        Fate::Back(w.between(0.3, 5.0))
    });
}
