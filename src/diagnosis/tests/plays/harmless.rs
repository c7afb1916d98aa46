//! Harmless days.

use crate::close::Outcome;
use crate::diagnosis::tests::incidents::{close, falls, refuse, says};
use crate::diagnosis::tests::recipe::{Recipe, any, noon, quiet, silent};
use crate::diagnosis::tests::stage::{Client as Visitor, Ends, Stage, exponential};
use crate::wire::Peer::{Client, Upstream};

pub(super) const DAYS: &[Recipe] = &[
    ("an ordinary day", |seed| quiet(Stage::new(seed, |_| {}))),
    ("phones asleep", |seed| {
        quiet(Stage::new(seed, |setting| {
            setting.phones = 0.95;
            setting.sessions = 3000;
        }))
    }),
    ("a noisy day", |seed| quiet(Stage::new(seed, |setting| setting.noise = 1.5))),
    ("a deploy that says so", |seed| {
        let mut stage = Stage::new(seed, |_| {});
        let when = noon(&mut stage);
        let code = if seed % 2 == 0 { 1012 } else { 1001 };
        falls(&mut stage, when, None, &says(Upstream, code, "service restart"), 2.0, 0.0);
        quiet(stage)
    }),
    ("a rolling deploy that says so", |seed| {
        let mut stage = Stage::new(seed, |setting| setting.upstreams = 3);
        let when = noon(&mut stage);
        for upstream in 0..3 {
            let ends = close(Upstream, 1001);
            falls(&mut stage, when + 45.0 * upstream as f64, Some(upstream), &ends, 2.0, 0.0);
        }
        quiet(stage)
    }),
    ("a webinar ends: all leave at once", |seed| {
        let mut stage = Stage::new(seed, |_| {});
        let when = noon(&mut stage);
        for at in stage.open_at(when) {
            let life = when - stage.sessions[at].opened + exponential(&mut stage.rng, 3.0);
            let ends = if stage.rng.f64() < 0.7 {
                Ends::Close { by: Client, code: Some(1001), reason: String::new(), answer: Some(1001) }
            } else {
                Ends::Fin(Client)
            };
            stage.end(at, life, ends);
        }
        quiet(stage)
    }),
    ("a load test's end", |seed| {
        let mut stage = Stage::new(seed, |_| {});
        stage.clients.push(Visitor { address: "203.0.113.77".to_owned(), agent: "k6/1.3".to_owned(), phone: false });
        let tester = stage.clients.len() - 1;
        let start = noon(&mut stage);
        for i in 0..300 {
            let mut session = stage.session(start + f64::from(i) * 0.1, tester);
            session.life = start + 120.0 - session.opened + stage.rng.f64() * 0.2;
            session.frames.retain(|(at, _)| *at < session.life);
            session.ends = if seed % 2 == 0 { Ends::Fin(Client) } else { close(Client, 1000) };
            stage.sessions.push(session);
        }
        quiet(stage)
    }),
    ("one client in a loop, thrown out", |seed| {
        let mut stage = Stage::new(seed, |_| {});
        let mut at = 10.0;
        while at < stage.length() * 0.5 {
            let mut session = stage.session(at, 0);
            session.life = 0.5;
            session.frames.clear();
            session.frames.push((0.1, Client));
            session.ends = match seed % 4 {
                0 => says(Upstream, 4401, "Unauthorized"),
                1 => close(Upstream, 1011),
                2 => Ends::Reset(Upstream),
                _ => close(Upstream, 1008),
            };
            stage.sessions.push(session);
            at += 10.0;
        }
        quiet(stage)
    }),
    ("a batch ends: the upstream is done with all", |seed| {
        let mut stage = Stage::new(seed, |_| {});
        let when = noon(&mut stage);
        falls(&mut stage, when, None, &says(Upstream, 1000, "done"), 1.0, 0.0);
        quiet(stage)
    }),
    ("clients' own idle policy, with a Close", |seed| {
        let mut stage = Stage::new(seed, silent(120.0));
        for at in 0..stage.sessions.len() {
            if stage.clients[stage.sessions[at].client].phone {
                let last = stage.sessions[at].frames.last().map_or(0.0, |(at, _)| *at);
                stage.sessions[at].life = last + 120.01;
                stage.sessions[at].ends = says(Client, 1000, "idle");
            }
        }
        quiet(stage)
    }),
    ("one program's own idle policy, with a FIN", |seed| {
        let mut stage = Stage::new(seed, |setting| {
            silent(180.0)(setting);
            setting.hop = false;
        });
        for i in 0..stage.clients.len() {
            if i % 5 == 0 {
                "tv-app/2.0".clone_into(&mut stage.clients[i].agent);
            }
        }
        for at in 0..stage.sessions.len() {
            if stage.sessions[at].client.is_multiple_of(5) {
                let last = stage.sessions[at].frames.last().map_or(0.0, |(at, _)| *at);
                stage.sessions[at].life = last + 180.01 + stage.rng.f64() * 0.02;
                stage.sessions[at].ends = Ends::Fin(Client);
            }
        }
        quiet(stage)
    }),
    ("closewatch drains", |seed| {
        let mut stage = Stage::new(seed, |_| {});
        let when = noon(&mut stage);
        falls(&mut stage, when, None, &Ends::Drain, 2.0, 0.0);
        let time = (when, when + 20.0);
        refuse(&mut stage, time, 0.8, &[(Outcome::Draining, Some(503))], any);
        quiet(stage)
    }),
    ("closewatch's own idle limit", |seed| {
        let mut stage = Stage::new(seed, silent(90.0));
        for at in 0..stage.sessions.len() {
            let session = stage.sessions[at].clone();
            if at % 3 == 0 {
                let last = session.frames.last().map_or(0.0, |(at, _)| *at);
                stage.end(at, last + 90.0, Ends::OwnIdle);
            }
        }
        quiet(stage)
    }),
    ("closewatch's own timers: dead peers", |seed| {
        let mut stage = Stage::new(seed, |setting| setting.phones = 0.5);
        for at in 0..stage.sessions.len() {
            if matches!(stage.sessions[at].ends, Ends::Timeout(_)) {
                let last = stage.sessions[at].frames.last().map_or(0.0, |(at, _)| *at);
                stage.sessions[at].life = last + 60.0 + stage.rng.f64();
            }
        }
        quiet(stage)
    }),
    ("low traffic: three sessions, all cut", |seed| {
        let mut stage = Stage::new(seed, |setting| {
            setting.sessions = 8;
            setting.hours = 2.0;
        });
        for at in 0..3 {
            stage.sessions[at].ends = Ends::Reset(Upstream);
        }
        quiet(stage)
    }),
    ("a scanner: upgrades without a key", |seed| {
        let mut stage = Stage::new(seed, |_| {});
        for i in 0..400 {
            let outcome = if i % 2 == 0 { Outcome::BadRequest } else { Outcome::NoRoute };
            stage.fail(f64::from(i) * 3.0, 1, outcome, Some(if i % 2 == 0 { 400 } else { 404 }));
        }
        quiet(stage)
    }),
    ("a deploy that says so, and a moment of refusals", |seed| {
        let mut stage = Stage::new(seed, |_| {});
        let when = noon(&mut stage);
        falls(&mut stage, when, None, &close(Upstream, 1012), 2.0, 0.0);
        for i in 0..5 {
            stage.fail(when + f64::from(i) * 0.4, i as usize, Outcome::DialFailed, Some(502));
        }
        quiet(stage)
    }),
    ("forty lines of an ordinary day", |seed| quiet(Stage::new(seed, |setting| setting.sessions = 40))),
    ("browsers, close() without a code", |seed| {
        let mut stage = Stage::new(seed, |setting| setting.phones = 0.0);
        for session in &mut stage.sessions {
            session.ends = Ends::Close { by: Client, code: None, reason: String::new(), answer: Some(1005) };
        }
        quiet(stage)
    }),
];
