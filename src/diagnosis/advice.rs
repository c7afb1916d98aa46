//! Advice behind a finding: where to look, which setting to change, and on which side.

use super::finding::{Culprit, Mechanism};
use super::limits;
use super::majority::Majority;
use super::rules::Cause;
use super::show::span;
use crate::close::Outcome;

/// The page that explains each mechanism.
const RUNBOOK: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/findings.md");

/// The action against a cause.
pub(super) fn action(cause: &Cause, majority: Majority) -> String {
    let Cause { mechanism, culprit, limit, .. } = cause;
    let place = place(*culprit);
    let is_front = matches!(culprit, Culprit::MiddleboxFront | Culprit::NetworkClientSide | Culprit::Client);
    let side = if is_front { "in front of closewatch" } else { "behind closewatch" };
    let ping = limit.map_or_else(String::new, |limit| {
        format!("send a ping from either side more often than every {}", span(limit))
    });
    // Its vendor is known by the limit; that of a program is in its own code.
    let known = |limit: f64| Some(format!(" Known for {}: {}.", span(limit), limits::known(*mechanism, limit)?));
    let products = limit.filter(|_| *culprit != Culprit::Upstream).and_then(known).unwrap_or_default();
    match mechanism {
        Mechanism::IdleCut => format!("Raise the idle timeout of {place}, or {ping}.{products}"),
        Mechanism::MaxLifetime => {
            format!(
                "Raise the limit on the age of connections at {place}, or let clients reconnect before it.{products}"
            )
        }
        Mechanism::SilentDrop if limit.is_some() => {
            format!("Raise the timeout of the connection table of {place}, or {ping}.")
        }
        Mechanism::SilentDrop => {
            format!("See what happened to {place} at that moment: a failover, a reload, a flushed connection table.")
        }
        Mechanism::Crash | Mechanism::CrashLoop if *culprit == Culprit::Upstream => {
            "Look at the upstream's log and exit code at these times: out of memory, a panic, a failed probe."
                .to_owned()
        }
        Mechanism::Crash | Mechanism::CrashLoop => {
            format!("Look at the log of {place} at these times: a crash, a failover, a reload.")
        }
        Mechanism::UnannouncedRestart if *culprit == Culprit::Upstream => {
            "Let the upstream close its sessions with 1001 or 1012 before it stops, and drain it before a deploy."
                .to_owned()
        }
        Mechanism::UnannouncedRestart => format!(
            "Let {place} keep old connections for longer when it reloads (nginx: worker_shutdown_timeout; HAProxy: hard-stop-after)."
        ),
        Mechanism::BadInstance => {
            "Take this instance out, and compare its version, host and log with a sibling's.".to_owned()
        }
        Mechanism::HandlerError => format!("Look for errors in the log of {place} at the times of the examples."),
        Mechanism::KeepaliveTimeout | Mechanism::HeartbeatTimeout => {
            let why = if is_front {
                "the clients did not answer (a blocked event loop, a sleeping device, a lost network)"
            } else {
                "the upstream did not answer (a blocked event loop, an overloaded host, a lost network)"
            };
            format!("See why {why} before you raise the timeout.")
        }
        Mechanism::MessageTooBig => "Send smaller messages, or raise the receiver's limit on their size.".to_owned(),
        Mechanism::AuthExpired => {
            "Renew the credential in the open session, or reconnect before it expires.".to_owned()
        }
        Mechanism::PolicyRejected => {
            "Read the close reasons of the examples: credentials, permissions or a rate limit.".to_owned()
        }
        Mechanism::ProtocolError => {
            format!("Look at violations in the records of the examples, and at the library and version of {place}.")
        }
        Mechanism::CompressionError => {
            "Switch permessage-deflate off on one side, and compare the libraries and versions of both.".to_owned()
        }
        Mechanism::BadHandshake => {
            "Let the upstream answer with a valid 101 that selects only a subprotocol and extensions that were offered."
                .to_owned()
        }
        Mechanism::PeerVanished => format!("Look for hosts or links that went away {side}."),
        Mechanism::SlowConsumer if is_front => {
            "Send less, or drop messages for slow clients, and see why they do not read.".to_owned()
        }
        Mechanism::SlowConsumer => "See why the upstream does not read: a blocked handler, a full queue.".to_owned(),
        Mechanism::ReconnectStorm => {
            "Give clients a random back-off, and the upstream room to take them back.".to_owned()
        }
        Mechanism::HandshakesRefused => refusal(*culprit, majority),
        Mechanism::CertificateRejected => certificate(*culprit).to_owned(),
        Mechanism::RandomResets if *culprit == Culprit::Client => {
            "See why that client program resets its connections: a crash, a kill, an exit with unread data.".to_owned()
        }
        Mechanism::RandomResets if *culprit == Culprit::Proxy => {
            "Look at closewatch's own host: network, connection table, memory.".to_owned()
        }
        Mechanism::RandomResets => format!("Look for the hop that cuts connections {side}: host, network, firewall."),
        Mechanism::Overload => "Give the upstream more room, or shed earlier, at the handshake.".to_owned(),
        Mechanism::InternalError => "Report the examples' records and closewatch's own log.".to_owned(),
    }
}

/// The thing whose setting it is.
const fn place(culprit: Culprit) -> &'static str {
    match culprit {
        Culprit::Client => "the client program",
        Culprit::Upstream => "the upstream",
        Culprit::NetworkClientSide => "the box in the clients' network",
        Culprit::NetworkUpstreamSide => "the box on the way to the upstream",
        Culprit::MiddleboxFront => "the box in front of closewatch",
        Culprit::MiddleboxBack => "the box behind closewatch",
        Culprit::Proxy => "closewatch's host",
    }
}

fn refusal(culprit: Culprit, majority: Majority) -> String {
    let advice = match (culprit, majority.outcome, majority.status) {
        (Culprit::Proxy, _, _) => {
            "Raise the limit that was reached (limits.sessions and its like), or add an instance."
        }
        (Culprit::Client, _, _) => "See what that client program sends: its credentials, version and Origin.",
        (_, Some(Outcome::DialFailed | Outcome::UpstreamClosed), _) => {
            "See whether the upstream runs and listens, and read its log."
        }
        (_, Some(Outcome::DialTimeout), _) => {
            "See why the upstream cannot be reached: firewall, routes, names, a host that is down."
        }
        (_, _, Some(401 | 403)) => "See why the upstream does not accept its clients' credentials.",
        _ => "Read the upstream's log: it was overloaded, in a deploy, or without something that it needs.",
    };
    advice.to_owned()
}

const fn certificate(culprit: Culprit) -> &'static str {
    match culprit {
        Culprit::Upstream => {
            "Check the upstream's certificate (dates, names, chain), and the roots in upstream_tls.ca."
        }
        Culprit::Client => {
            "See which authorities that client program trusts, and whether tls.cert has the whole chain."
        }
        Culprit::Proxy
        | Culprit::NetworkClientSide
        | Culprit::NetworkUpstreamSide
        | Culprit::MiddleboxFront
        | Culprit::MiddleboxBack => "Check the certificate in tls.cert: its dates, names and chain.",
    }
}

/// The section of the documentation.
pub(super) fn runbook(mechanism: Mechanism) -> String {
    format!("{RUNBOOK}#{}", mechanism.as_str())
}
