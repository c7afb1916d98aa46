//! The sink that takes records. The data plane knows these traits and nothing behind them.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::{CloseRecord, HandshakeRecord, Propagation, Rejection, RequestHeaders, Session};
use crate::wire::{MessageKind, Peer};

/// The route label of requests that no route takes.
pub const NO_ROUTE: &str = "none";

/// Takes everything that the data plane reports. No call may block, fail or panic: traffic is waiting.
pub trait CloseSink: Send + Sync {
    /// The sink of the route with this name, or of [`NO_ROUTE`]. Resolved once per route.
    fn route(&self, name: &str) -> Arc<dyn RouteSink>;

    /// A connection was turned away before it said anything.
    fn rejected(&self, reason: Rejection);

    /// A keyed hash of the header or cookie that tells clients apart. `None` if there is none, or nobody asked for it.
    fn visitor(&self, _headers: &dyn RequestHeaders) -> Option<NonZeroU32> {
        None
    }
}

/// Takes the reports of one route.
pub trait RouteSink: Send + Sync {
    /// An upgrade with these headers is about to be put to its upstream. `None` if sessions are not traced: then its headers
    /// go on as they are.
    fn trace(&self, _headers: &dyn RequestHeaders) -> Option<Propagation> {
        None
    }

    /// An upgrade was answered, or its client went away. The request of one that succeeded goes on as its session's, so it is
    /// only shown here.
    fn handshake(&self, record: &HandshakeRecord);

    /// A session opened; its [`RouteSink::closed`] will follow.
    fn opened(&self, session: &Arc<Session>);

    /// A session ended.
    fn closed(&self, record: CloseRecord);

    /// Bytes were read from `from`.
    fn bytes(&self, from: Peer, bytes: u64);

    /// `count` messages of a kind came to their end in them.
    fn messages(&self, from: Peer, kind: MessageKind, count: u64);

    /// `peer` answered a ping.
    fn ping_rtt(&self, peer: Peer, rtt: Duration);

    /// A session began (+1) or ceased (-1) to wait for a peer that does not take its bytes.
    fn stalled(&self, change: i64);

    /// Bytes that wait in closewatch, in its own memory or in a pipe, came or went.
    fn spilled(&self, change: i64);

    /// A plain HTTP request was answered with this status.
    fn http_response(&self, status: u16);

    /// A connection to the upstream that is no session's was opened (+1) or closed (-1).
    fn upstream_connections(&self, change: i64);
}
