//! The listener: accepts clients and starts a task for each.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::TcpStream;
use tokio_util::task::TaskTracker;

use super::connection::serve;
use super::routes::Routes;
use super::state::Shared;
use super::transport::leg::Leg;
use super::transport::tls::Acceptor;
use crate::close::{Address, CloseSink, Rejection};
use crate::config::{Config, Timeouts};
use crate::shutdown::{Phase, Shutdown};

/// Connections that may wait to be accepted; the kernel cuts it to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// The pause of accepting when the process has no descriptor or memory left; open connections go on meanwhile.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The data plane. One for the process; each worker calls [`Proxy::serve`] on its own runtime.
#[derive(Clone)]
pub struct Proxy(Arc<ArcSwap<Shared>>);

/// Opens a listening socket; port 0 takes a free one. Gives the kernel's error if the address is in
/// use, not permitted, or not of this host.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait until the sessions of the previous process have left TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

// === impl Proxy ===

impl Proxy {
    /// A data plane for `config`, which tells `sink` everything and ends with `shutdown`.
    pub fn new(config: Config, sink: Arc<dyn CloseSink>, shutdown: Shutdown) -> Self {
        let routes = Routes::new(&config, &*sink, &shutdown, None);
        Self(Arc::new_cyclic(|latest| {
            ArcSwap::from_pointee(Shared {
                acceptor: Acceptor::new(&config.tls),
                config,
                routes,
                sink,
                shutdown,
                sessions: Arc::default(),
                connections: Arc::default(),
                upstream_connections: Arc::default(),
                quota: Arc::default(),
                wait_counted: Arc::default(),
                latest: Weak::clone(latest),
            })
        }))
    }

    /// Puts another configuration in force, for every handshake and request from now on. All that can fail has to be made
    /// of it before: it is taken whole. Sessions go on as they are, under the route they began with, and count towards the
    /// new limits.
    pub fn reload(&self, config: Config) {
        let before = self.0.load();
        let sink = Arc::clone(&before.sink);
        self.0.store(Arc::new(Shared {
            acceptor: Acceptor::new(&config.tls),
            routes: Routes::new(&config, &*sink, &before.shutdown, Some(&before.routes)),
            config,
            sink,
            shutdown: before.shutdown.clone(),
            sessions: Arc::clone(&before.sessions),
            connections: Arc::clone(&before.connections),
            upstream_connections: Arc::clone(&before.upstream_connections),
            quota: Arc::clone(&before.quota),
            wait_counted: Arc::clone(&before.wait_counted),
            latest: Weak::clone(&before.latest),
        }));
    }

    /// The timeouts of the configuration in force.
    pub fn timeouts(&self) -> Timeouts {
        self.0.load().config.timeouts.clone()
    }

    /// The state in force.
    pub(super) fn inner(&self) -> Arc<Shared> {
        self.0.load_full()
    }

    /// Serves the clients of `listener` on the current runtime until [`Phase::Draining`], and those that it has taken
    /// until they are done. Every worker has a clone of the one listening socket: nothing is lost when one of them stops.
    pub async fn serve(&self, listener: TcpListener) -> io::Result<()> {
        // Accepted sockets inherit the option.
        SockRef::from(&listener).set_tcp_nodelay(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let connections = TaskTracker::new();
        let shutdown = self.0.load().shutdown.clone();
        let draining = shutdown.reached(Phase::Draining);
        let mut draining = std::pin::pin!(draining);
        loop {
            let accepted = tokio::select! {
                biased; // a drain wins over clients that keep coming
                () = &mut draining => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, address)) => {
                    self.0.load().wait_counted.store(false, Ordering::Relaxed);
                    self.take(stream, address, &connections);
                }
                Err(error) => self.rest(&error, &listener).await,
            }
        }
        // Closing a listener resets the connections in its queue, unless another process has it too. They are served, and
        // answered that this instance drains.
        let listener = listener.into_std()?;
        while !shutdown.has_successor()
            && let Ok((stream, address)) = listener.accept()
        {
            match stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream)) {
                Ok(stream) => self.take(stream, address, &connections),
                Err(error) => tracing::debug!(%error, "client gone before it was served"),
            }
        }
        drop(listener);
        connections.close();
        connections.wait().await;
        Ok(())
    }

    fn take(&self, stream: TcpStream, address: SocketAddr, connections: &TaskTracker) {
        let (proxy, leg) = (self.0.load_full(), Leg::Tcp(stream));
        // A client of IPv4 that came to an address of IPv6 (`[::]`) is one of IPv4 everywhere.
        let client = Address::Ip(SocketAddr::new(address.ip().to_canonical(), address.port()));
        drop(connections.spawn(serve::serve(proxy, leg, client)));
    }

    /// Rests if the process has come to a limit; an error of the one connection costs nothing.
    ///
    /// The connection stays in the kernel's queue and is tried again, by this worker and by all others. It is counted and logged
    /// once, until one is accepted.
    async fn rest(&self, error: &io::Error, listener: &tokio::net::TcpListener) {
        let reason = match error.raw_os_error() {
            Some(nix::libc::EMFILE | nix::libc::ENFILE) => Rejection::Descriptors,
            Some(nix::libc::ENOMEM | nix::libc::ENOBUFS) => Rejection::Resources,
            _ => {
                tracing::debug!(%error, "client gone before it was accepted");
                return;
            }
        };
        let shared = self.0.load_full();
        if has_clients(listener) && !shared.wait_counted.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "cannot accept connections for now");
            shared.sink.rejected(reason);
        }
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}

/// Whether a connection waits to be accepted. The kernel looks for a descriptor first, and fails for want of one though nobody is
/// there.
fn has_clients(listener: &tokio::net::TcpListener) -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    // If it cannot be asked, the failure stands for one that waits.
    poll(&mut [PollFd::new(listener, PollFlags::IN)], Some(&now)).map_or(true, |ready| ready > 0)
}
