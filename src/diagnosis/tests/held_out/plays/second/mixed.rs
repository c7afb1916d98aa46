//! Two causes in one log.

use super::super::play::{Play, Recipe, busy, direct, expect};
use super::kit::shared_by_three_routes;
use crate::close::Outcome;
use crate::diagnosis::tests::held_out::day::{Day, Makings, says, unanswered};
use crate::diagnosis::tests::held_out::incident::{
    BOTH, Fall, all, behind_a_message, cut_idle, cut_old, fall, falls_silent, forget, quiet, refuse, some, soon,
};
use crate::diagnosis::tests::held_out::program::Program;
use crate::diagnosis::tests::held_out::script::Ending;
use crate::diagnosis::{Culprit, Mechanism};
use crate::wire::Peer::{Client, Upstream};
use Culprit::{MiddleboxBack, MiddleboxFront, NetworkClientSide};
use Mechanism::{
    AuthExpired, BadInstance, Crash, CrashLoop, HandlerError, HandshakesRefused, IdleCut, KeepaliveTimeout,
    MaxLifetime, MessageTooBig, SilentDrop,
};

const UP: &[Culprit] = &[Culprit::Upstream];
const EITHER: &[Culprit] = &[Culprit::Client, Culprit::Upstream];

fn long_day(seed: u64, size: usize, limit: f64, change: fn(&mut Makings)) -> Day {
    let mut day = Day::new(seed, size.max(700), |_, makings| {
        makings.program = Program::Chat;
        makings.life = 500.0;
        makings.hours = 5.0;
        change(makings);
    });
    quiet(&mut day, 0.3, Program::Quiet(limit * 0.8), limit * 5.0);
    day
}

pub(super) const PLAYS: &[Recipe] = &[
    ("2 two: idle cut in front of three routes, and one bad upstream", |seed, size| {
        let mut day = long_day(seed, size, 47.0, |makings| {
            shared_by_three_routes(makings);
            makings.upstreams = 4;
        });
        cut_idle(&mut day, Client, &Ending::Fin(Client), BOTH, |_| 47.0, |_, it| it.upstream != 2);
        some(&mut day, 0.5, |_, it| it.upstream == 2, |day, at| soon(day, at, &Ending::Reset(Upstream)));
        let expected = vec![expect(&[IdleCut], &[MiddleboxFront], Some(Some(47.0))), expect(&[BadInstance], UP, None)];
        Play { day, expected }
    }),
    ("2 two: tokens expire, and a crash", |seed, size| {
        let mut day = Day::new(seed, size.max(600), |_, makings| {
            (makings.life, makings.hours, makings.upstreams, makings.routes) = (900.0, 3.0, 1, 1);
        });
        cut_old(&mut day, &says(Upstream, 4401, "jwt expired"), 600.0, 0.0, |_, it| it.client % 2 == 0);
        let when = day.length() * 0.5;
        fall(&mut day, Fall { away: 20.0, ..Fall::at(when) }, &Ending::Reset(Upstream), |_| true);
        let expected = vec![expect(&[AuthExpired], EITHER, Some(Some(600.0))), expect(&[Crash], UP, Some(None))];
        Play { day, expected }
    }),
    ("2 two: a crash loop, and messages too big", |seed, size| {
        let mut day = Day::new(seed, size.max(600), |_, makings| {
            busy(makings);
            (makings.upstreams, makings.routes) = (1, 1);
        });
        some(&mut day, 0.1, all, |day, at| behind_a_message(day, at, Client, &says(Upstream, 1009, "")));
        for number in 0..4 {
            let when = day.length() * 0.3 + 240.0 * f64::from(number);
            fall(&mut day, Fall { away: 12.0, ..Fall::at(when) }, &Ending::Reset(Upstream), |_| true);
        }
        let expected =
            vec![expect(&[CrashLoop], UP, Some(Some(240.0))), expect(&[MessageTooBig], &[Culprit::Client], Some(None))];
        Play { day, expected }
    }),
    ("2 two: keepalives time out, and 503 for an hour", |seed, size| {
        let mut day = Day::new(seed, size.max(700), |_, makings| {
            (makings.hours, makings.life, makings.program) = (6.0, 400.0, Program::Python);
        });
        let ending = unanswered(Upstream, 1011, "keepalive ping timeout");
        some(
            &mut day,
            0.08,
            |_, it| it.script.life > 60.0,
            |day, at| {
                falls_silent(day, at, Client, 40.0, Some(20.0), &ending);
            },
        );
        let length = day.length();
        refuse(&mut day, (0.4 * length, 0.6 * length), 0.8, &[(Outcome::Refused, Some(503))], 3, all);
        let expected = vec![
            expect(&[KeepaliveTimeout], &[Culprit::Client, NetworkClientSide], Some(Some(40.0))),
            expect(&[HandshakesRefused], UP, Some(None)),
        ];
        Play { day, expected }
    }),
    ("2 two: a NAT forgets in front, and a lifetime behind", |seed, size| {
        let mut day = long_day(seed, size, 300.0, direct);
        forget(&mut day, Client, 300.0, false, |_, it| it.client % 2 == 0);
        cut_old(&mut day, &Ending::Fin(Upstream), 1500.0, 0.0, |_, it| it.client % 2 == 1);
        let expected = vec![
            expect(&[SilentDrop], &[MiddleboxFront, NetworkClientSide], Some(Some(300.0))),
            expect(&[MaxLifetime], &[MiddleboxBack, Culprit::Upstream], Some(Some(1500.0))),
        ];
        Play { day, expected }
    }),
    ("2 two: idle cut behind, a handler on one route", |seed, size| {
        let mut day = long_day(seed, size, 95.0, |makings| (makings.routes, makings.shared) = (2, true));
        cut_idle(&mut day, Upstream, &Ending::Reset(Upstream), BOTH, |_| 95.0, all);
        some(
            &mut day,
            0.15,
            |_, it| !it.victim && it.route == 1,
            |day, at| {
                behind_a_message(day, at, Client, &says(Upstream, 1011, "TypeError"));
            },
        );
        let expected =
            vec![expect(&[IdleCut], &[MiddleboxBack], Some(Some(95.0))), expect(&[HandlerError], UP, Some(None))];
        Play { day, expected }
    }),
    ("2 two: a deploy that says 1012, and an idle cut", |seed, size| {
        let mut day = long_day(seed, size, 60.0, |makings| (makings.upstreams, makings.routes) = (2, 1));
        cut_idle(&mut day, Client, &Ending::Fin(Client), BOTH, |_| 60.0, all);
        for part in [0.3, 0.7] {
            let when = day.length() * part;
            fall(&mut day, Fall { spread: 2.0, ..Fall::at(when) }, &says(Upstream, 1012, ""), |_| true);
        }
        for session in &mut day.sessions {
            // An announced end is no harm.
            session.victim &= !matches!(session.script.ending, Ending::Close { .. });
        }
        Play { day, expected: vec![expect(&[IdleCut], &[MiddleboxFront], Some(Some(60.0)))] }
    }),
];
