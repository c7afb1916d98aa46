//! The dialer: resolves and connects to an upstream, with TLS if it is configured.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use nix::libc;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::Instant;

use crate::close::Address;
use crate::config::{Route, Target, Timeouts, UpstreamTls};
use crate::proxy::transport::leg::Leg;
use crate::proxy::transport::name::Name;
use crate::proxy::transport::tls::{Connector, TlsError};

/// The pause before the next address of a name is tried beside the one before it: the default of RFC 8305 §8.
const ATTEMPT_PAUSE: Duration = Duration::from_millis(250);

/// A connection to an upstream.
pub(in crate::proxy) struct Reached {
    pub(in crate::proxy) leg: Leg,
    /// The upstream's address, for the record.
    pub(in crate::proxy) address: Address,
    /// The number of the first bytes that were sent already.
    pub(in crate::proxy) sent: usize,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(in crate::proxy) enum DialError {
    /// Name resolution and connection together took longer than `timeouts.dial`.
    #[error("no connection within {0:?}")]
    Timeout(Duration),
    /// The resolver took all of `timeouts.dial`: the upstream itself may be well.
    #[error("no answer from the resolver for {host} within {patience:?}")]
    ResolverTimeout { host: String, patience: Duration },
    /// The name does not resolve.
    #[error("cannot resolve {host}")]
    Resolve { host: String, source: io::Error },
    /// Refused, unreachable, or no descriptor left.
    #[error("cannot connect to {address}")]
    Connect { address: String, source: io::Error },
    /// Connected, but the TLS handshake failed: one side does not accept the other.
    #[error("no TLS with {address}")]
    Tls { address: String, source: TlsError },
}

/// Opens connections to one upstream.
pub(in crate::proxy) struct Dialer {
    target: Target,
    /// The address that the target is, unless it is a name or a unix socket.
    address: Option<SocketAddr>,
    /// Its name, unless it is an address or a unix socket.
    name: Option<Name>,
    timeouts: Timeouts,
    tls: Option<Connector>,
}

// === impl Dialer ===

impl Dialer {
    pub(in crate::proxy) fn new(route: &Route, timeouts: &Timeouts) -> Self {
        let plain = UpstreamTls::default();
        let settings = route.upstream_tls.as_ref().unwrap_or(&plain);
        let tls = route.upstream.tls.as_ref().map(|host| Connector::new(host, settings));
        let target = route.upstream.target.clone();
        let (address, name) = match &target {
            Target::Tcp { host, port } => {
                (host.parse().ok().map(|ip| SocketAddr::new(ip, *port)), Name::new(host, *port))
            }
            Target::Unix { .. } => (None, None),
        };
        Self { target, address, name, timeouts: timeouts.clone(), tls }
    }

    /// Whether it dials what `route` has for its upstream, and as it says. If so, it has the route's certificates from now on.
    pub(in crate::proxy) fn adopts(&self, route: &Route, timeouts: &Timeouts) -> bool {
        let waits = |timeouts: &Timeouts| (timeouts.dial, timeouts.tls, timeouts.dead_peer);
        let same = self.target == route.upstream.target && waits(&self.timeouts) == waits(timeouts);
        match (&self.tls, &route.upstream.tls, &route.upstream_tls) {
            (None, None, _) => same,
            (Some(connector), Some(host), Some(settings)) => same && connector.adopts(host, settings),
            (_, _, _) => false,
        }
    }

    /// The connector for TLS, if the upstream has it.
    pub(in crate::proxy) const fn connector(&self) -> Option<&Connector> {
        self.tls.as_ref()
    }

    /// Connects within `timeouts.dial` to the first address of the name that answers; with TLS within `timeouts.tls` behind that.
    /// Sends what it can of `first` where that costs no waiting; the rest is left to the caller.
    pub(in crate::proxy) async fn dial(&self, first: &[u8]) -> Result<Reached, DialError> {
        // With TLS, the first bytes have to wait for the handshake.
        let first = if self.tls.is_some() { &[] } else { first };
        let Reached { leg, address, sent } = self.connect(first).await?;
        let leg = match (&self.tls, leg) {
            (Some(connector), Leg::Tcp(socket)) => {
                // Boxed: most dials need no TLS, and would carry its state.
                let stream = Box::pin(connector.connect(socket, self.timeouts.tls)).await;
                Leg::Tls(stream.map_err(|source| DialError::Tls { address: address.to_string(), source })?)
            }
            (_, leg) => leg,
        };
        Ok(Reached { leg, address, sent })
    }

