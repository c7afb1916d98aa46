//! Days on which nobody is to blame.

use super::play::{Play, Recipe, busy, direct, long, one_place};
use crate::close::{Cause, Outcome, TlsFailure};
use crate::diagnosis::tests::held_out::chance::pick;
use crate::diagnosis::tests::held_out::day::{Day, Front, Kind, last, says, unanswered};
use crate::diagnosis::tests::held_out::incident::{BOTH, Fall, all, cut_idle, cut_old, fall, quiet, some, soon};
use crate::diagnosis::tests::held_out::program::{Program, traffic};
use crate::diagnosis::tests::held_out::script::{Answer, Ending};
use crate::wire::Peer::{Client, Upstream};

pub(super) fn calm(day: Day) -> Play {
    Play { day, expected: vec![] }
}

/// A few machines that do not belong to the crowd.
pub(super) fn machines(day: &mut Day, count: usize, agent: &str, addresses: usize) -> Vec<usize> {
    let from = day.clients.len();
    for number in 0..count {
        day.clients.push(super::super::day::Client {
            address: format!("10.77.0.{}", 1 + number % addresses),
            agent: agent.to_owned(),
            kind: Kind::Daemon,
        });
    }
    (from..from + count).collect()
}

/// Machines open sessions in a stretch of time, which end together.
pub(super) fn together(day: &mut Day, count: usize, agent: &str, addresses: usize, ending: &Ending, spread: f64) {
    let end = day.length() * 0.6;
    for client in machines(day, count, agent, addresses) {
        let opened = end - 600.0 + 200.0 * day.rng.f64();
        let mut session = day.session(opened, client);
        session.script.life = end - session.opened + spread * day.rng.f64();
        session.script.acts = traffic(&mut day.rng, Program::Chat, session.script.life);
        session.script.ending = ending.clone();
        day.sessions.push(session);
    }
}

