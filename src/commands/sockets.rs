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

impl Sockets {
    /// Opens what `config` names, or takes what is there already.
    pub(super) fn open(config: &Config) -> Result<Self, StartError> {
        let (mut inherited, predecessor) = match &config.restart.socket {
            None => (Vec::new(), None),
            Some(path) => handover::take_over(path)
                .map_err(|source| StartError::Restart { path: path.clone(), source })?
                .map_or((Vec::new(), None), |(sockets, predecessor)| (sockets, Some(predecessor))),
        };
        inherited.extend(from_systemd()?);
        let mut open = |name, key, address| listen(&mut inherited, name, key, address);
        let front = open(PROXY, "listen", config.listen)?;
        let admin = config.admin.listen.map(|address| open(ADMIN, "admin.listen", address)).transpose()?;
        let metrics = config.metrics.listen.map(|address| open(METRICS, "metrics.listen", address)).transpose()?;
        Ok(Self { front, admin, metrics, predecessor })
    }

    /// The same sockets once more, to be handed on.
    pub(super) fn to_hand_on(&self) -> std::io::Result<Vec<Named>> {
        let all = [(PROXY, Some(&self.front)), (ADMIN, self.admin.as_ref()), (METRICS, self.metrics.as_ref())];
        let there = all.into_iter().filter_map(|(name, socket)| Some((name, socket?)));
        there.map(|(name, socket)| Ok((name.to_owned(), socket.try_clone()?))).collect()
    }
}

/// The inherited socket of this name, or a new one. A predecessor's that listens elsewhere than this configuration says is
/// left to it.
fn listen(
    inherited: &mut Vec<Named>,
    name: &str,
    key: &'static str,
    address: SocketAddr,
) -> Result<TcpListener, StartError> {
    let fits = |socket: &TcpListener| {
        let found = socket.local_addr();
        found.is_ok_and(|found| found.ip() == address.ip() && (address.port() == 0 || found.port() == address.port()))
    };
    if let Some(at) = inherited.iter().position(|(found, socket)| found == name && fits(socket)) {
        let (_, socket) = inherited.swap_remove(at);
        socket.set_nonblocking(true).map_err(StartError::Start)?;
        return Ok(socket);
    }
    proxy::bind(address).map_err(|source| StartError::Bind { key, address, source })
}

/// The sockets that systemd passed (`LISTEN_FDS`, `LISTEN_FDNAMES`): one without a name of ours is for clients.
fn from_systemd() -> Result<Vec<Named>, StartError> {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    let mut opened = ListenFd::from_env();
    let mut sockets = Vec::new();
    for index in 0..opened.len() {
        let name = match names.next() {
            Some(name @ (ADMIN | METRICS)) => name,
            _ => PROXY,
        };
        if let Some(socket) = opened.take_tcp_listener(index).map_err(StartError::Start)? {
            sockets.push((name.to_owned(), socket));
        }
    }
    Ok(sockets)
}
