//! The limits of a session: the longest time in each state, and the Close that closewatch sends when it ends one.

use std::time::Duration;

use crate::close::CloseCode;

/// The limits of the sessions of one route. A limit of `None` is never reached.
#[derive(Clone, Debug)]
pub(in crate::proxy) struct Limits {
    /// How long the transports may stay up once both Closes were written on.
    pub(in crate::proxy) linger: Duration,
    /// How long a session that is half over may go without a byte.
    pub(in crate::proxy) half_closed: Option<Duration>,
    /// How long a peer's host may acknowledge nothing while bytes for it wait.
    pub(in crate::proxy) dead_peer: Option<Duration>,
    /// How long a session may go without any frame but Closes.
    pub(in crate::proxy) idle: Option<Duration>,
    /// How long closewatch's own Close may stay unanswered.
    pub(in crate::proxy) close_reply: Duration,
    /// Sessions are given their Close at a random time within this, so that their clients do not all come back at once.
    pub(in crate::proxy) drain_jitter: Duration,
    /// The code of closewatch's own Close; `None` if it sends none.
    pub(in crate::proxy) own_code: Option<CloseCode>,
    /// The reason of closewatch's own Close.
    pub(in crate::proxy) own_reason: Box<str>,
    /// Whether payload may be spliced.
    pub(in crate::proxy) splice: bool,
}
