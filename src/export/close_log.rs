//! The close log: a line for every event, written by a thread of its own.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use prometheus::IntCounter;
use tokio::time::Instant;

use super::line_writer::{LineWriter, WriteError};
use super::{Event, JsonStyle, Layout, Row};
use crate::close::CloseRecord;
use crate::config::{LogOnly, LogTarget};

/// Events that may wait for the writer. At one or two kilobytes each, some 30 MB when an output hangs in a storm.
pub const QUEUE: u64 = 16_384;
/// A writer that has written rests for this long: what comes meanwhile shares its next write, and wakes nobody.
const NAP: Duration = Duration::from_millis(10);
/// Lines beyond this wait for the next write, so that a storm does not double in memory as text.
const BATCH: usize = 256 * 1024;
/// Events for which there is room when nothing is to be written.
const KEPT: usize = 256;
/// The same in bytes of text.
const KEPT_TEXT: usize = 16 * 1024;
/// The program's own log speaks of lost records no more often than this.
const WARN_EVERY: Duration = Duration::from_secs(10);

/// The target of the log, and the events that it gets.
#[derive(Clone, Debug, Default)]
pub struct LogOptions {
    /// Where the lines go.
    pub target: LogTarget,
    /// Which events are written.
    pub only: LogOnly,
    /// How lines for people are set; `None` for JSON.
    pub text: Option<Layout>,
}

/// The way to the writer's thread. Dropped, the thread writes what is left and ends.
pub struct CloseLog {
    only: LogOnly,
    /// `None` if the log is off.
    shared: Option<Arc<Shared>>,
}

struct Shared {
    state: Mutex<State>,
    /// For the writer: there is something to do.
    work: Condvar,
    /// For those who flush: something was done.
    done: Condvar,
    dropped: IntCounter,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Arc<Event>>,
    /// Events taken so far, and of these the ones written or given up: the difference is what waits.
    taken: u64,
    settled: u64,
    /// The writer sleeps until it is woken.
    idle: bool,
    reopen: bool,
    /// How many wait for a flush: the writer does not rest.
    flushing: usize,
    stop: bool,
}

/// The thread's own side.
struct Writer {
    shared: Arc<Shared>,
    output: LineWriter,
    text: Option<Layout>,
    style: JsonStyle,
    /// Of the counter's drops, those that the program's own log has spoken of.
    reported: u64,
    warned: Option<Instant>,
}

// === impl CloseLog ===

impl CloseLog {
    /// Opens the target and starts the writer. `dropped` counts what is lost.
    pub fn open(options: &LogOptions, style: JsonStyle, dropped: IntCounter) -> io::Result<Self> {
        let output = match &options.target {
            LogTarget::Off => return Ok(Self { only: options.only.clone(), shared: None }),
            LogTarget::Stdout => LineWriter::stdout()?,
            LogTarget::File(path) => LineWriter::file(path)?,
        };
        Self::start(output, options.only.clone(), options.text, style, dropped)
    }

    /// Starts a writer to an output of the caller's.
    pub fn to_writer(
        output: Box<dyn Write + Send>,
        only: LogOnly,
        style: JsonStyle,
        dropped: IntCounter,
    ) -> io::Result<Self> {
        Self::start(LineWriter::new(output), only, None, style, dropped)
    }

    fn start(
        output: LineWriter,
        only: LogOnly,
        text: Option<Layout>,
        style: JsonStyle,
        dropped: IntCounter,
    ) -> io::Result<Self> {
        let reported = dropped.get();
        let shared = Arc::new(Shared { state: Mutex::default(), work: Condvar::new(), done: Condvar::new(), dropped });
        let writer = Writer { shared: Arc::clone(&shared), output, text, style, reported, warned: None };
        thread::Builder::new().name("close-log".to_owned()).spawn(move || writer.run())?;
        Ok(Self { only, shared: Some(shared) })
    }

    /// Hands an event to the writer. Never waits: with [`QUEUE`] events before it, it is dropped and counted.
    pub fn push(&self, event: &Arc<Event>) {
        let Some(shared) = &self.shared else { return };
        let warn = event.is_warning();
        let wanted = match &**event {
            Event::Closed(CloseRecord { verdict, .. }) => {
                self.only.takes_session(verdict.class, warn, verdict.disagreement_is_shown())
            }
            Event::HandshakeFailed { record, .. } => self.only.takes_handshake(record.outcome, warn),
        };
        if !wanted {
            return;
        }
        let mut state = shared.lock();
        if state.stop || state.taken - state.settled >= QUEUE {
            drop(state);
            shared.dropped.inc();
            return;
        }
        state.queue.push_back(Arc::clone(event));
        state.taken += 1;
        // To wake costs a system call, so only who sleeps is woken.
        let wake = std::mem::take(&mut state.idle);
        drop(state);
        if wake {
            shared.work.notify_one();
        }
    }

