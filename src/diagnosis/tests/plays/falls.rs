//! Upstreams and networks that fall over, restart, reset or have too much to do.

use crate::close::Outcome;
use crate::diagnosis::tests::incidents::{falls, falls_silent, refuse, says, some};
use crate::diagnosis::tests::recipe::{Recipe, any, busy, hour, noon, one, pick, play};
use crate::diagnosis::tests::stage::{Ends, Stage};
use crate::diagnosis::{Culprit, Mechanism};
use crate::wire::Peer::{Client, Upstream};

pub(super) const FALLS: &[Recipe] = &[
    ("crash with resets", |seed| {
        let mut stage = Stage::new(seed, |setting| {
            busy(setting);
            setting.upstreams = 1;
        });
        let when = noon(&mut stage);
        falls(&mut stage, when, None, &Ends::Reset(Upstream), 0.3, 8.0);
        play(stage, one(Mechanism::Crash, Culprit::Upstream, None))
    }),
    ("crash with FINs", |seed| {
        let mut stage = Stage::new(seed, |setting| {
            busy(setting);
            setting.upstreams = 1;
        });
        let when = noon(&mut stage);
        falls(&mut stage, when, None, &Ends::Fin(Upstream), 0.3, 12.0);
        play(stage, one(Mechanism::Crash, Culprit::Upstream, None))
    }),
    ("crash seen by ten instances whose clocks are apart", |seed| {
        let mut stage = Stage::new(seed, |setting| {
            busy(setting);
            setting.upstreams = 1;
            setting.routes = 1;
            setting.instances = 10;
            setting.sessions = 3000;
        });
        for at in 0..10 {
            stage.clocks[at] = stage.rng.f64() * 40.0 - 20.0;
        }
        let when = noon(&mut stage);
        falls(&mut stage, when, None, &Ends::Reset(Upstream), 0.3, 8.0);
        play(stage, one(Mechanism::Crash, Culprit::Upstream, None))
    }),
    ("crash_loop", |seed| {
        let every = pick(seed, &[90.0, 60.0, 300.0, 40.0]);
        let mut stage = Stage::new(seed, |setting| {
            busy(setting);
            setting.upstreams = 1;
        });
        let start = stage.length() * 0.4;
        for turn in 0..5 {
            let jitter = stage.rng.f64() * every * 0.05;
            falls(&mut stage, start + f64::from(turn) * every + jitter, None, &Ends::Reset(Upstream), 0.2, 4.0);
        }
        play(stage, one(Mechanism::CrashLoop, Culprit::Upstream, Some(every)))
    }),
    ("unannounced_restart", |seed| {
        let mut stage = Stage::new(seed, |setting| {
            busy(setting);
            setting.upstreams = 1;
        });
        let when = noon(&mut stage);
        falls(&mut stage, when, None, &Ends::Fin(Upstream), 0.5, 0.0);
        play(stage, one(Mechanism::UnannouncedRestart, Culprit::Upstream, None))
    }),
    ("unannounced_restart, one after the other", |seed| {
        let mut stage = Stage::new(seed, |setting| {
            busy(setting);
            setting.upstreams = 3;
            setting.routes = 1;
        });
        let when = noon(&mut stage);
        for upstream in 0..3 {
            falls(&mut stage, when + 40.0 * upstream as f64, Some(upstream), &Ends::Fin(Upstream), 0.5, 0.0);
        }
        play(stage, one(Mechanism::UnannouncedRestart, Culprit::Upstream, None))
    }),
    ("bad_instance that resets", |seed| {
        let mut stage = Stage::new(seed, |setting| setting.upstreams = 3);
        let whole = (0.0, stage.length());
        some(
            &mut stage,
            0.4,
            whole,
            |_, session| session.upstream == 1,
            |stage, at| {
                stage.sessions[at].ends = Ends::Reset(Upstream);
            },
        );
        play(stage, one(Mechanism::BadInstance, Culprit::Upstream, None))
    }),
    ("bad_instance that says 1011", |seed| {
        let mut stage = Stage::new(seed, |setting| {
            setting.upstreams = 3;
            setting.routes = 1;
        });
        let time = hour(&mut stage);
        some(
            &mut stage,
            0.6,
            time,
            |_, session| session.upstream == 1,
            |stage, at| {
                stage.sessions[at].ends = says(Upstream, 1011, "internal error");
            },
        );
        play(stage, one(Mechanism::BadInstance, Culprit::Upstream, None))
    }),
    ("bad_instance that crashes", |seed| {
        let mut stage = Stage::new(seed, |setting| {
            setting.upstreams = 3;
            setting.routes = 1;
            setting.life = 900.0;
        });
        for _ in 0..2 {
            let when = noon(&mut stage);
            falls(&mut stage, when, Some(0), &Ends::Reset(Upstream), 0.3, 0.0);
        }
        play(stage, one(Mechanism::BadInstance, Culprit::Upstream, None))
    }),
    ("one closewatch whose two legs fail", |seed| {
        let mut stage = Stage::new(seed, |setting| {
            setting.instances = 4;
            setting.routes = 1;
        });
        let whole = (0.0, stage.length());
        some(
            &mut stage,
            0.3,
            whole,
            |_, session| session.instance == 2,
            |stage, at| {
                let leg = if stage.rng.bool() { Client } else { Upstream };
                stage.sessions[at].ends = Ends::Reset(leg);
            },
        );
        play(stage, one(Mechanism::BadInstance, Culprit::Proxy, None))
    }),
    ("both legs fail", |seed| {
        let mut stage = Stage::new(seed, |setting| setting.instances = 1);
        let whole = (0.0, stage.length());
        some(&mut stage, 0.2, whole, any, |stage, at| {
            let leg = if stage.rng.bool() { Client } else { Upstream };
            stage.sessions[at].ends = Ends::Reset(leg);
        });
        play(stage, one(Mechanism::RandomResets, Culprit::Proxy, None))
    }),
    ("peer_vanished: a subnet", |seed| {
        let mut stage = Stage::new(seed, |setting| setting.hop = false);
        for i in 0..stage.clients.len() {
            if i % 6 == 0 {
                stage.clients[i].address = format!("203.0.113.{}", 1 + i % 250);
            }
        }
        let time = hour(&mut stage);
        some(
            &mut stage,
            0.7,
            time,
            |stage, session| stage.clients[session.client].address.starts_with("203."),
            |stage, at| {
                falls_silent(stage, at, &[Client, Upstream], 60.0);
                stage.sessions[at].ends = Ends::Timeout(Client);
            },
        );
        play(stage, one(Mechanism::PeerVanished, Culprit::NetworkClientSide, None))
    }),
    ("peer_vanished: the upstream's host", |seed| {
        let mut stage = Stage::new(seed, |setting| {
            busy(setting);
            setting.upstreams = 1;
        });
        let when = noon(&mut stage);
        falls(&mut stage, when, None, &Ends::Timeout(Upstream), 8.0, 5.0);
        play(stage, one(Mechanism::PeerVanished, Culprit::NetworkUpstreamSide, None))
    }),
    ("random_resets behind", |seed| {
        let mut stage = Stage::new(seed, |_| {});
        let whole = (0.0, stage.length());
        some(&mut stage, 0.08, whole, any, |stage, at| stage.sessions[at].ends = Ends::Reset(Upstream));
        play(stage, one(Mechanism::RandomResets, Culprit::NetworkUpstreamSide, None))
    }),
    ("random_resets in a subnet", |seed| {
        let mut stage = Stage::new(seed, |setting| setting.hop = false);
        for i in 0..stage.clients.len() {
            if i % 6 == 0 {
                stage.clients[i].address = format!("203.0.113.{}", 1 + i % 250);
            }
        }
        let whole = (0.0, stage.length());
        some(
            &mut stage,
            0.6,
            whole,
            |stage, session| stage.clients[session.client].address.starts_with("203."),
            |stage, at| {
                stage.sessions[at].ends = Ends::Reset(Client);
            },
        );
        play(stage, one(Mechanism::RandomResets, Culprit::NetworkClientSide, None))
    }),
    ("overload with 1013", |seed| {
        let mut stage = Stage::new(seed, |_| {});
        let time = hour(&mut stage);
        some(&mut stage, 0.3, time, any, |stage, at| {
            stage.sessions[at].ends = says(Upstream, 1013, "try again later");
        });
        play(stage, one(Mechanism::Overload, Culprit::Upstream, None))
    }),
    ("overload: upgrades are answered too late", |seed| {
        let mut stage = Stage::new(seed, |_| {});
        let time = hour(&mut stage);
        refuse(&mut stage, time, 0.5, &[(Outcome::UpstreamTimeout, Some(504))], any);
        play(stage, one(Mechanism::Overload, Culprit::Upstream, None))
    }),
    ("reconnect_storm behind a deploy", |seed| {
        let mut stage = Stage::new(seed, |setting| {
            setting.upstreams = 1;
            setting.routes = 1;
            setting.life = 900.0;
        });
        let when = noon(&mut stage);
        let hit = stage.open_at(when);
        falls(&mut stage, when, None, &says(Upstream, 1012, "service restart"), 1.0, 0.0);
        for at in hit {
            let (client, mut opened) = (stage.sessions[at].client, when + 1.5);
            for _ in 0..4 + stage.rng.usize(..4) {
                let mut short = stage.session(opened, client);
                short.life = 0.2;
                short.frames.clear();
                short.ends = says(Upstream, 1013, "try again later");
                stage.sessions.push(short);
                opened += 0.7 + stage.rng.f64();
            }
        }
        play(stage, one(Mechanism::ReconnectStorm, Culprit::Client, None))
    }),
];
