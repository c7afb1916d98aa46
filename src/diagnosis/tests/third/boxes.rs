//! Boxes on the way: limits of silence and of age, flows forgotten, restarts.

use super::talk::Leave;
use super::world::{Build, Draft, Fate, Limit, World};
use crate::close::{End, Outcome};
use crate::diagnosis::Culprit::{MiddleboxBack, MiddleboxFront, NetworkClientSide, NetworkUpstreamSide, Upstream};
use crate::diagnosis::Mechanism::{IdleCut, MaxLifetime, PeerVanished, RandomResets, SilentDrop, UnannouncedRestart};
use crate::wire::Peer;

const BOTH: &[Peer] = &[Peer::Client, Peer::Upstream];

pub(super) const BOXES: &[(&str, Build)] = &[
    ("front idle 37 s, FIN", |w| front_idle(w, 37.0, 0.02, End::Fin, BOTH)),
    ("front idle 100 s, reset, 1 s late at most", |w| front_idle(w, 100.0, 1.0, End::Reset, BOTH)),
    ("front idle 250 s, FIN", |w| front_idle(w, 250.0, 0.05, End::Fin, BOTH)),
    ("front idle 1800 s", |w| front_idle(w, 1800.0, 0.3, End::Fin, BOTH)),
    ("front idle 8 s on chatty sessions", |w| front_idle(w, 8.0, 0.01, End::Fin, BOTH)),
    ("front idle 120 s, swept every 6 s", |w| front_idle(w, 120.0, 6.0, End::Reset, BOTH)),
    ("front read timeout 90 s, the upstream talks on", |w| front_idle(w, 90.0, 0.1, End::Fin, &[Peer::Client])),
    ("front send timeout 45 s, the client talks on", |w| front_idle(w, 45.0, 0.1, End::Fin, &[Peer::Upstream])),
    ("back idle 75 s, reset", |w| back_idle(w, 75.0, 0.02, End::Reset)),
    ("back idle 3600 s", |w| back_idle(w, 3600.0, 1.0, End::Fin)),
    ("back idle 300 s by FIN on two routes", back_idle_on_two_routes),
    ("back idle on one route of two", back_idle_on_one_route),
    ("idle cut by one of two balancers", one_balancer),
    ("idle cut of a carrier, in one subnet", carrier),
    ("40 lines: idle 60 s", forty_lines),
    ("idle cut of 3 % among phones asleep", among_phones),
    ("front lifetime 2 h 5 min", |w| front_life(w, 7500.0, 0.3, End::Fin)),
    ("front lifetime 600 s, reset", |w| front_life(w, 600.0, 0.05, End::Reset)),
    ("back lifetime 24 h", |w| back_life(w, 86_400.0, 2.0, End::Reset)),
    ("back lifetime 29 min, FIN", |w| back_life(w, 1740.0, 0.5, End::Fin)),
    ("lifetime by one balancer of two", lifetime_by_one),
    ("front forgets after 350 s", |w| forgets(w, 350.0, Peer::Client)),
    ("front forgets after 130 s", |w| forgets(w, 130.0, Peer::Client)),
    ("back forgets after 900 s", |w| forgets(w, 900.0, Peer::Upstream)),
    ("a carrier forgets after 160 s", carrier_forgets),
    ("the front's table is flushed", flushed),
    ("the balancer restarts", balancer_restarts),
    ("a third of one country's phones vanish", country_vanishes),
    ("resets in one /24 at any age", subnet_resets),
    ("resets in one /48", six_resets),
    ("resets towards the upstream, more and more", worsening),
    ("the upstream's host loses power", power_cut),
];

fn front_idle(w: &mut World, limit: f64, late: f64, how: End, of: &'static [Peer]) {
    w.quiet(limit);
    if of.len() == 1 {
        for program in &mut w.programs {
            program.pings = 0.0;
            let talks_on = (limit * 0.25, 0.5);
            (program.talks, program.pushes) =
                if of[0] == Peer::Client { ((limit * 0.5, 1.1), talks_on) } else { (talks_on, (limit * 0.5, 1.1)) };
        }
    }
    if w.chance(0.6) {
        w.behind(2);
    }
    w.expect(IdleCut, &[MiddleboxFront], Limit::Is(limit));
    w.day(|w, draft| idle(w, draft, limit, late, Leave::End(Peer::Client, how), of));
}

