//! Ends in open sessions that a peer, or a measured fact, explains.

use super::play::{Recipe, busy, expect, limit, long, one, part, share};
use crate::close::Outcome;
use crate::diagnosis::tests::held_out::day::{Day, says, unanswered};
use crate::diagnosis::tests::held_out::incident::{all, behind_a_message, cut_old, falls_silent, refuse, some, soon};
use crate::diagnosis::tests::held_out::program::Program;
use crate::diagnosis::tests::held_out::script::{Act, Answer, Ending, What};
use crate::diagnosis::{Culprit, Mechanism};
use crate::wire::Peer::{self, Client, Upstream};
use crate::wire::Violation;
use Culprit::{NetworkClientSide, NetworkUpstreamSide};
use Mechanism::{
    AuthExpired, BadHandshake, CompressionError, HandlerError, HandshakesRefused, HeartbeatTimeout, KeepaliveTimeout,
    MaxLifetime, MessageTooBig, Overload, PolicyRejected, ProtocolError, ReconnectStorm, SlowConsumer,
};

const UP: &[Culprit] = &[Culprit::Upstream];
const CLIENT: &[Culprit] = &[Culprit::Client];
const CLIENTS: &[Culprit] = &[Culprit::Client, NetworkClientSide];
const UPSTREAMS: &[Culprit] = &[Culprit::Upstream, NetworkUpstreamSide];

fn day_of(seed: u64, size: usize, program: Program) -> Day {
    Day::new(seed, size, |_, makings| {
        makings.program = program;
        makings.life = makings.life.max(200.0);
        makings.hours = makings.hours.max(2.0);
    })
}

/// A share of the sessions ends so, at any time.
fn scattered(seed: u64, size: usize, ending: &Ending) -> Day {
    let mut day = day_of(seed, size, Program::Chat);
    let (share, part) = (share(&mut day), part(&mut day));
    some(&mut day, share, |_, it| (part.0..=part.1).contains(&it.opened), |day, at| soon(day, at, ending));
    day
}

/// The same, behind a message.
fn upon_a_message(seed: u64, size: usize, by: Peer, ending: &Ending) -> Day {
    let mut day = day_of(seed, size, Program::Chat);
    let share = share(&mut day);
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
    let mut day = day_of(seed, size, program);
    let share = share(&mut day);
    some(&mut day, share, |_, it| it.script.life > 60.0, |day, at| falls_silent(day, at, who, limit, pings, ending));
    day
}

/// A peer breaks a rule at the end of some sessions.
fn breach(seed: u64, size: usize, by: Peer, violation: Violation, ending: &Ending) -> Day {
    let mut day = day_of(seed, size, Program::Bare);
    let share = share(&mut day);
    some(&mut day, share, all, |day, at| {
        soon(day, at, ending);
        let script = &mut day.sessions[at].script;
        script.acts.retain(|act| act.at < script.life);
        script.acts.push(Act { at: script.life, by, what: What::Breach(violation) });
        script.life += 0.02;
    });
    day
}

/// A peer takes no bytes any more, and the other ends it after a while.
fn stalled(seed: u64, size: usize, who: Peer, ending: &Ending) -> Day {
    let mut day = day_of(seed, size, Program::Feed);
    let share = share(&mut day);
    some(
        &mut day,
        share,
        |_, it| it.script.life > 40.0,
        |day, at| {
            soon(day, at, ending);
            let stall = 5.0 + 10.0 * day.rng.f64();
            let script = &mut day.sessions[at].script;
            script.acts.retain(|act| act.by != who || act.at < script.life - stall);
            for step in 1..5 {
                let at = script.life - stall + stall * f64::from(step) / 6.0;
                script.acts.push(Act { at, by: who.other(), what: What::Message });
            }
            script.acts.retain(|act| act.at > 0.0);
            script.acts.sort_by(|a, b| a.at.total_cmp(&b.at));
            script.stall = Some((who, stall.min(script.life)));
        },
    );
    day
}

fn expires(seed: u64, size: usize, ages: &[f64], ending: &Ending) -> (Day, f64) {
    let age = limit(seed, ages);
    let mut day = Day::new(seed, size.min(2000), |_, makings| {
        long(makings, age);
        makings.life = age / 2.0;
    });
    cut_old(&mut day, ending, age, 0.0, all);
    (day, age)
}

