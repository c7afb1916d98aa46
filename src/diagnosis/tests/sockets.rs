//! Kinds that logs of real sockets brought up, each with the rule that mends it.

use std::time::Duration;

use super::incidents::falls;
use super::stage::{BROWSERS, Client as Visitor, Ends, Session, Setting, Stage};
use crate::diagnosis::{Culprit, Engine, Event, Finding, Mechanism, Watch};
use crate::wire::Peer::{self, Client, Upstream};

fn findings(stage: &Stage) -> Vec<Finding> {
    let mut engine = Engine::default();
    for seen in stage.log() {
        engine.add(&seen);
    }
    engine.report().findings
}

fn named(found: &[Finding]) -> Vec<(Mechanism, Culprit)> {
    found.iter().map(|finding| (finding.mechanism, finding.culprit)).collect()
}

/// One route of one upstream, whose sessions end well.
fn calm(setting: &mut Setting) {
    (setting.sessions, setting.routes, setting.instances, setting.upstreams) = (600, 1, 1, 1);
    (setting.phones, setting.noise, setting.hop, setting.facts, setting.pings) = (0.0, 0.0, false, true, None);
}

/// Does something to so many sessions, evenly among all.
fn to_some(stage: &mut Stage, count: usize, change: impl Fn(&mut Stage, usize)) {
    let step = stage.sessions.len() / count;
    for number in 0..count {
        change(stage, number * step);
    }
}

/// A session that ends at `life`, in which the client speaks by the clock, and the upstream answers the first `answered` times.
fn by_the_clock(stage: &mut Stage, at: usize, every: f64, answered: usize, life: f64, ends: Ends) {
    stage.end(at, life, ends);
    let mut frames: Vec<(f64, Peer)> = vec![];
    let mut beats = 0;
    while beats as f64 * every < life {
        let beat = beats as f64 * (every + 0.02 * stage.rng.f64());
        frames.push((beat, Client));
        if beats < answered {
            frames.push((beat + 0.01, Upstream));
        }
        beats += 1;
    }
    frames.retain(|(at, _)| *at <= life);
    frames.sort_by(|a, b| a.0.total_cmp(&b.0));
    stage.sessions[at].frames = frames;
}

#[test]
fn a_crash_is_one_on_a_route_where_many_close_at_any_time() {
    for seed in 0..5 {
        let mut stage = Stage::new(seed, |setting| {
            calm(setting);
            (setting.hours, setting.sessions, setting.clients, setting.life) = (0.1, 3000, 1500, 3.0);
        });
        falls(&mut stage, 200.0, None, &Ends::Fin(Upstream), 0.05, 15.0);
        let found = findings(&stage);
        assert_eq!(named(&found), [(Mechanism::Crash, Culprit::Upstream)], "{seed}: {found:#?}");
    }
}

#[test]
fn a_restart_whose_clients_are_back_and_stay_is_no_crash_live() {
    for seed in 0..5 {
        let mut stage = Stage::new(seed, |setting| {
            calm(setting);
            (setting.hours, setting.sessions, setting.life) = (0.2, 300, 60.0);
        });
        for at in 0..60 {
            let mut session = stage.session(100.0 + at as f64, at);
            (session.life, session.ends) = (300.0 - at as f64 + 0.05 * stage.rng.f64(), Ends::Fin(Upstream));
            stage.sessions.push(session);
        }
        stage.sessions.retain(|session| session.opened + session.life < 401.0);
        let log = stage.log();
        let fallen = log.last().unwrap();
        let Event::Closed(closed) = &fallen.event else { panic!("{fallen:?}") };
        for (back, expected) in [(0, Mechanism::Crash), (50, Mechanism::UnannouncedRestart)] {
            let mut watch = Watch::new([Duration::from_mins(15), Duration::from_hours(24)], 20_000);
            for seen in &log {
                watch.add(seen);
            }
            watch.look(fallen.at, true);
            for client in 0..back {
                watch.opened(&closed.upstream, fallen.at + 0.1 * f64::from(client));
            }
            watch.look(fallen.at + 30.0, true);
            let found: Vec<Finding> = watch.going_on().iter().map(|it| it.finding.clone()).collect();
            assert_eq!(named(&found), [(expected, Culprit::Upstream)], "{seed}: {found:#?}");
        }
    }
}

