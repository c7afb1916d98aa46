//! The number of connections from each source, for `limits.connections_per_source`.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::close::Address;

/// The number of connections of each source. It is locked when a connection begins or ends, and only while a limit is
/// configured.
#[derive(Default)]
pub(in crate::proxy) struct Quota(Mutex<HashMap<IpAddr, usize>>);

/// One connection of a source.
pub(in crate::proxy) struct Place {
    quota: Arc<Quota>,
    source: IpAddr,
}

// === impl Quota ===

impl Quota {
    /// A place for one connection more from `source`, of which `limit` are allowed. A client without an IP address is
    /// not counted.
    pub(in crate::proxy) fn take(
        self: &Arc<Self>,
        source: &Address,
        limit: usize,
    ) -> Result<Option<Box<Place>>, Exceeded> {
        let Address::Ip(address) = source else { return Ok(None) };
        let source = network(address.ip());
        let mut counts = self.lock();
        let count = counts.entry(source).or_default();
        if *count >= limit {
            return Err(Exceeded);
        }
        *count += 1;
        Ok(Some(Box::new(Place { quota: Arc::clone(self), source })))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The source already has as many connections as it may have.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::proxy) struct Exceeded;

// === impl Place ===

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.quota.lock();
        if let Some(count) = counts.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.source);
            }
        }
    }
}

/// The source that an address belongs to: an IPv4 address, or the IPv6 network of 64 bits that a subscriber has to themselves.
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
        let quota = Arc::new(Quota::default());
        let first = quota.take(&address("192.0.2.7:1"), 2).unwrap();
        let second = quota.take(&address("[::ffff:192.0.2.7]:2"), 2).unwrap();
        assert_eq!(quota.take(&address("192.0.2.7:3"), 2).err(), Some(Exceeded));
        assert!(quota.take(&address("192.0.2.8:3"), 2).is_ok(), "another source");
        drop(first);
        assert!(quota.take(&address("192.0.2.7:3"), 2).is_ok());
        drop(second);
        assert!(quota.lock().is_empty(), "nothing is kept of who is gone");
    }

    #[test]
    fn a_network_of_ipv6_is_one_source() {
        let quota = Arc::new(Quota::default());
        let _place = quota.take(&address("[2001:db8::1]:1"), 1).unwrap();
        assert_eq!(quota.take(&address("[2001:db8::ffff:0:0:2]:2"), 1).err(), Some(Exceeded));
        assert!(quota.take(&address("[2001:db8:0:1::1]:1"), 1).is_ok());
    }

    #[test]
    fn who_has_no_address_is_not_counted() {
        let quota = Arc::new(Quota::default());
        for _ in 0..3 {
            assert!(quota.take(&Address::Unix("".into()), 1).is_ok_and(|place| place.is_none()));
        }
    }
}
