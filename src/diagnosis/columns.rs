//! The properties of rows as columns of small numbers: what most rules count is close together in memory.

use foldhash::HashMap;

use super::row::Row;
use super::traits::Trait;

/// One column for each property.
#[derive(Debug)]
pub(super) struct Columns([Column; Trait::ALL.len()]);

/// One property of all rows.
#[derive(Debug)]
pub(super) struct Column {
    /// The number of each row's value.
    of_row: Vec<u32>,
    /// The values, in order; the first is that of rows that have none, 0.
    values: Vec<u128>,
}

/// Rows that are looked at together, property by property: so many stay in the processor's cache.
const AT_ONCE: usize = 64;

// === impl Columns ===

impl Columns {
    pub(super) fn of(rows: &[&Row]) -> Self {
        let mut known = Trait::ALL.map(|_| HashMap::from_iter([(0, 0)]));
        let mut columns = Trait::ALL.map(|_| Vec::with_capacity(rows.len()));
        // Many rows have the value of the one before.
        let mut last = Trait::ALL.map(|_| (0, 0));
        for rows in rows.chunks(AT_ONCE) {
            for (((property, known), column), last) in
                Trait::ALL.iter().zip(&mut known).zip(&mut columns).zip(&mut last)
            {
                column.extend(rows.iter().map(|row| {
                    let value = property.of(row);
                    if value != last.0 {
                        let next = u32::try_from(known.len()).unwrap_or(u32::MAX);
                        *last = (value, *known.entry(value).or_insert(next));
                    }
                    last.1
                }));
            }
        }
        let mut known = known.into_iter();
        Self(columns.map(|of_row| Column::new(of_row, known.next().unwrap_or_default())))
    }

    pub(super) const fn of_trait(&self, property: Trait) -> &Column {
        &self.0[property as usize]
    }
}

// === impl Column ===

impl Column {
    /// Of values that were numbered as they came.
    fn new(mut of_row: Vec<u32>, known: HashMap<u128, u32>) -> Self {
        let mut values: Vec<(u128, u32)> = known.into_iter().collect();
        values.sort_unstable();
        let mut places = vec![0; values.len()];
        for (place, (_, number)) in (0..).zip(&values) {
            places[*number as usize] = place;
        }
        for number in &mut of_row {
            *number = places[*number as usize];
        }
        Self { of_row, values: values.into_iter().map(|(value, _)| value).collect() }
    }

    /// The number of a row's value.
    pub(super) fn number(&self, row: usize) -> u32 {
        self.of_row[row]
    }

    /// The value of a number.
    pub(super) fn value(&self, number: u32) -> u128 {
        self.values[number as usize]
    }

    /// The number of values.
    pub(super) const fn len(&self) -> usize {
        self.values.len()
    }

    /// The most frequent value of these rows, by its number and weight. Of several it is the least; `first` is the first number that
    /// counts.
    pub(super) fn most(&self, rows: &[usize], weight: &[f64], first: u32) -> (u32, f64) {
        let mut counts = vec![0.0; self.values.len()];
        for row in rows {
            counts[self.of_row[*row] as usize] += weight[*row];
        }
        let mut most = (0, 0.0);
        for (number, count) in (0..).zip(counts).skip(first as usize) {
            if count > most.1 {
                most = (number, count);
            }
        }
        most
    }

    /// The weight of those of these rows that have this value.
    pub(super) fn count(&self, rows: &[usize], weight: &[f64], number: u32) -> f64 {
        self.having(rows, number).map(|row| weight[row]).sum()
    }

    /// Those of these rows that have this value.
    pub(super) fn having(&self, rows: &[usize], number: u32) -> impl Iterator<Item = usize> {
        rows.iter().copied().filter(move |row| self.of_row[*row] == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_property_has_its_own_column() {
        for (at, property) in Trait::ALL.into_iter().enumerate() {
            assert_eq!(property as usize, at, "{property:?}");
        }
    }
}
