//! Ends that facts or Closes explain one by one: their number makes the finding.

use super::{CLIENTS, Cause};
use crate::diagnosis::cluster::{self, quantile};
use crate::diagnosis::cohort::{LEAST, Trait, notable, others, shared};
use crate::diagnosis::finding::{Culprit, Mechanism};
use crate::diagnosis::log::{Log, Scope};
use crate::diagnosis::row::Session;
use crate::diagnosis::sign::Sign;
use crate::wire::Peer;

/// One rule: signs, what they are, and from which share of a route's sessions on they are no background.
struct Rule {
    sign: fn(Peer) -> Sign,
    mechanism: Mechanism,
    floor: f64,
    confidence: f64,
}

/// In the order of precedence: measured facts, then what Closes say.
const RULES: &[Rule] = &[
    rule(|_| Sign::Internal, Mechanism::InternalError, 0.005, 0.95),
    rule(|_| Sign::BadHandshake, Mechanism::BadHandshake, 0.01, 0.93),
    rule(Sign::Violated, Mechanism::ProtocolError, 0.012, 0.94),
    rule(Sign::Stalled, Mechanism::SlowConsumer, 0.012, 0.93),
    rule(Sign::Unanswered, Mechanism::KeepaliveTimeout, 0.02, 0.92),
    rule(Sign::Heartbeat, Mechanism::HeartbeatTimeout, 0.02, 0.92),
    rule(Sign::Expired, Mechanism::AuthExpired, 0.015, 0.93),
    rule(Sign::TooBig, Mechanism::MessageTooBig, 0.012, 0.95),
    rule(Sign::Compression, Mechanism::CompressionError, 0.012, 0.9),
    rule(Sign::Protocol, Mechanism::ProtocolError, 0.012, 0.9),
    rule(Sign::Overloaded, Mechanism::Overload, 0.015, 0.92),
    rule(Sign::Failed, Mechanism::HandlerError, 0.015, 0.9),
    rule(Sign::Refused, Mechanism::PolicyRejected, 0.025, 0.9),
];

const fn rule(sign: fn(Peer) -> Sign, mechanism: Mechanism, floor: f64, confidence: f64) -> Rule {
    Rule { sign, mechanism, floor, confidence }
}

/// Silences that differ from their mode by no more have a timer behind them.
const ONE_TIME: f64 = 0.15;
/// Before the first 1013, a restart that was announced so shortly makes it the storm behind it.
const STORM: f64 = 180.0;
/// An error so soon behind a message of the client is its answer.
const SOON: f64 = 5.0;
/// Attempts a client from which on it comes back without back-off.
const ATTEMPTS: f64 = 2.0;

/// Finds them, and explains their rows.
pub(super) fn causes(log: &Log<'_>, causes: &mut Vec<Cause>) {
    causes.extend(log.by_scope(|route| of_scope(log, route)).into_iter().flatten());
}

fn of_scope(log: &Log<'_>, route: Scope) -> Vec<Cause> {
    let of_rule = |rule: &'static Rule| {
        let of_both = (rule.sign)(Peer::Client) == (rule.sign)(Peer::Upstream);
        Peer::ALL.into_iter().take(if of_both { 1 } else { 2 }).map(move |peer| (rule, peer))
    };
    // Each looks at sessions of a sign of its own.
    let cases: Vec<(&Rule, Peer)> = RULES.iter().flat_map(of_rule).collect();
    let scope = log.sessions_of(route);
    let found = log.cores_of(route).map(&cases, |(rule, peer)| {
        let members = log.open(route, |sign| sign == (rule.sign)(*peer));
        let members = notable(log, &members, scope, rule.floor)?;
        let is_breach =
            matches!(rule.mechanism, Mechanism::ProtocolError | Mechanism::CompressionError | Mechanism::MessageTooBig);
        // One client that breaks every rule, with many sessions at once, is a test.
        if log.clients(&members) < CLIENTS || is_breach && log.is_one_client(&members) {
            return None;
        }
        let cause = cause(log, route, rule, *peer, &members, scope);
        log.explain(&cause.members);
        Some(cause)
    });
    found.into_iter().flatten().collect()
}

