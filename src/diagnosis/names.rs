//! Names as 64-bit keys, so that a row is small, and the names behind the keys as far as there is room.

use std::hash::BuildHasher as _;

use foldhash::quality::FixedState;
use foldhash::{HashMap, HashMapExt as _};

/// The key of a name; the same in every process. 0 is the empty name.
pub(super) type Name = u64;

/// Names that are kept. Beyond this many a value still counts, and has no name.
const MAX: usize = 50_000;
/// Keys that are known to be kept, or to have found no room.
const LATE: usize = 256;
/// Bytes that are kept of one name.
const MAX_BYTES: usize = 200;

/// The names behind the keys.
#[derive(Clone, Debug)]
pub(super) struct Names {
    known: HashMap<Name, Box<str>>,
    room: usize,
    /// Keys of late, by their last bits: most records repeat a few.
    late: [Name; LATE],
}

/// The key of `text`.
pub(super) fn key(text: &str) -> Name {
    if text.is_empty() {
        return 0;
    }
    FixedState::default().hash_one(text).max(1)
}

// === impl Names ===

impl Default for Names {
    fn default() -> Self {
        Self::with_room(MAX)
    }
}

impl Names {
    /// Keeps so many at most.
    pub(super) fn with_room(names: usize) -> Self {
        Self { known: HashMap::new(), room: names.min(MAX), late: [0; LATE] }
    }

    /// The key of `text`, whose name is kept.
    pub(super) fn keep(&mut self, text: &str) -> Name {
        let key = key(text);
        let late = &mut self.late[key as usize % LATE];
        if *late == key {
            return key;
        }
        *late = key;
        if key != 0 && self.known.len() < self.room {
            self.known.entry(key).or_insert_with(|| text[..text.floor_char_boundary(MAX_BYTES)].into());
        }
        key
    }

    /// The name of a key; empty if it is not known.
    pub(super) fn of(&self, key: Name) -> &str {
        self.known.get(&key).map_or("", |name| name)
    }

    /// Takes in the names of another.
    pub(super) fn merge(&mut self, other: Self) {
        for (key, name) in other.known {
            if self.known.len() < self.room {
                self.known.entry(key).or_insert(name);
            }
        }
    }
}
