//! The sessions that are up.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::HashSet;
use tokio::time::Instant;
use ulid::Ulid;

use crate::close::{CompactDuration, Session};

/// Locks, so that workers that open and close sessions at once seldom meet.
const SHARDS: usize = 16;

/// Room for so many in a shard is kept, however few there are.
const ROOM: usize = 64;

/// Every live session. A lock is held to add, remove or copy a pointer, never while one is looked at.
#[derive(Debug)]
pub struct LiveSessions {
    started: Instant,
    shards: [Mutex<HashSet<Entry>>; SHARDS],
}

/// An entry of the set. One is another if it has its id.
#[derive(Debug)]
struct Entry {
    session: Arc<Session>,
    /// When it opened, since `started`: there are nearly two places of the set for each session.
    opened: CompactDuration,
}

/// A session that is up.
#[derive(Clone, Debug)]
pub struct LiveSession {
    /// The session.
    pub session: Arc<Session>,
    /// When it opened, on the monotonic clock.
    pub opened: Instant,
}

// === impl LiveSessions ===

impl Default for LiveSessions {
    fn default() -> Self {
        Self::new()
    }
}

impl LiveSessions {
    /// No session yet.
    pub fn new() -> Self {
        Self { started: Instant::now(), shards: Default::default() }
    }

    /// A session opened now.
    pub fn insert(&self, session: Arc<Session>) {
        let opened = self.started.elapsed().into();
        self.shard(session.id).insert(Entry { session, opened });
    }

    /// It ended.
    pub fn remove(&self, id: Ulid) {
        let mut shard = self.shard(id);
        shard.remove(&id);
        // Memory that a storm made grow is released when it is over; rarely enough to cost a session nothing.
        let (used, room) = (shard.len(), shard.capacity());
        if room > ROOM && used < room / 8 {
            shard.shrink_to(2 * used);
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// All of them, oldest first.
    pub fn all(&self) -> Vec<LiveSession> {
        let mut all = Vec::new();
        for shard in &self.shards {
            all.extend(lock(shard).iter().map(|entry| LiveSession {
                session: Arc::clone(&entry.session),
                opened: self.started + entry.opened.get(),
            }));
        }
        all.sort_unstable_by_key(|live| live.session.id);
        all
    }

    fn shard(&self, id: Ulid) -> MutexGuard<'_, HashSet<Entry>> {
        // The low bits of an ULID are random.
        let low = id.0 as usize;
        lock(&self.shards[low % SHARDS])
    }
}

// === impl Entry ===

impl Borrow<Ulid> for Entry {
    fn borrow(&self) -> &Ulid {
        &self.session.id
    }
}

impl Hash for Entry {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.session.id.hash(state);
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.session.id == other.session.id
    }
}

impl Eq for Entry {}

fn lock(shard: &Mutex<HashSet<Entry>>) -> MutexGuard<'_, HashSet<Entry>> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
