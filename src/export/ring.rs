//! The latest events.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::Event;

/// The last events, up to a fixed number, in the order in which they came.
#[derive(Debug)]
pub struct Ring {
    capacity: usize,
    events: Mutex<VecDeque<Arc<Event>>>,
}

// === impl Ring ===

impl Ring {
    /// Keeps the last `capacity` events.
    pub fn new(capacity: usize) -> Self {
        Self { capacity, events: Mutex::default() }
    }

    /// Adds an event, in the place of the oldest if there are too many.
    pub fn push(&self, event: Arc<Event>) {
        let oldest = {
            let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
            events.push_back(event);
            if events.len() > self.capacity { events.pop_front() } else { None }
        };
        // Freed here, not under the lock.
        drop(oldest);
    }

    /// The last `limit` events that `wanted` takes, oldest first.
    pub fn latest(&self, limit: usize, wanted: impl Fn(&Event) -> bool) -> Vec<Arc<Event>> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let mut latest: Vec<_> = events.iter().rev().filter(|event| wanted(event)).take(limit).cloned().collect();
        drop(events);
        latest.reverse();
        latest
    }
}
