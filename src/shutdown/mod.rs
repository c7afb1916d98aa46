//! The way out: the phases of a drain, known to everybody who has to act on them.
//!
//! *Takes* the word of the composition root that the next phase has come. *Gives* it to listeners, sessions and the
//! readiness endpoint. *May import* nothing of ours.
//!
//! The whole drain, and the files that take part:
//!
//! 1. SIGTERM, SIGINT, SIGQUIT or `closewatch drain` begins it (`commands/signals`, `commands/instance`, which advances the
//!    phases by their timeouts).
//! 2. [`Phase::Unready`]: `/readyz` is 503 (`admin/health`). Clients are still accepted, and answers on kept connections say
//!    `Connection: close` (`proxy/connection`), so that balancers and clients go elsewhere.
//! 3. [`Phase::Draining`]: nobody is accepted any more; clients that wait in the listener's queue are served, or told to go
//!    elsewhere (`proxy/accept`). New upgrades are answered 503 (`proxy/upgrade/admit`). Sessions go on.
//! 4. [`Phase::Closing`]: each session is given a Close at a message boundary, within the jitter, then FIN (`proxy/relay/closing`).
//!    An upgrade without an answer is told 503 (`proxy/connection/last_words`).
//! 5. [`Phase::Abort`]: a second signal, or the end of patience: each session files its record with cause `drain`, at once.
//! 6. Outputs are flushed (`export`), metrics stay up for the last scrape, and the process exits 0; 1 if it was aborted.
//!
//! A [`Shutdown`] is a handle: whoever holds one can ask for the phase or wait for one, and dropping it means nothing. A
//! process that has a successor (`restart.socket`) goes the same way, but leaves the listener's queue to the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

/// The phase of the shutdown. It only ever advances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Phase {
    /// Everything is up.
    Running = 0,
    /// A drain has begun: not ready any more, connections are still taken.
    Unready = 1,
    /// No connection is taken; sessions go on.
    Draining = 2,
    /// Sessions are given their Close.
    Closing = 3,
    /// Every session files its record now.
    Abort = 4,
}

/// A handle to the one phase of the process. Cheap to clone, and to ask.
#[derive(Clone, Debug, Default)]
pub struct Shutdown(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    phase: AtomicU8,
    successor: AtomicBool,
    changed: Arc<Notify>,
}

// === impl Shutdown ===

impl Shutdown {
    /// A process that has just come up.
    pub fn new() -> Self {
        Self::default()
    }

    /// The present phase.
    pub fn phase(&self) -> Phase {
        match self.0.phase.load(Ordering::Acquire) {
            0 => Phase::Running,
            1 => Phase::Unready,
            2 => Phase::Draining,
            3 => Phase::Closing,
            _ => Phase::Abort,
        }
    }

    /// Advances to `phase`. No effect if the process is there already, or further.
    pub fn advance(&self, phase: Phase) {
        if self.0.phase.fetch_max(phase as u8, Ordering::AcqRel) < phase as u8 {
            self.0.changed.notify_waiters();
        }
    }

    /// Begins the way out of a process whose listening sockets another one has taken over.
    pub fn hand_on(&self) {
        self.0.successor.store(true, Ordering::Release);
        self.advance(Phase::Unready);
    }

    /// Whether another process has taken over the listening sockets, and with them the clients that wait in their queues.
    pub fn has_successor(&self) -> bool {
        self.0.successor.load(Ordering::Acquire)
    }

    /// Waits until `phase` has come.
    pub async fn reached(&self, phase: Phase) {
        loop {
            let changed = self.changed();
            if self.phase() >= phase {
                return;
            }
            changed.await;
        }
    }

    /// The next change of phase from now on, whether polled before it or not. For a task that asks [`Shutdown::phase`]
    /// whenever it is woken.
    pub fn changed(&self) -> OwnedNotified {
        Arc::clone(&self.0.changed).notified_owned()
    }
}
