//! Plain requests that the upstream did not answer, in the program's own log. They leave no record, and behind an upstream that is down
//! there are thousands: one of them in a while says why.

use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::plain::PlainError;
use crate::close::Address;

/// From one warning of a route to the next.
const PAUSE: Duration = Duration::from_secs(10);

/// Failures of one route.
#[derive(Debug, Default)]
pub(in crate::proxy) struct Failures(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    last: Option<Instant>,
    /// Failures since then.
    untold: u64,
}

// === impl Failures ===

impl Failures {
    /// Logs why a request of `client` had no answer.
    pub(in crate::proxy) fn note(&self, error: &PlainError, client: &Address, route: &str) {
        let (cause, status) = (error as &dyn Error, error.status().as_u16());
        if let PlainError::Ended(_) = error {
            tracing::warn!(%client, %route, error = cause, "502: the request is not sent a second time, it could be done twice");
        } else if error.is_of_the_client() {
            tracing::debug!(%client, %route, status, error = cause, "the client's request cannot be forwarded");
        } else if let Some(untold) = self.count(Instant::now()) {
            tracing::warn!(%client, %route, status, untold, error = cause, "a plain request has no answer");
        } else {
            tracing::debug!(%client, %route, status, error = cause, "a plain request has no answer");
        }
    }

    /// Counts one. If it is to be told, gives the number of those before it that were not.
    fn count(&self, now: Instant) -> Option<u64> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.last.is_some_and(|last| now < last + PAUSE) {
            told.untold += 1;
            return None;
        }
        told.last = Some(now);
        Some(std::mem::take(&mut told.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_and_then_one_in_each_pause_with_the_number_of_those_between() {
        let (failures, begin) = (Failures::default(), Instant::now());
        assert_eq!(failures.count(begin), Some(0));
        for second in 1..10 {
            assert_eq!(failures.count(begin + Duration::from_secs(second)), None);
        }
        assert_eq!(failures.count(begin + PAUSE), Some(9));
        assert_eq!(failures.count(begin + PAUSE * 3), Some(0));
    }
}
