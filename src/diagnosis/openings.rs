//! The openings of sessions, in the order of their ends: which of them were open at an instant.

use super::row::Row;

/// When each row's session was opened. Blocks of rows know their earliest opening, so that most are passed over at once.
#[derive(Debug)]
pub(super) struct Openings {
    /// Of a row that is no session: never.
    of_row: Vec<f64>,
    earliest: Vec<f64>,
}

/// Rows of a block.
const BLOCK: usize = 64;

// === impl Openings ===

impl Openings {
    pub(super) fn of(rows: &[&Row]) -> Self {
        Self::new(rows.iter().map(|row| row.session().map_or(f64::INFINITY, |_| row.opened())).collect())
    }

    fn new(of_row: Vec<f64>) -> Self {
        let earliest = of_row.chunks(BLOCK).map(|block| block.iter().copied().fold(f64::INFINITY, f64::min));
        Self { earliest: earliest.collect(), of_row }
    }

    /// Rows from `first` on whose sessions were opened before this instant, in order.
    pub(super) fn before(&self, at: f64, first: usize) -> impl Iterator<Item = usize> {
        let blocks = (first / BLOCK..self.earliest.len()).filter(move |block| self.earliest[*block] < at);
        blocks.flat_map(move |block| {
            let rows = first.max(block * BLOCK)..self.of_row.len().min((block + 1) * BLOCK);
            rows.filter(move |row| self.of_row[*row] < at)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openings_before_an_instant_are_those_that_a_look_at_each_row_finds() {
        let of_row: Vec<f64> = (0..1000_u32).map(|row| f64::from(row * 7919 % 1009 + row / 3)).collect();
        let openings = Openings::new(of_row.clone());
        for first in [0, 1, 63, 64, 65, 500, 959, 960, 999, 1000] {
            for at in [0.0, 1.0, 40.0, 300.0, 333.0, 900.0, 2000.0] {
                let each: Vec<usize> = (first..of_row.len()).filter(|row| of_row[*row] < at).collect();
                assert_eq!(openings.before(at, first).collect::<Vec<_>>(), each, "before {at} from {first}");
            }
        }
    }
}
