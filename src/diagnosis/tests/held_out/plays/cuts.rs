//! Boxes: idle cuts, lifetimes, forgotten flows.

use super::play::{Recipe, direct, expect, limit, long, one, one_place, share};
use crate::diagnosis::tests::held_out::day::{Day, Front, Kind, Makings, says};
use crate::diagnosis::tests::held_out::incident::{
    BOTH, FROM_CLIENT, FROM_UPSTREAM, all, cut_idle, cut_old, forget, quiet,
};
use crate::diagnosis::tests::held_out::program::Program;
use crate::diagnosis::tests::held_out::script::Ending;
use crate::diagnosis::{Culprit, Mechanism};
use crate::wire::Peer::{Client, Upstream};
use Culprit::{MiddleboxBack, MiddleboxFront, NetworkClientSide, NetworkUpstreamSide};
use Mechanism::{IdleCut, MaxLifetime, SilentDrop};

const FRONT: &[Culprit] = &[MiddleboxFront];
const BACK: &[Culprit] = &[MiddleboxBack];

fn idle(seed: u64, size: usize, limit: f64, change: fn(&mut Makings)) -> Day {
    let mut day = Day::new(seed, size, |_, makings| {
        long(makings, limit * 4.0);
        makings.program = Program::Chat;
        change(makings);
    });
    let share = share(&mut day) * 1.3;
    quiet(&mut day, share, Program::Quiet(limit * 0.7), limit * 5.0);
    day
}

