//! A sample of bounded size that depends on neither order nor cuts: of each stratum the rows of least rank.
//!
//! Below [`PER_STRATUM`] rows of a stratum it is no sample but all of them.

use foldhash::{HashMap, HashMapExt as _};

use super::names::Name;
use super::row::Row;
use super::sign::Sign;

/// Rows that are kept of one route and sign.
pub(super) const PER_STRATUM: usize = 8192;
/// One in so many may be above what a stratum keeps.
const SPARE: usize = 8;
/// Strata that are kept apart; the others share one a sign.
const STRATA: usize = 512;

/// Rows, and how many each stands for.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    strata: HashMap<(Name, Option<Sign>), Stratum>,
    /// Rows that each stratum may keep; halved whenever there are more than `room` in all.
    most: usize,
    /// Rows of all strata, without those above that.
    kept: usize,
    room: usize,
}

#[derive(Clone, Debug, Default)]
struct Stratum {
    seen: u64,
    /// Rows in any order; some more than it may keep, as cutting a few at a time costs least.
    kept: Vec<Ranked>,
    /// Rows of this rank or a greater one are not of the least, as far as is known.
    bound: Option<u64>,
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
        if self.strata.len() >= STRATA && !self.strata.contains_key(&key) {
            key.0 = 0;
        }
        let stratum = self.strata.entry(key).or_default();
        stratum.seen += 1;
        if stratum.bound.is_none_or(|bound| rank < bound) {
            self.kept += usize::from(stratum.kept.len() < self.most);
            stratum.kept.push(Ranked::of(Box::new(row())));
            if stratum.kept.len() >= self.most + (self.most / SPARE).max(1) {
                stratum.cut(self.most);
            }
            self.shrink();
        }
    }

    /// Makes strata smaller until there is room. The result is that of any order: the greatest size that fits.
    fn shrink(&mut self) {
        while self.kept > self.room && self.most > 1 {
            self.most /= 2;
            self.cut();
        }
    }

    fn cut(&mut self) {
        for stratum in self.strata.values_mut() {
            stratum.cut(self.most);
        }
        self.kept = self.strata.values().map(|stratum| stratum.kept.len()).sum();
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.most = self.most.min(other.most);
        for (key, theirs) in other.strata {
            let full = !self.strata.contains_key(&key) && self.strata.len() >= STRATA;
            let mine = self.strata.entry(if full { (0, key.1) } else { key }).or_default();
            mine.seen += theirs.seen;
            mine.bound = mine.bound.into_iter().chain(theirs.bound).min();
            mine.kept.extend(theirs.kept);
            mine.cut(self.most);
        }
        self.cut();
        self.shrink();
    }

    /// All rows with the number of records that each stands for, by time.
    pub(super) fn rows(&self) -> Vec<(&Row, f64)> {
        let rows = self.strata.values().flat_map(|stratum| {
            let least = stratum.least(self.most);
            let weight = stratum.seen as f64 / least.len().max(1) as f64;
            least.into_iter().map(move |ranked| (ranked.row.at, ranked.rank, &*ranked.row, weight))
        });
        let mut rows: Vec<_> = rows.collect();
        rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        rows.into_iter().map(|(_, _, row, weight)| (row, weight)).collect()
    }
}

// === impl Stratum ===

impl Stratum {
    /// Keeps the `most` of least rank.
    fn cut(&mut self, most: usize) {
        if self.kept.len() <= most {
            return;
        }
        let (_, first, _) = self.kept.select_nth_unstable_by_key(most, |ranked| ranked.rank);
        self.bound = Some(first.rank);
        self.kept.truncate(most);
    }

    /// The same, to look at.
    fn least(&self, most: usize) -> Vec<&Ranked> {
        let mut least: Vec<&Ranked> = self.kept.iter().collect();
        if least.len() > most {
            least.select_nth_unstable_by_key(most, |ranked| ranked.rank);
            least.truncate(most);
        }
        least
    }
}

// === impl Ranked ===

impl Ranked {
    fn of(row: Box<Row>) -> Self {
        Self { rank: row.rank, row }
    }
}
