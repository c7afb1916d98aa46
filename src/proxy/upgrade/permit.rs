//! Limits on how many sessions and connections there may be.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::error::UpgradeError;
use crate::proxy::state::Shared;
use crate::shutdown::Phase;

/// The right to one session or connection, of those that `limits.sessions` or `limits.connections` allows.
pub(in crate::proxy) struct Permit(Arc<AtomicUsize>);

/// Whether there may be one session more.
pub(in crate::proxy) fn admit(proxy: &Shared) -> Result<Permit, UpgradeError> {
    // Whoever was accepted before another process took over is still served.
    let last = if proxy.shutdown.has_successor() { Phase::Draining } else { Phase::Unready };
    if proxy.shutdown.phase() > last {
        return Err(UpgradeError::Draining);
    }
    Permit::take(&proxy.sessions, proxy.config.limits.sessions).ok_or(UpgradeError::OverLimit)
}

// === impl Permit ===

impl Permit {
    /// One place more, unless `limit` are taken.
    pub(in crate::proxy) fn take(active: &Arc<AtomicUsize>, limit: Option<usize>) -> Option<Self> {
        let permit = Self(Arc::clone(active));
        let before = active.fetch_add(1, Ordering::Relaxed);
        // A permit that is refused gives its place back by being dropped.
        limit.is_none_or(|limit| before < limit).then_some(permit)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
