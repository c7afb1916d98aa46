//! Counts of the last quarter of an hour: endings by class, and how long sessions lived and were silent before their end.
//!
//! Numbers that the ring of the latest events cannot tell in a storm, and metrics only to a scraper that was there.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::Event;
use crate::close::Class;

/// One bar of the chart.
const SLOT: Duration = Duration::from_secs(10);
/// Bars of the chart: a quarter of an hour.
const SLOTS: usize = 90;
/// One slice of the histograms, which are dropped slice by slice.
const SLICE: Duration = Duration::from_mins(1);
const SLICES: usize = 15;
/// The shortest time that is told from none.
const SHORTEST: Duration = Duration::from_millis(100);
/// Bars of a histogram for each factor of ten.
const BARS_PER_DECADE: u8 = 8;
/// From a tenth of a second to a day and more: six decades, one bar below, and one above.
const BARS: usize = 6 * BARS_PER_DECADE as usize + 2;

/// The counts of one process. Times are since its start.
#[derive(Debug, Default)]
pub struct Activity(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    ended: u64,
    slots: Vec<(u64, Endings)>,
    slices: Vec<(u64, Times)>,
}

/// Endings of each class, in the order of [`Class::ALL`], and failed handshakes.
#[derive(Clone, Copy, Debug, Default)]
struct Endings {
    classes: [u32; Class::ALL.len()],
    handshakes: u32,
}

#[derive(Clone, Debug)]
struct Times {
    lifetime: [Bar; BARS],
    idle: [Bar; BARS],
}

/// Times between two edges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Bar {
    count: u32,
    sum_ms: u64,
}

/// The last quarter of an hour, as JSON.
#[derive(Debug, Serialize)]
pub struct Recent {
    /// Sessions that have ended since the start.
    pub ended: u64,
    slot_seconds: u64,
    /// The oldest slot first; the last one is not over yet.
    endings: Series,
    lifetime: Vec<Shown>,
    idle: Vec<Shown>,
}

/// A column of counts for each class, and one for failed handshakes.
#[derive(Debug)]
struct Series(Vec<Endings>);

/// A bar that is not empty.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Shown {
    /// Milliseconds at its left edge; the next one's left edge is its right one.
    from_ms: f64,
    to_ms: Option<f64>,
    count: u32,
    mean_ms: u64,
}

// === impl Activity ===

impl Activity {
    /// Counts an event.
    pub fn count(&self, event: &Event, now: Duration) {
        let mut counts = self.lock();
        let slot = current(&mut counts.slots, SLOTS, now.as_secs() / SLOT.as_secs());
        match event {
            Event::HandshakeFailed { .. } => slot.handshakes += 1,
            Event::Closed(record) => {
                let class = record.verdict.class;
                if let Some(at) = Class::ALL.iter().position(|known| *known == class) {
                    slot.classes[at] += 1;
                }
                counts.ended += 1;
                let slice = current(&mut counts.slices, SLICES, now.as_secs() / SLICE.as_secs());
                slice.lifetime[bar_of(record.verdict.ended)].add(record.verdict.ended);
                slice.idle[bar_of(record.idle())].add(record.idle());
            }
        }
    }

