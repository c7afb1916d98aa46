//! Connections, counted by where they come from.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::close::Address;

/// How many connections each source has. Locked when a connection begins or ends, and only while a limit is configured.
#[derive(Default)]
pub(super) struct Sources(Mutex<HashMap<IpAddr, usize>>);

/// One connection of a source.
pub(super) struct Place {
    sources: Arc<Sources>,
    source: IpAddr,
}

// === impl Sources ===

impl Sources {
    /// A place for one connection more from `source`, of which `limit` are allowed. Who has no IP address is not counted.
    pub(super) fn take(self: &Arc<Self>, source: &Address, limit: usize) -> Result<Option<Box<Place>>, Full> {
        let Address::Ip(address) = source else { return Ok(None) };
        let source = network(address.ip());
        let mut counts = self.lock();
        let count = counts.entry(source).or_default();
        if *count >= limit {
            return Err(Full);
        }
        *count += 1;
        Ok(Some(Box::new(Place { sources: Arc::clone(self), source })))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A source has all it may have.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

// === impl Place ===

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.sources.lock();
        if let Some(count) = counts.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.source);
            }
        }
    }
}

/// What counts as one source: an IPv4 address, or the IPv6 network of 64 bits that a subscriber has to themselves.
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
        ip @ IpAddr::V4(_) => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::Ip(text.parse().unwrap())
    }

    #[test]
    fn a_source_has_its_places_back_when_they_are_free() {
        let sources = Arc::new(Sources::default());
        let first = sources.take(&address("192.0.2.7:1"), 2).unwrap();
        let second = sources.take(&address("[::ffff:192.0.2.7]:2"), 2).unwrap();
        assert_eq!(sources.take(&address("192.0.2.7:3"), 2).err(), Some(Full));
        assert!(sources.take(&address("192.0.2.8:3"), 2).is_ok(), "another source");
        drop(first);
        assert!(sources.take(&address("192.0.2.7:3"), 2).is_ok());
        drop(second);
        assert!(sources.lock().is_empty(), "nothing is kept of who is gone");
    }

    #[test]
    fn a_network_of_ipv6_is_one_source() {
        let sources = Arc::new(Sources::default());
        let _place = sources.take(&address("[2001:db8::1]:1"), 1).unwrap();
        assert_eq!(sources.take(&address("[2001:db8::ffff:0:0:2]:2"), 1).err(), Some(Full));
        assert!(sources.take(&address("[2001:db8:0:1::1]:1"), 1).is_ok());
    }

    #[test]
    fn who_has_no_address_is_not_counted() {
        let sources = Arc::new(Sources::default());
        for _ in 0..3 {
            assert!(sources.take(&Address::Unix("".into()), 1).is_ok_and(|place| place.is_none()));
        }
    }
}
