//! Sessions that upstreams took, over by now or not: records tell only of those that are over.

use std::cmp::Reverse;

use foldhash::HashMap;

use super::names::Name;

/// How many each upstream took, by quarters of a second. Without room the fewest are forgotten: many at once are those that came back
/// behind a restart.
#[derive(Clone, Debug, Default)]
pub(super) struct Taken(HashMap<(Name, i64), u32>);

/// Counts that are kept.
const MOST: usize = 2048;
/// Counts that make room for others at once.
const SPARE: usize = 256;
/// Quarters of a second.
const A_SECOND: f64 = 4.0;

// === impl Taken ===

impl Taken {
    /// This upstream took a session at this instant of Unix time.
    pub(super) fn add(&mut self, upstream: Name, at: f64) {
        self.count((upstream, quarter(at)), 1);
    }

    /// Takes in what another one counted.
    pub(super) fn merge(&mut self, other: Self) {
        for (key, count) in other.0 {
            self.count(key, count);
        }
    }

    /// Sessions that this upstream took from an instant on and before another one.
    pub(super) fn within(&self, upstream: Name, (from, until): (f64, f64)) -> u64 {
        let quarters = quarter(from)..=quarter(until);
        let here = self.0.iter().filter(|((of, at), _)| *of == upstream && quarters.contains(at));
        here.map(|(_, count)| u64::from(*count)).sum()
    }

    fn count(&mut self, key: (Name, i64), more: u32) {
        let count = self.0.entry(key).or_default();
        *count = count.saturating_add(more);
        if self.0.len() > MOST {
            let mut all: Vec<_> = self.0.drain().collect();
            all.sort_unstable_by_key(|((upstream, at), count)| Reverse((*count, *at, *upstream)));
            all.truncate(MOST - SPARE);
            self.0.extend(all);
        }
    }
}

fn quarter(at: f64) -> i64 {
    (at * A_SECOND).floor() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rush_is_remembered_when_there_is_no_room_for_all() {
        let mut taken = Taken::default();
        for _ in 0..30 {
            taken.add(7, 1000.1);
        }
        for second in 0..100_000_u32 {
            taken.add(7, 2000.0 + f64::from(second));
            assert!(taken.0.len() <= MOST);
        }
        assert_eq!(taken.within(7, (1000.0, 1090.0)), 30);
        assert_eq!(taken.within(8, (1000.0, 1090.0)), 0);
        assert_eq!(taken.within(7, (101_995.0, 102_005.0)), 5, "the newest are there");
        let mut twice = taken.clone();
        twice.merge(taken);
        assert_eq!(twice.within(7, (1000.0, 1090.0)), 60);
    }
}
