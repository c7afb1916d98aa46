//! A sample of bounded size that depends on neither order nor cuts: of each stratum the rows of least rank.
//!
//! Below [`PER_STRATUM`] rows of a stratum it is no sample but all of them.

use std::collections::{BinaryHeap, HashMap};

use super::names::Name;
use super::row::Row;
use super::sign::Sign;

/// Rows that are kept of one route and sign.
pub(super) const PER_STRATUM: usize = 8192;
/// Strata that are kept apart; the others share one a sign.
const STRATA: usize = 512;

/// Rows, and how many each stands for.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    strata: HashMap<(Name, Option<Sign>), Stratum>,
    /// Rows that each stratum may keep; halved whenever there are more than `room` in all.
    most: usize,
    kept: usize,
    room: usize,
}

#[derive(Clone, Debug, Default)]
struct Stratum {
    seen: u64,
    kept: BinaryHeap<Ranked>,
}

#[derive(Clone, Debug)]
struct Ranked(Row);

// === impl Sample ===

impl Default for Sample {
    fn default() -> Self {
        Self::with_room(PER_STRATUM * STRATA)
    }
}

impl Sample {
    /// Keeps about so many rows at most.
    pub(super) fn with_room(rows: usize) -> Self {
        Self { strata: HashMap::new(), most: PER_STRATUM, kept: 0, room: rows }
    }

    /// Takes a row in, if it is of the least.
    pub(super) fn add(&mut self, row: Row) {
        let mut key = row.stratum();
        if !self.strata.contains_key(&key) && self.strata.len() >= STRATA {
            key.0 = 0;
        }
        let stratum = self.strata.entry(key).or_default();
        stratum.seen += 1;
        self.kept += usize::from(stratum.keep(row, self.most));
        self.shrink();
    }

    /// Makes strata smaller until there is room. The result is that of any order: the greatest size that fits.
    fn shrink(&mut self) {
        while self.kept > self.room && self.most > 1 {
            self.most /= 2;
            for stratum in self.strata.values_mut() {
                while stratum.kept.len() > self.most {
                    stratum.kept.pop();
                    self.kept -= 1;
                }
            }
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.most = self.most.min(other.most);
        for (key, theirs) in other.strata {
            let full = !self.strata.contains_key(&key) && self.strata.len() >= STRATA;
            let mine = self.strata.entry(if full { (0, key.1) } else { key }).or_default();
            mine.seen += theirs.seen;
            for Ranked(row) in theirs.kept {
                self.kept += usize::from(mine.keep(row, self.most));
            }
        }
        for stratum in self.strata.values_mut() {
            while stratum.kept.len() > self.most {
                stratum.kept.pop();
                self.kept -= 1;
            }
        }
        self.shrink();
    }

    /// All rows with the number of records that each stands for, by time.
    pub(super) fn rows(&self) -> Vec<(Row, f64)> {
        let mut rows: Vec<_> = self
            .strata
            .values()
            .flat_map(|stratum| {
                let weight = stratum.seen as f64 / stratum.kept.len().max(1) as f64;
                stratum.kept.iter().map(move |row| (row.0.clone(), weight))
            })
            .collect();
        rows.sort_by(|(a, _), (b, _)| a.at.total_cmp(&b.at).then(a.rank.cmp(&b.rank)));
        rows
    }
}

// === impl Stratum ===

impl Stratum {
    /// Keeps a row if it is of the `most` of least rank; gives whether there is one more now.
    fn keep(&mut self, row: Row, most: usize) -> bool {
        if self.kept.len() < most {
            self.kept.push(Ranked(row));
            return true;
        }
        if self.kept.peek().is_some_and(|greatest| row.rank < greatest.0.rank) {
            self.kept.pop();
            self.kept.push(Ranked(row));
        }
        false
    }
}

// === impl Ranked ===

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.rank.cmp(&other.0.rank)
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.0.rank == other.0.rank
    }
}

impl Eq for Ranked {}
