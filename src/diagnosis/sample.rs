//! A sample of bounded size that depends on neither order nor cuts: of each stratum the rows of least rank.
//!
//! Below [`PER_STRATUM`] rows of a stratum it is no sample but all of them.

use foldhash::{HashMap, HashMapExt as _};

use super::cluster::place;
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
            stratum.cut_spare(self.most);
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

    pub(super) fn merge(&mut self, mut other: Self) {
        other.hand_over(self);
        self.cut();
    }

    /// Gives its rows to `whole`, and learns what is known of the least there.
    pub(super) fn hand_over(&mut self, whole: &mut Self) {
        if self.most < whole.most {
            whole.most = self.most;
            whole.cut();
        }
        for (key, mine) in &mut self.strata {
            whole.take(*key, mine);
        }
        whole.shrink();
        (self.most, self.kept) = (whole.most, 0);
    }

    fn take(&mut self, mut key: (Name, Option<Sign>), theirs: &mut Stratum) {
        if self.strata.len() >= STRATA && !self.strata.contains_key(&key) {
            key.0 = 0;
        }
        let mine = self.strata.entry(key).or_default();
        mine.seen += std::mem::take(&mut theirs.seen);
        mine.bound = mine.bound.into_iter().chain(theirs.bound).min();
        let before = mine.kept.len().min(self.most);
        mine.kept.append(&mut theirs.kept);
        self.kept += mine.kept.len().min(self.most) - before;
        mine.cut_spare(self.most);
        theirs.bound = mine.bound;
    }

    /// All rows with the number of records that each stands for, by time.
    pub(super) fn rows(&self) -> Vec<(&Row, f64)> {
        let rows = self.strata.values().flat_map(|stratum| {
            let least = stratum.least(self.most);
            let weight = stratum.seen as f64 / least.len().max(1) as f64;
            least.into_iter().map(move |ranked| (place(ranked.row.at), ranked.rank, &*ranked.row, weight))
        });
        let mut rows: Vec<_> = rows.collect();
        rows.sort_unstable_by_key(|(at, rank, ..)| (*at, *rank));
        rows.into_iter().map(|(_, _, row, weight)| (row, weight)).collect()
    }
}

// === impl Stratum ===

impl Stratum {
    /// The same as [`Self::cut`], as soon as it is worth it.
    fn cut_spare(&mut self, most: usize) {
        if self.kept.len() >= most + (most / SPARE).max(1) {
            self.cut(most);
        }
    }

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

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::super::leg_tls::LegTls;
    use super::super::row::What;
    use super::*;
    use crate::close::Outcome;

    fn row(rank: u64) -> Row {
        let what = What::Handshake { outcome: Outcome::UpstreamClosed, status: 503, tls: 0, took: 0.0 };
        Row {
            rank,
            at: 0.0,
            instance: 0,
            route: 0,
            hop: 0,
            behind_hop: false,
            client_tls: LegTls::Unknown,
            client: 0,
            user_agent: 0,
            origin: 0,
            path: 0,
            what,
        }
    }

    fn ranks(sample: &Sample) -> Vec<(u64, f64)> {
        sample.rows().into_iter().map(|(row, weight)| (row.rank, weight)).collect()
    }

    #[test]
    fn samples_that_share_a_whole_keep_the_same_as_one_and_hold_hardly_more() {
        const ROWS: u64 = 100_000;
        const PARTS: usize = 4;
        const AT_ONCE: usize = 100;
        for room in [PER_STRATUM * STRATA, 1000] {
            let mut rng = Rng::with_seed(15);
            let (mut one, mut whole) = (Sample::with_room(room), Sample::with_room(room));
            let mut parts = vec![Sample::with_room(room); PARTS];
            for count in 1..=ROWS {
                let (rank, key, part) = (rng.u64(..), (rng.u64(1..3), None), rng.usize(..PARTS));
                one.add(key, rank, || row(rank));
                parts[part].add(key, rank, || row(rank));
                if count % AT_ONCE as u64 == 0 {
                    parts[part].hand_over(&mut whole);
                    let held =
                        |sample: &Sample| sample.strata.values().map(|stratum| stratum.kept.len()).sum::<usize>();
                    let least = (2 * PER_STRATUM).min(room);
                    let all = held(&whole) + parts.iter().map(held).sum::<usize>();
                    // A part waits for others to hand over, too.
                    let waiting = 4 * PARTS * AT_ONCE;
                    assert!(all <= least + least / SPARE + waiting, "{all} rows of {count}, room for {room}");
                }
            }
            for part in parts {
                whole.merge(part);
            }
            assert_eq!(ranks(&whole), ranks(&one), "room for {room}");
            let stands_for: f64 = ranks(&whole).iter().map(|(_, weight)| weight).sum();
            assert!((stands_for - ROWS as f64).abs() < 1e-3, "{stands_for}");
        }
    }
}
