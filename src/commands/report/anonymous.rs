//! Names in place of addresses and hosts: equal for equal, and different in every run.

use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::diagnosis::{Event, Observation};

/// A key that nobody knows, and that is gone when the command is.
#[derive(Clone, Debug, Default)]
pub(super) struct Anonymous(RandomState);

// === impl Anonymous ===

impl Anonymous {
    /// Hides addresses, hosts and instances of a record.
    pub(super) fn hide(&self, seen: &mut Observation<'_>) {
        for address in [&mut seen.address, &mut seen.real_address] {
            self.address(address);
        }
        let first = seen.request.forwarded_for.split(',').next().unwrap_or("").trim().to_owned();
        seen.request.forwarded_for = Cow::Owned(first);
        self.address(&mut seen.request.forwarded_for);
        self.word("origin", &mut seen.request.origin);
        self.word("instance", &mut seen.instance);
        if let Event::Closed(closed) = &mut seen.event {
            self.word("upstream", &mut closed.upstream);
        }
    }

    fn word(&self, kind: &str, text: &mut Cow<'_, str>) {
        if !text.is_empty() {
            *text = Cow::Owned(format!("{kind}-{:08x}", self.key(text.as_bytes()) as u32));
        }
    }

    /// Clients of one subnet stay in one; anything but an address becomes empty.
    fn address(&self, text: &mut Cow<'_, str>) {
        let ip = text.parse::<SocketAddr>().map(|address| address.ip()).or_else(|_| text.parse::<IpAddr>());
        let (octets, subnet) = match ip {
            Ok(IpAddr::V4(ip)) => (ip.octets().to_vec(), 3),
            Ok(IpAddr::V6(ip)) => (ip.octets().to_vec(), 6),
            Err(_) => {
                *text = Cow::Borrowed("");
                return;
            }
        };
        let (net, host) = (u128::from(self.key(&octets[..subnet]) as u32), u128::from(self.key(&octets)));
        // A unique local address (RFC 4193): nobody takes it for one that is somebody's.
        let hidden = 0xfd << 120 | net << 80 | host;
        *text = Cow::Owned(Ipv6Addr::from_bits(hidden).to_string());
    }

    fn key(&self, bytes: &[u8]) -> u64 {
        self.0.hash_one(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(anonymous: &Anonymous, address: &'static str) -> String {
        let mut text = Cow::Borrowed(address);
        anonymous.address(&mut text);
        text.into_owned()
    }

    #[test]
    fn equal_addresses_stay_equal_and_subnets_stay_together() {
        let anonymous = Anonymous::default();
        let one = hidden(&anonymous, "198.51.100.7:4711");
        assert_eq!(one, hidden(&anonymous, "198.51.100.7:4712"));
        let neighbour = hidden(&anonymous, "198.51.100.8:1");
        assert_ne!(one, neighbour);
        let net = |text: &str| text.split(':').take(3).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(net(&one), net(&neighbour));
        assert_ne!(net(&one), net(&hidden(&anonymous, "203.0.113.7:1")));
        assert_ne!(one, hidden(&Anonymous::default(), "198.51.100.7:4711"));
    }

    #[test]
    fn what_is_no_address_is_left_out() {
        assert_eq!(hidden(&Anonymous::default(), "unix:/run/secret.sock"), "");
    }
}
