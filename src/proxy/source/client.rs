//! A client's addresses: that of its socket, and the one that a balancer announces for it.

use std::net::IpAddr;

use crate::close::{Address, TlsVersion};
use crate::config::Forwarded;

/// One end of a client's connection.
#[derive(Clone, Debug)]
pub(in crate::proxy) struct Client {
    /// The socket's peer.
    pub(in crate::proxy) address: Address,
    /// The address that the peer announced with the PROXY protocol.
    pub(in crate::proxy) proxied: Option<Address>,
    /// TLS on its leg, once it is shaken hands on.
    pub(in crate::proxy) tls: Option<TlsVersion>,
}

// === impl Client ===

impl Client {
    /// The address of the HTTP peer: the announced one if there is one. Connections are counted by it, and the upstream is
    /// told it.
    pub(in crate::proxy) fn source(&self) -> &Address {
        self.proxied.as_ref().unwrap_or(&self.address)
    }

    /// Whether `forwarded.trusted` covers the source: then its forwarded headers are believed.
    pub(in crate::proxy) fn is_trusted(&self, forwarded: &Forwarded) -> bool {
        ip(self.source()).is_some_and(|ip| forwarded.trusts(ip))
    }
}

fn ip(address: &Address) -> Option<IpAddr> {
    match address {
        Address::Ip(address) => Some(address.ip()),
        Address::Unix(_) => None,
    }
}
