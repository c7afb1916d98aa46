//! Boxes between the peers.

use super::super::play::{Recipe, direct, expect, limit, long, one, one_place};
use super::kit::{few, lose_hours, make_quiet, move_clients};
use crate::diagnosis::tests::held_out::day::{Day, Front, Makings, Planned};
use crate::diagnosis::tests::held_out::incident::{BOTH, FROM_UPSTREAM, all, cut_idle, cut_old, forget, quiet};
use crate::diagnosis::tests::held_out::program::Program;
use crate::diagnosis::tests::held_out::script::Ending;
use crate::diagnosis::{Culprit, Mechanism};
use crate::wire::Peer::{Client, Upstream};
use Culprit::{MiddleboxBack, MiddleboxFront, NetworkClientSide, NetworkUpstreamSide};
use Mechanism::{IdleCut, MaxLifetime, RandomResets, SilentDrop, UnannouncedRestart};

const FRONT: &[Culprit] = &[MiddleboxFront];
const BACK: &[Culprit] = &[MiddleboxBack];
const SUBNET: &[Culprit] = &[NetworkClientSide, MiddleboxFront];

fn idle(seed: u64, size: usize, limit: f64, program: Program, change: fn(&mut Makings)) -> Day {
    let mut day = Day::new(seed, size, |_, makings| {
        long(makings, limit * 4.0);
        makings.program = program;
        change(makings);
    });
    let share = few(&mut day) * 1.3;
    quiet(&mut day, share, Program::Quiet(limit * 0.8), limit * 5.0);
    day
}

fn old(seed: u64, size: usize, age: f64, change: fn(&mut Makings)) -> Day {
    Day::new(seed, size, |_, makings| {
        long(makings, age);
        makings.life = age / 2.0;
        change(makings);
    })
}

