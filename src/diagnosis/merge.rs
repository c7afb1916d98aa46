//! One cause is one finding: the same on several routes is joined, and a consequence hangs on its cause.

use std::collections::HashSet;

use super::finding::{Culprit, Mechanism};
use super::log::Log;
use super::rules::Cause;
use crate::wire::Peer;

/// Limits that differ by no more are one.
const SAME_LIMIT: f64 = 0.12;
/// The same, of a box that forgets flows.
const SILENCES: f64 = 0.4;
/// A silence and an age that differ by no more are one timer's.
const SAME_TIMER: f64 = 0.02;
/// A consequence begins within this time of its cause, or of another one.
const AROUND: f64 = 120.0;

/// Of those who are refused so many must have been told before that their credential expired.
const THEIRS: f64 = 0.7;

/// Joins and hangs.
pub(super) fn merged(log: &Log<'_>, causes: Vec<Cause>) -> Vec<Cause> {
    let mut merged: Vec<Cause> = vec![];
    for cause in causes {
        match merged.iter_mut().find(|known| same(known, &cause)) {
            Some(known) => {
                // That of the many is the better estimate.
                if known.limit.is_none() || cause.limit.is_some() && known.members.len() < cause.members.len() {
                    known.limit = cause.limit;
                }
                if cause.members.len() > known.members.len() {
                    known.mechanism = cause.mechanism;
                    (known.culprit, known.or) = (cause.culprit, cause.or);
                    known.detail = cause.detail;
                }
                known.members.extend(cause.members);
                known.members.sort_unstable();
                known.followers.extend(cause.followers);
                known.confidence = known.confidence.max(cause.confidence);
            }
            None => merged.push(cause),
        }
    }
    // The first in precedence takes its consequences; the rules gave them in that order.
    let mut kept: Vec<Cause> = vec![];
    merged.sort_by_key(|cause| precedence(cause.mechanism));
    for cause in merged {
        let hangs_on = |known: &Cause| {
            brings_about((known.mechanism, known.culprit), (cause.mechanism, cause.culprit))
                && together(log, known, &cause)
                || locks_out(log, known, &cause)
                || leaves_some(log, known, &cause)
        };
        match kept.iter_mut().find(|known| hangs_on(known)) {
            Some(known) => {
                if !known.consequences.contains(&cause.mechanism) {
                    known.consequences.push(cause.mechanism);
                }
                known.followers.extend(cause.members);
                known.followers.extend(cause.followers);
            }
            None => kept.push(cause),
        }
    }
    kept
}

fn same(a: &Cause, b: &Cause) -> bool {
    // Where the silences of a few begin tells a limit only from above.
    let apart = if a.mechanism == Mechanism::SilentDrop { SILENCES } else { SAME_LIMIT };
    let limits = match (a.limit, b.limit) {
        (Some(a), Some(b)) => (a - b).abs() <= apart * a.max(b),
        (None, None) => true,
        // Of a credential or a pause that only some of them show.
        (Some(_), None) | (None, Some(_)) => !matches!(a.mechanism, Mechanism::IdleCut | Mechanism::MaxLifetime),
    };
    // A peer that never spoke is as silent as its session is old.
    let timers = |a: &Cause, b: &Cause| {
        a.mechanism == Mechanism::IdleCut
            && b.mechanism == Mechanism::MaxLifetime
            && a.limit.zip(b.limit).is_some_and(|(a, b)| (a - b).abs() <= SAME_TIMER * a.max(b))
    };
    // The likelier of two culprits on one route may be the other on the next: the cause is one of both.
    let culprits = a.culprit == b.culprit
        || side(a.culprit) == side(b.culprit) && (a.or.contains(&b.culprit) || b.or.contains(&a.culprit));
    (a.mechanism == b.mechanism && limits || timers(a, b) || timers(b, a)) && culprits
}

/// The upstream fell over, or is too busy: then handshakes fail, clients storm, and pings stay unanswered.
pub(super) const fn precedence(mechanism: Mechanism) -> u8 {
    match mechanism {
        Mechanism::BadInstance => 0,
        Mechanism::CrashLoop => 1,
        // Before the timeouts that it leaves over.
        Mechanism::Crash | Mechanism::UnannouncedRestart | Mechanism::SilentDrop => 2,
        Mechanism::PeerVanished => 3,
        Mechanism::KeepaliveTimeout | Mechanism::HeartbeatTimeout => 4,
        Mechanism::ReconnectStorm => 5,
        Mechanism::Overload => 6,
        Mechanism::IdleCut
        | Mechanism::MaxLifetime
        | Mechanism::HandlerError
        | Mechanism::MessageTooBig
        | Mechanism::AuthExpired
        | Mechanism::PolicyRejected
        | Mechanism::ProtocolError
        | Mechanism::CompressionError
        | Mechanism::BadHandshake
        | Mechanism::SlowConsumer
        | Mechanism::CertificateRejected
        | Mechanism::RandomResets
        | Mechanism::InternalError => 7,
        Mechanism::HandshakesRefused => 8,
    }
}

