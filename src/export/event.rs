//! An event that the outputs tell.

use std::sync::Arc;

use crate::close::{CloseRecord, HandshakeRecord, Outcome};

/// The end of a session, or a handshake that led to none.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "never moved again once it is in its Arc")]
pub enum Event {
    /// A session ended.
    Closed(CloseRecord),
    /// An upgrade was refused, or failed.
    HandshakeFailed {
        /// The route's name; `none` if no route took it.
        route: Arc<str>,
        /// The request and its outcome.
        record: HandshakeRecord,
    },
}

// === impl Event ===

impl Event {
    /// `warn` for what somebody may have to look at, else `info`.
    pub fn level(&self) -> &'static str {
        match self {
            Self::Closed(record) => record.verdict.level(),
            Self::HandshakeFailed { record, .. } => handshake_level(record),
        }
    }

    /// Whether its level is `warn`.
    pub fn is_warning(&self) -> bool {
        self.level() == "warn"
    }
}

/// The level of a handshake's record: `warn` where the service failed its clients; a client that asked wrongly, left, or was refused by right is `info`.
pub(super) fn handshake_level(record: &HandshakeRecord) -> &'static str {
    match record.outcome {
        Outcome::Upgraded | Outcome::NoRoute | Outcome::BadRequest | Outcome::Draining | Outcome::ClientGone => "info",
        Outcome::Refused if record.status.is_none_or(|status| status < 500) => "info",
        Outcome::Refused
        | Outcome::OverLimit
        | Outcome::DialFailed
        | Outcome::DialTimeout
        | Outcome::UpstreamClosed
        | Outcome::UpstreamTimeout
        | Outcome::BadResponse
        | Outcome::TlsFailed
        | Outcome::Internal => "warn",
    }
}