#[test]
fn handshakes_that_fail_until_the_upstream_is_back_are_the_crash() {
    for seed in 0..5 {
        let mut stage = Stage::new(seed, |setting| {
            calm(setting);
            (setting.hours, setting.life) = (1.0, 300.0);
        });
        falls(&mut stage, 1500.0, None, &Ends::Reset(Upstream), 0.2, 600.0);
        let found = findings(&stage);
        assert_eq!(named(&found), [(Mechanism::Crash, Culprit::Upstream)], "{seed}: {found:#?}");
        assert!(found[0].consequences.contains(&Mechanism::HandshakesRefused), "{found:#?}");
    }
}

#[test]
fn a_silence_that_its_victims_had_survived_is_not_the_limit() {
    for seed in 0..5 {
        let mut stage = Stage::new(seed, |setting| {
            calm(setting);
            (setting.talk, setting.life) = (5.0, 300.0);
        });
        // A hop hears the upstream only, and cuts after 60 s; the client's last beat was 12 s before.
        to_some(&mut stage, 40, |stage, at| {
            let answered = 1 + stage.rng.usize(..8);
            let life = 12.0 * (answered - 1) as f64 + 59.9 + 0.05 * stage.rng.f64();
            by_the_clock(stage, at, 12.0, answered, life, Ends::Fin(Client));
        });
        let found = findings(&stage);
        assert_eq!(named(&found), [(Mechanism::IdleCut, Culprit::MiddleboxFront)], "{seed}: {found:#?}");
        assert!((found[0].limit_s.unwrap() - 60.0).abs() < 1.0, "{seed}: {found:#?}");
    }
}

#[test]
fn resets_that_answer_messages_have_no_limit() {
    for seed in 0..5 {
        let mut stage = Stage::new(seed, |setting| {
            calm(setting);
            (setting.talk, setting.life) = (20.0, 200.0);
        });
        to_some(&mut stage, 40, |stage, at| {
            let beats = 2 + stage.rng.usize(..12);
            by_the_clock(stage, at, 12.0, beats, 12.0 * beats as f64 + 0.3, Ends::Reset(Upstream));
        });
        let found = findings(&stage);
        assert_eq!(named(&found), [(Mechanism::HandlerError, Culprit::Upstream)], "{seed}: {found:#?}");
    }
}

#[test]
fn clients_that_took_nothing_and_then_reset_are_slow() {
    for seed in 0..5 {
        let mut stage = Stage::new(seed, calm);
        to_some(&mut stage, 60, |stage, at| {
            let life = 160.0 + 0.1 * stage.rng.f64();
            stage.end(at, life, Ends::Reset(Client));
            stage.sessions[at].frames.retain(|(_, from)| *from == Upstream);
            let client = &mut stage.sessions[at].facts[Client.index()];
            (client.stalled, client.stalled_at_end, client.undelivered) = (130.0, Some(130.0), 300_000);
        });
        let found = findings(&stage);
        assert_eq!(named(&found), [(Mechanism::SlowConsumer, Culprit::Client)], "{seed}: {found:#?}");
    }
}

#[test]
fn an_instance_of_which_both_legs_fail_is_at_fault_whatever_upstream_it_has() {
    for (seed, of_upstream) in [(0, 9), (1, 9), (2, 20), (3, 20)] {
        let mut stage = Stage::new(seed, |setting| {
            calm(setting);
            setting.instances = 3;
        });
        for session in &mut stage.sessions {
            session.upstream = session.instance;
        }
        let on_one = |session: &Session| session.instance == 1 && session.life > 5.0;
        let hit: Vec<usize> = (0..stage.sessions.len()).filter(|at| on_one(&stage.sessions[*at])).take(45).collect();
        for (number, at) in hit.iter().enumerate() {
            let leg = if number < of_upstream { Upstream } else { Client };
            let life = stage.sessions[*at].life;
            stage.end(*at, life, Ends::Reset(leg));
        }
        let found = findings(&stage);
        assert_eq!(named(&found), [(Mechanism::BadInstance, Culprit::Proxy)], "{seed}: {found:#?}");
    }
}

