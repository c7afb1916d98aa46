//! Who a client is: by its socket, by the word of a balancer, by the headers of a trusted proxy.

use std::net::IpAddr;

use crate::close::Address;
use crate::config::Forwarded;

/// One end of a client's connection.
#[derive(Clone, Debug)]
pub(in crate::proxy) struct Client {
    /// The socket's peer.
    pub(in crate::proxy) address: Address,
    /// Who that peer speaks for, by PROXY protocol.
    pub(in crate::proxy) proxied: Option<Address>,
}

// === impl Client ===

impl Client {
    /// Who speaks HTTP on the connection: what the upstream is told, and what connections are counted by.
    pub(in crate::proxy) fn source(&self) -> &Address {
        self.proxied.as_ref().unwrap_or(&self.address)
    }

    /// Whether what the source says of others is believed.
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
