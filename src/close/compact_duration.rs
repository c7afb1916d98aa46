//! A time in half the room of a `Duration`.

use std::num::NonZero;
use std::time::Duration;

const NANOS_PER_SEC: u64 = 1_000_000_000;
/// Nanoseconds in a tenth of a millisecond.
const NANOS_PER_TENTH: u64 = 100_000;

/// Time since a session opened, in 8 bytes, and in as many with an `Option` around it: every session holds several.
///
/// To the nanosecond, and at most 584 years: what is longer is taken for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CompactDuration(
    /// Nanoseconds, and one.
    NonZero<u64>,
);

/// A time between two frames, in 4 bytes: tenths of a millisecond, at most some 119 hours. A longer one is taken for that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Silence(u32);

// === impl CompactDuration ===

impl CompactDuration {
    /// No time at all.
    pub const ZERO: Self = Self(NonZero::<u64>::MIN);

    /// As a duration.
    pub const fn get(self) -> Duration {
        Duration::from_nanos(self.0.get() - 1)
    }

    /// The time from `earlier` to this one.
    pub(super) fn since(self, earlier: Self) -> Silence {
        let tenths = self.0.get().saturating_sub(earlier.0.get()) / NANOS_PER_TENTH;
        Silence(u32::try_from(tenths).unwrap_or(u32::MAX))
    }
}

impl Default for CompactDuration {
    fn default() -> Self {
        Self::ZERO
    }
}

impl From<Duration> for CompactDuration {
    fn from(time: Duration) -> Self {
        let nanos = time.as_secs().saturating_mul(NANOS_PER_SEC).saturating_add(time.subsec_nanos().into());
        Self(NonZero::<u64>::MIN.saturating_add(nanos))
    }
}

// === impl Silence ===

impl Silence {
    /// As a duration.
    pub(super) const fn get(self) -> Duration {
        Duration::from_nanos(self.0 as u64 * NANOS_PER_TENTH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_duration_that_it_was_made_of() {
        for time in [Duration::ZERO, Duration::from_nanos(1), Duration::new(3, 999_999_999), Duration::from_hours(24)] {
            assert_eq!(CompactDuration::from(time).get(), time);
        }
        assert!(CompactDuration::from(Duration::from_millis(7)) < CompactDuration::from(Duration::from_millis(8)));
        assert_eq!(CompactDuration::default(), CompactDuration::ZERO);
        assert_eq!(size_of::<Option<CompactDuration>>(), 8);
    }

    #[test]
    fn the_time_between_two_is_kept_to_a_tenth_of_a_millisecond() {
        let since = |later: Duration, earlier: Duration| {
            CompactDuration::from(later).since(CompactDuration::from(earlier)).get()
        };
        assert_eq!(since(Duration::from_micros(30_450), Duration::from_micros(50)), Duration::from_micros(30_400));
        assert_eq!(since(Duration::from_micros(199), Duration::ZERO), Duration::from_micros(100));
        assert_eq!(since(Duration::from_hours(100), Duration::ZERO), Duration::from_hours(100));
        assert_eq!(since(Duration::ZERO, Duration::from_secs(1)), Duration::ZERO);
    }

    #[test]
    fn a_time_that_is_too_long_is_the_longest() {
        let longest = CompactDuration::from(Duration::MAX).since(CompactDuration::ZERO);
        assert_eq!(longest, Silence(u32::MAX));
        assert_eq!(CompactDuration::from(Duration::MAX).get(), Duration::from_nanos(u64::MAX - 1));
    }
}
