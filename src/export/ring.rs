//! The latest entries.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::Entry;

/// The last entries, up to a fixed number, in the order in which they came.
#[derive(Debug)]
pub struct Ring {
    capacity: usize,
    entries: Mutex<VecDeque<Arc<Entry>>>,
}

// === impl Ring ===

impl Ring {
    /// Keeps the last `capacity` entries.
    pub fn new(capacity: usize) -> Self {
        Self { capacity, entries: Mutex::default() }
    }

    /// Adds an entry, in the place of the oldest if there are too many.
    pub fn push(&self, entry: Arc<Entry>) {
        let oldest = {
            let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
            entries.push_back(entry);
            if entries.len() > self.capacity { entries.pop_front() } else { None }
        };
        // Freed here, not under the lock.
        drop(oldest);
    }

    /// The last `limit` entries that `wanted` takes, oldest first.
    pub fn latest(&self, limit: usize, wanted: impl Fn(&Entry) -> bool) -> Vec<Arc<Entry>> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let mut latest: Vec<_> = entries.iter().rev().filter(|entry| wanted(entry)).take(limit).cloned().collect();
        drop(entries);
        latest.reverse();
        latest
    }
}
