//! More harmless days.

use super::calm::{crowd, lean, ordinary};
use super::falls::drained;
use super::people::Program;
use super::talk::{Answer, Leave};
use super::world::{Build, Fate, World};
use crate::close::{End, Outcome};
use crate::wire::Peer;

pub(super) const CALMER: &[(&str, Build)] = &[
    ("deploys with 1001 every half hour", many_deploys),
    ("closewatch drains instance by instance", rolling_drain),
    ("forty hosts restart their agent at every hour", hourly_agents),
    ("one attempt in twelve is unauthorized first", unauthorized_first),
    ("a push message: twenty times the openings", rush),
    ("page loads: sessions of less than a second", page_loads),
    ("4005 logged in elsewhere", elsewhere),
    ("lids close at six: FINs and timeouts", lids),
    ("many phones behind one carrier's address", carrier_nat),
    ("clients' own lifetime of 20 min by FIN of one program", own_life_by_fin),
    ("a development upstream with two sessions restarts", dev_restart),
    ("one client's network is bad all day", one_bad_line),
    ("pings all day, answered", pinged_day),
    ("a bot that is told 429", one_limited),
    ("clients that leave without an answer to their Close", no_answer),
    ("scripts with curl, some without password", curl_scripts),
    ("a game of 10 min with 1000 by clients, by the clock", by_the_clock),
    ("behind one hop that names nobody", nameless),
];

fn many_deploys(w: &mut World) {
    w.span = 8.0 * 3600.0;
    for program in &mut w.programs {
        program.life = (2400.0, 0.9);
    }
    w.day(|w, draft| {
        let next = (draft.opened / 1800.0).floor() * 1800.0 + 1800.0;
        if draft.open_at(next) {
            let at = next + w.rng.f64() * 5.0;
            draft.cut_at(at, Leave::close(Peer::Upstream, 1001, ""));
            return Fate::Back(w.between(0.5, 12.0));
        }
        Fate::Ends
    });
}

fn rolling_drain(w: &mut World) {
    w.long_lived();
    let first = w.span * w.between(0.3, 0.6);
    w.day(|w, draft| {
        let instant = first + 90.0 * draft.instance as f64;
        if draft.open_at(instant) {
            let at = instant + w.rng.f64() * 15.0;
            draft.cut_at(at, drained());
            return Fate::Back(w.between(0.5, 9.0));
        }
        Fate::Ends
    });
}

fn hourly_agents(w: &mut World) {
    w.direct();
    ordinary(w);
    let program = Program::named("fleet-agent/3.2").lives(1e5, 0.1).says(200.0, 0.4, 300.0, 0.4);
    let hours = (w.span / 3600.0) as usize - 1;
    let mut drafts = crowd(w, &program, 40, 40 * hours, |w, n| (n / 40) as f64 * 3600.0 + w.between(1.0, 20.0));
    for draft in &mut drafts {
        let hour = (draft.opened / 3600.0).floor() * 3600.0 + 3600.0;
        let at = hour + w.rng.f64() * 2.0;
        draft.cut_at(at, Leave::End(Peer::Client, End::Fin));
    }
    w.run(drafts, |_, _| Fate::Ends);
}

fn unauthorized_first(w: &mut World) {
    w.day(|w, draft| {
        if draft.tries == 0 && w.chance(0.08) {
            let again = w.between(0.1, 1.0);
            return Fate::Refused(Outcome::Refused, Some(401), 0.01, Some(again));
        }
        Fate::Ends
    });
}

fn rush(w: &mut World) {
    let instant = w.span * w.between(0.3, 0.7);
    w.day(|w, draft| {
        if w.chance(0.6) {
            draft.opened = instant + w.rng.f64() * 60.0;
        }
        Fate::Ends
    });
}

fn page_loads(w: &mut World) {
    for program in &mut w.programs {
        program.life = (0.7, 0.8);
    }
    ordinary(w);
}

fn elsewhere(w: &mut World) {
    w.day(|w, draft| {
        if w.chance(0.08) {
            let at = draft.talk.life;
            draft.talk.cut(at, Leave::close(Peer::Upstream, 4005, "logged in from another device"));
        }
        Fate::Ends
    });
}