/// Whether an effect of this name may come of a cause of that name.
pub(super) fn brings_about(cause: (Mechanism, Culprit), effect: (Mechanism, Culprit)) -> bool {
    let ((cause, of), (effect, by)) = (cause, effect);
    let of_upstream =
        |culprit| matches!(culprit, Culprit::Upstream | Culprit::NetworkUpstreamSide | Culprit::MiddleboxBack);
    let falls = matches!(
        cause,
        Mechanism::CrashLoop
            | Mechanism::Crash
            | Mechanism::UnannouncedRestart
            | Mechanism::BadInstance
            | Mechanism::PeerVanished
    );
    let hangs = matches!(
        cause,
        Mechanism::KeepaliveTimeout | Mechanism::HeartbeatTimeout | Mechanism::Overload | Mechanism::ReconnectStorm
    );
    let effects = matches!(effect, Mechanism::HandshakesRefused | Mechanism::ReconnectStorm | Mechanism::Overload);
    let upstream = of_upstream(of) || cause == Mechanism::ReconnectStorm;
    upstream
        && (of_upstream(by) || effect == Mechanism::ReconnectStorm)
        && ((falls && (effects || effect == Mechanism::RandomResets))
            || (hangs && effects)
            || (cause == Mechanism::Overload && effect == Mechanism::HandshakesRefused))
}

/// Whether ends are the few that a box on the same leg, which ends sessions in that way, leaves over: its own that look otherwise, and
/// the background.
fn leaves_some(log: &Log<'_>, cause: &Cause, effect: &Cause) -> bool {
    may_leave((cause.mechanism, cause.culprit), (effect.mechanism, effect.culprit))
        && log.count(&effect.members) < 0.5 * log.count(&cause.members)
}

/// Whether ends of that name may be what a box of this name leaves over.
pub(super) fn may_leave(cause: (Mechanism, Culprit), effect: (Mechanism, Culprit)) -> bool {
    let resets = matches!(cause.0, Mechanism::IdleCut | Mechanism::MaxLifetime | Mechanism::SilentDrop)
        && effect.0 == Mechanism::RandomResets;
    let timeouts = cause.0 == Mechanism::SilentDrop && effect.0 == Mechanism::PeerVanished;
    (resets || timeouts) && side(cause.1).is_some() && side(cause.1) == side(effect.1)
}

/// The leg that a culprit is on.
const fn side(culprit: Culprit) -> Option<Peer> {
    match culprit {
        Culprit::Client | Culprit::NetworkClientSide | Culprit::MiddleboxFront => Some(Peer::Client),
        Culprit::Upstream | Culprit::NetworkUpstreamSide | Culprit::MiddleboxBack => Some(Peer::Upstream),
        Culprit::Proxy => None,
    }
}

/// Whether those who are refused are the clients of a credential that expired: they come back with the same one.
fn locks_out(log: &Log<'_>, cause: &Cause, effect: &Cause) -> bool {
    if cause.mechanism != Mechanism::AuthExpired
        || !matches!(effect.mechanism, Mechanism::HandshakesRefused | Mechanism::PolicyRejected)
    {
        return false;
    }
    let client = |row: &usize| log.clients.number(*row);
    let expired: HashSet<_> = cause.members.iter().map(client).collect();
    let theirs: Vec<usize> = effect.members.iter().copied().filter(|row| expired.contains(&client(row))).collect();
    log.count(&theirs) >= THEIRS * log.count(&effect.members)
}

/// Whether most of the effect lies in the time of the cause, and of what it is known to have brought about: an outage goes on behind
/// the ends that begin it.
fn together(log: &Log<'_>, cause: &Cause, effect: &Cause) -> bool {
    let (from, to) = log.span(&[&cause.members[..], &cause.followers].concat());
    let near: Vec<usize> =
        effect.members.iter().copied().filter(|row| (from - AROUND..=to + AROUND).contains(&log.at[*row])).collect();
    log.count(&near) >= 0.5 * log.count(&effect.members)
}