fn idle(w: &mut World, draft: &mut Draft, limit: f64, late: f64, leave: Leave, of: &[Peer]) -> Fate {
    let Some(at) = draft.talk.silent_for(limit, of) else { return Fate::Ends };
    let at = at + w.rng.f64() * late;
    if at >= draft.talk.life {
        return Fate::Ends;
    }
    draft.talk.cut(at, leave);
    if w.chance(0.5) { Fate::Back(w.between(0.3, 8.0)) } else { Fate::Ends }
}

fn back_idle(w: &mut World, limit: f64, late: f64, how: End) {
    w.quiet(limit);
    w.expect(IdleCut, &[MiddleboxBack, Upstream], Limit::Is(limit));
    w.day(|w, draft| idle(w, draft, limit, late, Leave::End(Peer::Upstream, how), BOTH));
}

fn back_idle_on_two_routes(w: &mut World) {
    w.two_routes();
    back_idle(w, 300.0, 0.1, End::Fin);
}

fn back_idle_on_one_route(w: &mut World) {
    w.two_routes();
    let limit = w.one(&[55.0, 80.0, 230.0]);
    w.quiet(limit);
    w.expect(IdleCut, &[MiddleboxBack, Upstream], Limit::Is(limit));
    w.day(|w, draft| {
        if draft.route == 0 {
            return Fate::Ends;
        }
        idle(w, draft, limit, 0.05, Leave::End(Peer::Upstream, End::Reset), BOTH)
    });
}

fn one_balancer(w: &mut World) {
    let limit = w.one(&[66.0, 180.0, 240.0]);
    w.quiet(limit);
    w.behind(2);
    w.expect(IdleCut, &[MiddleboxFront], Limit::Is(limit));
    w.day(|w, draft| {
        if w.clients[draft.client].hop % 2 == 0 {
            return Fate::Ends;
        }
        idle(w, draft, limit, 0.1, Leave::End(Peer::Client, End::Fin), BOTH)
    });
}

/// Half of the clients are in one /24.
fn subnet(w: &mut World, draft: &Draft) -> bool {
    let client = draft.client;
    if client.is_multiple_of(2) {
        w.clients[client].ip = [100, 71, 9, 1 + (client / 2 % 250) as u8].into();
    }
    client.is_multiple_of(2)
}

fn carrier(w: &mut World) {
    w.direct();
    let limit = w.one(&[110.0, 275.0]);
    w.quiet(limit);
    w.expect(IdleCut, &[NetworkClientSide, MiddleboxFront], Limit::Is(limit));
    w.day(|w, draft| {
        if !subnet(w, draft) {
            return Fate::Ends;
        }
        idle(w, draft, limit, 0.2, Leave::End(Peer::Client, End::Reset), BOTH)
    });
}

fn forty_lines(w: &mut World) {
    w.size = 40;
    w.one_route(1);
    w.quiet(60.0);
    w.expect(IdleCut, &[MiddleboxFront], Limit::Is(60.0));
    for program in &mut w.programs {
        program.pings = 0.0;
        program.life = (900.0, 0.8);
    }
    w.day(|w, draft| idle(w, draft, 60.0, 0.05, Leave::End(Peer::Client, End::Fin), BOTH));
}

fn phones(w: &mut World, asleep: u32) {
    for program in &mut w.programs {
        program.leaves[3] += asleep;
    }
}

fn among_phones(w: &mut World) {
    w.size = w.size.max(1200);
    let limit = w.one(&[62.0, 185.0]);
    w.one_route(2);
    phones(w, 90);
    w.direct();
    w.expect(IdleCut, &[MiddleboxFront, NetworkClientSide], Limit::Is(limit));
    w.day(|w, draft| {
        if w.chance(0.035) {
            let life = limit + w.between(5.0, 400.0);
            let talked = life - limit;
            draft.talk.cut(talked, Leave::End(Peer::Client, End::Fin));
            let last = draft.talk.beats.last().map_or(0.0, |(at, _)| *at);
            draft.talk.life = last + limit + w.between(0.0, 0.1);
        }
        Fate::Ends
    });
}

