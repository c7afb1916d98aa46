//! Harmless days: how programs and people behave when all is well.

use super::people::Program;
use super::talk::{Answer, Beat, Leave};
use super::world::{Build, Draft, Fate, World};
use crate::close::{End, Outcome};
use crate::wire::Peer;

pub(super) const CALM: &[(&str, Build)] = &[
    ("an ordinary day", ordinary),
    ("phones asleep all day", |w| {
        lean(w, 3, 150);
        ordinary(w);
    }),
    ("phones asleep, some behind NATs that forget them", |w| {
        lean(w, 3, 90);
        lean(w, 6, 4);
        ordinary(w);
    }),
    ("everything 1000", |w| {
        only(w, [0, 0, 1, 0, 0, 0, 0, 0, 0]);
        ordinary(w);
    }),
    ("close() without a code", |w| {
        only(w, [0, 1, 0, 0, 0, 0, 0, 0, 0]);
        ordinary(w);
    }),
    ("navigation and closed tabs", |w| {
        only(w, [70, 5, 5, 10, 8, 2, 0, 0, 0]);
        ordinary(w);
    }),
    ("meters report every 15 min and hang up", meters),
    ("kiosks reload at 04:00", |w| together(w, 0.4, &Leave::close(Peer::Client, 1001, ""), 3.0)),
    ("the market closes: 1000 to all", |w| together(w, 0.9, &Leave::close(Peer::Upstream, 1000, "market closed"), 1.0)),
    ("a class ends", class_ends),
    ("token refresh: clients close at 55 min and reopen", |w| own_age(w, 3300.0, "", true)),
    ("voice notes of a minute", |w| own_age(w, 60.0, "done", false)),
    ("clients' own idle policy", own_policy),
    ("rooms end together", rooms),
    ("batches end: 1000 done", batches),
    ("one client in a loop of 1011", |w| loop_of_one(w, &Leave::close(Peer::Upstream, 1011, "no such user"))),
    ("one client in a loop of 1008", |w| loop_of_one(w, &Leave::close(Peer::Upstream, 1008, "bad token"))),
    ("one client without a password", one_unauthorized),
    ("low traffic with two resets", low),
    ("a customer behind one NAT", one_nat),
    ("SignalR answers 1000 to all", signalr),
    ("browsers that FIN behind their Close", half),
    ("slow links that recover", slow_links),
    ("pings that a sleeping tab leaves unanswered, then close()", sleeping_tabs),
    ("apps in the background: FIN after 30 s", background),
    ("daily restart of client machines at midnight", |w| {
        together(w, 0.5, &Leave::close(Peer::Client, 1000, ""), 120.0);
    }),
    ("own codes of the application", own_codes),
];

pub(super) fn ordinary(w: &mut World) {
    w.day(|_, _| Fate::Ends);
}

pub(super) fn lean(w: &mut World, way: usize, more: u32) {
    for program in &mut w.programs {
        program.leaves[way] += more;
    }
}

fn only(w: &mut World, leaves: [u32; 9]) {
    for program in &mut w.programs {
        program.leaves = leaves;
    }
}

/// Sessions of a program of its own, from a few addresses.
pub(super) fn crowd(
    w: &mut World,
    program: &Program,
    addresses: usize,
    sessions: usize,
    mut at: impl FnMut(&mut World, usize) -> f64,
) -> Vec<Draft> {
    let first = w.client(program);
    let route = w.clients[first].route;
    for _ in 1..addresses {
        let more = w.client(program);
        w.clients[more].route = route;
    }
    let draft = |number: usize| {
        let opened = at(w, number);
        w.draft(first + number % addresses, opened)
    };
    (0..sessions).map(draft).collect()
}

