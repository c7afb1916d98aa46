//! The name of an upstream, for connections that are kept: whether it still resolves to the address that they lead to.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

/// An answer of the resolver is good for so long: what a name's record lives in a cluster's DNS (5 s in CoreDNS). All
/// connections to an upstream share the answer, so a name is looked up no more often than this.
const GOOD_FOR: Duration = Duration::from_secs(5);

/// A resolver that does not answer holds up a request for no longer than this. It says nothing of the connection.
const PATIENCE: Duration = Duration::from_secs(1);

/// A name that may come to mean other addresses.
pub(super) struct Name {
    host: String,
    port: u16,
    good_for: Duration,
    /// Held while the name is looked up: whoever else asks meanwhile is given the same answer.
    last: Mutex<Option<Answer>>,
}

/// The last answer of the resolver.
struct Answer {
    asked: Instant,
    /// `None` if it gave none.
    addresses: Option<Vec<SocketAddr>>,
}

// === impl Name ===

impl Name {
    /// `None` if `host` is an address: that leads to itself.
    pub(super) fn new(host: &str, port: u16) -> Option<Self> {
        let is_name = host.parse::<IpAddr>().is_err();
        is_name.then(|| Self { host: host.to_owned(), port, good_for: GOOD_FOR, last: Mutex::new(None) })
    }

    /// Whether the name still resolves to `address`, which was last known at the instant `known`. That instant is brought
    /// up to date.
    pub(super) async fn leads_to(&self, address: SocketAddr, known: &mut Instant) -> bool {
        self.leads_to_by(address, known, async || Ok(lookup_host((&*self.host, self.port)).await?.collect())).await
    }

    /// The same by the answer of `look_up`.
    async fn leads_to_by(
        &self,
        address: SocketAddr,
        known: &mut Instant,
        look_up: impl AsyncFnOnce() -> io::Result<Vec<SocketAddr>>,
    ) -> bool {
        if known.elapsed() < self.good_for {
            return true;
        }
        let mut last = self.last.lock().await;
        // An answer from before says nothing of an address that was found behind it.
        let answer = match last.take().filter(|answer| answer.asked > *known && answer.asked.elapsed() < self.good_for)
        {
            Some(answer) => answer,
            None => Answer {
                asked: Instant::now(),
                addresses: timeout(PATIENCE, look_up()).await.ok().and_then(Result::ok),
            },
        };
        *known = answer.asked;
        let leads = answer.addresses.as_ref().is_none_or(|them| them.iter().any(|it| it.ip() == address.ip()));
        *last = Some(answer);
        leads
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: [u8; 4] = [192, 0, 2, 1];
    const NEW: [u8; 4] = [192, 0, 2, 2];

    fn name(good_for: Duration) -> Name {
        Name { good_for, ..Name::new("backend.test", 80).unwrap() }
    }

    fn at(address: [u8; 4]) -> SocketAddr {
        (address, 80).into()
    }

    /// The answer for a connection to the old address, if the resolver answers so.
    async fn told(name: &Name, known: &mut Instant, answer: io::Result<Vec<SocketAddr>>) -> bool {
        name.leads_to_by(at(OLD), known, async || answer).await
    }

    #[tokio::test]
    async fn a_name_leads_to_the_addresses_that_it_has_now() {
        let (name, mut known) = (name(Duration::ZERO), Instant::now());
        assert!(told(&name, &mut known, Ok(vec![at(NEW), at(OLD)])).await);
        assert!(!told(&name, &mut known, Ok(vec![at(NEW)])).await);
        assert!(!told(&name, &mut known, Ok(vec![])).await);
    }

    #[tokio::test]
    async fn a_resolver_that_fails_or_hangs_says_nothing_of_a_connection() {
        let (name, mut known) = (name(Duration::ZERO), Instant::now());
        assert!(told(&name, &mut known, Err(io::ErrorKind::Other.into())).await);
        assert!(name.leads_to_by(at(OLD), &mut known, async || std::future::pending().await).await);
    }

    #[tokio::test]
    async fn a_connection_is_not_looked_after_before_a_while_has_passed() {
        let (name, mut known) = (name(Duration::from_hours(1)), Instant::now());
        assert!(name.leads_to_by(at(OLD), &mut known, async || panic!("looked up")).await);
    }

    #[tokio::test]
    async fn connections_share_an_answer_that_is_younger_than_they_are() {
        let hour = Duration::from_hours(1);
        let name = name(hour);
        let Some(long_ago) = Instant::now().checked_sub(hour * 2) else { return };
        let (mut first, mut second) = (long_ago, long_ago);
        assert!(told(&name, &mut first, Ok(vec![at(OLD)])).await);
        assert!(name.leads_to_by(at(OLD), &mut second, async || panic!("looked up again")).await);
        assert!(!name.leads_to_by(at(NEW), &mut { long_ago }, async || panic!("looked up again")).await);
        assert!(first > long_ago && first == second, "the instant of the answer");
    }

    #[tokio::test]
    async fn an_address_that_was_dialled_behind_the_last_answer_is_not_held_against_it() {
        let name = name(Duration::ZERO);
        assert!(!told(&name, &mut Instant::now(), Ok(vec![at(NEW)])).await);
        let mut known = Instant::now();
        assert!(told(&name, &mut known, Ok(vec![at(OLD)])).await, "the answer from before was taken");
    }

    #[test]
    fn an_address_is_no_name() {
        for address in ["127.0.0.1", "::1"] {
            assert!(Name::new(address, 80).is_none(), "{address}");
        }
    }
}
