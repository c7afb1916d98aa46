//! The story of a rig, for the message of a test that fails.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long anything is waited for. Far beyond what a loaded machine needs: reaching it is a failure, never a result.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes shown of one write or read.
const SHOWN_BYTES: usize = 40;

/// Lines kept.
const SHOWN_LINES: usize = 100;

/// The rig's own log. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Story(Arc<Mutex<Vec<String>>>);

/// Bytes as a test log shows them: the first few in hex, and how many there are.
pub(crate) struct Shown<'a>(pub(crate) &'a [u8]);

// === impl Story ===

impl Story {
    pub(crate) fn tell(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(line);
        if lines.len() > SHOWN_LINES {
            lines.remove(0);
        }
    }

    /// Waits for `event`, and fails with the story if it does not come.
    pub(crate) async fn within<T>(&self, what: &str, event: impl Future<Output = T>) -> T {
        match tokio::time::timeout(PATIENCE, event).await {
            Ok(value) => value,
            Err(_) => self.fail(&format!("waited {PATIENCE:?} for {what}")),
        }
    }

    pub(crate) fn fail(&self, why: &str) -> ! {
        panic!("{why}\n--- what happened:\n{self}---");
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.iter().take(SHOWN_BYTES) {
            write!(f, "{byte:02x} ")?;
        }
        let more = if self.0.len() > SHOWN_BYTES { "… " } else { "" };
        write!(f, "{more}({} bytes)", self.0.len())
    }
}
