//! The connections to upstreams that are kept for one client.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::time::Instant;

use crate::close::Address;
use crate::config::Limits;
use crate::proxy::http::upstream::{UpstreamConnection, UpstreamPlace};
use crate::proxy::http::upstreams::{OpenError, Upstreams};
use crate::proxy::routes::Route;
use crate::proxy::state::Shared;
use crate::proxy::transport::dial::Reached;
use crate::proxy::transport::leg::Leg;
use crate::proxy::transport::read_buffer;
use crate::proxy::transport::rewind::Rewind;

/// A connection to an upstream that is kept for this client.
pub(super) struct Kept {
    pub(super) route: Arc<Route>,
    pub(super) leg: Leg,
    address: Address,
    /// When the upstream's name was last known to lead to that address.
    known: Instant,
    pub(super) used: Instant,
    /// The kernel asks the upstream now and then whether it is still there.
    watched: bool,
    place: UpstreamPlace,
}

/// A connection that a request can be put to.
pub(super) struct Ready {
    pub(super) kept: Kept,
    /// It was opened for this request.
    pub(super) is_new: bool,
    /// The number of the request's bytes that went with the dial.
    pub(super) sent: usize,
}

/// The connection that is kept to a route's upstream, or a new one, for the request in `head`.
pub(super) async fn reach(
    proxy: &Shared,
    upstreams: &Upstreams,
    kept: &mut Vec<Kept>,
    route: &Arc<Route>,
    head: &[u8],
) -> Result<Ready, OpenError> {
    // A reload has given the route another upstream: what leads to the one before is not used again.
    kept.retain(|kept| kept.route.facts.name != route.facts.name || Arc::ptr_eq(&kept.route.dialer, &route.dialer));
    if let Some(at) = kept.iter().position(|kept| Arc::ptr_eq(&kept.route.dialer, &route.dialer)) {
        let mut kept = Kept { route: Arc::clone(route), ..kept.swap_remove(at) };
        let is_quiet = poll_fn(|cx| Poll::Ready(kept.is_quiet(cx))).await;
        if is_quiet && route.dialer.leads_to(&kept.address, &mut kept.known).await {
            return Ok(Ready { kept, is_new: false, sent: 0 });
        }
    }
    let place = upstreams.place(route.upstream(&proxy.config.limits)).ok_or(OpenError::OverLimit)?;
    // Boxed: most requests need no dial, and would carry its state.
    let Reached { leg, address, sent } = Box::pin(route.dialer.dial(head)).await?;
    let now = Instant::now();
    Ok(Ready { kept: Kept::new(Arc::clone(route), leg, address, now, place), is_new: true, sent })
}

// === impl Kept ===

impl Kept {
    /// A connection that was opened just now.
    pub(super) const fn new(route: Arc<Route>, leg: Leg, address: Address, now: Instant, place: UpstreamPlace) -> Self {
        Self { route, leg, address, known: now, used: now, watched: false, place }
    }

    /// Whether nothing has come of it, its end included: bytes that answer no request spoil it.
    pub(super) fn is_quiet(&mut self, cx: &mut Context<'_>) -> bool {
        read_buffer::poll_read_more(&mut self.leg, &mut Vec::new(), cx).is_pending()
    }

    /// Has the kernel ask the upstream now and then whether it is still there.
    pub(super) fn watch(&mut self) {
        if !std::mem::replace(&mut self.watched, true) {
            self.route.dialer.keep_alive(&self.leg);
        }
    }

    /// The connection for hyper: with `answer`, the beginning of the answer to a request that was put over it already.
    pub(super) async fn for_hyper(
        mut self,
        answer: Option<Vec<u8>>,
        limits: &Limits,
    ) -> hyper::Result<UpstreamConnection> {
        self.watch();
        let leg = match answer {
            None => Rewind::new(self.leg),
            Some(answer) => Rewind::answer(self.leg, answer),
        };
        let mut connection = UpstreamConnection::new(leg, self.address, limits).await?;
        connection.known = self.known;
        connection.take_place(|| Some(self.place));
        Ok(connection)
    }
}