fn lives_long(w: &mut World, limit: f64) {
    for program in &mut w.programs {
        program.life = (limit * 0.8, 1.0);
        program.pings = if program.pings > 0.0 { program.pings.max(limit / 100.0) } else { 0.0 };
        program.beats = if program.beats > 0.0 { program.beats.max(limit / 100.0) } else { 0.0 };
    }
    for route in &mut w.routes {
        route.pings = if route.pings > 0.0 { route.pings.max(limit / 100.0) } else { 0.0 };
    }
    w.span = w.span.max(limit * 12.0);
}

fn life(w: &mut World, draft: &mut Draft, limit: f64, late: f64, leave: Leave) -> Fate {
    let at = limit + w.rng.f64() * late;
    if draft.talk.life < at {
        return Fate::Ends;
    }
    draft.talk.cut(at, leave);
    Fate::Back(w.between(0.2, 5.0))
}

fn front_life(w: &mut World, limit: f64, late: f64, how: End) {
    lives_long(w, limit);
    if w.chance(0.6) {
        w.behind(2);
    }
    w.expect(MaxLifetime, &[MiddleboxFront], Limit::Is(limit));
    w.day(|w, draft| life(w, draft, limit, late, Leave::End(Peer::Client, how)));
}

fn back_life(w: &mut World, limit: f64, late: f64, how: End) {
    lives_long(w, limit);
    w.expect(MaxLifetime, &[MiddleboxBack, Upstream], Limit::Is(limit));
    w.day(|w, draft| life(w, draft, limit, late, Leave::End(Peer::Upstream, how)));
}

fn lifetime_by_one(w: &mut World) {
    let limit = w.one(&[1020.0, 4000.0]);
    lives_long(w, limit);
    w.behind(2);
    w.expect(MaxLifetime, &[MiddleboxFront], Limit::Is(limit));
    w.day(|w, draft| {
        if w.clients[draft.client].hop % 2 == 0 {
            return Fate::Ends;
        }
        life(w, draft, limit, 0.2, Leave::End(Peer::Client, End::Fin))
    });
}

/// Behind a silence longer than the limit the next packet from one side dies: the leg of `side` is reset or times out.
fn forgotten(w: &mut World, draft: &mut Draft, limit: f64, side: Peer) -> Fate {
    let Some((at, from)) = draft.talk.wakes_after(limit) else { return Fate::Ends };
    if from == side {
        // Its packet reaches the box, which answers it with a reset; closewatch sees one as well, or nothing for a while.
        draft.talk.cut(at + 0.02, Leave::End(side, End::Reset));
        draft.talk.beats.retain(|(when, _)| *when < at);
    } else if w.chance(0.7) {
        draft.talk.cut(at + 0.03, Leave::End(side, End::Reset));
    } else {
        draft.talk.cut(at + 60.0, Leave::End(side, End::Timeout));
        draft.talk.beats.retain(|(when, _)| *when <= at);
    }
    if w.chance(0.5) { Fate::Back(w.between(0.5, 10.0)) } else { Fate::Ends }
}

fn forgets(w: &mut World, limit: f64, side: Peer) {
    w.quiet(limit);
    let culprits: &[_] =
        if side == Peer::Client { &[MiddleboxFront, NetworkClientSide] } else { &[MiddleboxBack, NetworkUpstreamSide] };
    w.expect(SilentDrop, culprits, Limit::Is(limit));
    w.day(|w, draft| forgotten(w, draft, limit, side));
}

fn carrier_forgets(w: &mut World) {
    w.direct();
    w.quiet(160.0);
    w.expect(SilentDrop, &[NetworkClientSide], Limit::Is(160.0));
    w.day(|w, draft| if subnet(w, draft) { forgotten(w, draft, 160.0, Peer::Client) } else { Fate::Ends });
}

