//! Reasons why an upgrade fails, each with its outcome for the record and its status for the client.

use std::io;
use std::time::Duration;

use http::StatusCode;

use crate::close::Outcome;
use crate::proxy::http::websocket::BadUpgrade;
use crate::proxy::transport::dial::DialError;
use crate::proxy::transport::tls::is_tls_failure;

/// Why there is no upgrade, other than that the upstream refused it.
#[derive(Debug, thiserror::Error)]
pub(in crate::proxy) enum UpgradeError {
    #[error("no route takes this host and path")]
    NoRoute,
    #[error(transparent)]
    Bad(#[from] BadUpgrade),
    #[error("the request names two hosts (RFC 9112 section 3.2)")]
    TwoHosts,
    #[error("the request can be read in two ways (RFC 9112 sections 2.2 and 6.1)")]
    Ambiguous,
    #[error("too many sessions")]
    OverLimit,
    #[error("shutting down")]
    Draining,
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("the upstream hung up before it answered")]
    Closed(#[source] hyper::Error),
    #[error("the connection to the upstream broke")]
    Broken(#[source] io::Error),
    #[error("the upstream did not answer within {0:?}")]
    Timeout(Duration),
    #[error("the upstream's answer is not HTTP")]
    NotHttp(#[source] hyper::Error),
    #[error("the head of the upstream's answer is beyond limits.header_bytes or limits.header_lines")]
    TooLarge(#[source] hyper::Error),
    #[error("the upstream's 101 is not a valid WebSocket handshake (RFC 6455 section 4.1)")]
    BadSwitch,
}

/// An error and its causes, on one line.
pub(in crate::proxy) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

// === impl UpgradeError ===

impl UpgradeError {
    pub(in crate::proxy) fn outcome(&self) -> (Outcome, StatusCode) {
        match self {
            Self::NoRoute => (Outcome::NoRoute, StatusCode::NOT_FOUND),
            Self::Bad(_) | Self::TwoHosts | Self::Ambiguous => (Outcome::BadRequest, StatusCode::BAD_REQUEST),
            Self::OverLimit => (Outcome::OverLimit, StatusCode::SERVICE_UNAVAILABLE),
            Self::Draining => (Outcome::Draining, StatusCode::SERVICE_UNAVAILABLE),
            Self::Dial(DialError::Timeout(_) | DialError::ResolverTimeout { .. }) => {
                (Outcome::DialTimeout, StatusCode::GATEWAY_TIMEOUT)
            }
            Self::Dial(DialError::Resolve { .. } | DialError::Connect { .. }) => {
                (Outcome::DialFailed, StatusCode::BAD_GATEWAY)
            }
            Self::Dial(DialError::Tls { .. }) => (Outcome::TlsFailed, StatusCode::BAD_GATEWAY),
            // In TLS 1.3 an upstream refuses a client certificate only after the handshake.
            Self::Closed(_) | Self::Broken(_) if is_tls_failure(self) => (Outcome::TlsFailed, StatusCode::BAD_GATEWAY),
            Self::Closed(_) | Self::Broken(_) => (Outcome::UpstreamClosed, StatusCode::BAD_GATEWAY),
            Self::Timeout(_) => (Outcome::UpstreamTimeout, StatusCode::GATEWAY_TIMEOUT),
            Self::NotHttp(_) | Self::TooLarge(_) | Self::BadSwitch => (Outcome::BadResponse, StatusCode::BAD_GATEWAY),
        }
    }
}
