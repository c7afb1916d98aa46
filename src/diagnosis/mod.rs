//! The diagnosis: what many records together say of the cause.
//!
//! *Takes* records, as [`Observation`]s. *Gives* a [`Report`] of findings and notes. *May import* `close`, `wire`.
//!
//! Pure: no clock, no I/O, no async. Memory is bounded whatever comes, and the result depends neither on the order of the
//! records nor on how they are cut. `docs/diagnosis.md` has the vocabulary and the table of rules.

#![allow(
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "counts of records and indexes are far below 2^52, and no number here is negative where it becomes a count"
)]

mod address;
mod advice;
mod clients;
mod cluster;
mod cohort;
mod columns;
mod cores;
mod engine;
mod explained;
mod finding;
mod hint;
mod leg_tls;
mod limits;
mod line;
mod log;
mod majority;
mod merge;
mod names;
mod notes;
mod observation;
mod openings;
mod pattern;
mod quantiles;
mod reconnects;
mod returns;
mod row;
mod rules;
mod sample;
mod sentence;
mod show;
mod sign;
mod tables;
mod taken;
mod tally;
#[cfg(test)]
mod tests;
mod traits;
mod watch;
mod window;
mod words;

pub use engine::Engine;
pub use explained::{explained, words as explained_words};
pub use finding::{Common, Culprit, Evidence, Finding, Mechanism, Note, Report};
pub use hint::{Active, hint};
pub use leg_tls::LegTls;
pub use line::{BadLine, Batch, OWN_LOG};
pub use observation::{Asked, Closed, Event, Observation, Refused, Side};
pub use pattern::Pattern;
pub use returns::{Advice, Left, Return, Returns};
pub use show::{counted, span};
pub use tables::{Advised, BackOff, Bars, Ending, Failure, Mismatch, Moment, Part, Quantile, Reconnect, Tables};
pub use watch::{GoingOn, QUIET, Watch, room};
