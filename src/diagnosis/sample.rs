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
#[derive(Clone, Debug, Default)]
pub(super) struct Sample(HashMap<(Name, Option<Sign>), Stratum>);

#[derive(Clone, Debug, Default)]
struct Stratum {
    seen: u64,
    kept: BinaryHeap<Ranked>,
}

#[derive(Clone, Debug)]
struct Ranked(Row);

// === impl Sample ===

impl Sample {
    /// Takes a row in, if it is of the least.
    pub(super) fn add(&mut self, row: Row) {
        let mut stratum = row.stratum();
        if !self.0.contains_key(&stratum) && self.0.len() >= STRATA {
            stratum.0 = 0;
        }
        self.0.entry(stratum).or_default().add(row);
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (key, stratum) in other.0 {
            let key = if !self.0.contains_key(&key) && self.0.len() >= STRATA { (0, key.1) } else { key };
            let mine = self.0.entry(key).or_default();
            mine.seen += stratum.seen - stratum.kept.len() as u64;
            for Ranked(row) in stratum.kept {
                mine.add(row);
            }
        }
    }

    /// All rows with the number of records that each stands for, by time.
    pub(super) fn rows(&self) -> Vec<(Row, f64)> {
        let mut rows: Vec<_> = self
            .0
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
    fn add(&mut self, row: Row) {
        self.seen += 1;
        if self.kept.len() < PER_STRATUM {
            self.kept.push(Ranked(row));
        } else if self.kept.peek().is_some_and(|most| row.rank < most.0.rank) {
            self.kept.pop();
            self.kept.push(Ranked(row));
        }
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
