//! The bookkeeping of open streams: how many there may be, and their end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::shutdown::{Phase, Shutdown};

/// Streams at once. Each costs the writing of every line, and one of the connections that a scraper needs too.
pub(super) const MAX_STREAMS: usize = 16;
/// Time for the last lines to be written when the process ends.
const GOODBYE: Duration = Duration::from_millis(500);

/// The streams of a process. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub(super) struct Streams {
    /// Tells the events of this process from those of the one before: part of every id.
    pub(super) run: Arc<str>,
    permits: Arc<Semaphore>,
    end: CancellationToken,
}

// === impl Streams ===

impl Streams {
    pub(super) fn new() -> Self {
        Self {
            run: format!("{:08x}", fastrand::u32(..)).into(),
            permits: Arc::new(Semaphore::new(MAX_STREAMS)),
            end: CancellationToken::new(),
        }
    }

    /// Room for one more stream, if there is.
    pub(super) fn admit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.permits).try_acquire_owned().ok()
    }

    /// Has every stream write what it has and end; waits for them, not for long.
    pub(super) async fn end(&self) {
        self.end.cancel();
        let all = self.permits.acquire_many(MAX_STREAMS as u32);
        // A client that does not read must not hold up the end of the process.
        let _ = timeout(GOODBYE, all).await;
    }

    /// Waits until streams have to end: the process does, or another one answers from now on.
    pub(super) async fn ended(&self, shutdown: &Shutdown) {
        tokio::select! {
            () = self.end.cancelled() => {}
            () = shutdown.reached(Phase::Unready), if shutdown.phase() == Phase::Running => {
                if !shutdown.has_successor() {
                    self.end.cancelled().await;
                }
            }
        }
    }

    /// Whether [`Streams::ended`] would return at once.
    pub(super) fn has_ended(&self, shutdown: &Shutdown) -> bool {
        self.end.is_cancelled() || shutdown.has_successor()
    }
}
