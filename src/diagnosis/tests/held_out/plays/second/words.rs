//! Ends that somebody explains, in many words and codes.

use super::super::play::{Recipe, expect, limit, long, one, part, share};
use super::kit::{few, rename_clients};
use crate::diagnosis::tests::held_out::chance::pick;
use crate::diagnosis::tests::held_out::day::{Day, Planned, says};
use crate::diagnosis::tests::held_out::incident::{all, behind_a_message, cut_old, falls_silent, some, soon};
use crate::diagnosis::tests::held_out::program::Program;
use crate::diagnosis::tests::held_out::script::{Act, Answer, Ending, What};
use crate::diagnosis::{Culprit, Mechanism};
use crate::wire::Peer::{self, Client, Upstream};
use Culprit::{NetworkClientSide, NetworkUpstreamSide};
use Mechanism::{
    AuthExpired, CompressionError, HandlerError, HeartbeatTimeout, KeepaliveTimeout, MaxLifetime, MessageTooBig,
    Overload, PolicyRejected, ProtocolError, SlowConsumer,
};

const UP: &[Culprit] = &[Culprit::Upstream];
const CLIENT: &[Culprit] = &[Culprit::Client];
const EITHER: &[Culprit] = &[Culprit::Client, Culprit::Upstream];
const CLIENTS: &[Culprit] = &[Culprit::Client, NetworkClientSide];
const UPSTREAMS: &[Culprit] = &[Culprit::Upstream, NetworkUpstreamSide];

fn day_of(seed: u64, size: usize, program: Program, routes: usize) -> Day {
    Day::new(seed, size, |_, makings| {
        makings.program = program;
        makings.life = makings.life.max(200.0);
        makings.hours = makings.hours.max(2.0);
        makings.routes = routes;
        makings.shared = routes > 1;
    })
}

fn scattered(seed: u64, size: usize, ending: &Ending) -> Day {
    let mut day = day_of(seed, size, Program::Bare, 1);
    let (share, part) = (few(&mut day), part(&mut day));
    some(&mut day, share, |_, it| (part.0..=part.1).contains(&it.opened), |day, at| soon(day, at, ending));
    day
}

fn upon_a_message(seed: u64, size: usize, routes: usize, by: Peer, ending: &Ending) -> Day {
    let mut day = day_of(seed, size, Program::Phoenix, routes);
    let share = few(&mut day);
    some(&mut day, share, all, |day, at| behind_a_message(day, at, by, ending));
    day
}

fn silence(
    seed: u64,
    size: usize,
    program: Program,
    who: Peer,
    limit: f64,
    pings: Option<f64>,
    ending: &Ending,
) -> Day {
    let mut day = day_of(seed, size, program, 1);
    let share = few(&mut day);
    some(&mut day, share, |_, it| it.script.life > 60.0, |day, at| falls_silent(day, at, who, limit, pings, ending));
    day
}

fn expires(seed: u64, size: usize, ages: &[f64], ending: &Ending, of: fn(&Day, &Planned) -> bool) -> (Day, f64) {
    let age = limit(seed, ages);
    let mut day = Day::new(seed, size.min(2000), |_, makings| {
        long(makings, age);
        makings.life = age / 2.0;
    });
    cut_old(&mut day, ending, age, 0.0, of);
    (day, age)
}

/// The heartbeats of the side that goes on are in the log.
fn keep_beating(day: &mut Day, by: Peer, limit: f64, period: f64) {
    for session in day.sessions.iter_mut().filter(|session| session.victim) {
        let script = &mut session.script;
        let mut at = script.life - limit + period * 0.4;
        while at < script.life - 0.2 {
            script.acts.push(Act { at, by, what: What::Message });
            at += period;
        }
        script.acts.sort_by(|a, b| a.at.total_cmp(&b.at));
    }
}

fn stalled(seed: u64, size: usize, who: Peer, ending: &Ending) -> Day {
    let mut day = day_of(seed, size, Program::Feed, 1);
    let share = few(&mut day);
    some(
        &mut day,
        share,
        |_, it| it.script.life > 50.0,
        |day, at| {
            soon(day, at, ending);
            let stall = 3.0 + 20.0 * day.rng.f64();
            let script = &mut day.sessions[at].script;
            let stall = stall.min(script.life * 0.6);
            script.acts.retain(|act| act.by != who || act.at < script.life - stall);
            for step in 1..6 {
                let at = script.life - stall + stall * f64::from(step) / 7.0;
                script.acts.push(Act { at, by: who.other(), what: What::Message });
            }
            script.acts.sort_by(|a, b| a.at.total_cmp(&b.at));
            script.stall = Some((who, stall));
        },
    );
    day
}