pub(super) const PLAYS: &[Recipe] = &[
    ("2 idle_cut: a few seconds, in front", |seed, size| {
        let limit = limit(seed, &[7.0, 11.0, 13.0]);
        let mut day = idle(seed, size, limit, Program::SignalR, |_| {});
        cut_idle(&mut day, Client, &Ending::Fin(Client), BOTH, |_| limit, all);
        one(day, expect(&[IdleCut], FRONT, Some(Some(limit))))
    }),
    ("2 idle_cut: mobile networks, in front", |seed, size| {
        let limit = limit(seed, &[47.0, 95.0, 28.0]);
        let mut day = idle(seed, size, limit, Program::Phoenix, |makings| {
            makings.mix = [0.2, 0.8, 0.0];
            makings.front = Front::Trusted;
        });
        cut_idle(&mut day, Client, &Ending::Fin(Client), BOTH, |_| limit, all);
        one(day, expect(&[IdleCut], FRONT, Some(Some(limit))))
    }),
    ("2 idle_cut: behind, reset, minutes", |seed, size| {
        let limit = limit(seed, &[350.0, 600.0, 125.0]);
        let mut day = idle(seed, size, limit, Program::Chat, |_| {});
        cut_idle(&mut day, Upstream, &Ending::Reset(Upstream), BOTH, |_| limit, all);
        one(day, expect(&[IdleCut], BACK, Some(Some(limit))))
    }),
    ("2 idle_cut: more than an hour, in front", |seed, size| {
        let limit = limit(seed, &[4000.0, 3600.0, 5400.0]);
        let mut day = idle(seed, size, limit, Program::Chat, |makings| makings.hours = makings.hours.max(30.0));
        cut_idle(&mut day, Client, &Ending::Fin(Client), BOTH, |_| limit, all);
        one(day, expect(&[IdleCut], FRONT, Some(Some(limit))))
    }),
    ("2 idle_cut: one balancer in front of three routes", |seed, size| {
        let limit = limit(seed, &[60.0, 95.0, 40.0]);
        let mut day = idle(seed, size * 3 / 2, limit, Program::Chat, super::kit::shared_by_three_routes);
        cut_idle(&mut day, Client, &Ending::Fin(Client), BOTH, |_| limit, all);
        one(day, expect(&[IdleCut], FRONT, Some(Some(limit))))
    }),
    ("2 idle_cut: one box behind three routes", |seed, size| {
        let limit = limit(seed, &[350.0, 47.0, 185.0]);
        let mut day = idle(seed, size * 3 / 2, limit, Program::Chat, super::kit::shared_by_three_routes);
        cut_idle(&mut day, Upstream, &Ending::Fin(Upstream), BOTH, |_| limit, all);
        one(day, expect(&[IdleCut], BACK, Some(Some(limit))))
    }),
    ("2 idle_cut: a read timeout on one route of three", |seed, size| {
        let limit = limit(seed, &[47.0, 75.0]);
        let mut day = Day::new(seed, size, |_, makings| {
            long(makings, limit * 4.0);
            (makings.routes, makings.shared) = (3, true);
        });
        let steady: Vec<usize> = (0..day.sessions.len()).filter(|at| day.sessions[*at].route == 1).collect();
        for at in steady {
            if day.rng.f64() < 0.7 {
                let life = limit * (2.0 + 5.0 * day.rng.f64());
                let acts = crate::diagnosis::tests::held_out::program::traffic(&mut day.rng, Program::Telemetry, life);
                (day.sessions[at].script.life, day.sessions[at].script.acts) = (life, acts);
            }
        }
        let steady =
            |_: &Day, it: &Planned| it.route == 1 && it.script.acts.iter().filter(|act| act.by == Upstream).count() < 2;
        cut_idle(&mut day, Client, &Ending::Fin(Client), FROM_UPSTREAM, |_| limit, steady);
        one(day, expect(&[IdleCut], FRONT, Some(Some(limit))))
    }),
    ("2 idle_cut: 3 % of many, behind", |seed, size| {
        let limit = limit(seed, &[95.0, 230.0]);
        let mut day = Day::new(seed, size.max(1200), |_, makings| {
            makings.mix = [0.3, 0.7, 0.0];
            long(makings, limit * 4.0);
        });
        quiet(&mut day, 0.04, Program::Quiet(limit * 0.9), limit * 6.0);
        cut_idle(&mut day, Upstream, &Ending::Fin(Upstream), BOTH, |_| limit, |_, it| it.script.life > limit * 2.0);
        one(day, expect(&[IdleCut], BACK, Some(Some(limit))))
    }),
    ("2 idle_cut: the limit drifts by a tenth", |seed, size| {
        let limit = limit(seed, &[90.0, 47.0]);
        let mut day = idle(seed, size, limit, Program::Chat, |_| {});
        let length = day.length();
        cut_idle(&mut day, Client, &Ending::Fin(Client), BOTH, |it| limit * (0.95 + 0.1 * it.opened / length), all);
        one(day, expect(&[IdleCut], FRONT, Some(Some(limit))))
    }),
    ("2 idle_cut: a site of IPv6", |seed, size| {
        let limit = limit(seed, &[47.0, 120.0, 240.0]);
        let mut day = idle(seed, size, limit, Program::Chat, direct);
        let moved = move_clients(&mut day, if size < 500 { 0.3 } else { 0.12 }, |rng| {
            format!("2001:db8:4d:{:x}::{:x}", rng.u16(..200), 1 + rng.u16(..60_000))
        });
        make_quiet(&mut day, limit, |it| moved[it.client]);
        cut_idle(&mut day, Client, &Ending::Fin(Client), BOTH, |_| limit, |_, it| moved[it.client]);
        one(day, expect(&[IdleCut], SUBNET, Some(Some(limit))))
    }),
    ("2 idle_cut: ten closewatch, clocks a minute apart", |seed, size| {
        let limit = limit(seed, &[20.0, 95.0]);
        let mut day = idle(seed, size, limit, Program::Chat, |makings| makings.instances = 10);
        for clock in &mut day.clocks {
            *clock = 60.0 * (day.rng.f64() - 0.5);
        }
        cut_idle(&mut day, Upstream, &Ending::Fin(Upstream), BOTH, |_| limit, all);
        one(day, expect(&[IdleCut], BACK, Some(Some(limit))))
    }),
    ("2 max_lifetime: a day, and hours of the log are missing", |seed, size| {
        let mut day = Day::new(seed, size.min(400), |_, makings| {
            makings.hours = 130.0;
            makings.life = 45_000.0;
            makings.program = Program::Quiet(900.0);
        });
        cut_old(&mut day, &Ending::Fin(Upstream), 86_400.0, 0.0, all);
        lose_hours(&mut day, &[(0.25, 0.33), (0.5, 0.58), (0.8, 0.84)]);
        one(day, expect(&[MaxLifetime], &[MiddleboxBack, Culprit::Upstream], Some(Some(86_400.0))))
    }),
    ("2 max_lifetime: three routes, in front", |seed, size| {
        let age = limit(seed, &[95.0, 600.0, 5700.0]);
        let mut day = old(seed, size * 3 / 2, age, super::kit::shared_by_three_routes);
        cut_old(&mut day, &Ending::Fin(Client), age, 0.0, all);
        one(day, expect(&[MaxLifetime], FRONT, Some(Some(age))))
    }),
    ("2 max_lifetime: half a minute, and all come back at once", |seed, size| {
        let age = limit(seed, &[30.0, 47.0]);
        let mut day = old(seed, size, age, |makings| makings.life = 80.0);
        let mut at = 0;
        while at < day.sessions.len() && day.sessions.len() < size * 2 {
            let life = age + 0.05 * day.rng.f64();
            if day.sessions[at].script.life > life {
                day.strike(at, life, Ending::Fin(Upstream));
                let after = 0.1 + day.rng.f64();
                day.again(at, after);
            }
            at += 1;
        }
        for at in at..day.sessions.len() {
            if day.sessions[at].script.life > age {
                day.strike(at, age + 0.03, Ending::Fin(Upstream));
            }
        }
        one(day, expect(&[MaxLifetime], &[MiddleboxBack, Culprit::Upstream], Some(Some(age))))
    }),
    ("2 max_lifetime: a log of thirty lines", |seed, _| {
        let age = limit(seed, &[30.0, 120.0, 900.0]);
        let mut day = Day::new(seed, 30, |_, makings| {
            one_place(makings);
            makings.clients = 30;
            makings.life = age * 1.5;
            makings.hours = age / 150.0;
        });
        cut_old(&mut day, &Ending::Fin(Client), age, 0.0, all);
        one(day, expect(&[MaxLifetime], FRONT, Some(Some(age))))
    }),
    ("2 silent_drop: a NAT that forgets at five minutes", |seed, size| {
        let mut day = idle(seed, size, 300.0, Program::Chat, direct);
        forget(&mut day, Client, 300.0, seed % 2 == 0, all);
        one(day, expect(&[SilentDrop], &[MiddleboxFront, NetworkClientSide], Some(Some(300.0))))
    }),
    ("2 silent_drop: an office's firewall", |seed, size| {
        let limit = limit(seed, &[120.0, 300.0, 60.0]);
        let mut day = idle(seed, size, limit, Program::Bare, direct);
        let moved =
            move_clients(&mut day, if size < 500 { 0.35 } else { 0.15 }, |rng| format!("198.18.7.{}", rng.u8(1..250)));
        make_quiet(&mut day, limit * 1.5, |it| moved[it.client]);
        forget(&mut day, Client, limit, false, |_, it| moved[it.client]);
        one(day, expect(&[SilentDrop], SUBNET, Some(Some(limit))))
    }),
    ("2 silent_drop: behind three routes, timeouts", |seed, size| {
        let limit = limit(seed, &[350.0, 900.0]);
        let mut day = idle(seed, size * 3 / 2, limit, Program::Chat, super::kit::shared_by_three_routes);
        forget(&mut day, Upstream, limit, true, all);
        one(day, expect(&[SilentDrop], &[MiddleboxBack, NetworkUpstreamSide], Some(Some(limit))))
    }),
    ("2 conntrack is flushed: every flow of a moment is forgotten", |seed, size| {
        let mut day = Day::new(seed, size, |_, makings| {
            super::super::play::busy(makings);
            makings.front = Front::Direct;
        });
        let when = day.length() * 0.55;
        for at in day.open(when) {
            let session = &day.sessions[at];
            let since = when - session.opened;
            // The next bytes for the client are answered by a reset; its own packets do not come through.
            let acts = &mut day.sessions[at].script.acts;
            let next = acts.iter().find(|act| act.at > since && act.by == Upstream).map(|act| act.at);
            if let Some(next) = next {
                acts.retain(|act| act.at < since || act.by == Upstream && act.at <= next);
                day.strike(at, next + 0.02, Ending::Reset(Client));
                if day.rng.f64() < 0.7 {
                    let after = 0.3 + 3.0 * day.rng.f64();
                    day.again(at, after);
                }
            }
        }
        one(day, expect(&[SilentDrop, RandomResets, UnannouncedRestart], SUBNET, None))
    }),
];
