//! Handshakes that failed.

use std::collections::{HashMap, HashSet};

use super::{CLIENTS, Cause};
use crate::close::Outcome;
use crate::diagnosis::cluster::quantile;
use crate::diagnosis::cohort::{LEAST, Trait, notable, others, shared};
use crate::diagnosis::finding::{Culprit, Mechanism};
use crate::diagnosis::log::{Log, Scope};
use crate::diagnosis::row::{Row, What};
use crate::diagnosis::sign::Sign;

/// Kinds of failures that have one cause each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The upstream said no, or nothing, or is not there; the client gave up waiting.
    Upstream,
    /// The upstream said no for want of a credential.
    Unauthorized,
    /// The upstream knows no such place.
    Missing,
    /// The 101 was none.
    Contradicts,
    /// TLS failed for a certificate.
    Certificate,
    /// One of closewatch's limits.
    OverLimit,
    /// closewatch failed.
    Internal,
    /// Nobody's fault, or a scanner's.
    Harmless,
}

/// Shares of a route's attempts from which on they are no background.
const FLOORS: [(Kind, f64); 7] = [
    (Kind::Internal, 0.01),
    (Kind::Certificate, 0.04),
    (Kind::Contradicts, 0.02),
    (Kind::OverLimit, 0.03),
    (Kind::Upstream, 0.04),
    (Kind::Unauthorized, 0.12),
    (Kind::Missing, 0.12),
];

/// Of what a program tried so much must be refused if it is about that program alone: of scripts some lack a password every day.
const LOCKED_OUT: f64 = 0.6;
/// Of those who are told that there is nothing so many must have had sessions: scanners have none.
const AT_HOME: f64 = 0.5;

/// Before the first refusal, a restart that was announced so shortly makes it the storm behind it.
const STORM: f64 = 180.0;
/// Attempts a client from which on it comes back without back-off.
const ATTEMPTS: f64 = 3.0;

/// A client that waited so long gave up for want of an answer.
const PATIENCE: f32 = 0.8;

/// Words of a certificate that is not believed.
const CERTIFICATE: [&str; 7] =
    ["certif", "wrong_name", "unknown_ca", "unknownca", "unknown ca", "expired", "not valid for name"];

/// Finds them, and explains their rows.
pub(super) fn causes(log: &Log<'_>) -> Vec<Cause> {
    log.by_scope(|route| of_scope(log, route)).into_iter().flatten().collect()
}

fn of_scope(log: &Log<'_>, route: Scope) -> Vec<Cause> {
    let mut causes = vec![];
    for (kind, floor) in FLOORS {
        let mut members = log.unexplained_of(route, may_fail);
        members.retain(|row| kind_of(log, log.rows[*row]) == kind);
        if members.len() < LEAST {
            continue;
        }
        let scope = log.unexplained(route);
        let Some(members) = notable(log, &members, &scope, floor) else { continue };
        let is_theirs = match kind {
            Kind::Unauthorized => is_locked_out(log, route, &members),
            Kind::Missing => are_at_home(log, &members),
            Kind::Upstream
            | Kind::Contradicts
            | Kind::Certificate
            | Kind::OverLimit
            | Kind::Internal
            | Kind::Harmless => true,
        };
        if log.clients(&members) < CLIENTS || !is_theirs {
            continue;
        }
        let cause = cause(log, kind, members, &scope);
        log.explain(&cause.members);
        causes.push(cause);
    }
    causes
}

/// Whether those who are refused are of many programs, or of one that hardly ever gets in.
fn is_locked_out(log: &Log<'_>, route: Scope, members: &[usize]) -> bool {
    if is_cut_off(log, route, members) {
        return false;
    }
    let all = log.within(log.rows_of(route), log.span(members));
    let Some(program) = shared(log, members, &others(all, members), Trait::UserAgent) else { return true };
    let of_program: Vec<usize> =
        all.iter().copied().filter(|row| Trait::UserAgent.of(log.rows[*row]) == program).collect();
    log.count(members) >= LOCKED_OUT * log.count(&of_program)
}

/// Whether the log ends before the sessions that began meanwhile: then nobody can tell how many were not refused, unless those who
/// were tried again.
fn is_cut_off(log: &Log<'_>, route: Scope, members: &[usize]) -> bool {
    let ages = log.values(log.sessions_of(route), |session| session.age);
    let (_, last) = log.span(members);
    let end = log.rows.last().map_or(last, |row| row.at);
    last > end - quantile(&ages, 0.5) && members.len() < 2 * log.clients(members)
}

/// Whether most of these clients have sessions, too.
fn are_at_home(log: &Log<'_>, members: &[usize]) -> bool {
    let client = |row: &usize| log.clients.number(*row);
    let known: HashSet<_> = log.sessions_of(None).iter().map(client).collect();
    let at_home: Vec<usize> = members.iter().copied().filter(|row| known.contains(&client(row))).collect();
    log.count(&at_home) >= AT_HOME * log.count(members)
}

/// Whether a row of this sign can be of any kind: most sessions cannot, and are not looked at any closer.
fn may_fail(sign: Option<Sign>) -> bool {
    sign.is_none_or(|sign| sign == Sign::GaveUp)
}