fn meters(w: &mut World) {
    w.direct();
    ordinary(w);
    let program =
        Program::named("meter-fw/2.1").lives(20.0, 0.15).says(6.0, 0.3, 0.0, 1.0).goes([0, 0, 0, 1, 0, 0, 0, 0, 0]);
    let sessions = w.size / 2;
    let span = w.span;
    let drafts = crowd(w, &program, (sessions / 8).max(5), sessions, |w, n| {
        let slot = (n as f64 / sessions as f64 * span / 900.0).floor() * 900.0;
        slot + w.between(0.0, 60.0)
    });
    w.run(drafts, |_, _| Fate::Ends);
}

fn together(w: &mut World, share: f64, leave: &Leave, within: f64) {
    w.long_lived();
    let instant = w.span * w.between(0.4, 0.7);
    w.day(|w, draft| {
        if !draft.open_at(instant) || !w.chance(share) {
            return Fate::Ends;
        }
        let at = instant + w.rng.f64() * within;
        draft.cut_at(at, leave.clone());
        if w.chance(0.7) { Fate::Back(w.between(1.0, 40.0)) } else { Fate::Ends }
    });
}

fn class_ends(w: &mut World) {
    w.direct();
    ordinary(w);
    let program =
        Program::named("Mozilla/5.0 (X11; CrOS x86_64 15917) Chrome/138.0").lives(1e5, 0.1).says(40.0, 0.8, 15.0, 0.8);
    let begin = w.span * 0.5;
    let mut drafts = crowd(w, &program, 28, 28, |w, _| begin + w.between(0.0, 240.0));
    for draft in &mut drafts {
        w.clients[draft.client].ip = [203, 0, 113, 40].into();
        let leave =
            if w.chance(0.5) { Leave::close(Peer::Client, 1001, "") } else { Leave::End(Peer::Client, End::Fin) };
        let at = begin + 2700.0 + w.between(0.0, 60.0);
        draft.cut_at(at, leave);
    }
    w.run(drafts, |_, _| Fate::Ends);
}

fn own_age(w: &mut World, age: f64, reason: &str, back: bool) {
    for program in &mut w.programs {
        program.life = (age, 0.8);
        program.pings = program.pings.min(age);
    }
    w.span = w.span.max(age * 12.0);
    let leave = Leave::close(Peer::Client, 1000, reason);
    w.day(|w, draft| {
        if draft.talk.life < age {
            return Fate::Ends;
        }
        draft.talk.cut(age + w.rng.f64() * 0.3, leave.clone());
        if back { Fate::Back(w.between(0.05, 0.6)) } else { Fate::Ends }
    });
}

fn own_policy(w: &mut World) {
    w.quiet(240.0);
    w.day(|w, draft| {
        let silent = draft.talk.silent_for(240.0, &[Peer::Client, Peer::Upstream]);
        if let Some(at) = silent.filter(|at| *at < draft.talk.life) {
            draft.talk.cut(at + w.rng.f64() * 0.02, Leave::close(Peer::Client, 1000, "idle"));
        }
        Fate::Ends
    });
}

fn rooms(w: &mut World) {
    w.long_lived();
    let each = 600.0;
    w.day(|w, draft| {
        // A match of ten minutes begins every ten minutes for each of four rooms; the server ends it for all.
        let room = (draft.client % 4) as f64;
        let end = ((draft.opened - room * 150.0) / each).floor() * each + each + room * 150.0;
        if draft.open_at(end) {
            draft.cut_at(end + w.rng.f64() * 0.1, Leave::close(Peer::Upstream, 1000, "match over"));
        }
        Fate::Ends
    });
}

fn batches(w: &mut World) {
    w.day(|w, draft| {
        if w.chance(0.6) {
            let at = draft.talk.life;
            draft.talk.cut(at, Leave::close(Peer::Upstream, 1000, "done"));
        }
        Fate::Ends
    });
}

