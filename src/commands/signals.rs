//! The signals of an instance: held back from the first moment, obeyed once the instance serves.
//!
//! A signal whose handler is not set yet kills the process: a SIGHUP of an eager `systemctl reload`, say. So `main` holds all of
//! them back before it does anything else, and they are delivered when the handlers are in place.

use std::io;

use nix::sys::signal::{SigSet, SigmaskHow, Signal as Number};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::export::Exporter;
use crate::shutdown::{Phase, Shutdown};

/// Signals that an instance obeys.
const OBEYED: [Number; 6] =
    [Number::SIGHUP, Number::SIGINT, Number::SIGQUIT, Number::SIGTERM, Number::SIGUSR1, Number::SIGUSR2];

/// Holds signals back until it is dropped.
#[must_use]
#[derive(Debug)]
pub struct HeldSignals {
    /// The mask to return to.
    before: SigSet,
}

/// The handlers of an instance.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
    drain: Signal,
    reopen: Signal,
}

/// Holds back every signal that an instance obeys. To be called before there is a second thread, which would receive them.
///
/// SIGXFSZ stays blocked for good: a write beyond the limit of a file's size then fails, and is counted, as with a full disk.
pub fn hold_signals() -> HeldSignals {
    let too_large = SigSet::from(Number::SIGXFSZ);
    let held = SigSet::from_iter(OBEYED);
    // Blocking these cannot fail; if it did, signals would only be as early as they ever were.
    let _ = too_large.thread_block();
    let before = held.thread_swap_mask(SigmaskHow::SIG_BLOCK).unwrap_or(too_large);
    HeldSignals { before }
}

// === impl HeldSignals ===

impl Drop for HeldSignals {
    fn drop(&mut self) {
        // It was the mask before, so it can be set again.
        let _ = self.before.thread_set_mask();
    }
}

// === impl Signals ===

impl Signals {
    pub(super) fn install() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            drain: signal(SignalKind::user_defined2())?,
            reopen: signal(SignalKind::user_defined1())?,
        })
    }

    /// Begins the drain at SIGTERM, SIGINT, SIGQUIT, SIGUSR2 (`closewatch drain`) or when `until` is over, and reopens the close
    /// log at SIGUSR1. Returns at the second SIGTERM, SIGINT or SIGQUIT. One that only follows a `closewatch drain`, as Kubernetes
    /// sends it behind a preStop hook, is the first.
    pub(super) async fn obey(&mut self, shutdown: &Shutdown, exporter: &Exporter, until: impl Future<Output = ()>) {
        let mut until = std::pin::pin!(until);
        let mut terminations = 0;
        while terminations < 2 {
            let running = shutdown.phase() == Phase::Running;
            tokio::select! {
                _ = self.terminate.recv() => terminations += 1,
                _ = self.interrupt.recv() => terminations += 1,
                _ = self.quit.recv() => terminations += 1,
                _ = self.drain.recv() => {}
                () = &mut until, if running => {}
                _ = self.reopen.recv() => {
                    exporter.log().reopen();
                    continue;
                }
            }
            shutdown.advance(Phase::Unready);
        }
    }
}
