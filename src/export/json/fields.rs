//! Times as the record spells them.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, Serializer};

/// A point in time: RFC 3339 in UTC, always with six decimals.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rfc3339(pub(super) Timestamp);

/// A time in milliseconds, to the microsecond. Always with a decimal point, so that a store that guesses a type from the
/// first value does not guess an integer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Millis(pub(super) Duration);

// === impl Rfc3339 ===

impl Rfc3339 {
    /// `after` behind `start`.
    pub(super) fn after(start: Timestamp, after: Duration) -> Self {
        let after = SignedDuration::try_from(after).unwrap_or(SignedDuration::MAX);
        Self(start.checked_add(after).unwrap_or(Timestamp::MAX))
    }
}

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:.6}", self.0))
    }
}

// === impl Millis ===

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[expect(clippy::cast_precision_loss, reason = "exact for 285 years, and prints with three decimals for 31")]
        let micros = self.0.as_micros() as f64;
        serializer.serialize_f64(micros / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_microseconds_and_end_in_z() {
        let spelt = |text: &str| serde_json::to_string(&Rfc3339(text.parse().unwrap())).unwrap();
        assert_eq!(spelt("2026-11-20T12:01:12.4Z"), r#""2026-11-20T12:01:12.400000Z""#);
        assert_eq!(spelt("2026-11-20T12:01:12Z"), r#""2026-11-20T12:01:12.000000Z""#);
        assert_eq!(spelt("2026-11-20T13:01:12.123456789+01:00"), r#""2026-11-20T12:01:12.123456Z""#);
    }

    #[test]
    fn no_duration_is_too_long() {
        assert_eq!(Rfc3339::after(Timestamp::UNIX_EPOCH, Duration::MAX).0, Timestamp::MAX);
    }

    #[test]
    fn milliseconds_have_at_most_three_decimals() {
        let spelt = |micros| serde_json::to_string(&Millis(Duration::from_micros(micros))).unwrap();
        assert_eq!(spelt(72_345_678), "72345.678");
        assert_eq!(spelt(40_000), "40.0");
        assert_eq!(spelt(0), "0.0");
        assert_eq!(spelt(31_200), "31.2");
        for micros in (0..2_000).chain((0..40).map(|bits| (1 << bits) + 1)) {
            let text = spelt(micros);
            assert!(text.split_once('.').is_some_and(|(_, decimals)| decimals.len() <= 3), "{text}");
        }
    }
}