fn lids(w: &mut World) {
    w.long_lived();
    lean(w, 3, 40);
    let six = w.span * 0.7;
    w.day(|w, draft| {
        let at = six + w.between(0.0, 1800.0);
        if draft.open_at(at) && w.chance(0.6) {
            let leave = if w.chance(0.85) {
                Leave::End(Peer::Client, End::Fin)
            } else {
                Leave::End(Peer::Client, End::Timeout)
            };
            draft.cut_at(at, leave);
        }
        Fate::Ends
    });
}

fn carrier_nat(w: &mut World) {
    w.direct();
    lean(w, 3, 60);
    w.day(|w, draft| {
        if draft.client % 3 > 0 {
            w.clients[draft.client].ip = [100, 99, 3, 1].into();
        }
        Fate::Ends
    });
}

fn own_life_by_fin(w: &mut World) {
    w.direct();
    ordinary(w);
    let program = Program::named("collector/1.9").lives(1e5, 0.1).says(20.0, 0.5, 25.0, 0.5);
    let (span, sessions) = (w.span, (w.size / 3).max(30));
    let mut drafts = crowd(w, &program, 12, sessions, |w, _| w.rng.f64() * span);
    for draft in &mut drafts {
        draft.talk.cut(1200.0 + w.rng.f64() * 0.05, Leave::End(Peer::Client, End::Fin));
    }
    w.run(drafts, |_, _| Fate::Ends);
}

fn dev_restart(w: &mut World) {
    ordinary(w);
    let program = Program::named("postman/11").lives(1e5, 0.1).says(60.0, 0.8, 0.0, 0.8);
    let instant = w.span * 0.5;
    let mut drafts = crowd(w, &program, 2, 2, |w, _| instant - w.between(60.0, 600.0));
    for draft in &mut drafts {
        draft.cut_at(instant + 0.01, Leave::End(Peer::Upstream, End::Reset));
    }
    w.run(drafts, |_, _| Fate::Ends);
}

fn one_bad_line(w: &mut World) {
    w.direct();
    ordinary(w);
    let program = Program::named("pos-terminal/5").lives(15.0, 0.5).says(20.0, 0.8, 9.0, 0.8);
    let (span, sessions) = (w.span, w.size / 3);
    let mut drafts = crowd(w, &program, 1, sessions, |_, n| n as f64 / sessions as f64 * span);
    for draft in &mut drafts {
        let at = draft.talk.life;
        let how = w.one(&[End::Reset, End::Timeout]);
        draft.talk.cut(at, Leave::End(Peer::Client, how));
    }
    w.run(drafts, |_, _| Fate::Ends);
}

fn pinged_day(w: &mut World) {
    for route in &mut w.routes {
        route.pings = 20.0;
    }
    for program in &mut w.programs {
        program.pings = 30.0;
        program.life = (1800.0, 0.7);
    }
    ordinary(w);
}

fn one_limited(w: &mut World) {
    ordinary(w);
    let begin = w.span * 0.3;
    let drafts = crowd(w, &Program::named("scraper/0.3"), 2, w.size / 2, |_, n| begin + 2.0 * n as f64);
    w.run(drafts, |_, _| Fate::Refused(Outcome::Refused, Some(429), 0.002, None));
}

fn no_answer(w: &mut World) {
    w.day(|w, draft| {
        if let Leave::Close(Peer::Upstream, code, reason, _) = draft.talk.leave.clone() {
            draft.talk.leave = Leave::Close(Peer::Upstream, code, reason, Answer::Fin);
        } else if w.chance(0.3) {
            let at = draft.talk.life;
            draft.talk.cut(at, Leave::Close(Peer::Client, Some(1000), String::new(), Answer::Fin));
        }
        Fate::Ends
    });
}

fn curl_scripts(w: &mut World) {
    ordinary(w);
    let span = w.span;
    let program = Program::named("curl/8.5.0").lives(3.0, 0.8).says(1.0, 0.5, 1.0, 0.5);
    let drafts = crowd(w, &program, 12, w.size / 6 + 24, |w, _| w.rng.f64() * span);
    w.run(
        drafts,
        |w, _| {
            if w.chance(0.4) { Fate::Refused(Outcome::Refused, Some(401), 0.004, None) } else { Fate::Ends }
        },
    );
}

fn by_the_clock(w: &mut World) {
    for program in &mut w.programs {
        program.talks = (10.0, 0.0);
        program.pushes = (7.0, 0.0);
        program.life = (600.0, 0.0);
    }
    lean(w, 2, 300);
    ordinary(w);
}

fn nameless(w: &mut World) {
    w.behind(1);
    w.trusted = false;
    lean(w, 3, 40);
    ordinary(w);
}
