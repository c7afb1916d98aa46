//! Quantiles of times, to 1 %, in bounded memory: counts by power of a base (DDSketch, Masson et al., VLDB 2019).

use super::tables::Quantile;

/// How far a quantile may be from the true one, as a share of it.
const ERROR: f64 = 0.01;
/// Each bucket reaches from a power of this to the next.
const BASE: f64 = (1.0 + ERROR) / (1.0 - ERROR);
/// Shorter values count as the first, longer ones as the second: so there are some 2,000 buckets at most.
const RANGE: (f64, f64) = (1e-6, 1e10);
/// Shares that are told.
const SHARES: [f64; 3] = [0.5, 0.9, 0.99];

/// Times, counted.
#[derive(Clone, Debug)]
pub(super) struct Quantiles {
    /// The number of the first bucket.
    first: i32,
    /// The count of each bucket from there on.
    counts: Vec<u64>,
}

// === impl Quantiles ===

impl Quantiles {
    pub(super) const fn new() -> Self {
        Self { first: 0, counts: vec![] }
    }

    /// Counts one.
    pub(super) fn add(&mut self, seconds: f64) {
        let bucket = seconds.clamp(RANGE.0, RANGE.1).ln() / BASE.ln();
        *self.count(bucket.ceil() as i32) += 1;
    }

    /// Counts all that another has counted.
    pub(super) fn merge(&mut self, other: &Self) {
        for (bucket, count) in other.buckets() {
            *self.count(bucket) += count;
        }
    }

    /// The count of a bucket. Those between it and the others get one too.
    fn count(&mut self, bucket: i32) -> &mut u64 {
        if self.counts.is_empty() {
            self.first = bucket;
        }
        let before = usize::try_from(self.first - bucket).unwrap_or(0);
        if before > 0 {
            self.counts.splice(..0, std::iter::repeat_n(0, before));
            self.first = bucket;
        }
        let place = (bucket - self.first) as usize;
        if place >= self.counts.len() {
            self.counts.resize(place + 1, 0);
        }
        &mut self.counts[place]
    }

    /// Buckets that have counts, in order.
    fn buckets(&self) -> impl Iterator<Item = (i32, u64)> {
        (self.first..).zip(self.counts.iter().copied()).filter(|(_, count)| *count > 0)
    }

    /// The median and others; nothing of nothing.
    pub(super) fn of(&self) -> Vec<Quantile> {
        let buckets: Vec<_> = self.buckets().collect();
        let all: u64 = buckets.iter().map(|(_, count)| count).sum();
        let quantile = |share: f64| {
            let rank = (share * (all.saturating_sub(1)) as f64) as u64;
            let mut below = 0;
            let (bucket, _) = buckets.iter().find(|(_, count)| {
                below += count;
                below > rank
            })?;
            let seconds = 2.0 * BASE.powi(*bucket) / (BASE + 1.0);
            Some(Quantile { share, seconds: (seconds * 1e6).round() / 1e6 })
        };
        SHARES.into_iter().filter_map(quantile).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_right_to_a_hundredth_at_any_scale() {
        for scale in [0.001, 1.0, 3600.0] {
            let mut quantiles = Quantiles::new();
            let mut other = Quantiles::new();
            for number in 1..=10_000_u32 {
                let half = if number % 2 == 0 { &mut quantiles } else { &mut other };
                half.add(f64::from(number) * scale);
            }
            quantiles.merge(&other);
            for quantile in quantiles.of() {
                let exact = ((quantile.share * 9999.0).floor() + 1.0) * scale;
                assert!((quantile.seconds - exact).abs() <= exact * ERROR + 1e-6, "{quantile:?}: {exact}");
            }
        }
    }

    #[test]
    fn nothing_has_no_quantiles_and_no_time_is_too_odd() {
        let mut quantiles = Quantiles::new();
        assert!(quantiles.of().is_empty());
        for odd in [0.0, -1.0, f64::NAN, f64::INFINITY, f64::MAX] {
            quantiles.add(odd);
        }
        assert!(quantiles.of().iter().all(|quantile| quantile.seconds.is_finite()));
    }
}
