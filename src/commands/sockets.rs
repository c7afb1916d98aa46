//! Where listening sockets come from: the instance before, systemd, or the system.

use std::net::{SocketAddr, TcpListener};

use listenfd::ListenFd;

use super::handover::{self, Named, Predecessor};
use super::start_error::StartError;
use crate::config::Config;
use crate::proxy;

/// The names that the log, a predecessor and systemd (`FileDescriptorName=`) give the sockets.
pub(super) const PROXY: &str = "proxy";
pub(super) const ADMIN: &str = "admin";
pub(super) const METRICS: &str = "metrics";

/// The listening sockets of an instance.
pub(super) struct Sockets {
    pub(super) front: TcpListener,
    pub(super) admin: Option<TcpListener>,
    pub(super) metrics: Option<TcpListener>,
    /// Goes on to serve until it is told that this instance does.
    pub(super) predecessor: Option<Predecessor>,
}

/// A socket that systemd passed.
struct Passed {
    name: String,
    address: SocketAddr,
    socket: TcpListener,
}

// === impl Sockets ===

impl Sockets {
    /// Opens the addresses of `config`, or takes sockets that are open already.
    pub(super) fn open(config: &Config) -> Result<Self, StartError> {
        let (mut inherited, predecessor) = match &config.restart.socket {
            None => (Vec::new(), None),
            Some(path) => handover::take_over(path)
                .map_err(|source| StartError::Restart { path: path.clone(), source })?
                .map_or((Vec::new(), None), |(sockets, predecessor)| (sockets, Some(predecessor))),
        };
        let mut passed = passed_by_systemd()?;
        let listen = match passed.as_slice() {
            // Nothing else says where clients come in.
            [only] if !config.listen_given && only.role() == PROXY => only.address,
            _ => config.listen,
        };
        let wanted = [
            (PROXY, "listen", Some(listen)),
            (ADMIN, "admin.listen", config.admin.listen),
            (METRICS, "metrics.listen", config.metrics.listen),
        ];
        let taken = wanted.map(|(name, _, address)| take(&mut inherited, &mut passed, name, address?));
        // A predecessor's socket that nobody wants is left to it; one of systemd's would have clients wait for ever.
        let is_taken =
            |other: &Passed| taken.iter().flatten().any(|it| it.local_addr().is_ok_and(|at| at == other.address));
        if let Some(Passed { name, address, .. }) = passed.iter().find(|other| !is_taken(other)) {
            let wanted = wanted.map(|(_, key, wanted)| match wanted {
                Some(wanted) => format!("{key} is {wanted}"),
                None => format!("{key} is off"),
            });
            return Err(StartError::Unwanted { name: name.clone(), address: *address, wanted: wanted.join(", ") });
        }
        let [front, admin, metrics] = taken;
        let front = open(front, "listen", listen)?;
        let admin = config.admin.listen.map(|address| open(admin, "admin.listen", address)).transpose()?;
        let metrics = config.metrics.listen.map(|address| open(metrics, "metrics.listen", address)).transpose()?;
        Ok(Self { front, admin, metrics, predecessor })
    }

    /// The same sockets once more, to be handed on.
    pub(super) fn to_hand_on(&self) -> std::io::Result<Vec<Named>> {
        let all = [(PROXY, Some(&self.front)), (ADMIN, self.admin.as_ref()), (METRICS, self.metrics.as_ref())];
        let there = all.into_iter().filter_map(|(name, socket)| Some((name, socket?)));
        there.map(|(name, socket)| Ok((name.to_owned(), socket.try_clone()?))).collect()
    }
}

// === impl Passed ===

impl Passed {
    /// The name among ours that it is for: clients', unless it is called otherwise.
    fn role(&self) -> &'static str {
        [ADMIN, METRICS].into_iter().find(|name| *name == self.name).unwrap_or(PROXY)
    }
}

/// The open socket of this name and address, if there is one: a predecessor's before one of systemd's.
fn take(inherited: &mut Vec<Named>, passed: &mut Vec<Passed>, name: &str, address: SocketAddr) -> Option<TcpListener> {
    let fits =
        |found: SocketAddr| found.ip() == address.ip() && (address.port() == 0 || found.port() == address.port());
    let is_it = |(found, socket): &Named| found == name && socket.local_addr().is_ok_and(fits);
    if let Some(at) = inherited.iter().position(is_it) {
        return Some(inherited.swap_remove(at).1);
    }
    let at = passed.iter().position(|other| other.role() == name && fits(other.address))?;
    Some(passed.swap_remove(at).socket)
}

/// The socket that was taken, ready to be used, or a new one.
fn open(taken: Option<TcpListener>, key: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    let Some(socket) = taken else {
        return proxy::bind(address).map_err(|source| StartError::Bind { key, address, source });
    };
    socket.set_nonblocking(true).map_err(StartError::Start)?;
    Ok(socket)
}

/// The sockets that systemd passed (`LISTEN_FDS`, `LISTEN_FDNAMES`).
fn passed_by_systemd() -> Result<Vec<Passed>, StartError> {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    let mut opened = ListenFd::from_env();
    let mut sockets = Vec::new();
    for index in 0..opened.len() {
        let name = names.next().unwrap_or_default().to_owned();
        let socket = opened.take_tcp_listener(index).and_then(|socket| match socket {
            Some(socket) => socket.local_addr().map(|address| Some((address, socket))),
            None => Ok(None),
        });
        match socket {
            Ok(Some((address, socket))) => sockets.push(Passed { name, address, socket }),
            Ok(None) => {}
            Err(source) => return Err(StartError::Passed { name, source }),
        }
    }
    Ok(sockets)
}
