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

    /// Takes a record in. One that is older than the window is left out.
    pub(super) fn add(&mut self, seen: &Observation<'_>) {
        let slot = self.slot(seen.at);
        if self.slots.back().is_some_and(|(newest, _)| slot < newest - i64::from(SLOTS)) {
            return;
        }
        let at = self.slots.partition_point(|(number, _)| *number < slot);
        if self.slots.get(at).is_none_or(|(number, _)| *number != slot) {
            self.slots.insert(at, (slot, Engine::with_room(self.room / SLOTS as usize)));
            self.forget(seen.at);
        }
        if let Some((_, engine)) = self.slots.iter_mut().find(|(number, _)| *number == slot) {
            engine.add(seen);
        }
    }

    /// Forgets what is too old at this instant of Unix time.
    pub(super) fn forget(&mut self, now: f64) {
        let oldest = self.slot(now) - i64::from(SLOTS);
        while self.slots.front().is_some_and(|(number, _)| *number < oldest) {
            self.slots.pop_front();
        }
    }

    /// Whether it holds no record.
    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// All that it says now, and for each finding what its sessions look like.
    pub(super) fn report(&self) -> (Report, Vec<Pattern>) {
        let mut all = Engine::with_room(self.room);
        for (_, engine) in &self.slots {
            all.merge(engine.clone());
        }
        all.report_with_patterns()
    }

    fn slot(&self, at: f64) -> i64 {
        let slot = self.length.as_secs_f64() / f64::from(SLOTS);
        (at / slot.max(0.001)).floor() as i64
    }
}
