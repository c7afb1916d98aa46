//! State that every connection shares, under one configuration.

use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;

use super::routes::Routes;
use super::source::quota::Quota;
use super::transport::tls::Acceptor;
use crate::close::CloseSink;
use crate::config::Config;
use crate::shutdown::Shutdown;

/// Everything that a connection needs and does not own. A reload makes another one: a connection keeps the one it began
/// with, and asks for the [`latest`](Self::latest) with each request.
pub(super) struct Shared {
    pub(super) config: Config,
    pub(super) acceptor: Option<Acceptor>,
    pub(super) routes: Routes,
    pub(super) sink: Arc<dyn CloseSink>,
    pub(super) shutdown: Shutdown,
    /// Number of sessions, and of upgrades that may become one.
    pub(super) sessions: Arc<AtomicUsize>,
    /// Number of connections that are no session.
    pub(super) connections: Arc<AtomicUsize>,
    /// Number of connections to upstreams that are no session's.
    pub(super) upstream_connections: Arc<AtomicUsize>,
    pub(super) quota: Arc<Quota>,
    /// The first connection in the kernel's queue cannot be accepted for now, and is counted.
    pub(super) wait_counted: Arc<AtomicBool>,
    /// The place that holds the state in force.
    pub(super) latest: Weak<ArcSwap<Shared>>,
}

// === impl Shared ===

impl Shared {
    /// The protocol that clients speak, as `X-Forwarded-Proto` names it.
    pub(super) const fn scheme(&self) -> &'static str {
        if self.acceptor.is_some() { "https" } else { "http" }
    }

    /// The state in force now.
    pub(super) fn latest(self: &Arc<Self>) -> Arc<Self> {
        // If the proxy itself is gone, this is the last state there was.
        self.latest.upgrade().map_or_else(|| Arc::clone(self), |latest| latest.load_full())
    }
}