#[test]
fn eighteen_sessions_that_phones_resets_spare_tell_that_it_is_phones() {
    for seed in 0..5 {
        let mut stage = Stage::new(seed, |setting| {
            calm(setting);
            (setting.phones, setting.clients, setting.sessions) = (0.5, 400, 300);
        });
        let of_phone = |stage: &Stage, session: &Session| stage.clients[session.client].phone;
        let (phones, mut others): (Vec<_>, Vec<_>) =
            stage.sessions.clone().into_iter().partition(|session| of_phone(&stage, session));
        others.truncate(18);
        stage.sessions = [phones, others].concat();
        for at in 0..stage.sessions.len() {
            if stage.clients[stage.sessions[at].client].phone && at % 3 == 0 {
                stage.sessions[at].ends = Ends::Reset(Client);
            }
        }
        let found = findings(&stage);
        assert_eq!(named(&found), [], "{seed}: {found:#?}");
    }
}

#[test]
fn phones_that_change_their_network_are_no_incident() {
    for seed in 0..5 {
        let mut stage = Stage::new(seed, |setting| {
            calm(setting);
            (setting.phones, setting.clients) = (0.5, 400);
        });
        for at in 0..stage.sessions.len() {
            if stage.clients[stage.sessions[at].client].phone && stage.rng.f64() < 0.35 {
                stage.sessions[at].ends = Ends::Reset(Client);
            }
        }
        let found = findings(&stage);
        assert_eq!(named(&found), [], "{seed}: {found:#?}");
    }
}

/// An office of fifty comes to work on a quiet day; some of their connections are reset, and the others close, at `ends` each.
fn office(seed: u64, leaves: impl Fn(&mut Stage, usize) -> (f64, Ends)) -> Stage {
    let mut stage = Stage::new(seed, |setting| {
        calm(setting);
        (setting.hours, setting.sessions, setting.life) = (1.0, 200, 200.0);
    });
    for desk in 0..50 {
        stage.clients.push(Visitor {
            address: format!("203.0.113.{}", desk + 1),
            agent: BROWSERS[desk % 4].to_owned(),
            phone: false,
        });
        let opened = 900.0 * stage.rng.f64();
        let session = stage.session(opened, stage.clients.len() - 1);
        stage.sessions.push(session);
        let (at, ends) = leaves(&mut stage, desk);
        let last = stage.sessions.len() - 1;
        by_the_clock(&mut stage, last, 20.0, usize::MAX, at - opened, ends);
    }
    stage
}

#[test]
fn an_office_that_goes_home_was_not_cut() {
    for seed in 0..5 {
        let stage = office(seed, |stage, desk| {
            let close = Ends::Close { by: Client, code: Some(1001), reason: String::new(), answer: Some(1001) };
            let ends = [Ends::Reset(Client), close.clone(), Ends::Fin(Client), close][desk % 4].clone();
            (2400.0 + 400.0 * stage.rng.f64(), ends)
        });
        let found = findings(&stage);
        assert_eq!(named(&found), [], "{seed}: {found:#?}");
    }
}

#[test]
fn an_office_that_is_cut_while_it_works_is() {
    for seed in 0..5 {
        let stage = office(seed, |stage, desk| {
            let close = Ends::Close { by: Client, code: Some(1001), reason: String::new(), answer: Some(1001) };
            if desk % 4 == 0 {
                (2400.0 + 400.0 * stage.rng.f64(), Ends::Reset(Client))
            } else {
                (1000.0 + 2500.0 * stage.rng.f64(), close)
            }
        });
        let found = findings(&stage);
        assert_eq!(named(&found), [(Mechanism::RandomResets, Culprit::NetworkClientSide)], "{seed}: {found:#?}");
    }
}

#[test]
fn a_reset_that_takes_its_time_behind_a_long_silence_answers_the_packet_behind_it() {
    for seed in 0..5 {
        let mut stage = Stage::new(seed, |setting| {
            calm(setting);
            (setting.talk, setting.life) = (60.0, 600.0);
        });
        to_some(&mut stage, 40, |stage, at| {
            let (word, silence) = (100.0 * stage.rng.f64(), 480.0 * (1.0 + 2.0 * stage.rng.f64()));
            stage.end(at, word + silence + 9.0, Ends::Reset(Upstream));
            stage.sessions[at].frames = vec![(word, Client), (word + 0.1, Upstream), (word + silence, Client)];
        });
        let found = findings(&stage);
        assert_eq!(named(&found), [(Mechanism::SilentDrop, Culprit::MiddleboxBack)], "{seed}: {found:#?}");
    }
}
