//! A progress bar, on a terminal.

use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Bytes read so far, of how many.
#[derive(Debug)]
pub(super) struct Progress {
    /// Bytes of the files as they lie on the disk.
    pub(super) read: Arc<AtomicU64>,
    /// The length of all files; none if one of them has none, like a pipe.
    total: Option<u64>,
    terminal: bool,
    begun: Instant,
    /// The last time that it was drawn.
    drawn: Option<Instant>,
}

/// Time between two drawings. A report that takes less than this needs no bar.
const PAUSE: Duration = Duration::from_millis(250);
/// Cells of the bar.
const CELLS: u64 = 30;

// === impl Progress ===

impl Progress {
    pub(super) fn of(files: &[PathBuf]) -> Self {
        let length = |file: &PathBuf| fs::metadata(file).ok().filter(fs::Metadata::is_file).map(|found| found.len());
        Self {
            read: Arc::default(),
            total: files.iter().map(length).sum(),
            terminal: io::stderr().is_terminal(),
            begun: Instant::now(),
            drawn: None,
        }
    }

    /// Draws it, if it is time to.
    pub(super) fn show(&mut self) {
        if !self.terminal || self.drawn.unwrap_or(self.begun).elapsed() < PAUSE {
            return;
        }
        self.drawn = Some(Instant::now());
        let read = self.read.load(Ordering::Relaxed);
        // If standard error is gone there is nobody to tell.
        let _ = write!(io::stderr(), "\r\x1b[K{}", line(read, self.total, self.begun.elapsed()));
    }

    /// Clears it from the terminal.
    pub(super) fn end(&mut self) {
        if self.drawn.take().is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

fn line(read: u64, total: Option<u64>, time: Duration) -> String {
    let speed = (u128::from(read >> 20) * 1000 / time.as_millis().max(1)) as u64;
    let Some(total) = total.filter(|total| *total > 0) else {
        return format!("{} MiB, {speed} MiB/s", read >> 20);
    };
    let read = read.min(total);
    let full = read * CELLS / total;
    let bar: String = (0..CELLS).map(|cell| if cell < full { '#' } else { '.' }).collect();
    format!("[{bar}] {} %, {} of {} MiB, {speed} MiB/s", read * 100 / total, read >> 20, total >> 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_fills_as_bytes_are_read() {
        let at = |read: u64| line(read << 20, Some(400 << 20), Duration::from_secs(2));
        assert_eq!(at(0), "[..............................] 0 %, 0 of 400 MiB, 0 MiB/s");
        assert_eq!(at(200), "[###############...............] 50 %, 200 of 400 MiB, 100 MiB/s");
        assert_eq!(at(400), "[##############################] 100 %, 400 of 400 MiB, 200 MiB/s");
    }

    #[test]
    fn without_a_length_there_is_no_bar() {
        assert_eq!(line(300 << 20, None, Duration::from_secs(3)), "300 MiB, 100 MiB/s");
    }
}