    /// Whether the upstream's name still leads to the `address` of a kept connection, which was last known at the instant
    /// `known`: looked up if that is a while ago, and that instant then brought up to date.
    pub(in crate::proxy) async fn leads_to(&self, address: &Address, known: &mut Instant) -> bool {
        match (&self.name, address) {
            (Some(name), Address::Ip(address)) => name.leads_to(*address, known).await,
            (_, Address::Ip(_) | Address::Unix(_)) => true,
        }
    }

    /// Turns TCP keepalive on, for a connection that is kept.
    pub(in crate::proxy) fn keep_alive(&self, leg: &Leg) {
        leg.keep_alive(self.timeouts.dead_peer);
    }

    async fn connect(&self, first: &[u8]) -> Result<Reached, DialError> {
        let patience = self.timeouts.dial;
        // An address needs no resolver, and is the only one.
        if let Some(address) = self.address {
            let connecting = connect_to(address, first);
            return tokio::time::timeout(patience, connecting).await.unwrap_or(Err(DialError::Timeout(patience)));
        }
        match &self.target {
            Target::Unix { path } => {
                let failed = |source| DialError::Connect { address: path.display().to_string(), source };
                let connecting = tokio::time::timeout(patience, UnixStream::connect(path));
                let stream = connecting.await.map_err(|_| DialError::Timeout(patience))?.map_err(failed)?;
                Ok(Reached { leg: Leg::Unix(stream), address: Address::Unix(path.to_string_lossy().into()), sent: 0 })
            }
            // Boxed: an address needs none of its state.
            Target::Tcp { host, port } => Box::pin(self.connect_by_name(host, *port, first)).await,
        }
    }

