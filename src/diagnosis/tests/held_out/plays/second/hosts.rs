//! Hosts and programs that fall over or go away.

use super::super::play::{Recipe, busy, expect, limit, one, one_place};
use super::kit::{move_clients, shared_by_three_routes};
use crate::close::Outcome;
use crate::diagnosis::tests::held_out::day::{Day, Front, Makings, Planned, says};
use crate::diagnosis::tests::held_out::incident::{Fall, all, behind_a_message, fall, some, soon};
use crate::diagnosis::tests::held_out::program::{Program, traffic};
use crate::diagnosis::tests::held_out::script::{Ending, What};
use crate::diagnosis::{Culprit, Mechanism};
use crate::wire::Peer::{Client, Upstream};
use Culprit::{MiddleboxFront, NetworkClientSide, NetworkUpstreamSide};
use Mechanism::{BadInstance, Crash, CrashLoop, PeerVanished, RandomResets, SlowConsumer, UnannouncedRestart};

const UP: &[Culprit] = &[Culprit::Upstream];

fn crowd(seed: u64, size: usize, change: fn(&mut Makings)) -> Day {
    Day::new(seed, size, |_, makings| {
        busy(makings);
        change(makings);
    })
}

fn single(makings: &mut Makings) {
    (makings.upstreams, makings.routes) = (1, 1);
}

fn ten(makings: &mut Makings) {
    (makings.upstreams, makings.routes) = (10, 1);
}

/// Sessions are there in any case at a time.
fn fill(day: &mut Day, when: f64, count: usize) {
    for _ in day.open(when).len()..count {
        let client = day.rng.usize(..day.clients.len());
        let opened = when - 5.0 - 400.0 * day.rng.f64();
        let mut session = day.session(opened, client);
        session.script.life = 700.0 + 300.0 * day.rng.f64();
        session.script.acts = traffic(&mut day.rng, Program::Chat, session.script.life);
        day.sessions.push(session);
    }
}

