//! A value together with the place where it was given, for settings that are checked only later.

use super::error::{Mistake, Place};

/// A value, and where it was given.
#[derive(Clone, Debug)]
pub(super) struct Given<T> {
    pub(super) value: T,
    pub(super) place: Place,
    /// None for a flag.
    pub(super) key: Option<String>,
}

// === impl Given ===

impl<T> Given<T> {
    /// A mistake at that place.
    pub(super) fn mistake(&self, message: impl Into<String>) -> Mistake {
        Mistake { place: self.place.clone(), key: self.key.clone(), message: message.into() }
    }
}
