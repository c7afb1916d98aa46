//! The close: what was seen of a session, and what it means.
//!
//! *Takes* frame and transport events with their times. *Gives* one [`CloseRecord`] a session, and the close-code
//! catalog. *May import* `wire`.
//!
//! Pure: no clock (time is an argument), no I/O, no async.

pub mod catalog;
mod code;
mod labels;
mod rules;

pub use code::CloseCode;
pub use labels::{Cause, Class, End, Handshake, Initiator, UnknownLabel};
pub use rules::{CodeLabel, CodeMatch, CodeMatchError, CodeRules};
