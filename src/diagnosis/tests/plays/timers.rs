//! Cuts at a silence or an age, and flows that are forgotten.

use crate::diagnosis::tests::incidents::{cut_idle, cut_old, forget, says};
use crate::diagnosis::tests::recipe::{LIMITS, Recipe, any, both, one, pick, play, silent};
use crate::diagnosis::tests::stage::{Ends, Stage};
use crate::diagnosis::{Culprit, Mechanism};
use crate::wire::Peer::{self, Client, Upstream};

pub(super) const TIMERS: &[Recipe] = &[
    ("idle_cut in front", |seed| {
        let limit = pick(seed, &LIMITS);
        let mut stage = Stage::new(seed, silent(limit));
        cut_idle(&mut stage, Client, both, |_, _| limit, any);
        play(stage, one(Mechanism::IdleCut, Culprit::MiddleboxFront, Some(limit)))
    }),
    ("idle_cut behind", |seed| {
        let limit = pick(seed, &LIMITS);
        let mut stage = Stage::new(seed, silent(limit));
        cut_idle(&mut stage, Upstream, both, |_, _| limit, any);
        play(stage, one(Mechanism::IdleCut, Culprit::MiddleboxBack, Some(limit)))
    }),
    ("idle_cut that sees one side", |seed| {
        let limit = pick(seed, &[60.0, 75.0, 100.0]);
        let mut stage = Stage::new(seed, silent(limit));
        let leg = if seed % 2 == 0 { Client } else { Upstream };
        let heard: fn(Peer) -> bool = if seed % 2 == 0 { |from| from == Upstream } else { |from| from == Client };
        cut_idle(&mut stage, leg, heard, |_, _| limit, any);
        let culprit = if leg == Client { Culprit::MiddleboxFront } else { Culprit::MiddleboxBack };
        play(stage, one(Mechanism::IdleCut, culprit, Some(limit)))
    }),
    ("idle_cut of 3 % among phones", |seed| {
        let limit = pick(seed, &[60.0, 100.0, 230.0]);
        let mut stage = Stage::new(seed, |setting| {
            silent(limit)(setting);
            setting.phones = 0.9;
            setting.sessions = 2500;
            setting.talk = limit * 0.15;
        });
        let hit: Vec<usize> = (0..75).map(|_| stage.rng.usize(..2500)).collect();
        for at in hit {
            let life = stage.sessions[at].life.min(limit * 3.0);
            stage.end(at, life, Ends::Fin(Client));
            let last = stage.sessions[at].frames.last().map_or(0.0, |(at, _)| *at);
            stage.sessions[at].life = last + limit + 0.02;
        }
        play(stage, one(Mechanism::IdleCut, Culprit::MiddleboxFront, Some(limit)))
    }),
    ("idle_cut with a limit that drifts", |seed| {
        let mut stage = Stage::new(seed, silent(60.0));
        let length = stage.length();
        cut_idle(&mut stage, Client, both, |at, _| 57.0 + 6.0 * at / length, any);
        play(stage, one(Mechanism::IdleCut, Culprit::MiddleboxFront, Some(60.0)))
    }),
    ("idle_cut by a box that looks every five seconds", |seed| {
        let mut stage = Stage::new(seed, silent(120.0));
        cut_idle(&mut stage, Upstream, both, |_, random| 120.0 + 5.0 * random, any);
        play(stage, one(Mechanism::IdleCut, Culprit::MiddleboxBack, Some(122.0)))
    }),
    ("idle_cut on one route of several", |seed| {
        let limit = pick(seed, &LIMITS);
        let mut stage = Stage::new(seed, |setting| {
            silent(limit)(setting);
            setting.routes = 3;
        });
        cut_idle(&mut stage, Upstream, both, |_, _| limit, |_, session| session.route == 1);
        play(stage, one(Mechanism::IdleCut, Culprit::MiddleboxBack, Some(limit)))
    }),
    ("idle_cut in one subnet", |seed| {
        let limit = 60.0;
        let mut stage = Stage::new(seed, |setting| {
            silent(limit)(setting);
            setting.hop = false;
        });
        for i in 0..stage.clients.len() {
            if i % 8 == 0 {
                stage.clients[i].address = format!("203.0.113.{}", 1 + i % 250);
            }
        }
        cut_idle(
            &mut stage,
            Client,
            both,
            |_, _| limit,
            |stage, session| stage.clients[session.client].address.starts_with("203."),
        );
        play(stage, one(Mechanism::IdleCut, Culprit::NetworkClientSide, Some(limit)))
    }),
    ("max_lifetime in front", |seed| {
        let age = pick(seed, &[300.0, 900.0, 3600.0, 600.0]);
        let mut stage = Stage::new(seed, |setting| {
            setting.life = age;
            setting.hours = (age / 120.0).max(4.0);
        });
        cut_old(&mut stage, age, &if seed % 2 == 0 { Ends::Fin(Client) } else { Ends::Reset(Client) }, |_| true);
        play(stage, one(Mechanism::MaxLifetime, Culprit::MiddleboxFront, Some(age)))
    }),
    ("max_lifetime behind, of a day", |seed| {
        let age = pick(seed, &[86_400.0, 7200.0, 1800.0]);
        let mut stage = Stage::new(seed, |setting| {
            setting.life = age;
            setting.hours = age / 600.0;
            setting.talk = 40.0;
        });
        cut_old(&mut stage, age, &Ends::Reset(Upstream), |_| true);
        play(stage, one(Mechanism::MaxLifetime, Culprit::MiddleboxBack, Some(age)))
    }),
    ("max_lifetime that the upstream keeps, with 1001", |seed| {
        let age = pick(seed, &[600.0, 1800.0]);
        let mut stage = Stage::new(seed, |setting| {
            setting.life = age * 0.7;
            setting.hours = 6.0;
        });
        cut_old(&mut stage, age, &says(Upstream, 1001, "connection age"), |_| true);
        play(stage, one(Mechanism::MaxLifetime, Culprit::Upstream, Some(age)))
    }),
    ("silent_drop in front", |seed| {
        let limit = pick(seed, &[60.0, 120.0, 350.0]);
        let mut stage = Stage::new(seed, |setting| {
            silent(limit)(setting);
            setting.talk = limit * 0.35;
            setting.facts = true;
            setting.sessions = 1500;
        });
        forget(&mut stage, Client, limit, |_| true);
        play(stage, one(Mechanism::SilentDrop, Culprit::MiddleboxFront, Some(limit)))
    }),
    ("silent_drop behind", |seed| {
        let limit = pick(seed, &[60.0, 120.0, 300.0]);
        let mut stage = Stage::new(seed, |setting| {
            silent(limit)(setting);
            setting.talk = limit * 0.35;
            setting.facts = true;
        });
        forget(&mut stage, Upstream, limit, |_| true);
        play(stage, one(Mechanism::SilentDrop, Culprit::MiddleboxBack, Some(limit)))
    }),
];
