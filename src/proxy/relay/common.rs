//! The parts of a route that its sessions keep while they live, held once for all of them.

use std::sync::Arc;

use tokio::time::Instant;

use super::limits::Limits;
use crate::close::RouteSink;
use crate::shutdown::Shutdown;

/// The sink of a route's records, the limits of its sessions, and the way out of the process.
pub(in crate::proxy) struct Common {
    pub(in crate::proxy) sink: Arc<dyn RouteSink>,
    pub(in crate::proxy) limits: Limits,
    pub(in crate::proxy) shutdown: Shutdown,
    /// When the route was made: sessions count from here when they opened, in half the room of an `Instant`.
    since: Instant,
}

// === impl Common ===

impl Common {
    pub(in crate::proxy) fn new(sink: Arc<dyn RouteSink>, limits: Limits, shutdown: Shutdown) -> Self {
        Self { sink, limits, shutdown, since: Instant::now() }
    }

    pub(super) const fn since(&self) -> Instant {
        self.since
    }
}
