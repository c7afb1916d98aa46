//! The latest events, for everybody who comes late or falls behind.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::Event;

/// The last events, up to a fixed number, in the order in which they came.
///
/// A reader keeps a place: the number of events that came before it. It can be any time behind, and is told how many it has
/// missed. No reader is known here, so none can hold up a push.
#[derive(Debug)]
pub struct Ring {
    capacity: usize,
    latest: Mutex<Latest>,
    pushed: Notify,
}

#[derive(Debug, Default)]
struct Latest {
    events: VecDeque<Arc<Event>>,
    /// Events pushed so far.
    count: u64,
}

/// The events from a place on.
#[derive(Debug)]
pub struct Passage {
    /// Events from that place on that are not in the ring any more.
    pub missed: u64,
    /// The rest, oldest first; each with the place behind it.
    pub events: Vec<(u64, Arc<Event>)>,
    /// The place behind all of them.
    pub end: u64,
}

// === impl Ring ===

impl Ring {
    /// Keeps the last `capacity` events.
    pub fn new(capacity: usize) -> Self {
        Self { capacity, latest: Mutex::default(), pushed: Notify::new() }
    }

    /// Adds an event, in the place of the oldest if there are too many.
    pub fn push(&self, event: Arc<Event>) {
        let oldest = {
            let mut latest = self.lock();
            latest.count += 1;
            latest.events.push_back(event);
            if latest.events.len() > self.capacity { latest.events.pop_front() } else { None }
        };
        // Freed here, not under the lock.
        drop(oldest);
        // One load if nobody waits.
        self.pushed.notify_waiters();
    }

    /// The last `limit` events that `wanted` takes, oldest first.
    pub fn latest(&self, limit: usize, wanted: impl Fn(&Event) -> bool) -> Vec<Arc<Event>> {
        let latest = self.lock();
        let mut found: Vec<_> = latest.events.iter().rev().filter(|event| wanted(event)).take(limit).cloned().collect();
        drop(latest);
        found.reverse();
        found
    }

    /// The events from `place` on, as far as they are still here. A place that has not come yet is the end.
    pub fn after(&self, place: u64) -> Passage {
        let latest = self.lock();
        let first = latest.count - latest.events.len() as u64;
        let skipped = place.saturating_sub(first) as usize;
        let events = latest.events.iter().skip(skipped).cloned();
        let from = first.max(place);
        Passage {
            missed: first.saturating_sub(place),
            events: events.zip(from + 1..).map(|(event, place)| (place, event)).collect(),
            end: latest.count,
        }
    }

    /// Waits until there is an event behind `place`.
    pub async fn pushed_after(&self, place: u64) {
        loop {
            // Counts what is pushed from here on.
            let pushed = self.pushed.notified();
            if self.lock().count > place {
                return;
            }
            pushed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Latest> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
