//! A sample of bounded size that depends on neither order nor cuts: of each stratum the rows of least rank.
//!
//! Below [`PER_STRATUM`] rows of a stratum it is no sample but all of them.

use std::collections::BinaryHeap;

use foldhash::{HashMap, HashMapExt as _};

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
struct Ranked {
    rank: u64,
    row: Box<Row>,
}

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

    /// Takes a row of this stratum and rank in, if it is of the least; else it is only counted, and not made.
    pub(super) fn add(&mut self, mut key: (Name, Option<Sign>), rank: u64, row: impl FnOnce() -> Row) {
        if !self.strata.contains_key(&key) && self.strata.len() >= STRATA {
            key.0 = 0;
        }
        let stratum = self.strata.entry(key).or_default();
        stratum.seen += 1;
        if stratum.takes(rank, self.most) {
            self.kept += usize::from(stratum.keep(Ranked::of(Box::new(row())), self.most));
            self.shrink();
        }
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
            for row in theirs.kept {
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
    pub(super) fn rows(&self) -> Vec<(&Row, f64)> {
        let rows = self.strata.values().flat_map(|stratum| {
            let weight = stratum.seen as f64 / stratum.kept.len().max(1) as f64;
            stratum.kept.iter().map(move |ranked| (ranked.row.at, ranked.rank, &*ranked.row, weight))
        });
        let mut rows: Vec<_> = rows.collect();
        rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        rows.into_iter().map(|(_, _, row, weight)| (row, weight)).collect()
    }
}

// === impl Stratum ===

impl Stratum {
    /// Whether a row of this rank is of the `most` of least rank.
    fn takes(&self, rank: u64, most: usize) -> bool {
        self.kept.len() < most || self.kept.peek().is_some_and(|greatest| rank < greatest.rank)
    }

    /// Keeps a row if it is one of these; gives whether there is one more now.
    fn keep(&mut self, row: Ranked, most: usize) -> bool {
        if self.kept.len() < most {
            self.kept.push(row);
            return true;
        }
        if self.takes(row.rank, most)
            && let Some(mut greatest) = self.kept.peek_mut()
        {
            *greatest = row;
        }
        false
    }
}

// === impl Ranked ===

impl Ranked {
    fn of(row: Box<Row>) -> Self {
        Self { rank: row.rank, row }
    }
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank.cmp(&other.rank)
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.rank == other.rank
    }
}

impl Eq for Ranked {}
