//! The task of a session: polls its relay until the session is over, and tells it of the phases of the process.

use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::sync::futures::OwnedNotified;

use super::state::Relay;
use crate::shutdown::{Phase, Shutdown};

pin_project! {
    /// The future of [`Relay::run`].
    ///
    /// Written out, since an `async fn` would hold what it was given twice.
    #[project = Projected]
    pub(in crate::proxy) struct Run {
        relay: Relay,
        shutdown: Shutdown,
        // The phase of the process that the relay knows of.
        phase: Option<Phase>,
        // The next phase of the process.
        #[pin]
        changed: OwnedNotified,
    }
}

impl Relay {
    /// Relays until the session is over. Its record is filed when the relay is dropped.
    pub(in crate::proxy) fn run(self, shutdown: Shutdown) -> Run {
        Run { relay: self, changed: shutdown.changed(), shutdown, phase: None }
    }
}

impl Future for Run {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Projected { relay, shutdown, phase, mut changed } = self.project();
        // Asking for the phase is one load; only a new one is worth the lock of a registration.
        while *phase != Some(shutdown.phase()) {
            changed.set(shutdown.changed());
            let now = shutdown.phase();
            if changed.as_mut().poll(cx).is_pending() {
                *phase = Some(now);
            }
        }
        if *phase >= Some(Phase::Closing) {
            relay.drain(*phase == Some(Phase::Abort));
        }
        relay.turn(cx)
    }
}
