//! The result of parsing a prefix: the answer of every parser here that may be given half a message.

/// The beginning of some bytes, as a parser reads it.
#[derive(Debug)]
pub(super) enum Parsed<T> {
    /// Not complete yet.
    Partial,
    /// Something else than was looked for.
    Other,
    /// Complete.
    Whole(T),
}