    /// Asks the writer to open its file anew before the next line, as after a rotation.
    pub fn reopen(&self) {
        if let Some(shared) = &self.shared {
            shared.lock().reopen = true;
            shared.work.notify_one();
        }
    }

    /// Waits until every event handed over before was written, or given up after an error. `false` if that took longer
    /// than `timeout`.
    pub fn flush(&self, timeout: Duration) -> bool {
        let Some(shared) = &self.shared else { return true };
        let mut state = shared.lock();
        let all = state.taken;
        state.flushing += 1;
        shared.work.notify_one();
        let (mut state, _) = shared
            .done
            .wait_timeout_while(state, timeout, |state| state.settled < all)
            .unwrap_or_else(PoisonError::into_inner);
        state.flushing -= 1;
        state.settled >= all
    }

    /// Takes no more events, which are counted as dropped, and flushes.
    pub fn shutdown(&self, timeout: Duration) -> bool {
        self.stop();
        self.flush(timeout)
    }

    fn stop(&self) {
        if let Some(shared) = &self.shared {
            shared.lock().stop = true;
            shared.work.notify_one();
        }
    }
}

impl Drop for CloseLog {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for CloseLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloseLog").field("only", &self.only).field("off", &self.shared.is_none()).finish()
    }
}

// === impl Shared ===

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settle(&self, events: u64) {
        self.lock().settled += events;
        self.done.notify_all();
    }
}

// === impl Writer ===

impl Writer {
    fn run(mut self) {
        let mut batch = VecDeque::new();
        while self.wait(&mut batch) {
            let mut lines = 0;
            while let Some(event) = batch.pop_front() {
                self.write(&event);
                lines += 1;
                if batch.is_empty() || self.output.lines().len() >= BATCH {
                    let sent = self.output.send();
                    self.lost(sent);
                    self.shared.settle(lines);
                    lines = 0;
                }
            }
            self.rest();
        }
        // The rest of a line, if the last write failed in the middle of one.
        let sent = self.output.send();
        self.lost(sent);
    }

    fn write(&mut self, event: &Event) {
        match self.text {
            None => self.style.write(event, self.output.lines()),
            Some(layout) => {
                let line = layout.line(&Row::of(event, &self.style));
                self.output.lines().extend_from_slice(line.as_bytes());
                self.output.lines().push(b'\n');
            }
        }
    }

    /// Waits for events, and takes all there are; `false` when there will be none any more.
    fn wait(&mut self, batch: &mut VecDeque<Arc<Event>>) -> bool {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        loop {
            if std::mem::take(&mut state.reopen) {
                drop(state);
                let reopened = self.output.reopen();
                self.lost(reopened);
                state = shared.lock();
            } else if !state.queue.is_empty() {
                std::mem::swap(&mut state.queue, batch);
                return true;
            } else if state.stop {
                return false;
            } else {
                // Memory that a storm made grow is released when it is over.
                state.queue.shrink_to(KEPT);
                batch.shrink_to(KEPT);
                self.output.lines().shrink_to(KEPT_TEXT);
                state.idle = true;
                state = shared.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.idle = false;
            }
        }
    }

    /// Lets events gather, unless somebody waits for them.
    fn rest(&self) {
        let state = self.shared.lock();
        let in_no_hurry = |state: &mut State| state.flushing == 0 && !state.stop;
        drop(self.shared.work.wait_timeout_while(state, NAP, in_no_hurry));
    }

    /// Counts what a write lost, and speaks of what was lost since it last did.
    fn lost(&mut self, sent: Result<(), WriteError>) {
        let error = sent.err().map(|WriteError { error, lost }| {
            self.shared.dropped.inc_by(lost);
            error
        });
        let dropped = self.shared.dropped.get();
        if error.is_none() && dropped == self.reported {
            return;
        }
        if self.warned.is_some_and(|warned| warned.elapsed() < WARN_EVERY) {
            return;
        }
        let since = dropped.saturating_sub(self.reported);
        if let Some(error) = error {
            tracing::warn!(dropped = since, %error, "the close log cannot be written");
        } else {
            tracing::warn!(dropped = since, "the close log is too slow: its queue was full");
        }
        self.reported = dropped;
        self.warned = Some(Instant::now());
    }
}
