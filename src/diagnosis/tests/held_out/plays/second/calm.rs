//! Days on which nobody is to blame: above all what scripts do by the clock.

use super::super::harmless::{calm, machines, together};
use super::super::play::{Play, Recipe, busy, direct, limit, one_place};
use super::kit::{move_clients, shared_by_three_routes};
use crate::close::{Cause, Outcome};
use crate::diagnosis::tests::held_out::chance::pick;
use crate::diagnosis::tests::held_out::day::{Day, Front, Kind, says};
use crate::diagnosis::tests::held_out::incident::{Fall, all, fall, some, soon};
use crate::diagnosis::tests::held_out::program::{Program, traffic};
use crate::diagnosis::tests::held_out::script::{Act, Answer, Ending, What};
use crate::wire::Peer::{Client, Upstream};

/// A machine's session.
fn session(day: &mut Day, client: usize, opened: f64, life: f64, ending: &Ending) {
    let mut session = day.session(opened, client);
    session.script.life = life;
    session.script.acts = traffic(&mut day.rng, Program::Chat, life);
    session.script.ending = ending.clone();
    day.sessions.push(session);
}

/// All sessions end each so many seconds, in this way, and come back.
fn restarts(mut day: Day, period: f64, ending: &Ending) -> Play {
    let mut when = day.length() * 0.2;
    while when < day.length() {
        fall(&mut day, Fall { spread: 0.2, ..Fall::at(when) }, ending, |_| true);
        when += period;
    }
    calm(day)
}

