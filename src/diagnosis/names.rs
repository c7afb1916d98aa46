//! Names as 64-bit keys, so that a row is small, and the names behind the keys as far as there is room.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The key of a name; the same in every process. 0 is the empty name.
pub(super) type Name = u64;

/// Names that are kept. Beyond this many a value still counts, and has no name.
const MAX: usize = 50_000;
/// Bytes that are kept of one name.
const MAX_BYTES: usize = 200;

/// The names behind the keys.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(HashMap<Name, Box<str>>);

/// The key of `text`.
pub(super) fn key(text: &str) -> Name {
    if text.is_empty() {
        return 0;
    }
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish().max(1)
}

// === impl Names ===

impl Names {
    /// The key of `text`, whose name is kept.
    pub(super) fn keep(&mut self, text: &str) -> Name {
        let key = key(text);
        if key != 0 && self.0.len() < MAX {
            self.0.entry(key).or_insert_with(|| text[..text.floor_char_boundary(MAX_BYTES)].into());
        }
        key
    }

    /// The name of a key; empty if it is not known.
    pub(super) fn of(&self, key: Name) -> &str {
        self.0.get(&key).map_or("", |name| name)
    }

    /// Takes in the names of another.
    pub(super) fn merge(&mut self, other: Self) {
        for (key, name) in other.0 {
            if self.0.len() < MAX {
                self.0.entry(key).or_insert(name);
            }
        }
    }
}
