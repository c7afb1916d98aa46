//! The state that every handler shares.

use std::fmt;
use std::sync::Arc;

use super::streams::Streams;
use crate::export::Exporter;
use crate::shutdown::Shutdown;

/// The parts of the running instance that answers are made from.
#[derive(Clone)]
pub struct Admin {
    pub(super) exporter: Exporter,
    pub(super) shutdown: Shutdown,
    pub(super) names: Arc<[String]>,
    pub(super) streams: Streams,
}

// === impl Admin ===

impl Admin {
    /// `names` are what a request's `Host` may be, besides an IP address and `localhost`.
    pub fn new(exporter: Exporter, shutdown: Shutdown, names: impl IntoIterator<Item = String>) -> Self {
        Self { exporter, shutdown, names: names.into_iter().collect(), streams: Streams::new() }
    }

    /// Has the open streams tell what they have not told yet, and end. For the end of the process; never takes long.
    pub async fn end_streams(&self) {
        self.streams.end().await;
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").field("names", &self.names).finish_non_exhaustive()
    }
}
