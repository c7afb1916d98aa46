//! The timer that wakes a session's task when something is due by itself. Most sessions rest without one.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::time::{Instant, Sleep};

/// A timer that is armed only while something is due.
#[derive(Debug, Default)]
pub(super) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    /// The task that `sleep` wakes.
    wakes: Option<Waker>,
}

// === impl Timer ===

impl Timer {
    /// Disarms the timer.
    pub(super) fn stop(&mut self) {
        self.sleep = None;
    }

    /// Ready at `due`, or earlier.
    ///
    /// The timer is never moved to a later time: one that fires too early costs a look at what is due now, and moving it
    /// would cost a lock for every message.
    pub(super) fn poll(&mut self, due: Instant, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.sleep {
            Some(sleep) if sleep.deadline() <= due => {
                let wakes_this_task = self.wakes.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
                if wakes_this_task && !sleep.is_elapsed() {
                    return Poll::Pending;
                }
            }
            Some(sleep) => sleep.as_mut().reset(due),
            None => self.sleep = Some(Box::pin(tokio::time::sleep_until(due))),
        }
        let Some(sleep) = &mut self.sleep else { return Poll::Pending };
        if sleep.as_mut().poll(cx).is_pending() {
            self.wakes = Some(cx.waker().clone());
            return Poll::Pending;
        }
        self.sleep = None;
        Poll::Ready(())
    }
}