pub(in super::super) const HARMLESS: &[Recipe] = &[
    ("an ordinary day", |seed, size| calm(Day::new(seed, size, |_, _| {}))),
    ("phones fall asleep all day", |seed, size| {
        calm(Day::new(seed, size, |_, makings| makings.mix = [0.05, 0.93, 0.02]))
    }),
    ("phones fall asleep, closewatch's dead_peer finds them", |seed, size| {
        let mut day = Day::new(seed, size, |_, makings| makings.mix = [0.2, 0.8, 0.0]);
        some(
            &mut day,
            0.08,
            |day, it| day.clients[it.client].kind == Kind::Phone,
            |day, at| {
                let acts = &day.sessions[at].script.acts;
                let from = last(acts, |by| by == Client, day.sessions[at].script.life * 0.8);
                let first =
                    acts.iter().find(|act| act.at > from && act.by == Upstream).map_or(from + 10.0, |act| act.at);
                day.sessions[at].script.acts.retain(|act| act.at <= from || act.by == Upstream);
                day.strike(at, first + 60.0, Ending::Timeout(Client));
            },
        );
        calm(day)
    }),
    ("apps are suspended thirty seconds behind the last touch", |seed, size| {
        let mut day = Day::new(seed, size, |_, makings| {
            makings.mix = [0.5, 0.5, 0.0];
            makings.program = Program::Bare;
        });
        some(
            &mut day,
            0.3,
            |day, it| day.clients[it.client].agent.starts_with("Shop/7.1"),
            |day, at| {
                let from = last(&day.sessions[at].script.acts, |_| true, day.sessions[at].script.life);
                day.strike(at, from + 30.0, Ending::Fin(Client));
            },
        );
        calm(day)
    }),
    ("browsers navigate", |seed, size| {
        let mut day = Day::new(seed, size, |_, makings| makings.mix = [1.0, 0.0, 0.0]);
        some(&mut day, 0.9, all, |day, at| soon(day, at, &says(Client, 1001, "")));
        calm(day)
    }),
    ("Safari hangs up behind its Close", |seed, size| {
        let mut day = Day::new(seed, size, |_, _| {});
        let ending = |code| Ending::Close { by: Client, code, reason: String::new(), answer: Answer::HungUp };
        some(&mut day, 0.6, all, |day, at| soon(day, at, &ending(Some(1001))));
        some(&mut day, 0.1, all, |day, at| soon(day, at, &ending(None)));
        calm(day)
    }),
    ("close() without a code, everywhere", |seed, size| {
        let mut day = Day::new(seed, size, |_, _| {});
        let ending = Ending::Close { by: Client, code: None, reason: String::new(), answer: Answer::Echo };
        some(&mut day, 0.8, all, |day, at| soon(day, at, &ending));
        calm(day)
    }),
    ("a deploy says 1012, and all come back", |seed, size| {
        let mut day = Day::new(seed, size, |_, makings| busy(makings));
        for (number, share) in [0.4, 0.7].into_iter().enumerate() {
            let when = day.length() * share;
            fall(&mut day, Fall { spread: 3.0, ..Fall::at(when) }, &says(Upstream, 1012, ""), |it| {
                it.upstream % 2 == number
            });
        }
        calm(day)
    }),
    ("a rolling deploy says 1001, and all come back", |seed, size| {
        let mut day = Day::new(seed, size, |_, makings| {
            busy(makings);
            makings.upstreams = 3;
        });
        for upstream in 0..3 {
            let when = day.length() * 0.5 + 60.0 * upstream as f64;
            fall(&mut day, Fall { spread: 0.5, ..Fall::at(when) }, &says(Upstream, 1001, "shutdown"), |it| {
                it.upstream == upstream
            });
        }
        calm(day)
    }),
    ("a deploy says 1001 to dead phones too", |seed, size| {
        let mut day = Day::new(seed, size, |_, makings| {
            busy(makings);
            makings.mix = [0.4, 0.6, 0.0];
        });
        let when = day.length() * 0.5;
        fall(&mut day, Fall { spread: 0.5, ..Fall::at(when) }, &says(Upstream, 1001, ""), |_| true);
        some(
            &mut day,
            0.1,
            |_, it| it.victim,
            |day, at| {
                let life = day.sessions[at].script.life;
                day.strike(at, life, unanswered(Upstream, 1001, ""));
            },
        );
        calm(day)
    }),
    ("a load test ends: 1000", |seed, size| {
        let mut day = Day::new(seed, size, |_, _| {});
        together(&mut day, 80 + size / 4, "k6/1.3", 1, &says(Client, 1000, ""), 0.5);
        calm(day)
    }),
    ("a load test ends: FIN, three generators", |seed, size| {
        let mut day = Day::new(seed, size, |_, _| {});
        together(&mut day, 80 + size / 4, "Gatling/3.13", 3, &Ending::Fin(Client), 0.3);
        calm(day)
    }),
    ("a load test ends: killed, resets", |seed, size| {
        let mut day = Day::new(seed, size, |_, _| {});
        together(&mut day, 80 + size / 4, "artillery", 2, &Ending::Reset(Client), 0.2);
        calm(day)
    }),
    ("a batch's workers end by themselves", |seed, size| {
        let mut day = Day::new(seed, size, |_, makings| makings.hours = makings.hours.max(2.0));
        let workers = machines(&mut day, 40, "batch-worker/1.2", 40);
        let mut start = 300.0;
        while start + 700.0 < day.length() && start < 14_000.0 {
            for client in &workers {
                let opened = start + 2.0 * day.rng.f64();
                let mut session = day.session(opened, *client);
                session.script.life = 600.0 + 1.5 * day.rng.f64();
                session.script.acts = traffic(&mut day.rng, Program::Bare, session.script.life);
                session.script.ending = says(Client, 1000, "");
                day.sessions.push(session);
            }
            start += 3600.0;
        }
        calm(day)
    }),
    ("the upstream ends a batch with 1000", |seed, size| {
        let mut day = Day::new(seed, size, |_, _| {});
        together(&mut day, 60 + size / 4, "consumer/3", 30, &says(Upstream, 1000, "done"), 0.5);
        calm(day)
    }),
    ("one client in a loop: 1011", |seed, size| {
        let mut day = Day::new(seed, size, |_, makings| direct(makings));
        looping(&mut day, &says(Upstream, 1011, "bad message"), size / 3);
        calm(day)
    }),
    ("one client in a loop: 4401", |seed, size| {
        let mut day = Day::new(seed, size, |_, makings| direct(makings));
        looping(&mut day, &says(Upstream, 4401, "token expired"), size / 4);
        calm(day)
    }),
    ("one client in a loop: refused", |seed, size| {
        let mut day = Day::new(seed, size, |_, makings| direct(makings));
        let client = machines(&mut day, 1, "old-agent/0.3", 1)[0];
        for number in 0..size / 2 {
            day.fails(100.0 + 3.0 * number as f64, client, Outcome::Refused, Some(401));
        }
        calm(day)
    }),
    ("clients close idle sessions with 1000", |seed, size| {
        let mut day = Day::new(seed, size, |_, makings| long(makings, 1200.0));
        quiet(&mut day, 0.4, Program::Quiet(200.0), 1500.0);
        cut_idle(&mut day, Client, &says(Client, 1000, "idle"), BOTH, |_| 300.0, all);
        calm(day)
    }),
    ("clients close idle sessions without a code", |seed, size| {
        let mut day = Day::new(seed, size, |_, makings| long(makings, 400.0));
        quiet(&mut day, 0.3, Program::Quiet(80.0), 500.0);
        let ending = Ending::Close { by: Client, code: None, reason: String::new(), answer: Answer::Echo };
        cut_idle(&mut day, Client, &ending, BOTH, |_| 90.0, all);
        calm(day)
    }),
    ("a probe's sessions live ten seconds", |seed, size| {
        let mut day = Day::new(seed, size, |_, _| {});
        let probes = machines(&mut day, 5, "uptime-probe/1.0", 5);
        for number in 0..size / 4 {
            let client = probes[number % 5];
            let mut session = day.session(number as f64 * day.length() / (size as f64 / 4.0), client);
            session.script.life = 10.0 + 0.02 * day.rng.f64();
            session.script.acts = traffic(&mut day.rng, Program::Bare, 10.0);
            session.script.ending = if number % 2 == 0 { says(Client, 1000, "") } else { Ending::Fin(Client) };
            day.sessions.push(session);
        }
        calm(day)
    }),
    ("matches of a game end with 1000 by the upstream", |seed, size| {
        let mut day = Day::new(seed, size, |_, _| {});
        some(&mut day, 0.7, all, |day, at| soon(day, at, &says(Upstream, 1000, "match over")));
        calm(day)
    }),
    ("closewatch drains", |seed, size| {
        let mut day = Day::new(seed, size, |_, makings| busy(makings));
        let when = day.length() * 0.5;
        fall(&mut day, Fall { spread: 5.0, ..Fall::at(when) }, &Ending::Own(Cause::Drain), |it| it.instance == 0);
        for at in 0..day.clients.len() / 8 {
            day.fails(when + 1.0, at, Outcome::Draining, Some(503)).instance = 0;
        }
        calm(day)
    }),
    ("closewatch's own idle limit", |seed, size| {
        let mut day = Day::new(seed, size, |_, makings| long(makings, 1200.0));
        quiet(&mut day, 0.4, Program::Quiet(200.0), 1500.0);
        cut_idle(&mut day, Client, &Ending::Own(Cause::IdleTimeout), BOTH, |_| 300.0, all);
        calm(day)
    }),
    ("scanners and strangers", |seed, size| {
        let mut day = Day::new(seed, size, |_, makings| direct(makings));
        let scanners = machines(&mut day, 30, "zgrab/0.x", 200);
        for number in 0..size {
            let how =
                [(Outcome::BadRequest, Some(400)), (Outcome::NoRoute, Some(404)), (Outcome::TlsFailed, Some(400))];
            let at = day.length() * day.rng.f64();
            let (outcome, status) = pick(&mut day.rng, &how);
            let failed = day.fails(at, scanners[number % 30], outcome, status);
            failed.tls = (outcome == Outcome::TlsFailed).then_some(TlsFailure::NotTls);
            failed.path = Some("/.env");
        }
        calm(day)
    }),
    ("a small service: thirty sessions, some end badly", |seed, _| {
        let mut day = Day::new(seed, 30, |_, makings| {
            one_place(makings);
            makings.clients = 6;
        });
        some(&mut day, 0.2, all, |day, at| {
            let ending = pick_ending(day);
            soon(day, at, &ending);
        });
        calm(day)
    }),
    ("an office behind one address", |seed, size| {
        let mut day = Day::new(seed, size, |_, makings| {
            direct(makings);
            makings.mix = [1.0, 0.0, 0.0];
        });
        for client in &mut day.clients {
            if day.rng.f64() < 0.6 {
                "198.51.100.7".clone_into(&mut client.address);
            }
        }
        calm(day)
    }),
    ("some stall, and go on", |seed, size| {
        let mut day = Day::new(seed, size, |_, makings| makings.program = Program::Feed);
        for at in 0..day.sessions.len() {
            if day.rng.f64() < 0.3 {
                let time = day.sessions[at].script.life * 0.2 * day.rng.f64();
                day.sessions[at].script.relieved = Some((Client, time));
            }
        }
        calm(day)
    }),
    ("developers press Ctrl-C", |seed, size| {
        let mut day = Day::new(seed, size.min(300), |_, makings| {
            makings.mix = [0.3, 0.0, 0.7];
            makings.front = Front::Direct;
        });
        some(
            &mut day,
            0.35,
            |day, it| day.clients[it.client].kind == Kind::Daemon,
            |day, at| soon(day, at, &Ending::Fin(Client)),
        );
        calm(day)
    }),
    ("sessions of a fixed length that clients choose", |seed, size| {
        let mut day = Day::new(seed, size, |_, makings| long(makings, 900.0));
        cut_old(&mut day, &says(Client, 1000, "rotate"), 900.0, 0.0, |day, it| {
            day.clients[it.client].kind != Kind::Browser
        });
        calm(day)
    }),
    ("a few wrong passwords all day", |seed, size| {
        let mut day = Day::new(seed, size, |_, _| {});
        for _ in 0..size / 30 {
            let client = day.rng.usize(..day.clients.len());
            let at = day.length() * day.rng.f64();
            day.fails(at, client, Outcome::Refused, Some(401));
        }
        calm(day)
    }),
    ("everybody leaves when the match is over", |seed, size| {
        let mut day = Day::new(seed, size, |_, makings| {
            busy(makings);
            makings.mix = [0.7, 0.3, 0.0];
        });
        let end = day.length() * 0.6;
        for at in day.open(end) {
            let life = end - day.sessions[at].opened + 90.0 * day.rng.f64();
            let ending = if day.rng.bool() { says(Client, 1001, "") } else { says(Client, 1000, "") };
            day.strike(at, life, ending);
        }
        calm(day)
    }),
];

fn pick_ending(day: &mut Day) -> Ending {
    let endings = [Ending::Reset(Client), Ending::Reset(Upstream), Ending::Fin(Upstream), says(Upstream, 1011, "")];
    endings[day.rng.usize(..endings.len())].clone()
}

/// One client comes back again and again, and ends so each time.
fn looping(day: &mut Day, ending: &Ending, times: usize) {
    let client = machines(day, 1, "broken-bot/0.9", 1)[0];
    let mut at = day.length() * 0.2;
    for _ in 0..times {
        let mut session = day.session(at, client);
        session.script.life = 0.5 + day.rng.f64();
        session.script.ending = ending.clone();
        (session.route, session.upstream) = (0, 0);
        session.script.acts = traffic(&mut day.rng, Program::Bare, session.script.life);
        at += session.script.life + 1.0;
        day.sessions.push(session);
    }
}
