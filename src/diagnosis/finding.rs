//! The vocabulary: what a finding can say. `docs/diagnosis.md` has the table of rules.

use serde::Serialize;

use super::tables::{BackOff, Reconnect, Tables};
use crate::close::labels;

labels! {
    /// The side that stopped doing its part.
    Culprit {
        /// The client program.
        Client = "client",
        /// The upstream.
        Upstream = "upstream",
        /// The network between clients and closewatch.
        NetworkClientSide = "network_client_side",
        /// The network between closewatch and the upstream.
        NetworkUpstreamSide = "network_upstream_side",
        /// A box between clients and closewatch.
        MiddleboxFront = "middlebox_front",
        /// A box between closewatch and the upstream.
        MiddleboxBack = "middlebox_back",
        /// closewatch or its host.
        Proxy = "proxy",
    }
}

labels! {
    /// The mechanism that ended the sessions of a finding.
    Mechanism {
        /// Cut after a time of silence.
        IdleCut = "idle_cut",
        /// Cut at an age.
        MaxLifetime = "max_lifetime",
        /// A box forgot the flow, and the next packet died of it.
        SilentDrop = "silent_drop",
        /// The upstream fell over.
        Crash = "crash",
        /// It fell over again and again.
        CrashLoop = "crash_loop",
        /// One instance fails while its siblings are well.
        BadInstance = "bad_instance",
        /// The upstream failed on a message.
        HandlerError = "handler_error",
        /// Pings were not answered.
        KeepaliveTimeout = "keepalive_timeout",
        /// Heartbeats of the application were not answered.
        HeartbeatTimeout = "heartbeat_timeout",
        /// A message that the other side does not take.
        MessageTooBig = "message_too_big",
        /// A credential or a session expired.
        AuthExpired = "auth_expired",
        /// Refused in an open session.
        PolicyRejected = "policy_rejected",
        /// The protocol was broken.
        ProtocolError = "protocol_error",
        /// Compressed messages could not be read.
        CompressionError = "compression_error",
        /// A 101 that contradicts the request.
        BadHandshake = "bad_handshake",
        /// A peer's host answered nothing any more.
        PeerVanished = "peer_vanished",
        /// A peer did not take what was sent to it.
        SlowConsumer = "slow_consumer",
        /// Clients came back at once and again, and were turned away.
        ReconnectStorm = "reconnect_storm",
        /// Upgrades were refused or not answered.
        HandshakesRefused = "handshakes_refused",
        /// A certificate was rejected.
        CertificateRejected = "certificate_rejected",
        /// Resets at any age.
        RandomResets = "random_resets",
        /// The upstream had too much to do.
        Overload = "overload",
        /// The upstream, or a box in front, restarted without a Close.
        UnannouncedRestart = "unannounced_restart",
        /// closewatch failed by itself.
        InternalError = "internal_error",
    }
}

// === impl Mechanism ===

impl Mechanism {
    /// Whether a box ended the session for its silence, whoever seems to have begun the end.
    pub const fn is_of_silence(self) -> bool {
        matches!(self, Self::IdleCut | Self::SilentDrop)
    }
}

/// One cause, found.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// The side that stopped doing its part.
    pub culprit: Culprit,
    /// Others that the facts do not exclude.
    pub or: Vec<Culprit>,
    /// The mechanism.
    pub mechanism: Mechanism,
    /// The mechanism's parameter in seconds, if it has one.
    pub limit_s: Option<f64>,
    /// The route, if it is one.
    pub route: Option<String>,
    /// Sessions that ended so.
    pub sessions: u64,
    /// Handshakes that failed so.
    pub handshakes: u64,
    /// Share of all sessions and failed handshakes of the scope in that time.
    pub share: f64,
    /// How sure the finding is, 0 to 1.
    pub confidence: f64,
    /// The first of them.
    pub first_at: String,
    /// The last of them.
    pub last_at: String,
    /// Features that they have in common, and others have not.
    pub common: Common,
    /// Numbers that speak for it.
    pub evidence: Vec<Evidence>,
    /// Up to five session ids.
    pub examples: Vec<String>,
    /// Its consequences.
    pub consequences: Vec<Mechanism>,
    /// It, in one sentence.
    pub sentence: String,
    /// Advice for the operator.
    pub action: String,
    /// Where it is explained.
    pub runbook: String,
}

/// Values that the sessions of a finding share, and others do not.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Common {
    /// `User-Agent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// `Origin`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Subnet of the clients: /24 or /48.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_subnet: Option<String>,
    /// Address of the client's socket: a hop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_address: Option<String>,
    /// closewatch's instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Upstream address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// First segment of the path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Selected subprotocol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subprotocol: Option<String>,
    /// Selected extensions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extensions: Option<String>,
    /// Version of TLS on the client's leg; `none` without TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_tls_version: Option<&'static str>,
    /// The same of the upstream's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_tls_version: Option<&'static str>,
    /// Close reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// One number that speaks for a finding.
#[derive(Clone, Debug, Serialize)]
pub struct Evidence {
    /// Its meaning.
    pub fact: &'static str,
    /// The number.
    pub value: f64,
}

/// A pattern that is worth a word, and no finding.
#[derive(Clone, Debug, Serialize)]
pub struct Note {
    /// Its name: a harmless pattern, or the mechanism of a finding below the floor.
    pub mechanism: &'static str,
    /// It, in one sentence.
    pub sentence: String,
}

/// All that was found, and counted. Its JSON is public; `docs/report.schema.json` describes it.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Version of the fields and their meaning.
    pub schema: u32,
    /// Lines that were no records; counted by the reader of the files.
    pub unread_lines: u64,
    /// Causes, the weightiest first.
    pub findings: Vec<Finding>,
    /// The rest.
    pub notes: Vec<Note>,
    /// Counts.
    #[serde(flatten)]
    pub tables: Tables,
    /// Whether clients came back.
    pub reconnects: Vec<Reconnect>,
    /// Whether they waited before.
    pub back_off: BackOff,
}

// === impl Finding ===

impl Finding {
    /// The same as a note, which says why it is no finding.
    pub(super) fn as_note(&self, why: &str) -> Note {
        Note {
            mechanism: self.mechanism.as_str(),
            sentence: format!("{}; {why}.", self.sentence.trim_end_matches('.')),
        }
    }
}