fn flushed(w: &mut World) {
    w.size = w.size.max(400);
    w.long_lived();
    w.direct();
    let instant = w.span * w.between(0.4, 0.7);
    w.expect(SilentDrop, &[MiddleboxFront, NetworkClientSide], Limit::None);
    w.day(|w, draft| {
        if !draft.open_at(instant) {
            return Fate::Ends;
        }
        let since = instant - draft.opened;
        // The first packet that closewatch sends is answered by a reset; those of the client do not come through any more.
        let next = draft.talk.beats.iter().find(|(at, beat)| *at > since && beat.is_of(Peer::Upstream));
        let Some((at, _)) = next.copied() else { return Fate::Ends };
        draft.talk.cut(at + 0.02, Leave::End(Peer::Client, End::Reset));
        draft.talk.beats.retain(|(when, beat)| *when < since || (*when >= at && beat.is_of(Peer::Upstream)));
        Fate::Back(w.between(0.2, 5.0))
    });
}

fn balancer_restarts(w: &mut World) {
    w.long_lived();
    w.behind(2);
    let instant = w.span * w.between(0.4, 0.7);
    w.expect(UnannouncedRestart, &[MiddleboxFront], Limit::None);
    w.day(|w, draft| {
        if !draft.open_at(instant) {
            return Fate::Ends;
        }
        let at = instant + w.rng.f64() * 0.4;
        draft.cut_at(at, Leave::End(Peer::Client, End::Fin));
        Fate::Back(w.between(0.5, 12.0))
    });
}

fn country_vanishes(w: &mut World) {
    w.direct();
    w.expect(PeerVanished, &[NetworkClientSide], Limit::None);
    w.day(|w, draft| {
        if subnet(w, draft) && w.chance(0.4) {
            let at = draft.talk.life;
            let last = at * w.between(0.3, 0.9);
            draft.talk.cut(last, Leave::End(Peer::Client, End::Timeout));
            draft.talk.life = last + w.between(55.0, 65.0);
        }
        Fate::Ends
    });
}

fn resets(w: &mut World, draft: &mut Draft, side: Peer) -> Fate {
    let at = draft.talk.life * w.between(0.05, 0.95);
    draft.talk.cut(at, Leave::End(side, End::Reset));
    if w.chance(0.7) { Fate::Back(w.between(0.5, 20.0)) } else { Fate::Ends }
}

fn subnet_resets(w: &mut World) {
    w.direct();
    w.expect(RandomResets, &[NetworkClientSide], Limit::None);
    w.day(|w, draft| if subnet(w, draft) && w.chance(0.45) { resets(w, draft, Peer::Client) } else { Fate::Ends });
}

fn six_resets(w: &mut World) {
    w.direct();
    w.expect(RandomResets, &[NetworkClientSide], Limit::None);
    w.day(|w, draft| {
        if draft.client.is_multiple_of(3) {
            let host = draft.client as u16;
            w.clients[draft.client].ip = [0x2001, 0xdb8, 0x77, host % 7, 1, 2, host, 9].into();
            if w.chance(0.5) {
                return resets(w, draft, Peer::Client);
            }
        }
        Fate::Ends
    });
}

fn worsening(w: &mut World) {
    w.expect(RandomResets, &[NetworkUpstreamSide, Upstream, MiddleboxBack], Limit::None);
    let span = w.span;
    w.day(|w, draft| {
        let share = (draft.opened / span - 0.3).max(0.0) * 0.5;
        if w.chance(share) { resets(w, draft, Peer::Upstream) } else { Fate::Ends }
    });
}

fn power_cut(w: &mut World) {
    w.long_lived();
    w.one_route(1);
    let instant = w.span * w.between(0.4, 0.7);
    w.expect(PeerVanished, &[NetworkUpstreamSide, Upstream], Limit::None);
    let down = w.between(30.0, 90.0);
    w.day(|w, draft| {
        if draft.opened > instant && draft.opened < instant + 60.0 + down {
            let again = w.between(2.0, 30.0);
            return Fate::Refused(Outcome::DialTimeout, Some(504), 5.0, Some(again));
        }
        if !draft.open_at(instant) {
            return Fate::Ends;
        }
        let since = instant - draft.opened;
        draft.talk.beats.retain(|(at, beat)| *at < since || beat.is_of(Peer::Client));
        let at = instant + 60.0 + w.rng.f64() * 2.0;
        draft.cut_at(at, Leave::End(Peer::Upstream, End::Timeout));
        Fate::Back(w.between(0.5, 20.0))
    });
}
