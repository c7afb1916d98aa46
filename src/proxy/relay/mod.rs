//! The relay: the two directions of one session, in one task, without a buffer of their own.
//!
//! `state` is what a session holds, `flow` one direction of its bytes, `turn` moves them and notices the ends, `splicing`
//! moves large payloads past the program, `ending` decides what follows from an end, `closing` is closewatch ending a
//! session itself, `run` is the task and `timer` wakes it.

mod closing;
mod common;
mod ending;
mod flow;
mod limits;
mod run;
pub(super) mod session;
mod splicing;
mod state;
#[cfg(test)]
mod tests;
mod timer;
mod turn;

pub(super) use self::common::Common;
pub(super) use self::limits::Limits;
pub(super) use self::run::Run;
pub(super) use self::state::Relay;
