//! The client's side of plain requests that pass line by line.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use tokio::sync::futures::OwnedNotified;
use tokio::time::{Instant, Sleep};

use super::kept::Kept;
use crate::config::Limits;
use crate::proxy::connection::request::SHORT;
use crate::proxy::state::Shared;
use crate::proxy::transport::leg::Leg;
use crate::proxy::transport::read_buffer;
use crate::shutdown::{Phase, Shutdown};

/// The most that is held of a client that sends while it is being answered; the rest stays in the kernel.
const AHEAD: usize = 16 * 1024;

/// The client's side.
pub(super) struct Front<'p> {
    proxy: &'p Shared,
    pub(super) leg: Leg,
    /// The request that is being answered, and bytes behind it.
    pub(super) read: Vec<u8>,
    /// The client has nothing more to say that could be held.
    full: bool,
    phase: PhaseWatch,
    /// The kernel asks the client now and then whether it is still there.
    pub(super) watched: bool,
    /// From then on it asks all peers. `None` if it does already.
    watch_at: Option<Instant>,
    /// Fires no later than the first thing that is due.
    timer: Option<Pin<Box<Sleep>>>,
    /// Since then nothing has come from the client, and it has taken nothing.
    quiet_since: Instant,
}

/// The phase of the shutdown, whose next change wakes the task.
struct PhaseWatch {
    shutdown: Shutdown,
    changed: Option<Pin<Box<OwnedNotified>>>,
    seen: Option<Phase>,
}

/// The next thing to do on a connection.
pub(super) enum Next {
    Request,
    Hyper,
    /// The client has its last answer.
    Farewell,
    Over,
}

// === impl Front ===

impl<'p> Front<'p> {
    /// `read` was read already.
    pub(super) fn new(proxy: &'p Shared, leg: Leg, read: Vec<u8>) -> Self {
        let phase = PhaseWatch { shutdown: proxy.shutdown.clone(), changed: None, seen: None };
        let now = Instant::now();
        let watch_at = Some(now + SHORT);
        Self { proxy, leg, read, full: false, phase, watched: false, watch_at, timer: None, quiet_since: now }
    }

    /// An upstream connection was opened for this client.
    pub(super) fn opened(&mut self) {
        self.watch_at.get_or_insert_with(|| Instant::now() + SHORT);
    }

    /// Has the kernel ask the client now and then whether it is still there, and the upstreams of `kept`, as soon as that is
    /// due. Pending while it is not, and for good once it is done.
    pub(super) fn poll_watch<'k>(
        &mut self,
        kept: impl Iterator<Item = &'k mut Kept>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let Some(at) = self.watch_at else { return Poll::Pending };
        ready!(self.poll_until(at, cx));
        self.watch_at = None;
        self.watch();
        kept.for_each(Kept::watch);
        Poll::Ready(())
    }

    /// Has the kernel ask the client now and then whether it is still there.
    fn watch(&mut self) {
        if !std::mem::replace(&mut self.watched, true) {
            self.leg.keep_alive(self.proxy.config.timeouts.dead_peer);
        }
    }

    pub(super) fn limits(&self) -> &'p Limits {
        &self.proxy.config.limits
    }

    /// Nothing has begun to end.
    pub(super) fn is_running(&self) -> bool {
        self.proxy.shutdown.phase() == Phase::Running
    }

    /// The client has taken something.
    pub(super) fn moved(&mut self) {
        self.quiet_since = Instant::now();
    }

    /// The request of `len` bytes is answered. Gives the present instant.
    pub(super) fn answered(&mut self, len: usize) -> Instant {
        self.read.drain(..len);
        self.full = false;
        self.moved();
        self.quiet_since
    }

    /// Waits for the next request. The connections of `kept` that their upstreams end meanwhile, or that have been idle for too
    /// long, are closed.
    pub(super) fn poll_next_request(&mut self, kept: &mut Vec<Kept>, cx: &mut Context<'_>) -> Poll<Next> {
        match read_buffer::poll_read_more(&mut self.leg, &mut self.read, cx) {
            Poll::Ready(Ok(1..)) => return Poll::Ready(Next::Request),
            // Between two requests nothing is owed to a client that hangs up.
            Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Next::Over),
            Poll::Pending => {}
        }
        kept.retain_mut(|kept| kept.is_quiet(cx));
        if self.phase.poll(cx) > Phase::Running {
            return Poll::Ready(Next::Hyper);
        }
        loop {
            // Before the rest, which leaves the timer armed for what is due next.
            let _ = self.poll_watch(kept.iter_mut(), cx);
            let first = kept.iter().map(|kept| kept.used).fold(self.quiet_since, Instant::min);
            ready!(self.poll_quiet(first, cx));
            let (now, patience) = (Instant::now(), self.proxy.config.timeouts.keep_alive);
            if self.quiet_since + patience <= now {
                return Poll::Ready(Next::Over);
            }
            kept.retain(|kept| kept.used + patience > now);
        }
    }

    /// Waits until the client has taken nothing for too long, or the process is about to end.
    pub(super) fn poll_stuck(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.phase.poll(cx) >= Phase::Closing {
            return Poll::Ready(());
        }
        self.poll_quiet(self.quiet_since, cx)
    }

    /// Waits until `timeouts.keep_alive` have passed since an instant.
    fn poll_quiet(&mut self, since: Instant, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_until(since + self.proxy.config.timeouts.keep_alive, cx)
    }

    fn poll_until(&mut self, until: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if until < timer.deadline() {
            timer.as_mut().reset(until);
        }
        // Not moved for each request: it is armed anew when it has fired.
        while timer.as_mut().poll(cx).is_ready() {
            if until <= Instant::now() {
                return Poll::Ready(());
            }
            timer.as_mut().reset(until);
        }
        Poll::Pending
    }

    /// Whether the client is still there, and the process not about to end. Takes what the client sends behind its request,
    /// whose length is `len`.
    pub(super) fn poll_gone(&mut self, len: usize, cx: &mut Context<'_>) -> Poll<()> {
        if self.phase.poll(cx) >= Phase::Closing {
            return Poll::Ready(());
        }
        while !self.full {
            match ready!(read_buffer::poll_read_more(&mut self.leg, &mut self.read, cx)) {
                Ok(1..) => self.full = self.read.len() > len + AHEAD,
                Ok(0) | Err(_) => return Poll::Ready(()),
            }
        }
        Poll::Pending
    }

    /// Waits for `work`, or for the client to go: `None`.
    pub(super) async fn while_it_stays<T>(&mut self, len: usize, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => self.poll_gone(len, cx).map(|()| None),
        })
        .await
    }
}

// === impl PhaseWatch ===

impl PhaseWatch {
    /// The present phase.
    fn poll(&mut self, cx: &mut Context<'_>) -> Phase {
        loop {
            let phase = self.shutdown.phase();
            if self.seen == Some(phase) {
                return phase;
            }
            let changed = self.changed.insert(Box::pin(self.shutdown.changed()));
            let phase = self.shutdown.phase();
            if changed.as_mut().poll(cx).is_pending() {
                self.seen = Some(phase);
            }
        }
    }
}