fn loop_of_one(w: &mut World, leave: &Leave) {
    ordinary(w);
    let program = Program::named("internal-bot/0.1").lives(1.0, 0.3).says(0.4, 0.4, 0.0, 1.0);
    let begin = w.span * 0.2;
    let mut drafts = crowd(w, &program, 1, w.size / 2, |_, n| begin + 3.0 * n as f64);
    for draft in &mut drafts {
        let at = 0.3 + w.rng.f64() * 0.2;
        draft.talk.cut(at, leave.clone());
    }
    w.run(drafts, |_, _| Fate::Ends);
}

fn one_unauthorized(w: &mut World) {
    ordinary(w);
    let begin = w.span * 0.2;
    let drafts = crowd(w, &Program::named("grafana-agent/0.40"), 1, w.size / 2, |_, n| begin + 5.0 * n as f64);
    w.run(drafts, |_, _| Fate::Refused(Outcome::Refused, Some(401), 0.004, None));
}

fn low(w: &mut World) {
    w.size = 14;
    let mut resets = 2;
    w.day(|w, draft| {
        if resets > 0 {
            resets -= 1;
            let at = draft.talk.life * w.between(0.3, 1.0);
            draft.talk.cut(at, Leave::End(Peer::Upstream, End::Reset));
        }
        Fate::Ends
    });
}

fn one_nat(w: &mut World) {
    w.direct();
    w.day(|w, draft| {
        if draft.client % 5 < 3 {
            w.clients[draft.client].ip = [198, 51, 100, 7].into();
        }
        Fate::Ends
    });
}

fn signalr(w: &mut World) {
    w.day(|w, draft| {
        if let Leave::Close(Peer::Client, code, reason, _) = draft.talk.leave.clone() {
            draft.talk.leave = Leave::Close(Peer::Client, code, reason, Answer::With(1000, ""));
        }
        if w.chance(0.1) {
            let at = draft.talk.life;
            draft.talk.cut(at, Leave::Close(Peer::Client, Some(1001), String::new(), Answer::With(1000, "")));
        }
        Fate::Ends
    });
}

fn half(w: &mut World) {
    w.day(|w, draft| {
        if let Leave::Close(Peer::Client, code, reason, _) = draft.talk.leave.clone()
            && w.chance(0.5)
        {
            draft.talk.leave = Leave::Close(Peer::Client, code, reason, Answer::Fin);
        }
        Fate::Ends
    });
}

fn slow_links(w: &mut World) {
    w.day(|w, draft| {
        if w.chance(0.1) && draft.talk.life > 30.0 {
            let at = w.between(12.0, draft.talk.life - 8.0);
            let time = w.between(0.5, 9.0);
            draft.talk.beats.push((at, Beat::Pause(Peer::Client, time)));
            draft.talk.beats.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        Fate::Ends
    });
}

fn sleeping_tabs(w: &mut World) {
    for route in &mut w.routes {
        route.pings = 30.0;
    }
    w.day(|w, draft| {
        if w.chance(0.1) && draft.talk.life > 70.0 {
            let asleep = draft.talk.life - 45.0;
            draft.talk.beats.retain(|(at, beat)| *at < asleep || beat.is_of(Peer::Upstream));
            let at = draft.talk.life;
            draft.talk.cut(at, Leave::close(Peer::Client, 1001, ""));
        }
        Fate::Ends
    });
}

fn background(w: &mut World) {
    lean(w, 3, 40);
    w.day(|w, draft| {
        if w.clients[draft.client].program.origin.is_none() && w.chance(0.4) {
            let asleep = draft.talk.life;
            let at = asleep + w.between(20.0, 40.0);
            draft.talk.life = at;
            draft.talk.leave = Leave::End(Peer::Client, End::Fin);
        }
        Fate::Ends
    });
}

fn own_codes(w: &mut World) {
    w.day(|w, draft| {
        if w.chance(0.4) {
            let at = draft.talk.life;
            let (code, reason) = w.one(&[(4001, "logout"), (4002, "user switched"), (4100, "room changed")]);
            draft.talk.cut(at, Leave::close(Peer::Client, code, reason));
        }
        Fate::Ends
    });
}
