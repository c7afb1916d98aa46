//! Harmless days: deploys, drains, tests and probes.

use super::calm::{crowd, ordinary};
use super::falls::drained;
use super::people::Program;
use super::talk::{Answer, Beat, Leave};
use super::world::{Build, Fate, World};
use crate::close::{Cause, End, Outcome, TlsFailure};
use crate::wire::{Peer, Violation};

pub(super) const OPERATORS: &[(&str, Build)] = &[
    ("rolling deploy with 1001", |w| deploy(w, 1001, "", 20.0)),
    ("rolling deploy with 1012", |w| deploy(w, 1012, "service restart", 60.0)),
    ("blue and green: 1001 over ten minutes", |w| deploy(w, 1001, "moving", 600.0)),
    ("announced maintenance, all back later", maintenance),
    ("closewatch drains one instance", drain),
    ("closewatch's own idle limit", own_idle),
    ("the autoscaler takes one upstream away with 1001", scale_in),
    ("a load test that ends by 1000", |w| load_test(w, &Leave::close(Peer::Client, 1000, ""))),
    ("a load test that is killed", |w| load_test(w, &Leave::End(Peer::Client, End::Fin))),
    ("cron jobs of 300 s", cron),
    ("scanners: 404, 400, no TLS", scanners),
    ("health checks hang up at once", |w| probes(w, 0.01, &Leave::End(Peer::Client, End::Fin))),
    ("a probe of 30 s", |w| probes(w, 30.0, &Leave::End(Peer::Client, End::Fin))),
    ("TCP checks of a TLS port", tcp_checks),
    ("a test of the doors by one address", pen_test),
    ("a failover of a small point of presence", failover),
    ("a new version for five clients fails", a_b),
    ("hours are missing in the log", missing_hours),
    ("a new release of the app at noon", release),
];

fn deploy(w: &mut World, code: u16, reason: &str, each: f64) {
    w.long_lived();
    let first = w.span * w.between(0.3, 0.7);
    w.day(|w, draft| {
        let instant = first + (each + 20.0) * draft.upstream as f64 + w.rng.f64() * each;
        if !draft.open_at(instant) {
            return Fate::Ends;
        }
        draft.cut_at(instant, Leave::close(Peer::Upstream, code, reason));
        Fate::Back(w.between(0.5, 15.0))
    });
}

fn maintenance(w: &mut World) {
    w.long_lived();
    let instant = w.span * w.between(0.4, 0.7);
    w.day(|w, draft| {
        if draft.opened > instant && draft.opened < instant + 600.0 {
            draft.opened += 600.0;
            return Fate::Ends;
        }
        if !draft.open_at(instant) {
            return Fate::Ends;
        }
        let at = instant + w.rng.f64() * 4.0;
        draft.cut_at(at, Leave::close(Peer::Upstream, 1012, "maintenance until 02:10"));
        Fate::Back(w.between(605.0, 900.0))
    });
}

fn drain(w: &mut World) {
    w.long_lived();
    let instant = w.span * w.between(0.4, 0.7);
    w.day(|w, draft| {
        if draft.instance != 0 || !draft.open_at(instant) {
            return Fate::Ends;
        }
        let at = instant + w.rng.f64() * 10.0;
        draft.cut_at(at, drained());
        Fate::Back(w.between(0.5, 5.0))
    });
}

fn own_idle(w: &mut World) {
    w.quiet(300.0);
    w.day(|_, draft| {
        let silent = draft.talk.silent_for(300.0, &[Peer::Client, Peer::Upstream]);
        if let Some(at) = silent.filter(|at| *at < draft.talk.life) {
            draft.talk.cut(at, Leave::Own(Cause::IdleTimeout, 1001));
        }
        Fate::Ends
    });
}

fn scale_in(w: &mut World) {
    w.long_lived();
    w.one_route(4);
    let instant = w.span * w.between(0.4, 0.7);
    w.day(|w, draft| {
        if draft.upstream == 3 && draft.open_at(instant) {
            let at = instant + w.rng.f64() * 25.0;
            draft.cut_at(at, Leave::close(Peer::Upstream, 1001, "going away"));
            return Fate::Back(w.between(0.5, 15.0));
        }
        Fate::Ends
    });
}

fn load_test(w: &mut World, leave: &Leave) {
    ordinary(w);
    let program = Program::named("k6/0.52.0 (https://k6.io/)").lives(1e5, 0.1).says(5.0, 0.3, 5.0, 0.3);
    let begin = w.span * 0.6;
    let end = begin + 300.0;
    let sessions = (w.size / 2).max(60);
    let mut drafts = crowd(w, &program, 2, sessions, |w, _| begin + w.between(0.0, 30.0));
    for draft in &mut drafts {
        let at = end + w.rng.f64() * 0.3;
        draft.cut_at(at, leave.clone());
    }
    w.run(drafts, |_, _| Fate::Ends);
}

