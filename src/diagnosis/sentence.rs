//! Findings in plain words.

use super::finding::{Common, Culprit, Mechanism};
use super::rules::Cause;
use super::show::{shown, span};

/// A finding in one sentence.
pub(super) fn of(cause: &Cause, count: f64, kind: &str, route: Option<&str>, common: &Common) -> String {
    let limit = cause.limit.map(span).unwrap_or_default();
    let who = name(cause.culprit);
    let what = match cause.mechanism {
        Mechanism::IdleCut => format!("{who} ended them after {limit} of silence"),
        Mechanism::MaxLifetime => format!("{who} ended them at an age of {limit}"),
        Mechanism::SilentDrop => {
            format!("{who} forgot them after {limit} of silence, and the next packet met a reset or nothing")
        }
        Mechanism::Crash => format!("{who} fell over and ended them at one instant"),
        Mechanism::CrashLoop => format!("{who} fell over again and again, every {limit}"),
        Mechanism::BadInstance => {
            let unit = common.upstream.as_deref().or(common.instance.as_deref()).unwrap_or("one instance");
            format!("{} fails while its siblings are well", shown(unit))
        }
        Mechanism::HandlerError => format!("{who} failed on them, most soon behind a message"),
        Mechanism::KeepaliveTimeout => format!("{who} left pings unanswered{}", behind(&limit)),
        Mechanism::HeartbeatTimeout => format!("{who} left heartbeats of the application unanswered{}", behind(&limit)),
        Mechanism::MessageTooBig => format!("{who} sent messages bigger than the other side takes"),
        Mechanism::AuthExpired if cause.limit.is_some() => format!("their credentials expired at an age of {limit}"),
        Mechanism::AuthExpired => "their credentials expired".to_owned(),
        Mechanism::PolicyRejected => format!("{who} was refused in open sessions"),
        Mechanism::ProtocolError => format!("{who} broke the protocol"),
        Mechanism::CompressionError => format!("{who} sent compressed messages that the other side could not read"),
        Mechanism::BadHandshake => format!("{who} answered with a 101 that contradicts the request"),
        Mechanism::PeerVanished => format!("{who} stopped answering at all"),
        Mechanism::SlowConsumer => format!("{who} did not take what was sent to it"),
        Mechanism::ReconnectStorm => "clients came back at once, again and again, and were turned away".to_owned(),
        Mechanism::HandshakesRefused => format!("{who} refused upgrades or did not answer them"),
        Mechanism::CertificateRejected => format!("the certificate of {who} was rejected, or is rejected by it"),
        Mechanism::RandomResets => format!("{who} reset them at any age"),
        Mechanism::Overload => format!("{who} had too much to do"),
        Mechanism::UnannouncedRestart => format!("{who} restarted without a Close"),
        Mechanism::InternalError => format!("{who} failed; this is a bug, please report it"),
    };
    let route =
        route.filter(|route| !route.is_empty()).map_or_else(String::new, |route| format!(" of route {}", shown(route)));
    let detail = cause.detail.as_ref().map_or_else(String::new, |detail| format!(" ({detail})"));
    format!("{count:.0} {kind}{route}: {what}{detail}{}.", shared(common))
}

fn behind(limit: &str) -> String {
    if limit.is_empty() { String::new() } else { format!(" for {limit}") }
}

/// Up to three properties that victims share.
fn shared(common: &Common) -> String {
    let all = [
        ("user agent", common.user_agent.as_deref()),
        ("subnet", common.client_subnet.as_deref()),
        ("behind", common.client_address.as_deref()),
        ("instance", common.instance.as_deref()),
        ("upstream", common.upstream.as_deref()),
        ("path", common.path.as_deref()),
        ("subprotocol", common.subprotocol.as_deref()),
        ("client TLS", common.client_tls_version),
        ("upstream TLS", common.upstream_tls_version),
    ];
    let found: Vec<String> = all
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| format!("{name} {}", shown(value))))
        .take(3)
        .collect();
    if found.is_empty() { String::new() } else { format!("; in common: {}", found.join(", ")) }
}

