//! The task of a session: polls its relay until the session is over, and tells it of the phases of the process.

use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::sync::futures::OwnedNotified;

use super::state::Relay;
use crate::shutdown::Phase;

pin_project! {
    /// The future of [`Relay::run`].
    ///
    /// Written out, since an `async fn` would hold what it was given twice.
    #[project = Projected]
    pub(in crate::proxy) struct Run {
        relay: Relay,
        // The next phase of the process.
        #[pin]
        changed: OwnedNotified,
    }
}

impl Relay {
    /// Relays until the session is over. Its record is filed when the relay is dropped.
    pub(in crate::proxy) fn run(self) -> Run {
        Run { changed: self.file.shutdown().changed(), relay: self }
    }
}

impl Future for Run {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Projected { relay, mut changed } = self.project();
        // Asking for the phase is one load; only a new one is worth the lock of a registration.
        while relay.phase != Some(relay.file.shutdown().phase()) {
            changed.set(relay.file.shutdown().changed());
            let now = relay.file.shutdown().phase();
            if changed.as_mut().poll(cx).is_pending() {
                relay.phase = Some(now);
            }
        }
        if relay.phase >= Some(Phase::Closing) {
            relay.drain(relay.phase == Some(Phase::Abort));
        }
        relay.turn(cx)
    }
}
