//! Near misses: two causes at once, short logs, missing hours.

use crate::diagnosis::tests::incidents::{close, cut_idle, cut_old, falls, says, some};
use crate::diagnosis::tests::recipe::{Recipe, any, both, noon, one, play, silent};
use crate::diagnosis::tests::stage::{Ends, Stage};
use crate::diagnosis::{Culprit, Mechanism};
use crate::wire::Peer::{Client, Upstream};

pub(super) const MIXED: &[Recipe] = &[
    ("two causes: a cut in front and a crash", |seed| {
        let mut stage = Stage::new(seed, |setting| {
            silent(60.0)(setting);
            setting.upstreams = 1;
            setting.sessions = 3000;
            setting.hours = 3.0;
        });
        cut_idle(&mut stage, Client, both, |_, _| 60.0, any);
        let when = noon(&mut stage);
        falls(&mut stage, when, None, &Ends::Reset(Upstream), 0.3, 8.0);
        let mut expected = one(Mechanism::IdleCut, Culprit::MiddleboxFront, Some(60.0));
        expected.extend(one(Mechanism::Crash, Culprit::Upstream, None));
        play(stage, expected)
    }),
    ("two causes: 1009 and expired tokens", |seed| {
        let mut stage = Stage::new(seed, |setting| {
            setting.life = 600.0;
            setting.hours = 6.0;
        });
        cut_old(&mut stage, 900.0, &says(Upstream, 4401, "token expired"), |_| true);
        let whole = (0.0, stage.length());
        some(&mut stage, 0.04, whole, any, |stage, at| stage.sessions[at].ends = close(Upstream, 1009));
        let mut expected = one(Mechanism::AuthExpired, Culprit::Client, Some(900.0));
        expected.extend(one(Mechanism::MessageTooBig, Culprit::Client, None));
        play(stage, expected)
    }),
    ("forty lines: twenty sessions under a crash", |seed| {
        let mut stage = Stage::new(seed, |setting| {
            setting.sessions = 20;
            setting.hours = 0.5;
            setting.upstreams = 1;
        });
        let client_count = stage.clients.len();
        for i in 0..20 {
            let mut session = stage.session(600.0 + i as f64, i % client_count);
            session.life = 5000.0;
            stage.sessions.push(session);
        }
        falls(&mut stage, 900.0, None, &Ends::Reset(Upstream), 0.05, 0.0);
        for session in &mut stage.sessions {
            session.life = session.life.min(1700.0);
        }
        play(stage, one(Mechanism::Crash, Culprit::Upstream, None))
    }),
    ("forty lines: fifteen cut at 75 s", |seed| {
        let mut stage = Stage::new(seed, |setting| {
            silent(75.0)(setting);
            setting.sessions = 25;
            setting.hours = 1.0;
            setting.routes = 1;
        });
        for i in 0..15 {
            let opened = i as f64 * 40.0 + stage.rng.f64() * 30.0;
            let mut session = stage.session(opened, i);
            session.frames.truncate(3);
            session.life = session.frames.last().map_or(0.0, |(at, _)| *at) + 75.02 + stage.rng.f64() * 0.02;
            session.ends = Ends::Reset(Client);
            stage.sessions.push(session);
        }
        play(stage, one(Mechanism::IdleCut, Culprit::MiddleboxFront, Some(75.0)))
    }),
    ("missing hours, and a cut behind", |seed| {
        let mut stage = Stage::new(seed, silent(60.0));
        cut_idle(&mut stage, Upstream, both, |_, _| 60.0, any);
        let length = stage.length();
        stage.sessions.retain(|session| !(0.3..0.6).contains(&((session.opened + session.life) / length)));
        play(stage, one(Mechanism::IdleCut, Culprit::MiddleboxBack, Some(60.0)))
    }),
    ("a laboratory: thirty sessions of one program on loopback, the backend killed, nobody comes back", |seed| {
        let mut stage = laboratory(seed, 30, 40.0);
        for session in &mut stage.sessions {
            session.life = 20.0 - session.opened + stage.rng.f64() * 0.02;
            session.ends = Ends::Fin(Upstream);
        }
        play(stage, one(Mechanism::Crash, Culprit::Upstream, None))
    }),
    ("a laboratory: forty sessions on loopback, opened within two seconds, cut after seven of silence", |seed| {
        let mut stage = laboratory(seed, 40, 30.0);
        for session in &mut stage.sessions {
            let last = session.frames.first().map_or(0.0, |(at, _)| *at);
            session.frames.truncate(1);
            session.life = last + 7.0 + stage.rng.f64() * 0.01;
            session.ends = if seed % 2 == 0 { Ends::Reset(Client) } else { Ends::Fin(Upstream) };
        }
        let culprit = if seed % 2 == 0 { Culprit::MiddleboxFront } else { Culprit::MiddleboxBack };
        play(stage, one(Mechanism::IdleCut, culprit, Some(7.0)))
    }),
    ("a laboratory: twenty times 1000, answered with 1011", |seed| {
        let mut stage = laboratory(seed, 20, 30.0);
        for session in &mut stage.sessions {
            session.ends = Ends::Close { by: Client, code: Some(1000), reason: String::new(), answer: Some(1011) };
        }
        play(stage, one(Mechanism::HandlerError, Culprit::Upstream, None))
    }),
];

/// A few sessions of one program, all from this host, open at the same time.
fn laboratory(seed: u64, sessions: usize, life: f64) -> Stage {
    let mut stage = Stage::new(seed, |setting| {
        setting.sessions = 0;
        setting.hours = 0.1;
        setting.routes = 1;
        setting.instances = 1;
        setting.upstreams = 1;
        setting.hop = false;
    });
    for client in &mut stage.clients {
        "127.0.0.1".clone_into(&mut client.address);
        "Python/3.13 websockets/16.0".clone_into(&mut client.agent);
    }
    for _ in 0..sessions {
        let opened = stage.rng.f64() * 2.0;
        let mut session = stage.session(opened, 0);
        session.life = life * (0.5 + 0.5 * stage.rng.f64());
        session.frames = vec![(0.01, Client), (0.02, Upstream)];
        stage.sessions.push(session);
    }
    stage
}
