//! closewatch's own log, on standard error: standard output is for records.
//!
//! A thread of its own writes it: a pipe that nobody reads holds up neither traffic nor signals. What does not fit into the
//! queue meanwhile is lost, counted, and said once there is somebody to say it to.

mod json;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use tracing::level_filters::LevelFilter;

use self::json::JsonLines;
use super::terminal;
use crate::config::{LogLevel, OwnLogFormat};
use crate::export::LineWriter;

/// Lines that may wait. The longest, a configuration with many routes, has some hundred kilobytes; others a few hundred bytes.
const QUEUE: usize = 1024;

/// How long the last lines are waited for at the end.
const FLUSH: Duration = Duration::from_secs(1);

/// The running log. When it is dropped, it waits until all lines so far are written.
#[must_use]
pub(super) struct OwnLog(SyncSender<Message>);

enum Message {
    Line(Vec<u8>),
    /// Everything before it is written.
    Flush(SyncSender<()>),
}

/// The writer that `tracing` gets: it puts lines into the queue.
struct Sayer {
    queue: SyncSender<Message>,
    lost: Arc<AtomicU64>,
}

/// Whether lines are broken where a terminal ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrap {
    /// They are left to the terminal, so that they can be copied as they are.
    Never,
    /// They are broken between words, for people who watch.
    InTerminal,
}

/// Starts the log. Panics are logged, too.
pub(super) fn start(level: LogLevel, format: OwnLogFormat, wrap: Wrap) -> io::Result<OwnLog> {
    let level = match level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let stderr = io::stderr();
    // A handle of its own: a panicking thread may hold the lock of `stderr`.
    let output = LineWriter::new(Box::new(File::from(stderr.as_fd().try_clone_to_owned()?)));
    let (queue, messages) = sync_channel(QUEUE);
    let lost = Arc::new(AtomicU64::new(0));
    let writers_lost = Arc::clone(&lost);
    thread::Builder::new().name("own-log".to_owned()).spawn(move || write(&messages, output, wrap, &writers_lost))?;
    let lines = tracing_subscriber::fmt()
        .with_writer(Arc::new(Sayer { queue: queue.clone(), lost }))
        .with_max_level(level)
        .with_target(false);
    match format {
        OwnLogFormat::Text => lines.with_ansi(stderr.is_terminal()).init(),
        OwnLogFormat::Json => lines.event_format(JsonLines).init(),
    }
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string);
        tracing::error!(place, said = info.payload_as_str(), "panicked");
        let backtrace = Backtrace::capture();
        if backtrace.status() == BacktraceStatus::Captured {
            tracing::error!("{backtrace}");
        }
    }));
    Ok(OwnLog(queue))
}

/// Writes lines until the last sender is gone.
fn write(messages: &Receiver<Message>, mut output: LineWriter, wrap: Wrap, lost: &AtomicU64) {
    for message in messages {
        match message {
            Message::Line(line) => {
                match wrap {
                    Wrap::Never => output.lines().extend_from_slice(&line),
                    Wrap::InTerminal => {
                        let text = String::from_utf8_lossy(&line);
                        output.lines().extend_from_slice(terminal::wrapped(&text).as_bytes());
                    }
                }
                match output.send() {
                    Ok(()) => {
                        let lost = lost.swap(0, Ordering::Relaxed);
                        if lost > 0 {
                            tracing::warn!(
                                lines = lost,
                                "lines of this log were lost: standard error did not take them"
                            );
                        }
                    }
                    Err(error) => drop(lost.fetch_add(error.lost, Ordering::Relaxed)),
                }
            }
            // The waiting thread may have given up.
            Message::Flush(done) => drop(done.try_send(())),
        }
    }
}

// === impl OwnLog ===

impl Drop for OwnLog {
    fn drop(&mut self) {
        let (done, flushed) = sync_channel(1);
        // A full queue means that nothing is being written.
        if self.0.try_send(Message::Flush(done)).is_ok() {
            let _ = flushed.recv_timeout(FLUSH);
        }
    }
}

// === impl Sayer ===

impl Write for &Sayer {
    /// Takes one line, and never waits.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.queue.try_send(Message::Line(line.to_vec())).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
