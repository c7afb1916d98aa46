//! The timer that wakes a session's task when something is due by itself. Most sessions rest without one.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

/// A timer that is armed only while something is due.
#[derive(Debug, Default)]
pub(super) struct Timer(Option<Pin<Box<Armed>>>);

pin_project! {
    #[derive(Debug)]
    #[project = Projected]
    struct Armed {
        #[pin]
        sleep: Sleep,
        // The task that `sleep` wakes.
        wakes: Option<Waker>,
    }
}

// === impl Timer ===

impl Timer {
    /// Disarms the timer.
    pub(super) fn stop(&mut self) {
        self.0 = None;
    }

    /// Ready at `due`, or earlier.
    ///
    /// The timer is never moved to a later time: one that fires too early costs a look at what is due now, and moving it
    /// would cost a lock for every message.
    pub(super) fn poll(&mut self, due: Instant, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            Some(armed) if armed.sleep.deadline() <= due => {
                let wakes_this_task = armed.wakes.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
                if wakes_this_task && !armed.sleep.is_elapsed() {
                    return Poll::Pending;
                }
            }
            Some(armed) => armed.as_mut().project().sleep.reset(due),
            None => self.0 = Some(Box::pin(Armed { sleep: sleep_until(due), wakes: None })),
        }
        let Some(armed) = &mut self.0 else { return Poll::Pending };
        let Projected { sleep, wakes } = armed.as_mut().project();
        if sleep.poll(cx).is_pending() {
            *wakes = Some(cx.waker().clone());
            return Poll::Pending;
        }
        self.0 = None;
        Poll::Ready(())
    }
}
