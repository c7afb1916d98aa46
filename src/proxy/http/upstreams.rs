//! The upstream connections of one client connection.
//!
//! A backend may tie a user to a connection (NTLM, Negotiate). So a client's requests go over connections that no other
//! client's requests go over: one for each upstream, opened when it is first needed, and ended with the client's own.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::uri::Authority;
use tokio::time::Instant;

use super::early::EarlyAnswers;
use super::upstream::{UpstreamConnection, UpstreamPlace};
use crate::close::{RouteFacts, RouteSink};
use crate::config::Limits;
use crate::proxy::permit::Permit;
use crate::proxy::transport::dial::{DialError, Dialer, Reached};
use crate::proxy::transport::rewind::Rewind;

/// The upstream connections of one client connection. Its requests come one at a time, so one for each upstream is enough.
pub(in crate::proxy) struct Upstreams {
    kept: Mutex<Vec<Kept>>,
    /// For the next request.
    given: Mutex<Option<Given>>,
    /// Answers before the answer (1xx) that come over them.
    early: Arc<EarlyAnswers>,
    /// Number of upstream connections of all clients.
    open: Arc<AtomicUsize>,
    keep_alive: Duration,
}

/// One upstream, and the settings with which a connection to it is opened.
#[derive(Clone, Copy)]
pub(in crate::proxy) struct Upstream<'r> {
    pub(in crate::proxy) route: &'r Arc<RouteFacts>,
    pub(in crate::proxy) dialer: &'r Arc<Dialer>,
    /// Its host, for a request that names none.
    pub(in crate::proxy) authority: &'r Authority,
    pub(in crate::proxy) sink: &'r Arc<dyn RouteSink>,
    pub(in crate::proxy) limits: &'r Limits,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(in crate::proxy) enum OpenError {
    #[error("too many connections to upstreams")]
    OverLimit,
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("the upstream hung up at once")]
    Closed(#[source] hyper::Error),
}

/// The result of a dial that was made before hyper has read the request.
pub(in crate::proxy) struct Given {
    pub(in crate::proxy) dialer: Arc<Dialer>,
    /// The answer to that request may have begun to come over it.
    pub(in crate::proxy) result: Result<UpstreamConnection, OpenError>,
}

struct Kept {
    route: Arc<RouteFacts>,
    dialer: Arc<Dialer>,
    connection: UpstreamConnection,
    /// The last instant at which it was seen in use.
    used: Instant,
}

// === impl Upstreams ===

impl Upstreams {
    /// None yet. `open` counts those of all clients; one that is idle for `keep_alive` is closed.
    pub(in crate::proxy) fn new(open: Arc<AtomicUsize>, keep_alive: Duration) -> Self {
        Self { kept: Mutex::default(), given: Mutex::default(), early: Arc::default(), open, keep_alive }
    }

    /// Answers before the answer to the client's present request.
    pub(in crate::proxy) const fn early(&self) -> &Arc<EarlyAnswers> {
        &self.early
    }

    fn with<T>(&self, work: impl FnOnce(&mut Vec<Kept>) -> T) -> T {
        work(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The connection that is kept to an upstream, if it is still up, and the upstream's name still leads there: it may have
    /// moved, and upgrades, which are dialled each time, have moved with it.
    pub(in crate::proxy) async fn take(&self, upstream: Upstream<'_>) -> Option<UpstreamConnection> {
        self.close_idle();
        let mut connection = self.with(|kept| {
            // A reload has given the route another upstream: what leads to the one before is not used again.
            kept.retain(|kept| kept.route.name != upstream.route.name || Arc::ptr_eq(&kept.dialer, upstream.dialer));
            let at = kept.iter().position(|kept| Arc::ptr_eq(&kept.dialer, upstream.dialer))?;
            Some(kept.swap_remove(at).connection)
        })?;
        upstream.dialer.leads_to(&connection.address, &mut connection.known).await.then_some(connection)
    }

    /// Gives the next request the result of a dial that was made for it already.
    pub(in crate::proxy) fn give(&self, given: Given) {
        *self.given.lock().unwrap_or_else(PoisonError::into_inner) = Some(given);
    }

    /// The connection, or the failure, that was given for this request.
    pub(in crate::proxy) fn given(&self) -> Option<Given> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// A new connection. It has to be [kept](Self::keep) for as long as an answer comes over it.
    pub(in crate::proxy) async fn open(&self, upstream: Upstream<'_>) -> Result<UpstreamConnection, OpenError> {
        let place = self.place(upstream).ok_or(OpenError::OverLimit)?;
        let Reached { leg, address, .. } = upstream.dialer.dial(&[]).await?;
        upstream.dialer.keep_alive(&leg);
        let connection = UpstreamConnection::new(Rewind::new(leg), address, upstream.limits).await;
        let connection = connection.map_err(OpenError::Closed)?;
        connection.take_place(|| Some(place));
        Ok(connection)
    }

    /// Keeps a connection; the body of an answer may still be coming over it. Gives `false` if the limit allows no more of
    /// them: then it is kept for that body only, and the client's connection has to end behind it.
    pub(in crate::proxy) fn keep(&self, upstream: Upstream<'_>, connection: UpstreamConnection) -> bool {
        let keeps = connection.take_place(|| self.place(upstream));
        let (route, dialer, used) = (Arc::clone(upstream.route), Arc::clone(upstream.dialer), Instant::now());
        self.with(|kept| kept.push(Kept { route, dialer, connection, used }));
        keeps
    }

    /// A place for one connection more.
    pub(in crate::proxy) fn place(&self, upstream: Upstream<'_>) -> Option<UpstreamPlace> {
        Some(UpstreamPlace::new(
            Permit::take(&self.open, upstream.limits.upstream_connections)?,
            Arc::clone(upstream.sink),
        ))
    }

    /// Closes the connections that have been idle for too long. Gives the earliest instant at which another one may be due.
    pub(in crate::proxy) fn close_idle(&self) -> Option<Instant> {
        let now = Instant::now();
        self.with(|kept| {
            kept.retain_mut(|kept| {
                if !kept.connection.is_idle() {
                    kept.used = now;
                }
                !kept.connection.is_closed() && kept.used + self.keep_alive > now
            });
            kept.iter().map(|kept| kept.used + self.keep_alive).min()
        })
    }
}
