//! The queue between those who file records and the thread that diagnoses them.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::IntCounter;

use super::hints::Hints;
use super::known::Known;
use super::looked::Looked;
use crate::close::Session;
use crate::export::Event;

/// Events that may wait for the thread; the ring and the log hold most of the same.
pub const QUEUE: usize = 16_384;
/// Events for which there is room when none waits.
const KEPT: usize = 256;

/// One entry of the queue.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    /// A record was filed.
    Filed(Arc<Event>),
    /// A session opened.
    Opened(Arc<Session>),
}

/// The state that the thread shares with those who file records, and with those who look.
pub(super) struct Shared {
    state: Mutex<State>,
    /// For the thread: there is something to do.
    work: Condvar,
    /// For those who wait: it was looked at.
    done: Condvar,
    dropped: IntCounter,
    pub(super) hints: Hints,
}

/// The part under the lock.
pub(super) struct State {
    queue: VecDeque<Entry>,
    /// The thread sleeps until it is woken.
    idle: bool,
    /// Looks that were asked for, and those that were made.
    asked: u64,
    answered: u64,
    stop: bool,
    pub(super) known: Known,
    pub(super) looked: Arc<Looked>,
}

/// The thread's next step.
pub(super) enum Work {
    /// Take these entries in; and look at once, for so many who asked in all.
    Events(VecDeque<Entry>, Option<u64>),
    /// It is time.
    Time,
    /// Nobody is there any more.
    Stop,
}

// === impl Shared ===

impl Shared {
    pub(super) fn new(known: Known, looked: Looked, dropped: IntCounter) -> Self {
        let state = State {
            queue: VecDeque::new(),
            idle: false,
            asked: 0,
            answered: 0,
            stop: false,
            known,
            looked: Arc::new(looked),
        };
        Self { state: Mutex::new(state), work: Condvar::new(), done: Condvar::new(), dropped, hints: Hints::default() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, event: &Arc<Event>) {
        if !self.put(QUEUE, || Entry::Filed(Arc::clone(event))) {
            self.dropped.inc();
        }
    }

    /// Openings leave half of the queue to records: a return that is not seen is no record lost.
    pub(super) fn opened(&self, session: &Arc<Session>) {
        self.put(QUEUE / 2, || Entry::Opened(Arc::clone(session)));
    }

    /// Puts an entry into the queue, unless so many are in it already.
    fn put(&self, limit: usize, entry: impl FnOnce() -> Entry) -> bool {
        let mut state = self.lock();
        if state.queue.len() >= limit {
            return false;
        }
        state.queue.push_back(entry());
        // To wake costs a system call, so only who sleeps is woken.
        let wake = std::mem::take(&mut state.idle);
        drop(state);
        if wake {
            self.work.notify_one();
        }
        true
    }

    /// Waits for events, at most until `limit` is over, or as long as it takes.
    pub(super) fn next(&self, limit: Option<Duration>) -> Work {
        let mut state = self.lock();
        let nothing = |state: &mut State| state.queue.is_empty() && state.asked == state.answered && !state.stop;
        if nothing(&mut state) {
            // Memory that a storm made grow is released when it is over.
            state.queue.shrink_to(KEPT);
            state.idle = true;
            state = match limit {
                None => self.work.wait_while(state, nothing).unwrap_or_else(PoisonError::into_inner),
                Some(limit) => {
                    self.work.wait_timeout_while(state, limit, nothing).unwrap_or_else(PoisonError::into_inner).0
                }
            };
            state.idle = false;
        }
        if state.stop {
            return Work::Stop;
        }
        let asked = (state.asked > state.answered).then_some(state.asked);
        if state.queue.is_empty() && asked.is_none() {
            return Work::Time;
        }
        Work::Events(std::mem::take(&mut state.queue), asked)
    }

    /// Lets events gather, unless somebody waits for them.
    pub(super) fn rest(&self, time: Duration) {
        let state = self.lock();
        let in_no_hurry = |state: &mut State| state.asked == state.answered && !state.stop;
        drop(self.work.wait_timeout_while(state, time, in_no_hurry));
    }

    /// Gives out a look; it is what so many asked for.
    pub(super) fn looked(&self, looked: Looked, asked: Option<u64>) {
        let mut state = self.lock();
        state.looked = Arc::new(looked);
        state.answered = asked.unwrap_or(state.answered);
        drop(state);
        self.done.notify_all();
    }

    pub(super) fn settle(&self, timeout: Duration) -> bool {
        let mut state = self.lock();
        state.asked += 1;
        let mine = state.asked;
        self.work.notify_one();
        let waiting = |state: &mut State| state.answered < mine;
        let (state, _) = self.done.wait_timeout_while(state, timeout, waiting).unwrap_or_else(PoisonError::into_inner);
        state.answered >= mine
    }

    pub(super) fn stop(&self) {
        self.lock().stop = true;
        self.work.notify_one();
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("waiting", &self.lock().queue.len()).finish_non_exhaustive()
    }
}
