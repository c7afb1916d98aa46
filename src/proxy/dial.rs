//! Reaching an upstream.

use std::io;
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream, lookup_host};

use super::kernel;
use super::leg::Leg;
use super::tls::{Connector, TlsError};
use crate::config::{Route, Target, Timeouts, UpstreamTls};

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
    /// Connected, and then no TLS: it is not who it should be, or does not want closewatch.
    #[error("no TLS with {address}")]
    Tls { address: String, source: TlsError },
}

/// The way to one upstream.
pub(super) struct Dialer {
    target: Target,
    timeouts: Timeouts,
    tls: Option<Connector>,
}

// === impl Dialer ===

impl Dialer {
    pub(super) fn new(route: &Route, timeouts: &Timeouts) -> Self {
        let plain = UpstreamTls::default();
        let settings = route.upstream_tls.as_ref().unwrap_or(&plain);
        let tls = route.upstream.tls.as_ref().map(|host| Connector::new(host, settings));
        Self { target: route.upstream.target.clone(), timeouts: timeouts.clone(), tls }
    }

    /// What speaks TLS there, if anything does.
    pub(super) const fn connector(&self) -> Option<&Connector> {
        self.tls.as_ref()
    }

    /// Connects within `timeouts.dial`, trying each address of a name in turn; and within `timeouts.tls` behind that.
    pub(super) async fn dial(&self) -> Result<Leg, DialError> {
        let patience = self.timeouts.dial;
        let leg = tokio::time::timeout(patience, self.connect()).await.unwrap_or(Err(DialError::Timeout(patience)))?;
        match (&self.tls, leg) {
            (Some(connector), Leg::Tcp(socket)) => {
                let address = socket.peer_addr().map_or_else(|_| "an upstream".to_owned(), |peer| peer.to_string());
                match connector.connect(socket, self.timeouts.tls).await {
                    Ok(stream) => Ok(Leg::Tls(stream)),
                    Err(source) => Err(DialError::Tls { address, source }),
                }
            }
            (_, leg) => Ok(leg),
        }
    }

    async fn connect(&self) -> Result<Leg, DialError> {
        match &self.target {
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
                    let prepare = |stream| kernel::prepare(&stream, self.timeouts.dead_peer).map(|()| stream);
                    match connected.and_then(prepare) {
                        Ok(stream) => return Ok(Leg::Tcp(stream)),
                        Err(source) => failure = DialError::Connect { address: address.to_string(), source },
                    }
                }
                Err(failure)
            }
        }
    }
}