    /// The counts of the last quarter of an hour.
    pub fn recent(&self, now: Duration) -> Recent {
        let counts = self.lock();
        let last = now.as_secs() / SLOT.as_secs();
        let slot = |number: u64| counts.slots.iter().find(|(known, _)| *known == number).map(|(_, slot)| *slot);
        let slots = (0..SLOTS as u64).rev().map(|back| last.checked_sub(back).and_then(slot).unwrap_or_default());
        let oldest = (now.as_secs() / SLICE.as_secs()).saturating_sub(SLICES as u64 - 1);
        let mut times = Times::default();
        for (_, slice) in counts.slices.iter().filter(|(number, _)| *number >= oldest) {
            times.add(slice);
        }
        Recent {
            ended: counts.ended,
            slot_seconds: SLOT.as_secs(),
            endings: Series(slots.collect()),
            lifetime: shown(&times.lifetime),
            idle: shown(&times.idle),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The entry of this number, in the place of the oldest if there are `most` already.
fn current<T: Default>(entries: &mut Vec<(u64, T)>, most: usize, number: u64) -> &mut T {
    let at = entries.iter().rposition(|(known, _)| *known == number).unwrap_or_else(|| {
        if entries.len() >= most {
            entries.remove(0);
        }
        entries.push((number, T::default()));
        entries.len() - 1
    });
    &mut entries[at].1
}

/// The number of the bar that a time belongs to.
fn bar_of(time: Duration) -> usize {
    if time < SHORTEST {
        return 0;
    }
    let decades = (time.as_secs_f64() / SHORTEST.as_secs_f64()).log10();
    #[expect(clippy::cast_sign_loss, reason = "not below the shortest")]
    let bar = (decades * f64::from(BARS_PER_DECADE)) as usize + 1;
    bar.min(BARS - 1)
}

/// The left edge of a bar.
fn edge(bar: usize) -> Option<f64> {
    let above = u8::try_from(bar.checked_sub(1)?).ok()?;
    let decades = f64::from(above) / f64::from(BARS_PER_DECADE);
    Some(SHORTEST.as_secs_f64() * 1000.0 * 10_f64.powf(decades))
}

fn shown(bars: &[Bar; BARS]) -> Vec<Shown> {
    let shown = |(number, bar): (usize, &Bar)| Shown {
        from_ms: edge(number).unwrap_or(0.0),
        to_ms: edge(number + 1).filter(|_| number + 1 < BARS),
        count: bar.count,
        mean_ms: bar.sum_ms / u64::from(bar.count),
    };
    bars.iter().enumerate().filter(|(_, bar)| bar.count > 0).map(shown).collect()
}

// === impl Bar ===

impl Bar {
    fn add(&mut self, time: Duration) {
        self.count = self.count.saturating_add(1);
        self.sum_ms = self.sum_ms.saturating_add(time.as_millis() as u64);
    }
}

// === impl Times ===

impl Times {
    fn add(&mut self, other: &Self) {
        let own = self.lifetime.iter_mut().chain(&mut self.idle);
        for (bar, more) in own.zip(other.lifetime.iter().chain(&other.idle)) {
            bar.count = bar.count.saturating_add(more.count);
            bar.sum_ms = bar.sum_ms.saturating_add(more.sum_ms);
        }
    }
}

impl Default for Times {
    fn default() -> Self {
        Self { lifetime: [Bar::default(); BARS], idle: [Bar::default(); BARS] }
    }
}

// === impl Series ===

impl Serialize for Series {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(Class::ALL.len() + 1))?;
        for (at, class) in Class::ALL.iter().enumerate() {
            map.serialize_entry(class, &self.0.iter().map(|slot| slot.classes[at]).collect::<Vec<_>>())?;
        }
        map.serialize_entry("handshake", &self.0.iter().map(|slot| slot.handshakes).collect::<Vec<_>>())?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn a_time_is_between_the_edges_of_its_bar() {
        for micros in [0, 99_999, 100_000, 133_352, 999_999, 1_000_000, 60_000_000, 86_400_000_000, u64::MAX] {
            let time = Duration::from_micros(micros);
            let (bar, millis) = (bar_of(time), time.as_secs_f64() * 1000.0);
            assert!(edge(bar).is_none_or(|edge| edge <= millis * 1.000_001), "{time:?} in {bar}");
            assert!(
                bar == BARS - 1 || edge(bar + 1).is_some_and(|edge| millis < edge * 1.000_001),
                "{time:?} in {bar}"
            );
        }
    }

    #[test]
    fn an_entry_makes_way_when_there_are_too_many() {
        let mut entries = Vec::new();
        for number in [0, 0, 1, 5, 6] {
            *current::<u32>(&mut entries, 3, number) += 1;
        }
        assert_eq!(entries, [(1, 1), (5, 1), (6, 1)]);
    }

    #[test]
    fn nothing_is_a_quarter_of_an_hour_of_zeros() {
        let recent = Activity::default().recent(secs(5));
        let json = serde_json::to_value(&recent).unwrap();
        assert_eq!(json["endings"]["abnormal"].as_array().unwrap(), &vec![serde_json::Value::from(0); SLOTS]);
        assert_eq!((&json["idle"], &json["ended"]), (&serde_json::json!([]), &0.into()));
    }
}
