//! The reasons why an instance does not start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::config::Config;
use crate::export::{self, OtlpError};

/// Why an instance does not start.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    /// closewatch cannot listen on an address.
    #[error("cannot listen on {address} ({key}){}", advice(source, *address))]
    Bind {
        /// The key of the configuration.
        key: &'static str,
        /// Its value.
        address: SocketAddr,
        /// The kernel's error.
        source: io::Error,
    },
    /// systemd passed a socket that no key wants.
    #[error("systemd passed the socket {name:?} on {address}, which no key wants: {wanted}")]
    Unwanted {
        /// The name that systemd gave it.
        name: String,
        /// Its address.
        address: SocketAddr,
        /// The keys and their addresses.
        wanted: String,
    },
    /// systemd passed something else than a listening TCP socket.
    #[error("cannot use the socket {name:?} that systemd passed: only listening TCP sockets are")]
    Passed {
        /// The name that systemd gave it.
        name: String,
        /// The system's error.
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
    /// The system gives no thread, runtime or signal handler.
    #[error("cannot start")]
    Start(#[source] io::Error),
}

// === impl StartError ===

impl StartError {
    pub(super) fn of_outputs(error: export::StartError, config: &Config) -> Self {
        match error {
            export::StartError::Log(source) => Self::CloseLog { target: config.log.closes.to_string(), source },
            export::StartError::Otlp(error) => Self::Otlp(error),
            export::StartError::Diagnosis(source) => Self::Start(source),
        }
    }
}

/// Advice about the usual reasons why closewatch cannot listen on an address.
fn advice(error: &io::Error, address: SocketAddr) -> String {
    let kind = error.kind();
    if kind == io::ErrorKind::PermissionDenied && address.port() < 1024 {
        ", because ports below 1024 need the capability CAP_NET_BIND_SERVICE; give it (in a unit of systemd with \
         AmbientCapabilities=), or choose a higher port"
            .to_owned()
    } else if kind == io::ErrorKind::AddrInUse {
        format!(", because another process does; `ss -ltnp sport = :{}` says which", address.port())
    } else if kind == io::ErrorKind::AddrNotAvailable {
        ", because it is no address of this host".to_owned()
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_cannot_be_had_comes_with_a_way_out() {
        for (kind, address, advice) in [
            (io::ErrorKind::PermissionDenied, "0.0.0.0:80", "CAP_NET_BIND_SERVICE"),
            (io::ErrorKind::AddrInUse, "0.0.0.0:8080", "`ss -ltnp sport = :8080`"),
            (io::ErrorKind::AddrNotAvailable, "192.0.2.1:8080", "no address of this host"),
        ] {
            let error = StartError::Bind { key: "listen", address: address.parse().unwrap(), source: kind.into() };
            let text = error.to_string();
            assert!(text.starts_with(&format!("cannot listen on {address} (listen), because")), "{text}");
            assert!(text.contains(advice), "{text}");
        }
        // A firewall's refusal of a high port is no matter of capabilities.
        let address = "0.0.0.0:8080".parse().unwrap();
        let error = StartError::Bind { key: "listen", address, source: io::ErrorKind::PermissionDenied.into() };
        assert_eq!(error.to_string(), "cannot listen on 0.0.0.0:8080 (listen)");
    }
}