pub(in crate::diagnosis::tests::held_out) const PLAYS: &[Recipe] = &[
    ("2 a script restarts the upstream each two minutes, 1012", |seed, size| {
        let day = Day::new(seed, size, |_, makings| busy(makings));
        restarts(day, limit(seed, &[120.0, 75.0, 300.0]), &says(Upstream, 1012, "restart"))
    }),
    ("2 a script restarts the upstream each hour of a day, 1001", |seed, size| {
        let day = Day::new(seed, size, |_, makings| {
            (makings.hours, makings.life, makings.program) = (24.0, 9000.0, Program::Phoenix);
        });
        restarts(day, 3600.0, &says(Upstream, 1001, "going away"))
    }),
    ("2 three routes, restarts each quarter of a minute, 1012", |seed, size| {
        let day = Day::new(seed, size, |_, makings| {
            busy(makings);
            shared_by_three_routes(makings);
            (makings.hours, makings.instances) = (0.1, 3);
        });
        restarts(day, 15.0, &says(Upstream, 1012, ""))
    }),
    ("2 instances of closewatch are restarted one after the other, each ten minutes", |seed, size| {
        let mut day = Day::new(seed, size, |_, makings| {
            busy(makings);
            makings.instances = 4;
        });
        let mut when = 300.0;
        let mut instance = 0;
        while when < day.length() {
            fall(&mut day, Fall { spread: 4.0, ..Fall::at(when) }, &Ending::Own(Cause::Drain), |it| {
                it.instance == instance
            });
            instance = (instance + 1) % 4;
            when += 150.0;
        }
        calm(day)
    }),
    ("2 cron jobs open and close each five minutes", |seed, size| {
        let mut day = Day::new(seed, size, |_, makings| makings.hours = 3.0);
        let hosts = machines(&mut day, 12, "cron-sync/1.4", 12);
        let ending = pick(&mut day.rng, &[0, 1]);
        let ending = if ending == 0 { Ending::Fin(Client) } else { says(Client, 1000, "") };
        let mut when = 60.0;
        while when + 60.0 < day.length() {
            for client in &hosts {
                let (opened, life) = (when + 1.5 * day.rng.f64(), 40.0 + 0.5 * day.rng.f64());
                session(&mut day, *client, opened, life, &ending);
            }
            when += 300.0;
        }
        calm(day)
    }),
    ("2 a batch's reader hangs up when its input is read", |seed, size| {
        let mut day = Day::new(seed, size, |_, _| {});
        together(&mut day, 50 + size / 5, "ingest/0.9", 25, &Ending::Fin(Client), 0.8);
        calm(day)
    }),
    ("2 a load test of users that stay for thirty seconds each", |seed, size| {
        let mut day = Day::new(seed, size, |_, _| {});
        let users = machines(&mut day, 60, "k6/1.4", 3);
        let start = day.length() * 0.4;
        let ending = if seed % 2 == 0 { Ending::Fin(Client) } else { says(Client, 1000, "") };
        for (number, client) in users.iter().cycle().take(size).enumerate() {
            let (opened, life) = (start + number as f64 * 0.7, 30.0 + 0.02 * day.rng.f64());
            session(&mut day, *client, opened, life, &ending);
        }
        calm(day)
    }),
    ("2 a load test is killed three times, resets", |seed, size| {
        let mut day = Day::new(seed, size, |_, makings| makings.hours = 2.0);
        let users = machines(&mut day, 80, "k6/1.4", 1);
        for part in [0.2, 0.45, 0.7] {
            let end = day.length() * part;
            for client in &users {
                let life = 30.0 + 200.0 * day.rng.f64();
                let killed = end + 0.1 * day.rng.f64();
                session(&mut day, *client, killed - life, life, &Ending::Reset(Client));
            }
        }
        calm(day)
    }),
    ("2 a suite of tests breaks every rule, from one address", |seed, size| {
        let mut day = Day::new(seed, size, |_, makings| direct(makings));
        let suite = machines(&mut day, 1, "AutobahnTestSuite/25.10.1", 1)[0];
        let mut when = day.length() * 0.5;
        for number in 0..size / 2 {
            let ending = match number % 6 {
                0 | 1 => says(Upstream, 1002, ""),
                2 => says(Upstream, 1007, ""),
                3 => says(Upstream, 1009, ""),
                4 => Ending::Reset(Client),
                _ => says(Client, 1000, ""),
            };
            session(&mut day, suite, when, 0.05, &ending);
            if let Some(it) = day.sessions.last_mut() {
                it.script.acts = vec![Act { at: 0.04, by: Client, what: What::Message }];
            }
            when += 0.1;
        }
        calm(day)
    }),
    ("2 a webinar: all come and go together", |seed, size| {
        let mut day = Day::new(seed, size, |_, makings| makings.mix = [0.8, 0.2, 0.0]);
        let begin = day.length() * 0.3;
        let end = begin + day.length() * 0.4;
        for client in 0..day.clients.len() {
            let opened = begin + 60.0 * day.rng.f64();
            let life = end + 40.0 * day.rng.f64() - opened;
            let ending = match day.rng.u8(..4) {
                0 => Ending::Fin(Client),
                1 => says(Client, 1000, ""),
                2 => Ending::Close { by: Client, code: None, reason: String::new(), answer: Answer::Echo },
                _ => says(Client, 1001, ""),
            };
            session(&mut day, client, opened, life, &ending);
        }
        calm(day)
    }),
    ("2 rooms that the upstream closes together, 4000 and words", |seed, size| {
        let mut day = Day::new(seed, size, |_, _| {});
        for _ in 0..size / 8 {
            let begin = day.length() * 0.9 * day.rng.f64();
            let life = 100.0 + 300.0 * day.rng.f64();
            for _ in 0..4 {
                let client = day.rng.usize(..day.clients.len());
                let ending = says(Upstream, 4000, "game over");
                let opened = begin + 2.0 * day.rng.f64();
                let ends = begin + life + 0.3 * day.rng.f64();
                session(&mut day, client, opened, ends - opened, &ending);
            }
        }
        calm(day)
    }),
    ("2 phones asleep: what wakes them is answered by a reset", |seed, size| {
        let mut day = Day::new(seed, size, |_, makings| {
            makings.mix = [0.15, 0.85, 0.0];
            makings.front = Front::Direct;
        });
        some(
            &mut day,
            0.06,
            |day, it| day.clients[it.client].kind == Kind::Phone,
            |day, at| {
                soon(day, at, &Ending::Reset(Client));
                let script = &mut day.sessions[at].script;
                let slept = (script.life * day.rng.f64()).max(0.1);
                script.acts.retain(|act| act.at < slept);
            },
        );
        calm(day)
    }),
    ("2 laptops' lids are closed", |seed, size| {
        let mut day = Day::new(seed, size, |_, makings| {
            makings.mix = [1.0, 0.0, 0.0];
            makings.hours = 8.0;
        });
        some(&mut day, 0.04, all, |day, at| soon(day, at, &Ending::Timeout(Client)));
        calm(day)
    }),
    ("2 browsers navigate, over IPv6", |seed, size| {
        let mut day = Day::new(seed, size, |_, makings| {
            makings.mix = [1.0, 0.0, 0.0];
            direct(makings);
        });
        move_clients(&mut day, 0.6, |rng| format!("2001:db8:51:{:x}::{:x}", rng.u16(..), 1 + rng.u16(..60_000)));
        some(&mut day, 0.8, all, |day, at| {
            let ending = match day.rng.u8(..3) {
                0 => Ending::Fin(Client),
                1 => Ending::Close { by: Client, code: Some(1001), reason: String::new(), answer: Answer::HungUp },
                _ => says(Client, 1001, ""),
            };
            soon(day, at, &ending);
        });
        calm(day)
    }),
    ("2 twenty lines, five of them odd", |seed, _| {
        let mut day = Day::new(seed, 10 + (seed % 4) as usize * 10, |_, makings| {
            one_place(makings);
            makings.clients = 8;
        });
        some(&mut day, 0.2, all, |day, at| {
            let endings = [
                Ending::Reset(Upstream),
                Ending::Fin(Upstream),
                says(Upstream, 1011, ""),
                Ending::Timeout(Client),
                says(Upstream, 1008, ""),
            ];
            let ending = endings[day.rng.usize(..endings.len())].clone();
            soon(day, at, &ending);
        });
        calm(day)
    }),
    ("2 ten upstreams are replaced, each takes a minute to say 1001 to all", |seed, size| {
        let mut day = Day::new(seed, size, |_, makings| {
            busy(makings);
            makings.upstreams = 10;
        });
        for upstream in 0..10 {
            let when = day.length() * 0.3 + 70.0 * upstream as f64;
            fall(&mut day, Fall { spread: 60.0, ..Fall::at(when) }, &says(Upstream, 1001, ""), |it| {
                it.upstream == upstream
            });
        }
        calm(day)
    }),
    ("2 one upstream of ten is restarted again and again, 1012", |seed, size| {
        let mut day = Day::new(seed, size, |_, makings| {
            busy(makings);
            makings.upstreams = 10;
        });
        for number in 0..6 {
            let when = day.length() * (0.2 + 0.1 * f64::from(number));
            fall(&mut day, Fall { spread: 0.3, ..Fall::at(when) }, &says(Upstream, 1012, ""), |it| it.upstream == 4);
        }
        calm(day)
    }),
    ("2 apps reload themselves at four in the morning", |seed, size| {
        let mut day = Day::new(seed, size, |_, makings| {
            (makings.hours, makings.life) = (20.0, 12_000.0);
            makings.mix = [0.9, 0.1, 0.0];
        });
        let when = day.length() * 0.6;
        fall(&mut day, Fall { spread: 20.0, ..Fall::at(when) }, &says(Client, 1001, ""), |_| true);
        calm(day)
    }),
    ("2 meters wake up each quarter of an hour, and hang up after twenty seconds", |seed, size| {
        let mut day = Day::new(seed, size / 4, |_, makings| makings.hours = 4.0);
        let meters = machines(&mut day, 40, "meter-fw/3.2 (quectel)", 40);
        for client in meters {
            let mut opened = 900.0 * day.rng.f64();
            while opened + 30.0 < day.length() {
                let life = 20.0 + 2.0 * day.rng.f64();
                session(&mut day, client, opened, life, &Ending::Fin(Client));
                opened += 900.0 + 3.0 * day.rng.f64();
            }
        }
        calm(day)
    }),
    ("2 the upstream ends what is idle for ten minutes, 1000", |seed, size| {
        let mut day = Day::new(seed, size, |_, makings| {
            super::super::play::long(makings, 2400.0);
            makings.program = Program::Chat;
        });
        crate::diagnosis::tests::held_out::incident::quiet(&mut day, 0.3, Program::Quiet(400.0), 2000.0);
        crate::diagnosis::tests::held_out::incident::cut_idle(
            &mut day,
            Upstream,
            &says(Upstream, 1000, "idle"),
            |_| true,
            |_| 600.0,
            all,
        );
        calm(day)
    }),
    ("2 one client in a loop: opens, and hangs up after ten seconds", |seed, size| {
        let mut day = Day::new(seed, size, |_, makings| direct(makings));
        let client = machines(&mut day, 1, "curl-loop", 1)[0];
        let mut opened = 200.0;
        for _ in 0..size / 3 {
            session(&mut day, client, opened, 10.0, &Ending::Fin(Client));
            opened += 10.5;
        }
        calm(day)
    }),
    ("2 one client in a loop: refused, on three routes", |seed, size| {
        let mut day = Day::new(seed, size, |_, makings| {
            shared_by_three_routes(makings);
            direct(makings);
        });
        let client = machines(&mut day, 1, "crawler/2", 1)[0];
        for number in 0..size {
            day.fails(60.0 + 2.0 * number as f64, client, Outcome::Refused, Some(503));
        }
        calm(day)
    }),
    ("2 sessions that upstreams end with 1000 at one age, as they promise", |seed, size| {
        let mut day = Day::new(seed, size, |_, makings| super::super::play::long(makings, 900.0));
        crate::diagnosis::tests::held_out::incident::cut_old(
            &mut day,
            &says(Upstream, 1000, "complete"),
            900.0,
            0.0,
            all,
        );
        calm(day)
    }),
];
