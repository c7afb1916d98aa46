//! Findings in plain words: one sentence each.

use super::finding::{Common, Culprit, Mechanism};
use super::majority::Majority;
use super::rules::Cause;
use super::show::{counted, shown, span};
use crate::close::Outcome;

/// A cause with its numbers, as a sentence needs them.
pub(super) struct Told<'a> {
    pub(super) cause: &'a Cause,
    pub(super) sessions: u64,
    pub(super) handshakes: u64,
    pub(super) route: Option<&'a str>,
    pub(super) common: &'a Common,
    pub(super) majority: Majority,
}

/// Properties that a sentence names; the rest is in `common`.
const NAMED: usize = 3;

// === impl Told ===

impl Told<'_> {
    /// A finding in one sentence.
    pub(super) fn sentence(&self) -> String {
        let count = match (self.sessions, self.handshakes) {
            (sessions, 0) => counted(sessions, "session"),
            (0, handshakes) => counted(handshakes, "failed handshake"),
            (sessions, handshakes) => {
                format!("{} and {}", counted(sessions, "session"), counted(handshakes, "failed handshake"))
            }
        };
        let route = match self.route {
            Some("") => String::new(),
            Some(route) => format!(" of route {}", shown(route)),
            None => " of several routes".to_owned(),
        };
        format!("{count}{route}: {}{}.", self.event(), self.shared())
    }

    /// The culprit and its deed.
    fn event(&self) -> String {
        let Cause { mechanism, culprit, limit, detail, .. } = self.cause;
        let (who, other) = (name(*culprit), opposite(*culprit));
        let limit = limit.map(span);
        let them = if self.sessions + self.handshakes == 1 { "it" } else { "them" };
        // A program closes; what is between only cuts.
        let cut = if *culprit == Culprit::Upstream { "closed" } else { "cut" };
        let at = |words: &str| limit.as_ref().map_or_else(String::new, |limit| format!(" {words} {limit}"));
        let code = self.majority.code.filter(|code| *code != 1006);
        let said = code.map_or_else(String::new, |code| format!(" ({code})"));
        match mechanism {
            Mechanism::IdleCut => {
                let heard = detail.map_or_else(String::new, |side| format!(" {side}"));
                format!("{who} {cut} {them}{} of silence{heard}", at("after"))
            }
            Mechanism::MaxLifetime => format!("{who} {cut} {them}{}, busy or not", at("at an age of")),
            Mechanism::SilentDrop if limit.is_some() => {
                format!("{who} forgot {them}{} of silence, and the next packet met a reset or nothing", at("after"))
            }
            Mechanism::SilentDrop => {
                format!("{who} forgot {them} at one moment, and the next packet of each met a reset")
            }
            Mechanism::Crash => format!("{who} fell over and took {them} down at one moment"),
            Mechanism::CrashLoop => format!(
                "{who} fell over again and again{}",
                limit.as_ref().map_or_else(String::new, |every| format!(", about every {every}"))
            ),
            Mechanism::UnannouncedRestart if *culprit == Culprit::Upstream => {
                format!("{who} restarted and dropped {them} without a Close")
            }
            Mechanism::UnannouncedRestart => format!("{who} restarted and dropped {them}"),
            Mechanism::BadInstance => format!("{} while its siblings are well", self.sick_unit()),
            Mechanism::HandlerError => match self.majority.code {
                Some(1006) => format!("{who} cut {them} right behind a message of {other}"),
                Some(1000 | 1001 | 1005) => format!("{who} answered the Close of {other} with an error (1011)"),
                Some(_) | None => {
                    format!(
                        "{who} ended {them} with an error{said}{}",
                        detail.map_or_else(String::new, |when| format!(", {when}"))
                    )
                }
            },
            Mechanism::KeepaliveTimeout => unanswered("pings", *culprit, &at("for")),
            Mechanism::HeartbeatTimeout => unanswered("heartbeats of the application", *culprit, &at("for")),
            Mechanism::MessageTooBig => format!("{who} sent messages bigger than {other} takes{said}"),
            Mechanism::AuthExpired if limit.is_some() => {
                format!("{other} ended {them}{} because a credential expires then{said}", at("at an age of"))
            }
            Mechanism::AuthExpired => format!("{other} ended {them} because a credential had expired{said}"),
            Mechanism::PolicyRejected => format!("{other} refused {who} after the upgrade{said}"),
            Mechanism::ProtocolError => format!("{who} broke the WebSocket protocol{said}"),
            Mechanism::CompressionError => {
                format!("{who} sent compressed messages that {other} could not read{said}")
            }
            Mechanism::BadHandshake => format!("{who} answered the upgrade in a way that contradicts the request"),
            Mechanism::PeerVanished => match culprit {
                Culprit::Client | Culprit::Upstream | Culprit::Proxy => {
                    format!("{who} stopped answering without a FIN or a reset")
                }
                Culprit::NetworkClientSide
                | Culprit::NetworkUpstreamSide
                | Culprit::MiddleboxFront
                | Culprit::MiddleboxBack => format!("{who} lost {them} without a FIN or a reset"),
            },
            Mechanism::SlowConsumer => match culprit {
                Culprit::NetworkClientSide | Culprit::NetworkUpstreamSide => {
                    format!("{who} did not carry what was sent")
                }
                Culprit::Client
                | Culprit::Upstream
                | Culprit::MiddleboxFront
                | Culprit::MiddleboxBack
                | Culprit::Proxy => {
                    format!("{who} did not read what was sent to it")
                }
            },
            Mechanism::ReconnectStorm => "clients came back at once, again and again, and were turned away".to_owned(),
            Mechanism::HandshakesRefused => self.refusal(),
            Mechanism::CertificateRejected => match culprit {
                Culprit::Upstream => "closewatch does not accept the certificate of the upstream".to_owned(),
                Culprit::Client => "one client program does not accept the certificate of closewatch".to_owned(),
                Culprit::Proxy
                | Culprit::NetworkClientSide
                | Culprit::NetworkUpstreamSide
                | Culprit::MiddleboxFront
                | Culprit::MiddleboxBack => "clients do not accept the certificate of closewatch".to_owned(),
            },
            Mechanism::RandomResets if *culprit == Culprit::Proxy => {
                format!("{who} lost connections on both sides, at any age")
            }
            Mechanism::RandomResets => format!("{who} cut {them} at any age and after any silence"),
            Mechanism::Overload if self.sessions == 0 => format!("{who} was too busy to answer upgrades in time"),
            Mechanism::Overload => format!("{who} had more to do than it could{said}"),
            Mechanism::InternalError => "closewatch failed by itself, which is a bug: please report it".to_owned(),
        }
    }

    /// The unit that fails, and how.
    fn sick_unit(&self) -> String {
        let Common { upstream, instance, .. } = self.common;
        let instance = instance.as_deref().map(shown);
        match (self.cause.culprit, upstream.as_deref().map(shown), instance) {
            (Culprit::Proxy, _, Some(instance)) => {
                format!("instance {instance} of closewatch, or its host, fails on both sides")
            }
            (Culprit::Proxy, _, None) => "one instance of closewatch, or its host, fails on both sides".to_owned(),
            (_, Some(upstream), _) => format!("upstream {upstream} fails"),
            (_, None, Some(instance)) => format!("the upstream of instance {instance} fails"),
            (_, None, None) => "one instance of the upstream fails".to_owned(),
        }
    }

    /// The refusal of upgrades: by which side, and how.
    fn refusal(&self) -> String {
        let who = name(self.cause.culprit);
        let status = self.majority.status.map_or_else(String::new, |status| format!(" ({status})"));
        match (self.cause.culprit, self.majority.outcome) {
            (Culprit::Proxy, _) => "closewatch turned clients away at a limit of its own".to_owned(),
            (Culprit::Client, _) => format!("the upstream refused the upgrades of one client program{status}"),
            (_, Some(Outcome::DialTimeout)) => format!("{who} let connections to the upstream time out"),
            (_, Some(Outcome::DialFailed)) => format!("{who} took no connections"),
            (_, Some(Outcome::UpstreamClosed)) => format!("{who} hung up in place of an answer to the upgrade"),
            (_, Some(Outcome::Refused)) => format!("{who} refused upgrades{status}"),
            _ => format!("{who} refused upgrades or did not answer them"),
        }
    }

    /// Some properties that victims share.
    fn shared(&self) -> String {
        let common = self.common;
        // The sentence of a bad instance names it already.
        let unit = |value| if self.cause.mechanism == Mechanism::BadInstance { None } else { value };
        let all = [
            ("user agent", common.user_agent.as_deref()),
            ("subnet", common.client_subnet.as_deref()),
            ("hop", common.client_address.as_deref()),
            ("instance", unit(common.instance.as_deref())),
            ("upstream", unit(common.upstream.as_deref())),
            ("close reason", common.reason.as_deref()),
            ("path", common.path.as_deref()),
            ("origin", common.origin.as_deref()),
            ("subprotocol", common.subprotocol.as_deref()),
            ("extensions", common.extensions.as_deref()),
            ("client TLS", common.client_tls_version),
            ("upstream TLS", common.upstream_tls_version),
        ];
        let found = all.into_iter().filter_map(|(name, value)| Some(format!("{name} {}", shown(value?))));
        let found: Vec<String> = found.take(NAMED).collect();
        if found.is_empty() { String::new() } else { format!("; in common: {}", found.join(", ")) }
    }
}

/// Pings or heartbeats to a side that did not answer them.
fn unanswered(what: &str, culprit: Culprit, time: &str) -> String {
    match culprit {
        Culprit::Client | Culprit::Upstream | Culprit::Proxy => {
            format!("{} left {what} unanswered{time}", name(culprit))
        }
        Culprit::NetworkClientSide
        | Culprit::NetworkUpstreamSide
        | Culprit::MiddleboxFront
        | Culprit::MiddleboxBack => {
            format!("{what} stayed unanswered{time}, likely lost in {}", name(culprit))
        }
    }
}

/// A side in words.
pub(super) const fn name(culprit: Culprit) -> &'static str {
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

/// The program at the other end.
const fn opposite(culprit: Culprit) -> &'static str {
    match culprit {
        Culprit::Client | Culprit::NetworkClientSide | Culprit::MiddleboxFront => name(Culprit::Upstream),
        Culprit::Upstream | Culprit::NetworkUpstreamSide | Culprit::MiddleboxBack | Culprit::Proxy => "the client",
    }
}
