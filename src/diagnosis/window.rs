//! The window: the records of the last minutes or hours, in slots, so that the oldest can be forgotten.

use std::collections::VecDeque;
use std::time::Duration;

use super::engine::Engine;
use super::finding::Report;
use super::observation::Observation;
use super::pattern::Pattern;

/// Slots of a window: it is up to one slot longer than asked for.
const SLOTS: u32 = 6;

/// Records of a length of time up to now, as far as there is room.
#[derive(Clone, Debug)]
pub(super) struct Window {
    length: Duration,
    /// Records that are kept.
    room: usize,
    /// Oldest first, by the number of their slot of time.
    slots: VecDeque<(i64, Engine)>,
}

/// Records that a window has forgotten.
#[derive(Clone, Debug)]
pub(super) struct Past {
    /// The end of their slot, in Unix time.
    until: f64,
    engine: Engine,
}

// === impl Window ===

impl Window {
    /// A window of this length, that keeps about so many records.
    pub(super) fn new(length: Duration, room: usize) -> Self {
        Self { length, room, slots: VecDeque::new() }
    }

    /// Its length.
    pub(super) const fn length(&self) -> Duration {
        self.length
    }

    /// Whether a record of this instant is not older than the window.
    pub(super) fn reaches(&self, at: f64) -> bool {
        self.slots.back().is_none_or(|(newest, _)| self.slot(at) >= newest - i64::from(SLOTS))
    }

    /// Takes a record in, and gives what is too old since then. A record that is older than the window is left out.
    pub(super) fn add(&mut self, seen: &Observation<'_>) -> Vec<Past> {
        if !self.reaches(seen.at) {
            return vec![];
        }
        let (engine, past) = self.engine(seen.at);
        engine.add(seen);
        past
    }

    /// An upstream took a session. Without a record of late it is behind none.
    pub(super) fn opened(&mut self, upstream: &str, at: f64) -> Vec<Past> {
        if self.is_empty() || !self.reaches(at) {
            return vec![];
        }
        let (engine, past) = self.engine(at);
        engine.opened(upstream, at);
        past
    }

    /// Takes in what another window has forgotten. What is older than this one, too, is left out.
    pub(super) fn take_in(&mut self, past: Past) {
        if self.reaches(past.until) {
            self.engine(past.until).0.merge(past.engine);
        }
    }

    /// Forgets what is too old at this instant of Unix time, and gives it, the oldest first.
    pub(super) fn forget(&mut self, now: f64) -> Vec<Past> {
        let oldest = self.slot(now) - i64::from(SLOTS);
        let kept = self.slots.partition_point(|(number, _)| *number < oldest);
        let length = self.slot_length();
        let past = self.slots.drain(..kept);
        past.map(|(number, engine)| Past { until: (number + 1) as f64 * length, engine }).collect()
    }

    /// The engine of the slot of this instant, and what is too old since then.
    fn engine(&mut self, at: f64) -> (&mut Engine, Vec<Past>) {
        let slot = self.slot(at);
        let mut place = self.slots.partition_point(|(number, _)| *number < slot);
        let mut past = vec![];
        if self.slots.get(place).is_none_or(|(number, _)| *number != slot) {
            self.slots.insert(place, (slot, Engine::with_room(self.room / SLOTS as usize)));
            past = self.forget(at);
            place -= past.len();
        }
        (&mut self.slots[place].1, past)
    }

    /// Whether it holds no record.
    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// All that it says now together with a `newer` window, and for each finding what its sessions look like.
    pub(super) fn report(&self, newer: Option<&Self>) -> (Report, Vec<Pattern>) {
        let mut all = Engine::with_room(self.room);
        for (_, engine) in newer.into_iter().chain([self]).flat_map(|window| &window.slots) {
            all.merge(engine.clone());
        }
        all.report_with_patterns()
    }

    fn slot(&self, at: f64) -> i64 {
        (at / self.slot_length()).floor() as i64
    }

    fn slot_length(&self) -> f64 {
        (self.length.as_secs_f64() / f64::from(SLOTS)).max(0.001)
    }
}