pub(super) const PLAYS: &[Recipe] = &[
    ("idle_cut: balancer in front, FIN, known limits", |seed, size| {
        let limit = limit(seed, &[60.0, 100.0, 350.0, 3600.0]);
        let mut day = idle(seed, size, limit, |_| {});
        cut_idle(&mut day, Client, &Ending::Fin(Client), BOTH, |_| limit, all);
        one(day, expect(&[IdleCut], FRONT, Some(Some(limit))))
    }),
    ("idle_cut: balancer in front, FIN, odd limits", |seed, size| {
        let limit = limit(seed, &[5.0, 50.0, 55.0, 230.0, 17.0]);
        let mut day = idle(seed, size, limit, |_| {});
        cut_idle(&mut day, Client, &Ending::Fin(Client), BOTH, |_| limit, all);
        one(day, expect(&[IdleCut], FRONT, Some(Some(limit))))
    }),
    ("idle_cut: box in front, reset", |seed, size| {
        let limit = limit(seed, &[240.0, 90.0, 45.0]);
        let mut day = idle(seed, size, limit, direct);
        cut_idle(&mut day, Client, &Ending::Reset(Client), BOTH, |_| limit, all);
        one(day, expect(&[IdleCut], FRONT, Some(Some(limit))))
    }),
    ("idle_cut: balancer behind, FIN", |seed, size| {
        let limit = limit(seed, &[60.0, 50.0, 75.0, 300.0]);
        let mut day = idle(seed, size, limit, |_| {});
        cut_idle(&mut day, Upstream, &Ending::Fin(Upstream), BOTH, |_| limit, all);
        one(day, expect(&[IdleCut], BACK, Some(Some(limit))))
    }),
    ("idle_cut: box behind, reset", |seed, size| {
        let limit = limit(seed, &[240.0, 65.0, 900.0]);
        let mut day = idle(seed, size, limit, |_| {});
        cut_idle(&mut day, Upstream, &Ending::Reset(Upstream), BOTH, |_| limit, all);
        one(day, expect(&[IdleCut], BACK, Some(Some(limit))))
    }),
    ("idle_cut: nginx behind hears only the upstream, clients talk on", |seed, size| {
        let limit = limit(seed, &[60.0, 90.0, 30.0]);
        let mut day = Day::new(seed, size, |_, makings| long(makings, limit * 4.0));
        let share = share(&mut day);
        quiet(&mut day, share, Program::Telemetry, limit * 6.0);
        cut_idle(&mut day, Upstream, &Ending::Fin(Upstream), FROM_UPSTREAM, |_| limit, |_, it| is_steady(it));
        one(day, expect(&[IdleCut], BACK, Some(Some(limit))))
    }),
    ("idle_cut: nginx in front hears only the upstream, clients talk on", |seed, size| {
        let limit = limit(seed, &[60.0, 120.0]);
        let mut day = Day::new(seed, size, |_, makings| long(makings, limit * 4.0));
        let share = share(&mut day);
        quiet(&mut day, share, Program::Telemetry, limit * 6.0);
        cut_idle(&mut day, Client, &Ending::Fin(Client), FROM_UPSTREAM, |_| limit, |_, it| is_steady(it));
        one(day, expect(&[IdleCut], FRONT, Some(Some(limit))))
    }),
    ("idle_cut: a box in front hears only clients, the upstream pushes on", |seed, size| {
        let limit = limit(seed, &[60.0, 180.0]);
        let mut day = Day::new(seed, size, |_, makings| long(makings, limit * 4.0));
        let share = share(&mut day);
        quiet(&mut day, share, Program::Feed, limit * 6.0);
        cut_idle(&mut day, Client, &Ending::Fin(Client), FROM_CLIENT, |_| limit, |_, it| is_steady(it));
        one(day, expect(&[IdleCut], FRONT, Some(Some(limit))))
    }),
    ("idle_cut: one route of two", |seed, size| {
        let limit = limit(seed, &[60.0, 30.0, 150.0]);
        let mut day = idle(seed, size, limit, |makings| makings.routes = 2);
        cut_idle(&mut day, Client, &Ending::Fin(Client), BOTH, |_| limit, |_, it| it.route == 0);
        one(day, expect(&[IdleCut], FRONT, Some(Some(limit))))
    }),
    ("idle_cut: ten instances, clocks apart", |seed, size| {
        let limit = limit(seed, &[60.0, 350.0]);
        let mut day = idle(seed, size, limit, |makings| makings.instances = 10);
        for clock in &mut day.clocks {
            *clock = 240.0 * (day.rng.f64() - 0.5);
        }
        cut_idle(&mut day, Client, &Ending::Fin(Client), BOTH, |_| limit, all);
        one(day, expect(&[IdleCut], FRONT, Some(Some(limit))))
    }),
    ("idle_cut: a limit that drifts by 8 % over the day", |seed, size| {
        let limit = limit(seed, &[60.0, 200.0]);
        let mut day = idle(seed, size, limit, |_| {});
        let length = day.length();
        cut_idle(&mut day, Client, &Ending::Fin(Client), BOTH, |it| limit * (0.96 + 0.08 * it.opened / length), all);
        one(day, expect(&[IdleCut], FRONT, Some(Some(limit))))
    }),
    ("idle_cut: 3 % of a day of phones", |seed, size| {
        let limit = limit(seed, &[60.0, 55.0, 120.0]);
        let mut day = Day::new(seed, size.max(800), |_, makings| {
            makings.mix = [0.15, 0.8, 0.05];
            long(makings, limit * 4.0);
        });
        quiet(&mut day, 0.045, Program::Quiet(limit * 0.8), limit * 6.0);
        cut_idle(&mut day, Client, &Ending::Fin(Client), BOTH, |_| limit, |_, it| it.script.life > limit * 2.0);
        one(day, expect(&[IdleCut], FRONT, Some(Some(limit))))
    }),
    ("idle_cut: a log of 40 lines", |seed, _| {
        let limit = limit(seed, &[60.0, 100.0, 20.0]);
        let mut day = Day::new(seed, 40, |_, makings| {
            one_place(makings);
            long(makings, limit * 4.0);
            makings.clients = 40;
        });
        quiet(&mut day, 0.5, Program::Quiet(limit * 0.9), limit * 8.0);
        cut_idle(&mut day, Client, &Ending::Fin(Client), BOTH, |_| limit, all);
        one(day, expect(&[IdleCut], FRONT, Some(Some(limit))))
    }),
    ("idle_cut: hours are missing", |seed, size| {
        let limit = limit(seed, &[60.0, 240.0]);
        let mut day = idle(seed, size * 3 / 2, limit, |makings| makings.hours = makings.hours.max(8.0));
        cut_idle(&mut day, Upstream, &Ending::Fin(Upstream), BOTH, |_| limit, all);
        let length = day.length();
        day.sessions.retain(|it| {
            let end = (it.opened + it.script.life) / length;
            !(0.2..0.4).contains(&end) && !(0.55..0.6).contains(&end)
        });
        one(day, expect(&[IdleCut], BACK, Some(Some(limit))))
    }),
    ("idle_cut: one subnet's box", |seed, size| {
        let limit = limit(seed, &[60.0, 30.0, 150.0]);
        let mut day = idle(seed, size, limit, direct);
        let share = if size < 500 { 0.3 } else { 0.12 };
        for client in &mut day.clients {
            if day.rng.f64() < share {
                client.address = format!("185.20.30.{}", day.rng.u8(1..250));
                client.kind = Kind::Browser;
            }
        }
        let of = |day: &Day, it: &super::super::day::Planned| day.clients[it.client].address.starts_with("185.20.30.");
        for at in 0..day.sessions.len() {
            if of(&day, &day.sessions[at]) {
                let life = limit * (2.0 + 6.0 * day.rng.f64());
                let acts = super::super::program::traffic(&mut day.rng, Program::Quiet(limit * 0.9), life);
                (day.sessions[at].script.life, day.sessions[at].script.acts) = (life, acts);
            }
        }
        cut_idle(&mut day, Client, &Ending::Fin(Client), BOTH, |_| limit, of);
        one(day, expect(&[IdleCut], &[NetworkClientSide, MiddleboxFront], Some(Some(limit))))
    }),
    ("idle_cut: the upstream closes idle sessions with 1001", |seed, size| {
        let limit = limit(seed, &[600.0, 300.0, 120.0]);
        let mut day = idle(seed, size, limit, |_| {});
        cut_idle(&mut day, Upstream, &says(Upstream, 1001, "Idle timeout"), BOTH, |_| limit, all);
        one(day, expect(&[IdleCut], &[Culprit::Upstream, MiddleboxBack], Some(Some(limit))))
    }),
    ("max_lifetime: in front, an hour or less", |seed, size| {
        let age = limit(seed, &[3600.0, 1800.0, 900.0, 15.0]);
        let mut day = Day::new(seed, size, |_, makings| {
            long(makings, age);
            makings.life = age / 2.0;
        });
        cut_old(&mut day, &Ending::Fin(Client), age, 0.0, all);
        one(day, expect(&[MaxLifetime], FRONT, Some(Some(age))))
    }),
    ("max_lifetime: behind, two hours, reset", |seed, size| {
        let age = limit(seed, &[7200.0, 600.0]);
        let mut day = Day::new(seed, size.min(2000), |_, makings| {
            long(makings, age);
            makings.life = age / 2.0;
        });
        cut_old(&mut day, &Ending::Reset(Upstream), age, 0.0, all);
        one(day, expect(&[MaxLifetime], &[MiddleboxBack, Culprit::Upstream], Some(Some(age))))
    }),
    ("max_lifetime: a day", |seed, size| {
        let age = 86_400.0;
        let mut day = Day::new(seed, size.min(300), |_, makings| {
            makings.hours = 120.0;
            makings.life = 40_000.0;
            makings.program = Program::Quiet(600.0);
        });
        cut_old(&mut day, &Ending::Fin(Upstream), age, 0.0, all);
        one(day, expect(&[MaxLifetime], &[MiddleboxBack, Culprit::Upstream], Some(Some(age))))
    }),
    ("max_lifetime: with 3 % of jitter", |seed, size| {
        let age = limit(seed, &[1800.0, 300.0]);
        let mut day = Day::new(seed, size, |_, makings| {
            long(makings, age);
            makings.life = age / 2.0;
        });
        cut_old(&mut day, &Ending::Fin(Client), age, 0.03, all);
        one(day, expect(&[MaxLifetime], FRONT, Some(Some(age))))
    }),
    ("max_lifetime: the upstream closes with 1001, without a word", |seed, size| {
        let age = limit(seed, &[7200.0, 1200.0, 300.0]);
        let mut day = Day::new(seed, size.min(2000), |_, makings| {
            long(makings, age);
            makings.life = age / 2.0;
        });
        cut_old(&mut day, &says(Upstream, 1001, ""), age, 0.0, all);
        one(day, expect(&[MaxLifetime], &[Culprit::Upstream], Some(Some(age))))
    }),
    ("silent_drop: in front, reset at the next packet", |seed, size| {
        let limit = limit(seed, &[350.0, 120.0, 60.0]);
        let mut day = idle(seed, size, limit / 2.0, direct);
        forget(&mut day, Client, limit / 2.0, false, all);
        one(day, expect(&[SilentDrop], &[MiddleboxFront, NetworkClientSide], Some(Some(limit / 2.0))))
    }),
    ("silent_drop: in front, timeouts", |seed, size| {
        let limit = limit(seed, &[300.0, 180.0]);
        let mut day = idle(seed, size, limit, direct);
        forget(&mut day, Client, limit, true, all);
        one(day, expect(&[SilentDrop], &[MiddleboxFront, NetworkClientSide], Some(Some(limit))))
    }),
    ("silent_drop: behind, reset at the next packet", |seed, size| {
        let limit = limit(seed, &[900.0, 350.0, 100.0]);
        let mut day = idle(seed, size, limit, |_| {});
        forget(&mut day, Upstream, limit, false, all);
        one(day, expect(&[SilentDrop], &[MiddleboxBack, NetworkUpstreamSide], Some(Some(limit))))
    }),
    ("silent_drop: behind, timeouts", |seed, size| {
        let limit = limit(seed, &[300.0, 1800.0]);
        let mut day = idle(seed, size, limit, |_| {});
        forget(&mut day, Upstream, limit, true, all);
        one(day, expect(&[SilentDrop], &[MiddleboxBack, NetworkUpstreamSide], Some(Some(limit))))
    }),
    ("idle_cut: all clients behind two mute balancers", |seed, size| {
        let limit = limit(seed, &[60.0, 33.0]);
        let mut day = idle(seed, size, limit, |makings| makings.front = Front::Mute);
        cut_idle(&mut day, Client, &Ending::Fin(Client), BOTH, |_| limit, all);
        one(day, expect(&[IdleCut], FRONT, Some(Some(limit))))
    }),
];

/// Its program goes on at a fixed pace: nobody is idle.
fn is_steady(session: &super::super::day::Planned) -> bool {
    let acts = &session.script.acts;
    acts.len() > 8 && {
        let by_client = acts.iter().filter(|act| act.by == Client).count();
        by_client < 2 || by_client + 2 > acts.len()
    }
}