pub(super) const PLAYS: &[Recipe] = &[
    ("2 crash: one upstream that serves three routes", |seed, size| {
        let mut day = crowd(seed, size, |makings| {
            shared_by_three_routes(makings);
            makings.upstreams = 1;
        });
        let when = day.length() * 0.55;
        fall(&mut day, Fall { away: 20.0, ..Fall::at(when) }, &Ending::Reset(Upstream), |_| true);
        one(day, expect(&[Crash], UP, Some(None)))
    }),
    ("2 crash: three routes, 1011 and then nobody listens", |seed, size| {
        let mut day = crowd(seed, size, |makings| {
            shared_by_three_routes(makings);
            makings.upstreams = 1;
        });
        let when = day.length() * 0.45;
        let ending = says(Upstream, 1011, "unhandled exception");
        fall(&mut day, Fall { away: 30.0, eager: 0.8, ..Fall::at(when) }, &ending, |_| true);
        one(day, expect(&[Crash], UP, Some(None)))
    }),
    ("2 bad_instance: one of three upstreams of three routes falls over", |seed, size| {
        let mut day = crowd(seed, size * 3 / 2, |makings| {
            shared_by_three_routes(makings);
            makings.upstreams = 3;
        });
        let when = day.length() * 0.5;
        fall(&mut day, Fall { away: 3.0, ..Fall::at(when) }, &Ending::Reset(Upstream), |it| it.upstream == 1);
        one(day, expect(&[BadInstance], UP, None))
    }),
    ("2 bad_instance: one pod's process behind its closewatch, three routes", |seed, size| {
        let mut day = crowd(seed, size * 3 / 2, |makings| {
            (makings.routes, makings.upstreams, makings.instances, makings.sidecar) = (3, 1, 3, true);
        });
        let when = day.length() * 0.6;
        let ending = says(Upstream, 1011, "unhandled exception");
        fall(&mut day, Fall { away: 25.0, ..Fall::at(when) }, &ending, |it| it.instance == 1);
        one(day, expect(&[BadInstance], UP, None))
    }),
    ("2 bad_instance: one pod's process falls over, routes of unequal traffic", |seed, size| {
        let mut day = crowd(seed, size * 3 / 2, |makings| {
            (makings.routes, makings.upstreams, makings.instances, makings.sidecar) = (3, 1, 3, true);
        });
        for session in &mut day.sessions {
            session.route = match day.rng.u8(..20) {
                0..14 => 0,
                14..17 => 1,
                _ => 2,
            };
        }
        let when = day.length() * 0.6;
        fall(&mut day, Fall { away: 15.0, ..Fall::at(when) }, &Ending::Reset(Upstream), |it| it.instance == 2);
        one(day, expect(&[BadInstance], UP, None))
    }),
    ("2 crash: under twenty sessions", |seed, _| {
        let mut day = Day::new(seed, 40, |_, makings| {
            one_place(makings);
            busy(makings);
            (makings.hours, makings.clients) = (1.0, 30);
        });
        fill(&mut day, 2000.0, 20);
        fall(&mut day, Fall { away: 8.0, ..Fall::at(2000.0) }, &Ending::Fin(Upstream), |_| true);
        one(day, expect(&[Crash], UP, Some(None)))
    }),
    ("2 crash_loop: three to eight times", |seed, size| {
        let times = 3 + (seed % 6) as usize;
        let period = limit(seed, &[95.0, 140.0, 200.0]);
        let mut day = crowd(seed, size, |makings| {
            single(makings);
            makings.hours = 0.8;
        });
        for number in 0..times {
            let when = day.length() * 0.25 + number as f64 * period * (0.97 + 0.06 * day.rng.f64());
            fill(&mut day, when, 25);
            fall(&mut day, Fall { away: 10.0, ..Fall::at(when) }, &Ending::Reset(Upstream), |_| true);
        }
        one(day, expect(&[CrashLoop], UP, Some(Some(period))))
    }),
    ("2 crash_loop: CrashLoopBackOff on three routes", |seed, size| {
        let mut day = crowd(seed, size, |makings| {
            shared_by_three_routes(makings);
            makings.upstreams = 1;
        });
        let mut when = day.length() * 0.25;
        for pause in [75.0, 100.0, 140.0, 220.0, 360.0] {
            fill(&mut day, when, 30);
            fall(&mut day, Fall { away: pause * 0.4, ..Fall::at(when) }, &Ending::Fin(Upstream), |_| true);
            when += pause;
        }
        one(day, expect(&[CrashLoop], UP, None))
    }),
    ("2 unannounced_restart: a rolling deploy of four, FIN", |seed, size| {
        let mut day = crowd(seed, size, |makings| (makings.upstreams, makings.routes) = (4, 1));
        for upstream in 0..4 {
            let when = day.length() * 0.45 + 35.0 * upstream as f64;
            fall(&mut day, Fall { spread: 0.3, ..Fall::at(when) }, &Ending::Fin(Upstream), |it| {
                it.upstream == upstream
            });
        }
        one(day, expect(&[UnannouncedRestart], UP, Some(None)))
    }),
    ("2 unannounced_restart: a rolling deploy that kills", |seed, size| {
        let mut day = crowd(seed, size, |makings| (makings.upstreams, makings.routes) = (3, 1));
        for upstream in 0..3 {
            let when = day.length() * 0.4 + 50.0 * upstream as f64;
            fall(&mut day, Fall { spread: 0.1, ..Fall::at(when) }, &Ending::Reset(Upstream), |it| {
                it.upstream == upstream
            });
        }
        one(day, expect(&[UnannouncedRestart, Crash], UP, Some(None)))
    }),
    ("2 unannounced_restart: a deploy under three routes, FIN", |seed, size| {
        let mut day = crowd(seed, size, |makings| {
            shared_by_three_routes(makings);
            makings.upstreams = 2;
        });
        for upstream in 0..2 {
            let when = day.length() * 0.5 + 60.0 * upstream as f64;
            fall(&mut day, Fall { spread: 0.4, ..Fall::at(when) }, &Ending::Fin(Upstream), |it| {
                it.upstream == upstream
            });
        }
        one(day, expect(&[UnannouncedRestart], UP, Some(None)))
    }),
    ("2 unannounced_restart: HAProxy in front reloads, resets", |seed, size| {
        let mut day = crowd(seed, size, |makings| {
            makings.front = Front::Named;
            makings.routes = 3;
        });
        let when = day.length() * 0.5;
        fall(&mut day, Fall { spread: 0.1, ..Fall::at(when) }, &Ending::Reset(Client), |_| true);
        one(day, expect(&[UnannouncedRestart], &[MiddleboxFront], Some(None)))
    }),
    ("2 unannounced_restart: nginx in front reloads three times, FIN", |seed, size| {
        let mut day = crowd(seed, size, |makings| makings.front = Front::Trusted);
        for part in [0.3, 0.5, 0.75] {
            let when = day.length() * part;
            fall(&mut day, Fall { spread: 0.4, ..Fall::at(when) }, &Ending::Fin(Client), |_| true);
        }
        one(day, expect(&[UnannouncedRestart], &[MiddleboxFront], None))
    }),
    ("2 unannounced_restart: a node is drained, two upstreams of six go", |seed, size| {
        let mut day = crowd(seed, size * 3 / 2, |makings| (makings.upstreams, makings.routes) = (6, 1));
        let when = day.length() * 0.5;
        fall(&mut day, Fall { spread: 1.0, ..Fall::at(when) }, &Ending::Fin(Upstream), |it| it.upstream < 2);
        one(day, expect(&[UnannouncedRestart, Crash, BadInstance], UP, None))
    }),
    ("2 bad_instance: a canary among ten, 1011", |seed, size| {
        let mut day = crowd(seed, size * 2, ten);
        let from = day.length() * 0.3;
        some(
            &mut day,
            0.6,
            |_, it| it.upstream == 7 && it.opened > from,
            |day, at| {
                behind_a_message(day, at, Client, &says(Upstream, 1011, ""));
            },
        );
        one(day, expect(&[BadInstance], UP, None))
    }),
    ("2 bad_instance: a canary among ten, 1008", |seed, size| {
        let mut day = crowd(seed, size * 2, ten);
        some(
            &mut day,
            0.7,
            |_, it| it.upstream == 3,
            |day, at| {
                soon(day, at, &says(Upstream, 1008, "tenant mismatch"));
            },
        );
        one(day, expect(&[BadInstance], UP, None))
    }),
    ("2 bad_instance: one upstream of five reads nothing", |seed, size| {
        let mut day = crowd(seed, size * 3 / 2, |makings| {
            (makings.upstreams, makings.routes, makings.program) = (5, 1, Program::Telemetry);
        });
        some(
            &mut day,
            0.7,
            |_, it| it.upstream == 2 && it.script.life > 60.0,
            |day, at| {
                soon(day, at, &Ending::Fin(Client));
                let script = &mut day.sessions[at].script;
                let stall = (8.0 + 15.0 * fastrand::Rng::with_seed(at as u64).f64()).min(script.life * 0.5);
                let since = script.life - stall;
                script.acts.retain(|act| act.by == Client || act.at < since);
                for step in 1..5 {
                    let at = since + stall * f64::from(step) / 6.0;
                    script.acts.push(crate::diagnosis::tests::held_out::script::Act {
                        at,
                        by: Client,
                        what: What::Message,
                    });
                }
                script.acts.sort_by(|a, b| a.at.total_cmp(&b.at));
                script.stall = Some((Upstream, stall));
            },
        );
        one(day, expect(&[BadInstance, SlowConsumer], UP, None))
    }),
    ("2 bad_instance: the way of one closewatch to the upstreams", |seed, size| {
        let mut day = crowd(seed, size * 3 / 2, |makings| {
            (makings.upstreams, makings.routes, makings.instances) = (3, 1, 10);
        });
        for clock in &mut day.clocks {
            *clock = 90.0 * (day.rng.f64() - 0.5);
        }
        some(&mut day, 0.6, |_, it| it.instance == 4, |day, at| soon(day, at, &Ending::Reset(Upstream)));
        one(day, expect(&[BadInstance], &[Culprit::Upstream, NetworkUpstreamSide], None))
    }),
    ("2 peer_vanished: an office's Wi-Fi goes dark", |seed, size| {
        let mut day = crowd(seed, size, |makings| {
            makings.front = Front::Direct;
            makings.mix = [0.9, 0.05, 0.05];
        });
        let moved = move_clients(&mut day, 0.35, |rng| format!("198.18.9.{}", rng.u8(1..250)));
        let when = day.length() * 0.5;
        fall(&mut day, Fall { spread: 30.0, ..Fall::at(when) }, &Ending::Timeout(Client), |it| moved[it.client]);
        one(day, expect(&[PeerVanished], &[NetworkClientSide], None))
    }),
    ("2 random_resets: a carrier's /48", |seed, size| {
        let mut day = crowd(seed, size, |makings| makings.front = Front::Direct);
        let moved = move_clients(&mut day, if size < 500 { 0.35 } else { 0.1 }, |rng| {
            format!("2001:db8:90:{:x}::{:x}", rng.u16(..), 1 + rng.u16(..60_000))
        });
        some(&mut day, 0.6, |_, it| moved[it.client], |day, at| soon(day, at, &Ending::Reset(Client)));
        one(day, expect(&[RandomResets], &[NetworkClientSide], Some(None)))
    }),
    ("2 random_resets: behind, on three routes", |seed, size| {
        let mut day = crowd(seed, size, shared_by_three_routes);
        let share = super::kit::few(&mut day);
        some(&mut day, share, all, |day, at| soon(day, at, &Ending::Reset(Upstream)));
        let culprits = &[NetworkUpstreamSide, Culprit::MiddleboxBack, Culprit::Upstream];
        one(day, expect(&[RandomResets], culprits, Some(None)))
    }),
    ("2 peer_vanished: an upstream's machine freezes, dials time out", |seed, size| {
        let mut day = crowd(seed, size, |makings| {
            shared_by_three_routes(makings);
            makings.upstreams = 1;
        });
        let when = day.length() * 0.6;
        let outcome = (Outcome::DialTimeout, Some(504));
        let frozen = Fall { spread: 20.0, away: 150.0, eager: 0.1, outcome, ..Fall::at(when) };
        fall(&mut day, frozen, &Ending::Timeout(Upstream), |_: &Planned| true);
        one(day, expect(&[PeerVanished, Crash], &[NetworkUpstreamSide, Culprit::Upstream], None))
    }),
];
