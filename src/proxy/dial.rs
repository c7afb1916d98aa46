//! Reaching an upstream.

use std::io;
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream, lookup_host};

use super::kernel;
use super::leg::Leg;
use crate::config::{Target, Timeouts};

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    /// Name resolution and connection together took longer than `timeouts.dial`.
    #[error("no connection within {0:?}")]
    Timeout(Duration),
    /// The name does not resolve.
    #[error("cannot resolve {host}")]
    Resolve { host: String, source: io::Error },
    /// Refused, unreachable, or no descriptor left.
    #[error("cannot connect to {address}")]
    Connect { address: String, source: io::Error },
}

/// Connects to `target` within `timeouts.dial`, trying each address of a name in turn.
pub(super) async fn dial(target: &Target, timeouts: &Timeouts) -> Result<Leg, DialError> {
    let connected = tokio::time::timeout(timeouts.dial, connect(target, timeouts));
    connected.await.unwrap_or(Err(DialError::Timeout(timeouts.dial)))
}

async fn connect(target: &Target, timeouts: &Timeouts) -> Result<Leg, DialError> {
    match target {
        Target::Unix { path } => {
            let failed = |source| DialError::Connect { address: path.display().to_string(), source };
            Ok(Leg::Unix(UnixStream::connect(path).await.map_err(failed)?))
        }
        Target::Tcp { host, port } => {
            let resolved = lookup_host((host.as_str(), *port)).await;
            let addresses = resolved.map_err(|source| DialError::Resolve { host: host.clone(), source })?;
            let mut failure = DialError::Resolve {
                host: host.clone(),
                source: io::Error::new(io::ErrorKind::NotFound, "the name has no address"),
            };
            for address in addresses {
                let connected = TcpStream::connect(address).await;
                match connected.and_then(|stream| kernel::prepare(&stream, timeouts.dead_peer).map(|()| stream)) {
                    Ok(stream) => return Ok(Leg::Tcp(stream)),
                    Err(source) => failure = DialError::Connect { address: address.to_string(), source },
                }
            }
            Err(failure)
        }
    }
}