fn cause(log: &Log<'_>, route: Scope, rule: &Rule, peer: Peer, members: &[usize], scope: &[usize]) -> Cause {
    let bystanders = others(scope, members);
    let has = |property| shared(log, members, &bystanders, property).is_some();
    let of_network = has(Trait::Subnet);
    let of_program = has(Trait::UserAgent);
    let (side, network) = match peer {
        Peer::Client => (Culprit::Client, Culprit::NetworkClientSide),
        Peer::Upstream => (Culprit::Upstream, Culprit::NetworkUpstreamSide),
    };
    let accuser = if peer == Peer::Client { Culprit::Upstream } else { Culprit::Client };
    let silence = |session: &Session| session.silent[peer.index()];
    let gave_up = || {
        let values = log.values(members, silence);
        let limit = cluster::mode(&values);
        // A side that spoke until it fell silent was silent for any time when the next ping came to nothing.
        let close = values.iter().filter(|value| (**value - limit).abs() <= ONE_TIME * limit).count();
        (limit > 0.5 && close * 2 >= values.len()).then_some(limit)
    };
    let new = |culprit, or: &[_]| Cause::new(rule.mechanism, culprit, or, members.to_vec()).sure(rule.confidence);
    match rule.mechanism {
        Mechanism::InternalError => new(Culprit::Proxy, &[]),
        Mechanism::BadHandshake => new(Culprit::Upstream, &[Culprit::MiddleboxBack]),
        Mechanism::SlowConsumer => {
            let stalls = log.values(members, |session| f64::from(session.stalled[peer.index()]));
            let network_first = peer == Peer::Client && of_network && !of_program;
            let (culprit, or) = if network_first { (network, side) } else { (side, network) };
            new(culprit, &[or]).because("median time that bytes waited, s", quantile(&stalls, 0.5))
        }
        Mechanism::KeepaliveTimeout | Mechanism::HeartbeatTimeout => {
            // A program that all victims share, and a side that is not asleep but busy, is the program's fault.
            let network_first =
                peer == Peer::Client && !of_program && (of_network || rule.mechanism == Mechanism::KeepaliveTimeout);
            let (culprit, or) = if network_first { (network, side) } else { (side, network) };
            new(culprit, &[or]).with_limit(gave_up())
        }
        Mechanism::AuthExpired => new(side, &[accuser]).with_limit(age(log, members)),
        Mechanism::PolicyRejected => rejected(log, members, new(side, &[accuser])),
        Mechanism::ProtocolError if (rule.sign)(peer) == Sign::Violated(peer) => new(side, &[network]),
        Mechanism::MessageTooBig | Mechanism::ProtocolError | Mechanism::CompressionError => new(side, &[accuser]),
        Mechanism::Overload => overload(log, route, new(side, &[])),
        Mechanism::HandlerError
        | Mechanism::IdleCut
        | Mechanism::MaxLifetime
        | Mechanism::SilentDrop
        | Mechanism::Crash
        | Mechanism::CrashLoop
        | Mechanism::BadInstance
        | Mechanism::PeerVanished
        | Mechanism::ReconnectStorm
        | Mechanism::HandshakesRefused
        | Mechanism::CertificateRejected
        | Mechanism::RandomResets
        | Mechanism::UnannouncedRestart => failed(log, new(side, &[])),
    }
}

/// An age at which most of them ended.
fn age(log: &Log<'_>, members: &[usize]) -> Option<f64> {
    let ages = log.values(members, |session| session.age);
    let found = cluster::heaviest(&ages, LEAST.min(members.len()))?;
    (found.count * 2 > members.len()).then_some(found.center)
}

/// Refusals that all come at one age: of a credential.
fn rejected(log: &Log<'_>, members: &[usize], cause: Cause) -> Cause {
    match age(log, members).filter(|age| *age > 20.0) {
        Some(age) => Cause { mechanism: Mechanism::AuthExpired, ..cause.with_limit(Some(age)) },
        None => cause,
    }
}

/// 1013: shed; or, behind a restart that was announced, by clients that come back at once, a storm.
fn overload(log: &Log<'_>, route: Scope, cause: Cause) -> Cause {
    let (from, to) = log.span(&cause.members);
    let near = log.within(log.rows_of(route), (from - STORM, to));
    let announced = near.iter().any(|row| log.sign(*row) == Some(Sign::Announced));
    let refused = log.handshakes(route, |_| true);
    let attempts = log.count(&cause.members) + log.count(log.within(&refused, (from, to + 60.0)));
    let each = attempts / log.clients(&cause.members).max(1) as f64;
    let cause = cause.because("attempts per client", each);
    if announced && each >= ATTEMPTS {
        Cause { mechanism: Mechanism::ReconnectStorm, culprit: Culprit::Client, or: vec![Culprit::Upstream], ..cause }
            .sure(0.85)
    } else {
        cause
    }
}

/// 1011 and its like: soon behind a message of the other side, or not.
fn failed(log: &Log<'_>, mut cause: Cause) -> Cause {
    let since = log.values(&cause.members, |session| session.since_message[0]);
    let median = quantile(&since, 0.5);
    let soon = since.iter().filter(|since| **since <= SOON).count() as f64 / since.len().max(1) as f64;
    if soon < 0.5 {
        return cause.sure(0.82);
    }
    cause.detail = Some("most soon behind a message");
    cause.because("median time since the client's last message, s", median)
}