const fn name(culprit: Culprit) -> &'static str {
    match culprit {
        Culprit::Client => "the client program",
        Culprit::Upstream => "the upstream",
        Culprit::NetworkClientSide => "the network on the clients' side",
        Culprit::NetworkUpstreamSide => "the network on the upstream's side",
        Culprit::MiddleboxFront => "a box between clients and closewatch",
        Culprit::MiddleboxBack => "a box between closewatch and the upstream",
        Culprit::Proxy => "closewatch or its host",
    }
}

/// Where to look, and which setting to change.
pub(super) fn action(cause: &Cause) -> String {
    let front = matches!(cause.culprit, Culprit::MiddleboxFront | Culprit::NetworkClientSide | Culprit::Client);
    let side = if front { "in front of closewatch" } else { "behind closewatch" };
    match cause.mechanism {
        Mechanism::IdleCut => format!(
            "Send pings more often than that (from the application or the server), or raise the idle timeout of the box {side}."
        ),
        Mechanism::SilentDrop => {
            format!("Send pings more often than that: the flow table of the box {side} forgets silent connections.")
        }
        Mechanism::MaxLifetime => {
            format!("Raise the limit on a connection's age {side}, or let clients reconnect before it.")
        }
        Mechanism::Crash | Mechanism::CrashLoop => {
            "Look at the upstream's log and exit code at these times (OOM, panic, probes).".to_owned()
        }
        Mechanism::UnannouncedRestart => {
            "Let it close sessions with 1001 or 1012 before it stops, and drain before a deploy.".to_owned()
        }
        Mechanism::BadInstance => "Take this instance out, and compare its version, host and log with a sibling's.".to_owned(),
        Mechanism::HandlerError => "Look for exceptions in the upstream's log at the times of the examples.".to_owned(),
        Mechanism::KeepaliveTimeout | Mechanism::HeartbeatTimeout => {
            "See why that side did not answer (blocked event loop, sleeping program, lost network) before raising the timeout."
                .to_owned()
        }
        Mechanism::MessageTooBig => "Send smaller messages, or raise the receiver's message limit.".to_owned(),
        Mechanism::AuthExpired => "Renew the credential in the open session, or reconnect before it expires.".to_owned(),
        Mechanism::PolicyRejected => "Read the close reason of the examples: credentials, permissions or rate.".to_owned(),
        Mechanism::ProtocolError => "Look at the library and version of the side that broke the protocol.".to_owned(),
        Mechanism::CompressionError => "Switch permessage-deflate off on one side, and compare versions.".to_owned(),
        Mechanism::BadHandshake => "Make the 101 select a subprotocol and extensions that were offered.".to_owned(),
        Mechanism::PeerVanished => format!("Look for hosts or links that went away {side}."),
        Mechanism::SlowConsumer => "Send less, or drop messages for slow readers; look why it does not read.".to_owned(),
        Mechanism::ReconnectStorm => "Give clients a random back-off, and the upstream room to take them back.".to_owned(),
        Mechanism::HandshakesRefused if cause.culprit == Culprit::Proxy => {
            "Raise limits.sessions, or add an instance.".to_owned()
        }
        Mechanism::HandshakesRefused => "See why the upstream refuses or cannot be reached.".to_owned(),
        Mechanism::CertificateRejected => "Check the certificate's dates, names and chain, and who trusts it.".to_owned(),
        Mechanism::RandomResets => format!("Look for the hop that resets connections {side}: host, network, firewall."),
        Mechanism::Overload => "Give the upstream more room, or shed earlier, at the handshake.".to_owned(),
        Mechanism::InternalError => "Report the examples' records and closewatch's own log.".to_owned(),
    }
}

/// The section of the documentation.
pub(super) fn runbook(mechanism: Mechanism) -> String {
    format!("docs/diagnosis.md#{}", mechanism.as_str())
}
