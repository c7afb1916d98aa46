//! Two causes at once.

use super::play::{Play, Recipe, busy, expect};
use crate::close::Outcome;
use crate::diagnosis::tests::held_out::day::{Day, Makings, says, unanswered};
use crate::diagnosis::tests::held_out::incident::{
    BOTH, Fall, all, behind_a_message, cut_idle, cut_old, fall, falls_silent, quiet, refuse, some,
};
use crate::diagnosis::tests::held_out::program::Program;
use crate::diagnosis::tests::held_out::script::Ending;
use crate::diagnosis::{Culprit, Mechanism};
use crate::wire::Peer::{Client, Upstream};
use Culprit::{MiddleboxBack, MiddleboxFront, NetworkClientSide};
use Mechanism::{
    AuthExpired, BadInstance, Crash, HandlerError, HandshakesRefused, IdleCut, KeepaliveTimeout, MaxLifetime,
    MessageTooBig,
};

const UP: &[Culprit] = &[Culprit::Upstream];

fn idle_day(seed: u64, size: usize, limit: f64, change: fn(&mut Makings)) -> Day {
    let mut day = Day::new(seed, size.max(600), |_, makings| {
        makings.program = Program::Chat;
        makings.life = 600.0;
        makings.hours = 4.0;
        change(makings);
    });
    quiet(&mut day, 0.3, Program::Quiet(limit * 0.7), limit * 5.0);
    day
}

pub(super) const PLAYS: &[Recipe] = &[
    ("two: idle cut in front, and a crash behind", |seed, size| {
        let mut day = idle_day(seed, size, 60.0, |makings| (makings.upstreams, makings.routes) = (1, 1));
        cut_idle(&mut day, Client, &Ending::Fin(Client), BOTH, |_| 60.0, all);
        let when = day.length() * 0.6;
        fall(&mut day, Fall { away: 20.0, ..Fall::at(when) }, &Ending::Reset(Upstream), |_| true);
        let expected = vec![expect(&[IdleCut], &[MiddleboxFront], Some(Some(60.0))), expect(&[Crash], UP, Some(None))];
        Play { day, expected }
    }),
    ("two: idle cuts in front and behind, of different limits", |seed, size| {
        let mut day = idle_day(seed, size, 90.0, |_| {});
        let front = |it: &super::super::day::Planned| it.client.is_multiple_of(2);
        cut_idle(&mut day, Client, &Ending::Fin(Client), BOTH, |_| 55.0, |_, it| front(it));
        cut_idle(&mut day, Upstream, &Ending::Fin(Upstream), BOTH, |_| 100.0, |_, it| !front(it));
        let expected = vec![
            expect(&[IdleCut], &[MiddleboxFront], Some(Some(55.0))),
            expect(&[IdleCut], &[MiddleboxBack], Some(Some(100.0))),
        ];
        Play { day, expected }
    }),
    ("two: idle cut behind, and a handler that fails", |seed, size| {
        let mut day = idle_day(seed, size, 60.0, |_| {});
        cut_idle(&mut day, Upstream, &Ending::Fin(Upstream), BOTH, |_| 60.0, all);
        some(
            &mut day,
            0.08,
            |_, it| !it.victim,
            |day, at| behind_a_message(day, at, Client, &says(Upstream, 1011, "")),
        );
        let expected =
            vec![expect(&[IdleCut], &[MiddleboxBack], Some(Some(60.0))), expect(&[HandlerError], UP, Some(None))];
        Play { day, expected }
    }),
    ("two: tokens expire, and a lifetime in front", |seed, size| {
        let mut day = Day::new(seed, size.max(600), |_, makings| {
            makings.life = 900.0;
            makings.hours = 6.0;
        });
        cut_old(&mut day, &says(Upstream, 4401, "token expired"), 900.0, 0.0, |_, it| it.client % 3 != 0);
        cut_old(&mut day, &Ending::Fin(Client), 1800.0, 0.0, |_, it| it.client % 3 == 0);
        let expected = vec![
            expect(&[AuthExpired], &[Culprit::Client, Culprit::Upstream], Some(Some(900.0))),
            expect(&[MaxLifetime], &[MiddleboxFront], Some(Some(1800.0))),
        ];
        Play { day, expected }
    }),
    ("two: a bad upstream, and clients that stop answering pings", |seed, size| {
        let mut day = Day::new(seed, size.max(600), |_, makings| {
            busy(makings);
            (makings.upstreams, makings.routes) = (4, 1);
        });
        some(
            &mut day,
            0.5,
            |_, it| it.upstream == 0,
            |day, at| {
                super::super::incident::soon(day, at, &Ending::Reset(Upstream));
            },
        );
        let ending = unanswered(Upstream, 1011, "keepalive ping timeout");
        some(
            &mut day,
            0.1,
            |_, it| it.upstream != 0 && it.script.life > 60.0,
            |day, at| {
                falls_silent(day, at, Client, 40.0, Some(20.0), &ending);
            },
        );
        let expected = vec![
            expect(&[BadInstance], UP, Some(None)),
            expect(&[KeepaliveTimeout], &[Culprit::Client, NetworkClientSide], Some(Some(40.0))),
        ];
        Play { day, expected }
    }),
    ("two: refusals in the morning, messages too big in the evening", |seed, size| {
        let mut day = Day::new(seed, size.max(600), |_, _| {});
        let length = day.length();
        refuse(&mut day, (0.1 * length, 0.4 * length), 0.5, &[(Outcome::Refused, Some(503))], 3, all);
        some(
            &mut day,
            0.15,
            |_, it| it.opened > 0.6 * length,
            |day, at| {
                behind_a_message(day, at, Client, &says(Upstream, 1009, "too big"));
            },
        );
        let expected = vec![
            expect(&[HandshakesRefused], UP, Some(None)),
            expect(&[MessageTooBig], &[Culprit::Client], Some(None)),
        ];
        Play { day, expected }
    }),
];
