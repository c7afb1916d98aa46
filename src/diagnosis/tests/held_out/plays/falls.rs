//! Upstreams and networks that fall over: crashes, restarts, bad instances, resets, vanished peers.

use super::play::{Recipe, busy, direct, expect, limit, one, one_place, share};
use crate::close::{Cause, Outcome};
use crate::diagnosis::tests::held_out::day::{Day, Front, Makings, Planned, says};
use crate::diagnosis::tests::held_out::incident::{
    Fall, all, behind_a_message, fall, falls_silent, refuse, some, soon,
};
use crate::diagnosis::tests::held_out::program::Program;
use crate::diagnosis::tests::held_out::script::Ending;
use crate::diagnosis::{Culprit, Mechanism};
use crate::wire::Peer::{Client, Upstream};
use Culprit::{MiddleboxFront, NetworkClientSide, NetworkUpstreamSide, Proxy};
use Mechanism::{BadInstance, Crash, CrashLoop, InternalError, PeerVanished, RandomResets, UnannouncedRestart};

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

/// One of the upstreams is ill.
fn ill(it: &Planned) -> bool {
    it.upstream == 0 && it.route == 0
}

pub(super) const PLAYS: &[Recipe] = &[
    ("crash: killed, resets, then refused dials", |seed, size| {
        let mut day = crowd(seed, size, single);
        let when = day.length() * 0.6;
        fall(&mut day, Fall { away: 25.0, ..Fall::at(when) }, &Ending::Reset(Upstream), |_| true);
        one(day, expect(&[Crash], UP, Some(None)))
    }),
    ("crash: killed, FIN, then refused dials", |seed, size| {
        let mut day = crowd(seed, size, single);
        let when = day.length() * 0.4;
        fall(&mut day, Fall { away: 40.0, ..Fall::at(when) }, &Ending::Fin(Upstream), |_| true);
        one(day, expect(&[Crash], UP, Some(None)))
    }),
    ("crash: a storm of eager clients behind it", |seed, size| {
        let mut day = crowd(seed, size, single);
        let when = day.length() * 0.5;
        let outcome = (Outcome::Refused, Some(503));
        fall(&mut day, Fall { away: 60.0, eager: 1.5, outcome, ..Fall::at(when) }, &Ending::Reset(Upstream), |_| true);
        one(day, expect(&[Crash], UP, Some(None)))
    }),
    ("crash: everybody is given 1011", |seed, size| {
        let mut day = crowd(seed, size, single);
        let when = day.length() * 0.5;
        fall(&mut day, Fall { away: 5.0, ..Fall::at(when) }, &says(Upstream, 1011, "panic"), |_| true);
        one(day, expect(&[Crash], UP, Some(None)))
    }),
    ("crash: resets spread over two seconds, back at once", |seed, size| {
        let mut day = crowd(seed, size, single);
        let when = day.length() * 0.7;
        fall(&mut day, Fall { spread: 2.0, ..Fall::at(when) }, &Ending::Reset(Upstream), |_| true);
        one(day, expect(&[Crash], UP, Some(None)))
    }),
    ("crash: twenty sessions of a small service", |seed, _| {
        let mut day = Day::new(seed, 60, |_, makings| {
            one_place(makings);
            busy(makings);
            makings.hours = 1.0;
            makings.clients = 45;
        });
        let when = 2400.0;
        let open = day.open(when).len();
        for _ in open..20 {
            let client = day.rng.usize(..day.clients.len());
            let opened = when - 300.0 * day.rng.f64() - 5.0;
            let mut session = day.session(opened, client);
            session.script.life = 900.0;
            session.script.acts = super::super::program::traffic(&mut day.rng, Program::Chat, 900.0);
            day.sessions.push(session);
        }
        fall(&mut day, Fall { away: 12.0, ..Fall::at(when) }, &Ending::Reset(Upstream), |_| true);
        one(day, expect(&[Crash], UP, Some(None)))
    }),
    ("crash_loop: four times, minutes apart", |seed, size| {
        let mut day = crowd(seed, size, single);
        let period = limit(seed, &[300.0, 180.0, 420.0]);
        for number in 0..4 {
            let when = day.length() * 0.2 + f64::from(number) * period;
            fall(&mut day, Fall { away: 15.0, ..Fall::at(when) }, &Ending::Reset(Upstream), |_| true);
        }
        one(day, expect(&[CrashLoop], UP, Some(Some(period))))
    }),
    ("crash_loop: back-off grows, FIN", |seed, size| {
        let mut day = crowd(seed, size, single);
        let mut when = day.length() * 0.2;
        for pause in [160.0, 300.0, 320.0, 340.0] {
            fall(&mut day, Fall { away: 20.0, ..Fall::at(when) }, &Ending::Fin(Upstream), |_| true);
            when += pause;
        }
        one(day, expect(&[CrashLoop], UP, Some(Some(300.0))))
    }),
    ("crash_loop: three times, instances' clocks apart", |seed, size| {
        let mut day = crowd(seed, size, |makings| {
            single(makings);
            makings.instances = 3;
        });
        day.clocks = vec![0.0, 45.0, -70.0];
        let period = 500.0;
        for number in 0..3 {
            let when = day.length() * 0.3 + f64::from(number) * period;
            fall(&mut day, Fall { away: 15.0, ..Fall::at(when) }, &Ending::Reset(Upstream), |_| true);
        }
        one(day, expect(&[CrashLoop], UP, Some(Some(period))))
    }),
    ("bad_instance: one upstream of four resets at random", |seed, size| {
        let mut day = crowd(seed, size, |makings| (makings.upstreams, makings.routes) = (4, 1));
        some(&mut day, 0.6, |_, it| ill(it), |day, at| soon(day, at, &Ending::Reset(Upstream)));
        one(day, expect(&[BadInstance], UP, Some(None)))
    }),
    ("bad_instance: one upstream of three fails on messages", |seed, size| {
        let mut day = crowd(seed, size, |makings| (makings.upstreams, makings.routes) = (3, 1));
        some(
            &mut day,
            0.5,
            |_, it| ill(it),
            |day, at| behind_a_message(day, at, Client, &says(Upstream, 1011, "oops")),
        );
        one(day, expect(&[BadInstance], UP, Some(None)))
    }),
    ("bad_instance: one upstream of four crashes", |seed, size| {
        let mut day = crowd(seed, size, |makings| (makings.upstreams, makings.routes) = (4, 1));
        let when = day.length() * 0.5;
        fall(&mut day, Fall { away: 2.0, eager: 0.5, ..Fall::at(when) }, &Ending::Reset(Upstream), ill);
        one(day, expect(&[BadInstance], UP, Some(None)))
    }),
    ("bad_instance: one upstream of three crashes again and again", |seed, size| {
        let mut day = crowd(seed, size, |makings| (makings.upstreams, makings.routes) = (3, 1));
        for number in 0..5 {
            let when = day.length() * (0.2 + 0.12 * f64::from(number));
            fall(&mut day, Fall { away: 1.0, ..Fall::at(when) }, &Ending::Fin(Upstream), ill);
        }
        one(day, expect(&[BadInstance], UP, None))
    }),
    ("bad_instance: one upstream of four hangs", |seed, size| {
        let mut day = crowd(seed, size, |makings| (makings.upstreams, makings.routes) = (4, 1));
        some(&mut day, 0.7, |_, it| ill(it), |day, at| soon(day, at, &Ending::Timeout(Upstream)));
        one(day, expect(&[BadInstance], UP, Some(None)))
    }),
    ("bad_instance: one upstream of three leaves pings unanswered", |seed, size| {
        let mut day = crowd(seed, size, |makings| (makings.upstreams, makings.routes) = (3, 1));
        let ending = super::super::day::unanswered(Client, 1011, "keepalive ping timeout");
        some(&mut day, 0.6, |_, it| ill(it), |day, at| falls_silent(day, at, Upstream, 40.0, Some(20.0), &ending));
        one(day, expect(&[BadInstance], UP, None))
    }),
    ("bad_instance: one pod's sidecar upstream is ill", |seed, size| {
        let mut day = crowd(seed, size, |makings| {
            single(makings);
            (makings.instances, makings.sidecar) = (4, true);
        });
        some(&mut day, 0.5, |_, it| it.instance == 2, |day, at| soon(day, at, &Ending::Reset(Upstream)));
        one(day, expect(&[BadInstance], UP, Some(None)))
    }),
    ("bad_instance: one pod's sidecar upstream refuses", |seed, size| {
        let mut day = crowd(seed, size, |makings| {
            single(makings);
            (makings.instances, makings.sidecar) = (4, true);
        });
        let how = [(Outcome::Refused, Some(500)), (Outcome::DialFailed, Some(502))];
        refuse(&mut day, (0.0, 1e9), 0.7, &how, 2, |_, it| it.instance == 1);
        one(day, expect(&[BadInstance], UP, Some(None)))
    }),
    ("bad_instance: both legs of one closewatch", |seed, size| {
        let mut day = crowd(seed, size, |makings| {
            single(makings);
            makings.instances = 4;
        });
        some(
            &mut day,
            0.6,
            |_, it| it.instance == 3,
            |day, at| {
                let ending = if day.rng.bool() { Ending::Reset(Upstream) } else { Ending::Reset(Client) };
                soon(day, at, &ending);
            },
        );
        one(day, expect(&[BadInstance], &[Proxy], Some(None)))
    }),
    ("random_resets: clients' side", |seed, size| {
        let mut day = crowd(seed, size, |_| {});
        let share = share(&mut day).max(0.12);
        some(&mut day, share, all, |day, at| soon(day, at, &Ending::Reset(Client)));
        one(day, expect(&[RandomResets], &[NetworkClientSide, MiddleboxFront], Some(None)))
    }),
    ("random_resets: one subnet", |seed, size| {
        let mut day = crowd(seed, size, direct);
        let share = if size < 500 { 0.35 } else { 0.08 };
        for client in &mut day.clients {
            if day.rng.f64() < share {
                client.address = format!("185.20.30.{}", day.rng.u8(1..250));
            }
        }
        let of = |day: &Day, it: &Planned| day.clients[it.client].address.starts_with("185.20.30.");
        some(&mut day, 0.6, of, |day, at| soon(day, at, &Ending::Reset(Client)));
        one(day, expect(&[RandomResets], &[NetworkClientSide], Some(None)))
    }),
    ("random_resets: one client program", |seed, size| {
        let mut day = crowd(seed, size, |_| {});
        let share = if size < 500 { 0.35 } else { 0.1 };
        for client in &mut day.clients {
            if day.rng.f64() < share {
                "Kiosk/2.0.1-rc4".clone_into(&mut client.agent);
            }
        }
        some(
            &mut day,
            0.6,
            |day, it| day.clients[it.client].agent.starts_with("Kiosk"),
            |day, at| {
                soon(day, at, &Ending::Reset(Client));
            },
        );
        one(day, expect(&[RandomResets], &[Culprit::Client], Some(None)))
    }),
    ("random_resets: upstream's side, all upstreams", |seed, size| {
        let mut day = crowd(seed, size, |_| {});
        let share = share(&mut day);
        some(&mut day, share, all, |day, at| soon(day, at, &Ending::Reset(Upstream)));
        let culprits = &[NetworkUpstreamSide, Culprit::MiddleboxBack, Culprit::Upstream];
        one(day, expect(&[RandomResets], culprits, Some(None)))
    }),
    ("random_resets: both legs, one closewatch", |seed, size| {
        let mut day = crowd(seed, size, one_place);
        let share = share(&mut day).max(0.2);
        some(&mut day, share, all, |day, at| {
            let ending = if day.rng.bool() { Ending::Reset(Upstream) } else { Ending::Reset(Client) };
            soon(day, at, &ending);
        });
        one(day, expect(&[RandomResets], &[Proxy], Some(None)))
    }),
    ("peer_vanished: a carrier goes away", |seed, size| {
        let mut day = crowd(seed, size, |makings| {
            makings.front = Front::Direct;
            makings.mix = [0.6, 0.35, 0.05];
        });
        let when = day.length() * 0.5;
        let phones: Vec<bool> = day.clients.iter().map(|client| client.address.starts_with("100.")).collect();
        fall(&mut day, Fall { spread: 25.0, away: 0.0, ..Fall::at(when) }, &Ending::Timeout(Client), |it| {
            phones[it.client]
        });
        one(day, expect(&[PeerVanished], &[NetworkClientSide], None))
    }),
    ("peer_vanished: the upstream's host is gone", |seed, size| {
        let mut day = crowd(seed, size, single);
        let when = day.length() * 0.5;
        let outcome = (Outcome::DialTimeout, Some(504));
        let ending = Ending::Timeout(Upstream);
        fall(&mut day, Fall { spread: 25.0, away: 120.0, eager: 0.1, outcome, ..Fall::at(when) }, &ending, |_| true);
        one(day, expect(&[PeerVanished, Crash], &[NetworkUpstreamSide, Culprit::Upstream], None))
    }),
    ("peer_vanished: the way to the upstream loses packets", |seed, size| {
        let mut day = crowd(seed, size, |_| {});
        let share = share(&mut day);
        some(&mut day, share, all, |day, at| soon(day, at, &Ending::Timeout(Upstream)));
        one(day, expect(&[PeerVanished], &[NetworkUpstreamSide, Culprit::Upstream], None))
    }),
    ("unannounced_restart: FIN, and back at once", |seed, size| {
        let mut day = crowd(seed, size, single);
        let when = day.length() * 0.5;
        fall(&mut day, Fall { spread: 0.4, ..Fall::at(when) }, &Ending::Fin(Upstream), |_| true);
        one(day, expect(&[UnannouncedRestart], UP, Some(None)))
    }),
    ("unannounced_restart: three upstreams, one after the other", |seed, size| {
        let mut day = crowd(seed, size, |makings| (makings.upstreams, makings.routes) = (3, 1));
        for upstream in 0..3 {
            let when = day.length() * 0.4 + 40.0 * upstream as f64;
            fall(&mut day, Fall { spread: 0.5, ..Fall::at(when) }, &Ending::Fin(Upstream), |it| {
                it.upstream == upstream
            });
        }
        one(day, expect(&[UnannouncedRestart], UP, Some(None)))
    }),
    ("unannounced_restart: the balancer in front reloads", |seed, size| {
        let mut day = crowd(seed, size, |makings| makings.front = Front::Named);
        let when = day.length() * 0.5;
        fall(&mut day, Fall { spread: 0.6, ..Fall::at(when) }, &Ending::Fin(Client), |_| true);
        one(day, expect(&[UnannouncedRestart], &[MiddleboxFront], Some(None)))
    }),
    ("internal_error: closewatch fails", |seed, size| {
        let mut day = crowd(seed, size, |_| {});
        let share = share(&mut day) / 2.0;
        some(&mut day, share, all, |day, at| soon(day, at, &Ending::Own(Cause::ProxyError)));
        one(day, expect(&[InternalError], &[Proxy], Some(None)))
    }),
];
