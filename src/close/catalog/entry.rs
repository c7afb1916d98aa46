//! The shape of the catalog: one entry for a code, or for a range of codes.

use std::fmt;

use crate::close::{Class, CloseCode};

/// The standard reading of a code, or of a range of codes that share one.
#[derive(Debug)]
pub struct Entry {
    /// The codes this is about.
    pub code: Codes,
    /// IANA's name for it; for a range, a description.
    pub name: &'static str,
    /// Whether IANA's registry has these very codes (those that never stand in a frame included).
    pub registered: bool,
    /// Whether an endpoint may put it into a Close frame; equal to [`CloseCode::may_be_sent`].
    pub on_wire: bool,
    /// The peers that send it in practice.
    pub sent_by: &'static str,
    /// Its meaning.
    pub meaning: &'static str,
    /// Situations in which it shows up.
    pub seen_when: &'static str,
    /// Advice for an operator.
    pub action: &'static str,
    /// Its class, where neither initiator nor configuration says otherwise.
    pub class: Class,
}

/// One code, or an inclusive range of codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Codes {
    first: u16,
    last: u16,
}

// === impl Codes ===

impl Codes {
    pub(super) const fn one(code: u16) -> Self {
        Self { first: code, last: code }
    }

    pub(super) const fn range(first: u16, last: u16) -> Self {
        Self { first, last }
    }

    /// The lowest of these codes.
    pub const fn first(self) -> CloseCode {
        CloseCode(self.first)
    }

    /// The highest of these codes: the same as the lowest, where it is one code.
    pub const fn last(self) -> CloseCode {
        CloseCode(self.last)
    }

    /// Whether `code` is one of these.
    pub const fn contains(self, code: CloseCode) -> bool {
        self.first <= code.0 && code.0 <= self.last
    }
}

/// `1006`, or `4000-4999`.
impl fmt::Display for Codes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { write!(f, "{}", self.first) } else { write!(f, "{}-{}", self.first, self.last) }
    }
}