    async fn connect_by_name(&self, host: &str, port: u16, first: &[u8]) -> Result<Reached, DialError> {
        let (began, patience) = (Instant::now(), self.timeouts.dial);
        let addresses = resolved(lookup_host((host, port)), host, patience).await?;
        let connecting = connect_to_any(alternating(addresses), first, patience);
        let connected = tokio::time::timeout_at(began + patience, connecting).await;
        connected.map_err(|_| DialError::Timeout(patience))?.unwrap_or_else(|| {
            let source = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
            Err(DialError::Resolve { host: host.to_owned(), source })
        })
    }
}

/// The answer of the resolver, which may take all of `patience`. A resolver that hangs is not a backend that is dead.
async fn resolved<A>(
    looking_up: impl Future<Output = io::Result<A>>,
    host: &str,
    patience: Duration,
) -> Result<A, DialError> {
    match tokio::time::timeout(patience, looking_up).await {
        Ok(answer) => answer.map_err(|source| DialError::Resolve { host: host.to_owned(), source }),
        Err(_) => Err(DialError::ResolverTimeout { host: host.to_owned(), patience }),
    }
}

/// The addresses of a name in the order in which they are tried: the resolver's, but with IPv6 and IPv4 in turn, so that a
/// family which does not work here costs one attempt and not all (RFC 8305 §4).
fn alternating(addresses: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut addresses = addresses.peekable();
    let six_first = addresses.peek().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses.partition(|address| address.is_ipv6() == six_first);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut all = Vec::with_capacity(first.len() + second.len());
    loop {
        let before = all.len();
        all.extend(first.next());
        all.extend(second.next());
        if all.len() == before {
            return all;
        }
    }
}

/// Connects to the first of `addresses` that answers. The next one is tried beside those before it as soon as one has failed,
/// or after a pause, so that a silent address does not take all of `timeouts.dial` (RFC 8305 §5). `None` if there are no
/// addresses.
async fn connect_to_any(
    addresses: Vec<SocketAddr>,
    first: &[u8],
    patience: Duration,
) -> Option<Result<Reached, DialError>> {
    if let [only] = addresses[..] {
        return Some(connect_to(only, first).await);
    }
    // Every address has its turn before the time is over.
    let pause = ATTEMPT_PAUSE.min(patience / (u32::try_from(addresses.len()).unwrap_or(u32::MAX).saturating_add(1)));
    let mut addresses = addresses.into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut failure = None;
    loop {
        let next = addresses.next();
        let more = next.is_some();
        attempts.extend(next.map(|address| connect_to(address, first)));
        tokio::select! {
            biased;
            attempt = attempts.next() => match attempt {
                Some(Err(error)) => failure = Some(Err(error)),
                // Connected; or nothing is left to be tried.
                done => return done.or(failure),
            },
            () = tokio::time::sleep(pause), if more => {}
        }
    }
}

async fn connect_to(address: SocketAddr, first: &[u8]) -> Result<Reached, DialError> {
    let connected = connect_tcp(address, first).await;
    let (stream, sent) = connected.map_err(|source| DialError::Connect { address: address.to_string(), source })?;
    Ok(Reached { leg: Leg::Tcp(stream), address: Address::Ip(address), sent })
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
    // On loopback the handshake is over when `connect` returns: a write at once costs no wait, and its result says whether
    // the connection is up.
    if address.ip().is_loopback() && !first.is_empty() {
        match stream.write(first) {
            Ok(sent) => return Ok((TcpStream::from_std(stream)?, sent)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // It was up; the next write reports its end.
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

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// A listening socket whose queue is full: the kernel drops every further SYN. Its clients hold the queue.
    fn silent(ip: &str) -> (Socket, Vec<std::net::TcpStream>, SocketAddr) {
        let wanted = SocketAddr::new(ip.parse().unwrap(), 0);
        let socket = Socket::new(Domain::for_address(wanted), Type::STREAM, Some(Protocol::TCP)).unwrap();
        socket.bind(&wanted.into()).unwrap();
        socket.listen(0).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let mut queued = Vec::new();
        while let Ok(client) = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            queued.push(client);
        }
        (socket, queued, address)
    }

    fn connected(outcome: Option<Result<Reached, DialError>>) -> Address {
        outcome.unwrap().unwrap_or_else(|error| panic!("{error}")).address
    }

    #[test]
    fn families_take_turns_beginning_with_the_resolvers_first() {
        let list = ["[::1]:1", "[::2]:1", "[::3]:1", "127.0.0.1:1"].map(address);
        let expected = ["[::1]:1", "127.0.0.1:1", "[::2]:1", "[::3]:1"].map(address);
        assert_eq!(alternating(list.into_iter()), expected);
        let four_first = ["127.0.0.1:1", "[::1]:1"].map(address);
        assert_eq!(alternating(four_first.into_iter()), four_first);
        assert!(alternating(std::iter::empty()).is_empty());
    }

    #[tokio::test]
    async fn a_resolver_that_hangs_is_told_from_a_backend_that_does() {
        let patience = Duration::from_millis(50);
        let error = resolved(std::future::pending::<io::Result<()>>(), "chat.internal", patience).await.unwrap_err();
        assert_eq!(error.to_string(), "no answer from the resolver for chat.internal within 50ms");
        let refused = std::future::ready(Err::<(), _>(io::Error::other("no such name")));
        let error = resolved(refused, "chat.internal", patience).await.unwrap_err();
        assert_eq!(error.to_string(), "cannot resolve chat.internal");
    }

    #[tokio::test]
    async fn a_silent_first_address_does_not_take_all_the_time() {
        let (_listening, _queued, silent) = silent("127.0.0.2");
        let good = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = (good.local_addr().unwrap(), good);
        let began = Instant::now();
        let outcome = connect_to_any(vec![silent, good.0], &[], PATIENCE).await;
        assert_eq!(connected(outcome), Address::Ip(good.0));
        assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn a_refused_first_address_is_followed_by_the_next_at_once() {
        let good = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = (good.local_addr().unwrap(), good);
        let refused = {
            let closed = TcpListener::bind("127.0.0.3:0").await.unwrap();
            closed.local_addr().unwrap()
        };
        let outcome = connect_to_any(vec![refused, refused, good.0], b"GET", PATIENCE).await;
        assert_eq!(connected(outcome), Address::Ip(good.0));
    }

    #[tokio::test]
    async fn when_all_addresses_refuse_the_last_is_named_and_no_address_is_told_apart() {
        let refused = {
            let closed = TcpListener::bind("127.0.0.3:0").await.unwrap();
            closed.local_addr().unwrap()
        };
        let outcome = connect_to_any(vec![refused, refused], &[], PATIENCE).await;
        let Some(Err(error)) = outcome else { panic!("connected") };
        assert_eq!(error.to_string(), format!("cannot connect to {refused}"));
        assert!(connect_to_any(vec![], &[], PATIENCE).await.is_none());
    }
}
