//! Reaching an upstream.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use nix::libc;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpStream, UnixStream, lookup_host};

use crate::close::Address;
use crate::config::{Route, Target, Timeouts, UpstreamTls};
use crate::proxy::transport::leg::Leg;
use crate::proxy::transport::tls::{Connector, TlsError};

/// A connection to an upstream.
pub(in crate::proxy) struct Reached {
    pub(in crate::proxy) leg: Leg,
    /// Where it goes, as the record has it.
    pub(in crate::proxy) address: Address,
    /// Of the first bytes for it, those that were sent already.
    pub(in crate::proxy) sent: usize,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(in crate::proxy) enum DialError {
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
pub(in crate::proxy) struct Dialer {
    target: Target,
    timeouts: Timeouts,
    tls: Option<Connector>,
}

// === impl Dialer ===

impl Dialer {
    pub(in crate::proxy) fn new(route: &Route, timeouts: &Timeouts) -> Self {
        let plain = UpstreamTls::default();
        let settings = route.upstream_tls.as_ref().unwrap_or(&plain);
        let tls = route.upstream.tls.as_ref().map(|host| Connector::new(host, settings));
        Self { target: route.upstream.target.clone(), timeouts: timeouts.clone(), tls }
    }

    /// What speaks TLS there, if anything does.
    pub(in crate::proxy) const fn connector(&self) -> Option<&Connector> {
        self.tls.as_ref()
    }

    /// Connects within `timeouts.dial`, trying each address of a name in turn; with TLS within `timeouts.tls` behind that.
    /// Sends what it can of `first` where that costs no waiting; the rest is left to the caller.
    pub(in crate::proxy) async fn dial(&self, first: &[u8]) -> Result<Reached, DialError> {
        let patience = self.timeouts.dial;
        // In the clear only what is to be read in the clear.
        let connecting = connect(&self.target, if self.tls.is_some() { &[] } else { first });
        let reached = tokio::time::timeout(patience, connecting).await;
        let Reached { leg, address, sent } = reached.unwrap_or(Err(DialError::Timeout(patience)))?;
        let leg = match (&self.tls, leg) {
            (Some(connector), Leg::Tcp(socket)) => {
                // Boxed: most have none of it.
                let stream = Box::pin(connector.connect(socket, self.timeouts.tls)).await;
                Leg::Tls(stream.map_err(|source| DialError::Tls { address: address.to_string(), source })?)
            }
            (_, leg) => leg,
        };
        Ok(Reached { leg, address, sent })
    }

    /// Has the kernel watch over a connection that is kept.
    pub(in crate::proxy) fn keep_alive(&self, leg: &Leg) {
        leg.keep_alive(self.timeouts.dead_peer);
    }
}

async fn connect(target: &Target, first: &[u8]) -> Result<Reached, DialError> {
    match target {
        Target::Unix { path } => {
            let failed = |source| DialError::Connect { address: path.display().to_string(), source };
            let leg = Leg::Unix(UnixStream::connect(path).await.map_err(failed)?);
            Ok(Reached { leg, address: Address::Unix(path.to_string_lossy().into()), sent: 0 })
        }
        Target::Tcp { host, port } => {
            let resolved = lookup_host((host.as_str(), *port)).await;
            let addresses = resolved.map_err(|source| DialError::Resolve { host: host.clone(), source })?;
            let mut failure = DialError::Resolve {
                host: host.clone(),
                source: io::Error::new(io::ErrorKind::NotFound, "the name has no address"),
            };
            for address in addresses {
                match connect_tcp(address, first).await {
                    Ok((stream, sent)) => {
                        return Ok(Reached { leg: Leg::Tcp(stream), address: Address::Ip(address), sent });
                    }
                    Err(source) => failure = DialError::Connect { address: address.to_string(), source },
                }
            }
            Err(failure)
        }
    }
}

/// Connects without Nagle's delay. Keepalive is left to whoever keeps the connection for longer.
async fn connect_tcp(address: SocketAddr, first: &[u8]) -> io::Result<(TcpStream, usize)> {
    let kind = Type::STREAM.nonblocking().cloexec();
    let socket = Socket::new_raw(Domain::for_address(address), kind, Some(Protocol::TCP))?;
    socket.set_tcp_nodelay(true)?;
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut stream = std::net::TcpStream::from(socket);
    // Between two sockets of one host the handshake is over when `connect` returns: a write that goes through has waited
    // for nothing, and has asked what else would have to be asked.
    if address.ip().is_loopback() && !first.is_empty() {
        match stream.write(first) {
            Ok(sent) => return Ok((TcpStream::from_std(stream)?, sent)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // It was up: the next write tells what has become of it.
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => {
                return Ok((TcpStream::from_std(stream)?, 0));
            }
            Err(error) => return Err(error),
        }
    }
    let stream = TcpStream::from_std(stream)?;
    stream.writable().await?;
    #[expect(clippy::disallowed_methods, reason = "how the connect went is asked before anything is read")]
    let failure = stream.take_error()?;
    failure.map_or(Ok((stream, 0)), Err)
}
