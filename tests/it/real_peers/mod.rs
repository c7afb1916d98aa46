//! Real WebSocket stacks, directly and through closewatch.
//!
//! Each client stack meets each server stack in every ending both know (`tests/peers/README.md`). The direct run says what
//! the two libraries make of that ending; through closewatch they must report the very same, and the record must say what
//! they reported. The same again with TLS between all of them.

mod endings;
mod pairs;
pub(crate) mod process;
mod secrets;
mod sights;
mod stacks;
