//! Reaching an upstream.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use nix::libc;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpStream, UnixStream, lookup_host};

use super::leg::Leg;
use crate::close::Address;
use crate::config::{Target, Timeouts};

/// A connection to an upstream.
pub(super) struct Reached {
    pub(super) leg: Leg,
    /// Where it goes, as the record has it.
    pub(super) address: Address,
    /// Of the first bytes for it, those that were sent already.
    pub(super) sent: usize,
}

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

/// Connects to `target` within `timeouts.dial`, trying each address of a name in turn. Sends what it can of `first` where
/// that costs no waiting; the rest is left to the caller.
pub(super) async fn dial(target: &Target, timeouts: &Timeouts, first: &[u8]) -> Result<Reached, DialError> {
    let connected = tokio::time::timeout(timeouts.dial, connect(target, first));
    connected.await.unwrap_or(Err(DialError::Timeout(timeouts.dial)))
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
