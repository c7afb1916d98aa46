//! An address of a peer, and its text.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// One end of a leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// TCP; with port 0, which no connection has, the port is not known.
    Ip(SocketAddr),
    /// A unix socket's path; empty for a peer without a name.
    Unix(Arc<str>),
}

/// The text of an IPv4 address, with its port unless that is 0.
///
/// Each record has several, and the standard library takes ten times as long over one: it formats each number by itself.
struct V4Text {
    bytes: [u8; Self::LONGEST],
    len: usize,
}

// === impl Address ===

impl Address {
    /// The text of an IP address without its port, behind `out`.
    pub fn push_ip(ip: std::net::IpAddr, out: &mut Vec<u8>) {
        Self::Ip(SocketAddr::new(ip, 0)).push(out);
    }

    /// Its text, behind `out`.
    pub fn push(&self, out: &mut Vec<u8>) {
        if let Self::Ip(SocketAddr::V4(address)) = self {
            out.extend_from_slice(V4Text::new(*address.ip(), address.port()).as_bytes());
        } else {
            // Memory takes every write.
            let _ = std::io::Write::write_fmt(out, format_args!("{self}"));
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(SocketAddr::V4(address)) => f.pad(V4Text::new(*address.ip(), address.port()).as_str()),
            Self::Ip(address) if address.port() == 0 => address.ip().fmt(f),
            Self::Ip(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{path}"),
        }
    }
}

impl serde::Serialize for Address {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

// === impl V4Text ===

impl V4Text {
    const LONGEST: usize = "255.255.255.255:65535".len();

    fn new(ip: Ipv4Addr, port: u16) -> Self {
        let mut text = Self { bytes: [0; Self::LONGEST], len: 0 };
        let [a, b, c, d] = ip.octets().map(u16::from);
        for (number, behind) in [(a, b'.'), (b, b'.'), (c, b'.'), (d, b':')] {
            text.push(itoa::Buffer::new().format(number).as_bytes());
            text.push(&[behind]);
        }
        if port == 0 {
            text.len -= 1;
        } else {
            text.push(itoa::Buffer::new().format(port).as_bytes());
        }
        text
    }

    fn push(&mut self, more: &[u8]) {
        self.bytes[self.len..][..more.len()].copy_from_slice(more);
        self.len += more.len();
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn as_str(&self) -> &str {
        // Digits, points and a colon.
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_text_of_an_address_is_that_of_the_standard_library(address in any::<SocketAddr>()) {
            let mut pushed = Vec::new();
            Address::Ip(address).push(&mut pushed);
            let expected =
                if address.port() == 0 { address.ip().to_string() } else { address.to_string() };
            prop_assert_eq!(String::from_utf8(pushed).unwrap(), &*expected);
            prop_assert_eq!(Address::Ip(address).to_string(), expected);
            let (mut ip, at_zero) = (Vec::new(), Address::Ip(SocketAddr::new(address.ip(), 0)));
            Address::push_ip(address.ip(), &mut ip);
            prop_assert_eq!(at_zero.to_string(), address.ip().to_string());
            prop_assert_eq!(String::from_utf8(ip).unwrap(), address.ip().to_string());
        }
    }
}
