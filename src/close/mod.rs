//! The close: what was seen of a session, and what it means.
//!
//! *Takes* frame and transport events with their times. *Gives* one [`CloseRecord`] a session, and the close-code
//! catalog. *May import* `wire`.
//!
//! Pure: no clock (time is an argument), no I/O, no async.

mod address;
pub mod catalog;
mod code;
mod compact_duration;
mod facts;
#[cfg(any(test, fuzzing))]
pub mod invariants;
mod labels;
mod ledger;
mod pings;
mod record;
mod rules;
mod sink;
#[cfg(test)]
mod tests;
mod text;
mod tls_alert;
mod trace;
mod verdict;

pub use address::Address;
pub use code::CloseCode;
pub use compact_duration::CompactDuration;
pub use facts::{Close, Decision, Ended, Facts, Moment, OwnClose, PeerFacts, Seq, Stall, TcpFacts, Violations};
pub(crate) use labels::labels;
pub use labels::{
    Cause, Class, End, Handshake, HttpVersion, Initiator, Outcome, Rejection, TlsFailure, TlsVersion, UnknownLabel,
};
pub use ledger::{Event, Ledger};
pub use record::{CloseRecord, HandshakeRecord, Live, Method, Request, RouteFacts, Session};
pub use rules::{CodeLabel, CodeMatch, CodeMatchError, CodeRules};
pub use sink::{CloseSink, NO_ROUTE, RouteSink};
pub use text::{MAX_TEXT, Text, is_unprintable};
pub use tls_alert::TlsAlert;
pub use trace::{HandshakeTrace, Propagation, RequestHeaders, SpanId, TraceId, TraceSpan};
pub use verdict::{Saw, Verdict};