pub(super) const PLAYS: &[Recipe] = &[
    ("2 auth_expired: in other languages, at one age", |seed, size| {
        let words = [
            "Sitzung abgelaufen",
            "La sesión ha caducado",
            "Session expirée",
            "トークンの有効期限が切れました",
            "登录已过期",
        ];
        let words = words[seed as usize % words.len()];
        let code = [4001, 1008, 4401, 3000][seed as usize % 4];
        let (day, age) = expires(seed, size, &[600.0, 3600.0, 1500.0], &says(Upstream, code, words), all);
        one(day, expect(&[AuthExpired], EITHER, Some(Some(age))))
    }),
    ("2 auth_expired: libraries' own words", |seed, size| {
        let words = ["jwt expired", "invalid_token: exp claim", "Signature has expired", "ExpiredSignatureError"];
        let words = words[seed as usize % words.len()];
        let (day, age) = expires(seed, size, &[900.0, 350.0], &says(Upstream, 4403, words), all);
        one(day, expect(&[AuthExpired], EITHER, Some(Some(age))))
    }),
    ("2 auth_expired: the client closes since its token ran out", |seed, size| {
        let (day, age) = expires(seed, size, &[1800.0, 600.0], &says(Client, 4001, "session expired"), all);
        one(day, expect(&[AuthExpired], EITHER, Some(Some(age))))
    }),
    ("2 auth_expired: on one route of three", |seed, size| {
        let age = limit(seed, &[600.0, 1200.0]);
        let mut day = Day::new(seed, size * 3 / 2, |_, makings| {
            long(makings, age);
            makings.life = age / 2.0;
            (makings.routes, makings.shared) = (3, true);
        });
        cut_old(&mut day, &says(Upstream, 4401, "Token expired"), age, 0.0, |_, it| it.route == 2);
        one(day, expect(&[AuthExpired], EITHER, Some(Some(age))))
    }),
    ("2 max_lifetime or auth_expired: 4401 without a word at one age", |seed, size| {
        let (day, age) = expires(seed, size, &[3600.0, 900.0], &says(Upstream, 4401, ""), all);
        one(day, expect(&[AuthExpired, MaxLifetime], EITHER, Some(Some(age))))
    }),
    ("2 policy_rejected: 3000 and 3003 behind the opening", |seed, size| {
        let mut day = day_of(seed, size, Program::Chat, 1);
        let share = share(&mut day);
        some(&mut day, share, all, |day, at| {
            let life = 0.1 + 0.4 * day.rng.f64();
            let code = pick(&mut day.rng, &[3000, 3003]);
            day.strike(at, life, says(Upstream, code, ""));
        });
        one(day, expect(&[PolicyRejected], EITHER, Some(None)))
    }),
    ("2 policy_rejected: 1008 on three routes", |seed, size| {
        let mut day = day_of(seed, size, Program::Chat, 3);
        let share = few(&mut day);
        some(&mut day, share, all, |day, at| soon(day, at, &says(Upstream, 1008, "quota exceeded")));
        one(day, expect(&[PolicyRejected], EITHER, Some(None)))
    }),
    ("2 message_too_big: the upstream sends on three routes", |seed, size| {
        let day = upon_a_message(seed, size, 3, Upstream, &says(Client, 1009, ""));
        one(day, expect(&[MessageTooBig], UP, Some(None)))
    }),
    ("2 message_too_big: clients send, the upstream hangs up behind its Close", |seed, size| {
        let ending = Ending::Close { by: Upstream, code: Some(1009), reason: String::new(), answer: Answer::HungUp };
        one(upon_a_message(seed, size, 1, Client, &ending), expect(&[MessageTooBig], CLIENT, Some(None)))
    }),
    ("2 message_too_big: one release of the app", |seed, size| {
        let mut day = day_of(seed, size, Program::OkHttp, 1);
        let renamed = rename_clients(&mut day, if size < 500 { 0.3 } else { 0.1 }, "Acme/8.2.0 (Android 16)");
        some(
            &mut day,
            0.5,
            |_, it| renamed[it.client],
            |day, at| {
                behind_a_message(day, at, Client, &says(Upstream, 1009, "frame too large"));
            },
        );
        one(day, expect(&[MessageTooBig], CLIENT, Some(None)))
    }),
    ("2 protocol_error: one release of the app, 1007", |seed, size| {
        let mut day = day_of(seed, size, Program::Phoenix, 1);
        let renamed = rename_clients(&mut day, if size < 500 { 0.3 } else { 0.1 }, "Acme/9.0.1 CFNetwork/3860");
        some(
            &mut day,
            0.6,
            |_, it| renamed[it.client],
            |day, at| {
                day.sessions[at].extensions = false;
                behind_a_message(day, at, Client, &says(Upstream, 1007, ""));
            },
        );
        one(day, expect(&[ProtocolError], CLIENT, Some(None)))
    }),
    ("2 compression_error: the upstream cannot inflate", |seed, size| {
        let words = ["invalid deflate block", "", "zlib: inflate failed"];
        let words = words[seed as usize % words.len()];
        let mut day = day_of(seed, size, Program::Bare, 1);
        let share = few(&mut day);
        some(&mut day, share, all, |day, at| {
            day.sessions[at].extensions = true;
            behind_a_message(day, at, Client, &says(Upstream, 1007, words));
        });
        one(day, expect(&[CompressionError], CLIENT, Some(None)))
    }),
    ("2 compression_error: clients cannot inflate, three routes", |seed, size| {
        let mut day = day_of(seed, size, Program::Bare, 3);
        let share = few(&mut day);
        some(&mut day, share, all, |day, at| {
            day.sessions[at].extensions = true;
            behind_a_message(day, at, Upstream, &says(Client, 1002, "Invalid compressed data"));
        });
        one(day, expect(&[CompressionError], UP, Some(None)))
    }),
    ("2 slow_consumer: clients, the upstream hangs up", |seed, size| {
        one(stalled(seed, size, Client, &Ending::Fin(Upstream)), expect(&[SlowConsumer], CLIENTS, Some(None)))
    }),
    ("2 slow_consumer: clients, 1008 with words", |seed, size| {
        let ending = Ending::Close {
            by: Upstream,
            code: Some(1008),
            reason: "client too slow".to_owned(),
            answer: Answer::Nothing,
        };
        one(stalled(seed, size, Client, &ending), expect(&[SlowConsumer], CLIENTS, Some(None)))
    }),
    ("2 heartbeat_timeout: the server says 4408, without a reason", |seed, size| {
        let limit = limit(seed, &[45.0, 70.0, 95.0]);
        let ending = Ending::Close { by: Upstream, code: Some(4408), reason: String::new(), answer: Answer::Nothing };
        let mut day = silence(seed, size, Program::Beaten, Client, limit, None, &ending);
        keep_beating(&mut day, Upstream, limit, 7.0);
        one(day, expect(&[HeartbeatTimeout], CLIENTS, Some(Some(limit))))
    }),
    ("2 heartbeat_timeout: clients say 4000 to an upstream that is silent", |seed, size| {
        let limit = limit(seed, &[35.0, 20.0]);
        let ending = Ending::Close { by: Client, code: Some(4000), reason: String::new(), answer: Answer::Nothing };
        let mut day = silence(seed, size, Program::SignalR, Upstream, limit, None, &ending);
        keep_beating(&mut day, Client, limit, 9.0);
        one(day, expect(&[HeartbeatTimeout], UPSTREAMS, Some(Some(limit))))
    }),
    ("2 heartbeat_timeout: with a reason, on an idle client", |seed, size| {
        let words = ["No heartbeat received", "ping timeout", "missed heartbeat"];
        let words = words[seed as usize % words.len()];
        let limit = limit(seed, &[65.0, 90.0]);
        let mut day = silence(seed, size, Program::Beaten, Client, limit, None, &says(Upstream, 4002, words));
        keep_beating(&mut day, Upstream, limit, 10.0);
        one(day, expect(&[HeartbeatTimeout, KeepaliveTimeout], CLIENTS, None))
    }),
    ("2 keepalive_timeout: gorilla's pongWait, FIN", |seed, size| {
        let day = silence(seed, size, Program::Bare, Client, 60.0, Some(54.0), &Ending::Fin(Upstream));
        one(day, expect(&[KeepaliveTimeout], CLIENTS, Some(Some(60.0))))
    }),
    ("2 handler_error: 4500 on one route of three", |seed, size| {
        let mut day = day_of(seed, size * 3 / 2, Program::Bare, 3);
        let share = few(&mut day);
        some(
            &mut day,
            (share * 2.0).min(0.6),
            |_, it| it.route == 1,
            |day, at| {
                behind_a_message(day, at, Client, &says(Upstream, 4500, "boom"));
            },
        );
        one(day, expect(&[HandlerError], UP, Some(None)))
    }),
    ("2 handler_error: 3 % of a day of phones", |seed, size| {
        let mut day = Day::new(seed, size.max(1000), |_, makings| makings.mix = [0.1, 0.9, 0.0]);
        some(&mut day, 0.03, all, |day, at| {
            behind_a_message(day, at, Client, &says(Upstream, 1011, "Internal Server Error"));
        });
        one(day, expect(&[HandlerError], UP, Some(None)))
    }),
    ("2 overload: 1013 on three routes, one after another", |seed, size| {
        let mut day = day_of(seed, size, Program::Chat, 3);
        let share = few(&mut day);
        some(&mut day, share, all, |day, at| soon(day, at, &says(Upstream, 1013, "")));
        one(day, expect(&[Overload], UP, Some(None)))
    }),
    ("2 overload: at the limit of connections, words", |seed, size| {
        let day = scattered(seed, size, &says(Upstream, 4029, "too many connections, server overloaded"));
        one(day, expect(&[Overload, PolicyRejected], EITHER, Some(None)))
    }),
];