fn cron(w: &mut World) {
    ordinary(w);
    let program = Program::named("python-requests-ws/1.2").says(4.0, 0.5, 6.0, 0.5);
    let (span, sessions) = (w.span, w.size / 3);
    let mut drafts = crowd(w, &program, 8, sessions, |w, n| {
        (n as f64 / sessions as f64 * span / 600.0).floor() * 600.0 + w.between(0.0, 2.0)
    });
    for draft in &mut drafts {
        draft.talk.cut(300.0 + w.rng.f64() * 0.2, Leave::close(Peer::Client, 1000, ""));
    }
    w.run(drafts, |_, _| Fate::Ends);
}

fn probes(w: &mut World, life: f64, leave: &Leave) {
    ordinary(w);
    let program = Program::named("kube-probe/1.29").lives(life, 0.02).says(0.0, 1.0, 0.0, 1.0);
    let span = w.span;
    let count = w.size;
    let mut drafts = crowd(w, &program, 2, count, |w, n| n as f64 / count as f64 * span + w.rng.f64());
    for draft in &mut drafts {
        draft.talk.cut(life * (1.0 + w.rng.f64() * 0.005), leave.clone());
    }
    w.run(drafts, |_, _| Fate::Ends);
}

fn tcp_checks(w: &mut World) {
    w.direct();
    ordinary(w);
    let span = w.span;
    let drafts = crowd(w, &Program::named(""), 3, w.size, |w, _| w.rng.f64() * span);
    w.run(drafts, |_, _| Fate::Tls(TlsFailure::HungUp, None));
}

fn pen_test(w: &mut World) {
    w.direct();
    ordinary(w);
    let program = Program::named("python-websocket-fuzzer").lives(2.0, 0.5).says(0.5, 0.5, 0.0, 1.0);
    let begin = w.span * 0.5;
    let mut drafts = crowd(w, &program, 1, w.size / 3, |w, n| begin + 2.0 * n as f64 + w.rng.f64());
    for draft in &mut drafts {
        let leave = match w.rng.u8(..4) {
            0 => Leave::close(Peer::Upstream, 1009, ""),
            1 => Leave::close(Peer::Upstream, 1007, "invalid utf-8"),
            2 => Leave::End(Peer::Upstream, End::Reset),
            _ => Leave::Close(Peer::Upstream, Some(1002), String::new(), Answer::Fin),
        };
        let at = draft.talk.life;
        draft.talk.cut(at, leave);
        draft.talk.beats.push((at - 0.001, Beat::Breach(Peer::Client, Violation::Opcode)));
    }
    w.run(drafts, |_, _| Fate::Ends);
}

fn scanners(w: &mut World) {
    w.direct();
    ordinary(w);
    let span = w.span;
    let drafts = crowd(w, &Program::named("zgrab/0.x"), w.size / 8 + 3, w.size / 2, |w, _| w.rng.f64() * span);
    w.run(drafts, |w, _| match w.rng.u8(..6) {
        0 | 1 => Fate::Refused(Outcome::NoRoute, Some(404), 0.001, None),
        2 => Fate::Refused(Outcome::BadRequest, Some(400), 0.001, None),
        3 => Fate::Tls(TlsFailure::NotTls, None),
        4 => Fate::Tls(TlsFailure::HungUp, None),
        _ => Fate::Tls(TlsFailure::NoCommonVersion, None),
    });
}

fn failover(w: &mut World) {
    w.long_lived();
    w.direct();
    w.size = w.size.max(400);
    let instant = w.span * w.between(0.4, 0.7);
    let mut left = 7;
    w.day(|w, draft| {
        if left == 0 || !draft.open_at(instant) || !w.chance(0.2) {
            return Fate::Ends;
        }
        left -= 1;
        let at = instant + w.rng.f64() * 0.3;
        draft.cut_at(at, Leave::End(Peer::Client, End::Reset));
        Fate::Back(w.between(0.5, 5.0))
    });
}

fn a_b(w: &mut World) {
    ordinary(w);
    let program = Program::named("app/7.0.0-beta1").lives(60.0, 0.8).says(10.0, 0.8, 9.0, 0.8);
    let span = w.span;
    let mut drafts = crowd(w, &program, 5, 6, |w, _| w.rng.f64() * span * 0.9);
    for draft in &mut drafts {
        let at = draft.talk.life;
        draft.talk.cut(at, Leave::close(Peer::Upstream, 1011, "unknown field"));
    }
    w.run(drafts, |_, _| Fate::Ends);
}

fn release(w: &mut World) {
    let noon = w.span * 0.5;
    w.day(|w, draft| {
        if w.clients[draft.client].program.origin.is_none() && draft.opened > noon {
            w.clients[draft.client].program.agent = "Chat/6.0 CFNetwork/1490.0.4 Darwin/23.2.0";
        }
        Fate::Ends
    });
}

fn missing_hours(w: &mut World) {
    ordinary(w);
    let (from, to) = (w.span * w.between(0.2, 0.4), w.span * w.between(0.5, 0.8));
    w.lose(from, to);
}
