//! The reasons why an instance does not start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::config::Config;
use crate::export::{self, OtlpError};

/// Why an instance does not come up.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address} ({key})")]
    Bind {
        /// The key of the configuration.
        key: &'static str,
        /// Its value.
        address: SocketAddr,
        /// The kernel's error.
        source: io::Error,
    },
    /// The instance before cannot be asked for its sockets, or the next one not be answered.
    #[error("cannot use {path} (restart.socket)")]
    Restart {
        /// The socket.
        path: PathBuf,
        /// The underlying error.
        source: io::Error,
    },
    /// The close log cannot be opened.
    #[error("cannot open the close log {target} (log.closes)")]
    CloseLog {
        /// As the configuration has it.
        target: String,
        /// The kernel's error.
        source: io::Error,
    },
    /// The OTLP exporter cannot be started.
    #[error("cannot export over OTLP (otel)")]
    Otlp(#[source] OtlpError),
    /// A thread, a runtime or a signal handler cannot be had.
    #[error("cannot start")]
    Start(#[source] io::Error),
}

// === impl StartError ===

impl StartError {
    pub(super) fn of_outputs(error: export::StartError, config: &Config) -> Self {
        match error {
            export::StartError::Log(source) => Self::CloseLog { target: config.log.closes.to_string(), source },
            export::StartError::Otlp(error) => Self::Otlp(error),
        }
    }
}