fn kind_of(log: &Log<'_>, row: &Row) -> Kind {
    let (outcome, status, tls, took) = match &row.what {
        What::Handshake { outcome, status, tls, took } => (*outcome, *status, *tls, *took),
        What::Session(session) if session.sign == Sign::GaveUp => return Kind::Upstream,
        What::Session(_) => return Kind::Harmless,
    };
    match outcome {
        Outcome::Refused if matches!(status, 401 | 403) => Kind::Unauthorized,
        Outcome::Refused if matches!(status, 400 | 404 | 405 | 410 | 426) => Kind::Missing,
        Outcome::Refused
        | Outcome::DialFailed
        | Outcome::DialTimeout
        | Outcome::UpstreamClosed
        | Outcome::UpstreamTimeout => Kind::Upstream,
        Outcome::ClientGone if took >= PATIENCE => Kind::Upstream,
        Outcome::BadResponse => Kind::Contradicts,
        Outcome::TlsFailed if is_of_certificate(log.names.of(tls)) => Kind::Certificate,
        Outcome::OverLimit => Kind::OverLimit,
        Outcome::Internal => Kind::Internal,
        Outcome::TlsFailed
        | Outcome::ClientGone
        | Outcome::Upgraded
        | Outcome::NoRoute
        | Outcome::BadRequest
        | Outcome::Draining => Kind::Harmless,
    }
}

fn is_of_certificate(error: &str) -> bool {
    let error = error.to_ascii_lowercase();
    CERTIFICATE.iter().any(|word| error.contains(word))
}

fn cause(log: &Log<'_>, kind: Kind, members: Vec<usize>, scope: &[usize]) -> Cause {
    let bystanders = others(scope, &members);
    let of_program = shared(log, &members, &bystanders, Trait::UserAgent).is_some();
    let count = members.len() as f64;
    match kind {
        Kind::Internal => Cause::new(Mechanism::InternalError, Culprit::Proxy, &[], members).sure(0.95),
        Kind::OverLimit => {
            Cause::new(Mechanism::HandshakesRefused, Culprit::Proxy, &[Culprit::Client], members).sure(0.92)
        }
        Kind::Contradicts => {
            Cause::new(Mechanism::BadHandshake, Culprit::Upstream, &[Culprit::MiddleboxBack], members).sure(0.93)
        }
        Kind::Certificate => {
            let by_upstream = members.iter().filter(|row| status(log, **row) == 502).count() as f64 / count > 0.5;
            let (culprit, or): (_, &[_]) = match (by_upstream, of_program) {
                (true, _) => (Culprit::Upstream, &[Culprit::Proxy]),
                (false, true) => (Culprit::Client, &[Culprit::Proxy]),
                (false, false) => (Culprit::Proxy, &[Culprit::Client]),
            };
            Cause::new(Mechanism::CertificateRejected, culprit, or, members).sure(0.93)
        }
        Kind::Unauthorized => {
            let (culprit, or) =
                if of_program { (Culprit::Client, Culprit::Upstream) } else { (Culprit::Upstream, Culprit::Client) };
            Cause::new(Mechanism::HandshakesRefused, culprit, &[or], members).sure(0.88)
        }
        Kind::Missing => {
            let (culprit, or) =
                if of_program { (Culprit::Client, Culprit::Upstream) } else { (Culprit::Upstream, Culprit::Client) };
            Cause::new(Mechanism::HandshakesRefused, culprit, &[or], members).sure(0.85)
        }
        Kind::Upstream | Kind::Harmless => storm(log, refused(log, members)),
    }
}

/// Refused, not answered, or not there: one cause, named by the most frequent.
fn refused(log: &Log<'_>, members: Vec<usize>) -> Cause {
    let mut counts: HashMap<Outcome, f64> = HashMap::new();
    for row in &members {
        let outcome = match &log.rows[*row].what {
            What::Handshake { outcome: Outcome::ClientGone, .. } | What::Session(_) => Outcome::UpstreamTimeout,
            What::Handshake { outcome, .. } => *outcome,
        };
        *counts.entry(outcome).or_default() += log.weight[*row];
    }
    let most = counts.into_iter().max_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
    let (mechanism, culprit, or): (_, _, &[_]) = match most.map(|(outcome, _)| outcome) {
        Some(Outcome::UpstreamTimeout) => (Mechanism::Overload, Culprit::Upstream, &[Culprit::NetworkUpstreamSide]),
        Some(Outcome::DialTimeout) => {
            (Mechanism::HandshakesRefused, Culprit::NetworkUpstreamSide, &[Culprit::Upstream])
        }
        Some(Outcome::DialFailed | Outcome::UpstreamClosed) => {
            (Mechanism::HandshakesRefused, Culprit::Upstream, &[Culprit::NetworkUpstreamSide])
        }
        _ => (Mechanism::HandshakesRefused, Culprit::Upstream, &[]),
    };
    Cause::new(mechanism, culprit, or, members).sure(0.9)
}

/// Behind a restart that was announced, and by clients that come back again and again: a storm.
fn storm(log: &Log<'_>, cause: Cause) -> Cause {
    let (from, _) = log.span(&cause.members);
    let near = log.within(log.rows_of(None), (from - STORM, from + 10.0));
    let announced = near.iter().filter(|row| log.sign(**row) == Some(Sign::Announced));
    let attempts = log.count(&cause.members) / log.clients(&cause.members).max(1) as f64;
    if announced.count() >= LEAST && attempts >= ATTEMPTS {
        let or = vec![Culprit::Upstream];
        let storm = Cause { mechanism: Mechanism::ReconnectStorm, culprit: Culprit::Client, or, ..cause };
        return storm.sure(0.85).because("attempts per client", attempts);
    }
    cause
}

fn status(log: &Log<'_>, row: usize) -> u16 {
    match &log.rows[row].what {
        What::Handshake { status, .. } => *status,
        What::Session(_) => 0,
    }
}
