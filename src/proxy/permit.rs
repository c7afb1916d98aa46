//! Places of a limit, counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// One place of those that a limit allows: `limits.sessions`, `limits.connections` or `limits.upstream_connections`.
pub(super) struct Permit(Arc<AtomicUsize>);

// === impl Permit ===

impl Permit {
    /// One place more, unless `limit` are taken.
    pub(super) fn take(active: &Arc<AtomicUsize>, limit: Option<usize>) -> Option<Self> {
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
