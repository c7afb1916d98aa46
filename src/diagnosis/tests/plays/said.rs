//! Plays of facts and Closes that speak for one session each, and of handshakes that fail.

use crate::close::Outcome;
use crate::diagnosis::tests::incidents::{close, cut_old, falls_silent, refuse, says, some};
use crate::diagnosis::tests::recipe::{Recipe, any, hour, one, pick, play};
use crate::diagnosis::tests::stage::{Ends, Stage};
use crate::diagnosis::{Culprit, Mechanism};
use crate::wire::Peer::{Client, Upstream};

pub(super) const SAID: &[Recipe] = &[
    ("handler_error", |seed| {
        let mut stage = Stage::new(seed, |_| {});
        let whole = (0.0, stage.length());
        some(&mut stage, 0.05, whole, any, |stage, at| {
            let life = stage.sessions[at].life;
            stage.sessions[at].frames.push((life, Client));
            stage.sessions[at].life += 0.03;
            stage.sessions[at].ends = close(Upstream, 1011);
        });
        play(stage, one(Mechanism::HandlerError, Culprit::Upstream, None))
    }),
    ("1000 answered with 1011", |seed| {
        let mut stage = Stage::new(seed, |_| {});
        for session in &mut stage.sessions {
            if let Ends::Close { by: Client, code: Some(1000), answer, .. } = &mut session.ends {
                *answer = Some(1011);
            }
        }
        play(stage, one(Mechanism::HandlerError, Culprit::Upstream, None))
    }),
    ("keepalive_timeout of clients", |seed| {
        let mut stage = Stage::new(seed, |_| {});
        let time = hour(&mut stage);
        some(&mut stage, 0.4, time, any, |stage, at| {
            falls_silent(stage, at, &[Client, Upstream], 40.0);
            stage.sessions[at].facts[0].unanswered_pings = 1;
            stage.sessions[at].ends = says(Upstream, 1011, "keepalive ping timeout");
        });
        play(stage, one(Mechanism::KeepaliveTimeout, Culprit::NetworkClientSide, Some(40.0)))
    }),
    ("keepalive_timeout of the upstream", |seed| {
        let mut stage = Stage::new(seed, |_| {});
        let time = hour(&mut stage);
        some(&mut stage, 0.3, time, any, |stage, at| {
            falls_silent(stage, at, &[Upstream, Client], 30.0);
            stage.sessions[at].facts[1].unanswered_pings = 2;
            stage.sessions[at].ends = Ends::Reset(Client);
        });
        play(stage, one(Mechanism::KeepaliveTimeout, Culprit::Upstream, Some(30.0)))
    }),
    ("heartbeat_timeout with words", |seed| {
        let mut stage = Stage::new(seed, |_| {});
        let time = hour(&mut stage);
        some(&mut stage, 0.3, time, any, |stage, at| {
            falls_silent(stage, at, &[Upstream], 30.0);
            stage.sessions[at].ends = says(Client, 1000, "heartbeat timeout");
        });
        play(stage, one(Mechanism::HeartbeatTimeout, Culprit::Upstream, Some(30.0)))
    }),
    ("heartbeat_timeout without words", |seed| {
        let mut stage = Stage::new(seed, |_| {});
        let time = hour(&mut stage);
        some(&mut stage, 0.4, time, any, |stage, at| {
            falls_silent(stage, at, &[Client], 45.0);
            stage.sessions[at].ends = close(Upstream, 4000);
        });
        play(stage, one(Mechanism::HeartbeatTimeout, Culprit::Client, Some(45.0)))
    }),
    ("message_too_big", |seed| {
        let mut stage = Stage::new(seed, |_| {});
        let whole = (0.0, stage.length());
        some(&mut stage, 0.03, whole, any, |stage, at| stage.sessions[at].ends = close(Upstream, 1009));
        play(stage, one(Mechanism::MessageTooBig, Culprit::Client, None))
    }),
    ("auth_expired at an age", |seed| {
        let age = pick(seed, &[900.0, 3600.0, 300.0]);
        let mut stage = Stage::new(seed, |setting| {
            setting.life = age * 0.7;
            setting.hours = 8.0;
        });
        cut_old(&mut stage, age, &says(Upstream, 4401, "token expired"), |_| true);
        play(stage, one(Mechanism::AuthExpired, Culprit::Client, Some(age)))
    }),
    ("policy_rejected", |seed| {
        let mut stage = Stage::new(seed, |_| {});
        let time = hour(&mut stage);
        some(&mut stage, 0.4, time, any, |stage, at| stage.sessions[at].ends = says(Upstream, 1008, "rate limit"));
        play(stage, one(Mechanism::PolicyRejected, Culprit::Client, None))
    }),
    ("protocol_error that was seen", |seed| {
        let mut stage = Stage::new(seed, |_| {});
        let whole = (0.0, stage.length());
        some(&mut stage, 0.04, whole, any, |stage, at| {
            stage.sessions[at].facts[0].violations = 1;
            stage.sessions[at].ends = close(Upstream, 1002);
        });
        play(stage, one(Mechanism::ProtocolError, Culprit::Client, None))
    }),
    ("compression_error", |seed| {
        let mut stage = Stage::new(seed, |_| {});
        let whole = (0.0, stage.length());
        some(
            &mut stage,
            0.04,
            whole,
            |_, session| session.extensions,
            |stage, at| {
                stage.sessions[at].ends = close(Client, 1002);
            },
        );
        play(stage, one(Mechanism::CompressionError, Culprit::Upstream, None))
    }),
    ("bad_handshake: no subprotocol", |seed| {
        let mut stage = Stage::new(seed, |_| {});
        let time = hour(&mut stage);
        some(&mut stage, 0.5, time, any, |stage, at| {
            stage.end(at, 0.02, Ends::Fin(Client));
            stage.sessions[at].frames.clear();
            stage.sessions[at].offered = 2;
        });
        play(stage, one(Mechanism::BadHandshake, Culprit::Upstream, None))
    }),
    ("bad_handshake: 502", |seed| {
        let mut stage = Stage::new(seed, |_| {});
        let time = hour(&mut stage);
        refuse(&mut stage, time, 0.5, &[(Outcome::BadResponse, Some(502))], any);
        play(stage, one(Mechanism::BadHandshake, Culprit::Upstream, None))
    }),
    ("slow_consumer", |seed| {
        let mut stage = Stage::new(seed, |setting| setting.facts = true);
        let whole = (0.0, stage.length());
        some(&mut stage, 0.04, whole, any, |stage, at| {
            stage.sessions[at].facts[0].stalled = 20.0;
            stage.sessions[at].facts[0].stalled_at_end = Some(15.0);
            stage.sessions[at].ends = Ends::Reset(Upstream);
        });
        play(stage, one(Mechanism::SlowConsumer, Culprit::Client, None))
    }),
    ("handshakes_refused, 503 and 502", |seed| {
        let mut stage = Stage::new(seed, |_| {});
        let time = hour(&mut stage);
        let how = [(Outcome::Refused, Some(503)), (Outcome::Refused, Some(502)), (Outcome::Refused, Some(429))];
        refuse(&mut stage, time, 0.6, &how, any);
        play(stage, one(Mechanism::HandshakesRefused, Culprit::Upstream, None))
    }),
    ("handshakes_refused, 403", |seed| {
        let mut stage = Stage::new(seed, |_| {});
        let time = hour(&mut stage);
        refuse(&mut stage, time, 0.8, &[(Outcome::Refused, Some(403))], any);
        play(stage, one(Mechanism::HandshakesRefused, Culprit::Upstream, None))
    }),
    ("handshakes_refused by closewatch's limit", |seed| {
        let mut stage = Stage::new(seed, |_| {});
        let time = hour(&mut stage);
        refuse(&mut stage, time, 0.4, &[(Outcome::OverLimit, Some(503))], any);
        play(stage, one(Mechanism::HandshakesRefused, Culprit::Proxy, None))
    }),
    ("certificate_rejected by clients", |seed| {
        let mut stage = Stage::new(seed, |_| {});
        let time = hour(&mut stage);
        refuse(&mut stage, time, 0.9, &[(Outcome::TlsFailed, None)], any);
        for failure in &mut stage.failures {
            if failure.outcome == Outcome::TlsFailed {
                failure.tls = "certificate_expired".to_owned();
            }
        }
        play(stage, one(Mechanism::CertificateRejected, Culprit::Proxy, None))
    }),
    ("certificate_rejected: the upstream's", |seed| {
        let mut stage = Stage::new(seed, |_| {});
        let time = hour(&mut stage);
        refuse(&mut stage, time, 0.9, &[(Outcome::TlsFailed, Some(502))], any);
        for failure in &mut stage.failures {
            if failure.outcome == Outcome::TlsFailed {
                failure.tls = "unknown_ca".to_owned();
            }
        }
        play(stage, one(Mechanism::CertificateRejected, Culprit::Upstream, None))
    }),
];