pub(super) const PLAYS: &[Recipe] = &[
    ("handler_error: 1011 behind a client's message", |seed, size| {
        one(upon_a_message(seed, size, Client, &says(Upstream, 1011, "")), expect(&[HandlerError], UP, Some(None)))
    }),
    ("handler_error: 1011 with words, on one path", |seed, size| {
        let mut day = day_of(seed, size, Program::Bare);
        let share = share(&mut day) * 1.5;
        for at in 0..day.sessions.len() {
            day.sessions[at].path = Some(["/rooms/42", "/boards/7", "/lobby"][day.rng.usize(..3)]);
        }
        some(
            &mut day,
            share.min(1.0),
            |_, it| it.path == Some("/boards/7"),
            |day, at| {
                behind_a_message(day, at, Client, &says(Upstream, 1011, "Unhandled exception in consumer"));
            },
        );
        one(day, expect(&[HandlerError], UP, Some(None)))
    }),
    ("handler_error: a client's 1000 is answered with 1011", |seed, size| {
        let ending = Ending::Close { by: Client, code: Some(1000), reason: String::new(), answer: Answer::Code(1011) };
        one(scattered(seed, size, &ending), expect(&[HandlerError], UP, Some(None)))
    }),
    ("keepalive_timeout: python server, 1011, clients gone", |seed, size| {
        let ending = unanswered(Upstream, 1011, "keepalive ping timeout");
        let day = silence(seed, size, Program::Python, Client, 40.0, Some(20.0), &ending);
        one(day, expect(&[KeepaliveTimeout], CLIENTS, Some(Some(40.0))))
    }),
    ("keepalive_timeout: node ws terminates, FIN", |seed, size| {
        let day = silence(seed, size, Program::Chat, Client, 60.0, Some(30.0), &Ending::Fin(Upstream));
        one(day, expect(&[KeepaliveTimeout], CLIENTS, Some(Some(60.0))))
    }),
    ("keepalive_timeout: node ws terminates, reset", |seed, size| {
        let day = silence(seed, size, Program::Chat, Client, 60.0, Some(30.0), &Ending::Reset(Upstream));
        one(day, expect(&[KeepaliveTimeout], CLIENTS, Some(Some(60.0))))
    }),
    ("keepalive_timeout: python client, the upstream hangs", |seed, size| {
        let ending = unanswered(Client, 1011, "keepalive ping timeout");
        let day = silence(seed, size, Program::Python, Upstream, 40.0, Some(20.0), &ending);
        one(day, expect(&[KeepaliveTimeout], UPSTREAMS, Some(Some(40.0))))
    }),
    ("keepalive_timeout: okhttp fails, reset", |seed, size| {
        let day = silence(seed, size, Program::OkHttp, Upstream, 60.0, Some(30.0), &Ending::Reset(Client));
        one(day, expect(&[KeepaliveTimeout], UPSTREAMS, Some(Some(60.0))))
    }),
    ("heartbeat_timeout: phoenix.js gives up with 1000 and words", |seed, size| {
        let ending = says(Client, 1000, "heartbeat timeout");
        let day = silence(seed, size, Program::Phoenix, Upstream, 60.0, None, &ending);
        one(day, expect(&[HeartbeatTimeout], UPSTREAMS, None))
    }),
    ("heartbeat_timeout: SignalR's client closes without a code", |seed, size| {
        let ending = Ending::Close { by: Client, code: None, reason: String::new(), answer: Answer::Nothing };
        let day = silence(seed, size, Program::SignalR, Upstream, 30.0, None, &ending);
        one(day, expect(&[HeartbeatTimeout], UPSTREAMS, Some(Some(30.0))))
    }),
    ("heartbeat_timeout: socket.io's server misses the client", |seed, size| {
        let ending = Ending::Close { by: Upstream, code: None, reason: String::new(), answer: Answer::Nothing };
        let mut day = silence(seed, size, Program::SocketIo, Client, 45.0, None, &ending);
        for session in &mut day.sessions {
            if session.victim {
                let script = &mut session.script;
                script.acts.push(Act { at: script.life - 20.0, by: Upstream, what: What::Message });
                script.acts.sort_by(|a, b| a.at.total_cmp(&b.at));
            }
        }
        one(day, expect(&[HeartbeatTimeout], CLIENTS, Some(Some(45.0))))
    }),
    ("heartbeat_timeout: the server misses heartbeats, 1000", |seed, size| {
        let day = silence(seed, size, Program::Beaten, Client, 60.0, None, &says(Upstream, 1000, ""));
        one(day, expect(&[HeartbeatTimeout], CLIENTS, Some(Some(60.0))))
    }),
    ("message_too_big: clients send, 1009", |seed, size| {
        one(upon_a_message(seed, size, Client, &says(Upstream, 1009, "")), expect(&[MessageTooBig], CLIENT, Some(None)))
    }),
    ("message_too_big: the upstream sends, 1009", |seed, size| {
        let ending = says(Client, 1009, "payload length exceeds limit");
        one(upon_a_message(seed, size, Upstream, &ending), expect(&[MessageTooBig], UP, Some(None)))
    }),
    ("auth_expired: words, at one age", |seed, size| {
        let (day, age) = expires(seed, size, &[3600.0, 900.0, 300.0], &says(Upstream, 4401, "token expired"));
        one(day, expect(&[AuthExpired], &[Culprit::Client, Culprit::Upstream], Some(Some(age))))
    }),
    ("auth_expired: words, 1008, at any age", |seed, size| {
        let day = scattered(seed, size, &says(Upstream, 1008, "JWT has expired"));
        one(day, expect(&[AuthExpired], &[Culprit::Client, Culprit::Upstream], Some(None)))
    }),
    ("auth_expired: centrifugo's 3005", |seed, size| {
        let (day, age) = expires(seed, size, &[1800.0, 600.0], &says(Upstream, 3005, "expired"));
        one(day, expect(&[AuthExpired], &[Culprit::Client, Culprit::Upstream], Some(Some(age))))
    }),
    ("auth_expired: 4401 at one age, then 401 for the same token", |seed, size| {
        let (mut day, age) = expires(seed, size, &[1800.0, 600.0], &says(Upstream, 4401, "Unauthorized"));
        for at in 0..day.sessions.len() {
            if day.sessions[at].victim {
                let session = day.sessions[at].clone();
                let mut when = session.opened + session.script.life + 0.5;
                for _ in 0..day.rng.usize(1..4) {
                    let failed = day.fails(when, session.client, Outcome::Refused, Some(401));
                    (failed.route, failed.instance) = (session.route, session.instance);
                    when += 1.0 + 4.0 * day.rng.f64();
                }
            }
        }
        one(day, expect(&[AuthExpired], &[Culprit::Client, Culprit::Upstream], Some(Some(age))))
    }),
    ("max_lifetime or auth_expired: 1008 without a word at one age", |seed, size| {
        let (day, age) = expires(seed, size, &[3600.0, 1200.0], &says(Upstream, 1008, ""));
        one(day, expect(&[AuthExpired, MaxLifetime], &[Culprit::Client, Culprit::Upstream], Some(Some(age))))
    }),
    ("policy_rejected: 1008, rate limit", |seed, size| {
        let day = scattered(seed, size, &says(Upstream, 1008, "rate limit exceeded"));
        one(day, expect(&[PolicyRejected], &[Culprit::Client, Culprit::Upstream], Some(None)))
    }),
    ("policy_rejected: 4403 right behind the opening", |seed, size| {
        let mut day = day_of(seed, size, Program::Chat);
        let share = share(&mut day);
        some(&mut day, share, all, |day, at| {
            let life = 0.2 + 0.3 * day.rng.f64();
            day.strike(at, life, says(Upstream, 4403, "Forbidden"));
        });
        one(day, expect(&[PolicyRejected], &[Culprit::Client, Culprit::Upstream], Some(None)))
    }),
    ("protocol_error: clients do not mask", |seed, size| {
        let day = breach(seed, size, Client, Violation::Mask, &says(Upstream, 1002, "unmasked"));
        one(day, expect(&[ProtocolError], CLIENTS, Some(None)))
    }),
    ("protocol_error: the upstream sets a reserved bit, clients hang up", |seed, size| {
        let day = breach(seed, size, Upstream, Violation::Rsv, &Ending::Fin(Client));
        one(day, expect(&[ProtocolError], UP, Some(None)))
    }),
    ("protocol_error: the upstream's frames, 1002 by clients", |seed, size| {
        let day = breach(seed, size, Upstream, Violation::Continuation, &says(Client, 1002, ""));
        one(day, expect(&[ProtocolError], UP, Some(None)))
    }),
    ("protocol_error: clients' text is not UTF-8, 1007", |seed, size| {
        let mut day = upon_a_message(seed, size, Client, &says(Upstream, 1007, "invalid UTF-8"));
        day.sessions.iter_mut().for_each(|session| session.extensions = false);
        one(day, expect(&[ProtocolError], CLIENT, Some(None)))
    }),
    ("protocol_error: 1003 to binary messages", |seed, size| {
        let day = upon_a_message(seed, size, Client, &says(Upstream, 1003, "binary not supported"));
        one(day, expect(&[ProtocolError], CLIENT, Some(None)))
    }),
    ("compression_error: browsers cannot inflate, 1002", |seed, size| {
        let mut day = day_of(seed, size, Program::Bare);
        let share = share(&mut day);
        some(&mut day, share, all, |day, at| {
            day.sessions[at].extensions = true;
            behind_a_message(day, at, Upstream, &says(Client, 1002, ""));
        });
        one(day, expect(&[CompressionError], UP, Some(None)))
    }),
    ("compression_error: words of the upstream, 1007", |seed, size| {
        let mut day = day_of(seed, size, Program::Bare);
        let share = share(&mut day);
        some(&mut day, share, all, |day, at| {
            day.sessions[at].extensions = true;
            behind_a_message(day, at, Client, &says(Upstream, 1007, "invalid deflate data"));
        });
        one(day, expect(&[CompressionError], CLIENT, Some(None)))
    }),
    ("bad_handshake: a subprotocol that nobody offered", |seed, size| {
        let mut day = day_of(seed, size, Program::Chat);
        let share = share(&mut day);
        some(&mut day, share, all, |day, at| {
            let session = &mut day.sessions[at];
            (session.offered, session.selected) = (1, true);
            session.script.acts.clear();
            session.script.acts.push(Act { at: 0.0, by: Upstream, what: What::Breach(Violation::Subprotocol) });
            day.strike(at, 0.02, Ending::Fin(Client));
        });
        one(day, expect(&[BadHandshake], UP, Some(None)))
    }),
    ("bad_handshake: the answer is no valid 101", |seed, size| {
        let mut day = day_of(seed, size, Program::Chat);
        let length = day.length();
        refuse(&mut day, (0.4 * length, 0.7 * length), 0.8, &[(Outcome::BadResponse, Some(502))], 3, all);
        one(day, expect(&[BadHandshake], UP, Some(None)))
    }),
    ("slow_consumer: clients do not read, reset", |seed, size| {
        one(stalled(seed, size, Client, &Ending::Reset(Upstream)), expect(&[SlowConsumer], CLIENTS, Some(None)))
    }),
    ("slow_consumer: clients do not read, centrifugo's 3008", |seed, size| {
        let day = stalled(seed, size, Client, &unanswered(Upstream, 3008, "slow"));
        one(day, expect(&[SlowConsumer], CLIENTS, Some(None)))
    }),
    ("slow_consumer: the upstream does not read", |seed, size| {
        let day = stalled(seed, size, Upstream, &Ending::Fin(Client));
        one(day, expect(&[SlowConsumer], UPSTREAMS, Some(None)))
    }),
    ("overload: 1013", |seed, size| {
        one(scattered(seed, size, &says(Upstream, 1013, "try again later")), expect(&[Overload], UP, Some(None)))
    }),
    ("overload: upgrades are not answered in time", |seed, size| {
        let mut day = day_of(seed, size, Program::Chat);
        let length = day.length();
        refuse(&mut day, (0.4 * length, 0.6 * length), 0.7, &[(Outcome::UpstreamTimeout, Some(504))], 2, all);
        one(day, expect(&[Overload, HandshakesRefused], UP, Some(None)))
    }),
    ("reconnect_storm: announced restart, then refusals to eager clients", |seed, size| {
        let mut day = Day::new(seed, size, |_, makings| {
            busy(makings);
            (makings.upstreams, makings.routes) = (1, 1);
        });
        let when = day.length() * 0.5;
        let fall = super::super::incident::Fall {
            spread: 1.0,
            away: 40.0,
            eager: 1.5,
            outcome: (Outcome::Refused, Some(503)),
            ..super::super::incident::Fall::at(when)
        };
        super::super::incident::fall(&mut day, fall, &says(Upstream, 1012, "service restart"), |_| true);
        one(day, expect(&[ReconnectStorm, HandshakesRefused], &[Culprit::Client, Culprit::Upstream], Some(None)))
    }),
    ("overload or storm: announced restart, then 1013 for those who come back", |seed, size| {
        let mut day = Day::new(seed, size, |_, makings| {
            busy(makings);
            (makings.upstreams, makings.routes) = (1, 1);
        });
        let when = day.length() * 0.5;
        let restart = says(Upstream, 1012, "");
        super::super::incident::fall(&mut day, super::super::incident::Fall::at(when), &restart, |_| true);
        for at in 0..day.sessions.len() {
            let again = day.sessions[at].opened;
            if again > when && again < when + 60.0 && day.rng.f64() < 0.8 {
                let life = 0.2 + day.rng.f64();
                day.strike(at, life, says(Upstream, 1013, "server busy"));
                for _ in 0..day.rng.usize(1..3) {
                    day.again(at, 0.5);
                    let last = day.sessions.len() - 1;
                    day.strike(last, 0.3, says(Upstream, 1013, "server busy"));
                }
            }
        }
        for session in &mut day.sessions {
            // The restart itself is no harm.
            session.victim &= session.opened > when;
        }
        one(day, expect(&[ReconnectStorm, Overload], &[Culprit::Client, Culprit::Upstream], Some(None)))
    }),
];
