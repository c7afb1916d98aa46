//! Whole lines to an output that may fail.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// How long to wait for an output that was made non-blocking by somebody else, and takes nothing just now.
const RETRY: Duration = Duration::from_millis(10);
/// The permissions of a new log file, which names addresses of clients.
const FILE_MODE: u32 = 0o640;

/// Writes lines, and knows what of them has arrived.
///
/// An output that fails in the middle of a line gets the rest of that line before anything else, once it takes writes
/// again: a reader never sees two lines in one.
pub(crate) struct LineWriter {
    output: Box<dyn Write + Send>,
    /// Where to open it again; `None` for an output that is not a file of ours.
    path: Option<PathBuf>,
    /// Bytes still to be written: between two batches at most the rest of one line.
    pending: Vec<u8>,
    /// The output ends in the middle of a line.
    mid_line: bool,
}

/// A write that did not go through.
pub(crate) struct WriteError {
    /// Why.
    pub(crate) error: io::Error,
    /// Lines that are lost.
    pub(crate) lost: u64,
}

// === impl LineWriter ===

impl LineWriter {
    pub(crate) fn stdout() -> io::Result<Self> {
        // A file of its own: `Stdout` buffers, and takes a closed descriptor for success.
        let output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        Ok(Self::new(Box::new(output)))
    }

    pub(crate) fn file(path: &Path) -> io::Result<Self> {
        let (file, mid_line) = open(path)?;
        let pending = if mid_line { vec![b'\n'] } else { Vec::new() };
        Ok(Self { output: Box::new(file), path: Some(path.to_owned()), pending, mid_line })
    }

    pub(crate) fn new(output: Box<dyn Write + Send>) -> Self {
        Self { output, path: None, pending: Vec::new(), mid_line: false }
    }

    /// Where the next lines go; each must end with a line break. Nothing is written before [`LineWriter::send`].
    pub(crate) fn lines(&mut self) -> &mut Vec<u8> {
        &mut self.pending
    }

    /// Writes what is pending, in one call if the output takes it. After an error, what was not begun is lost.
    pub(crate) fn send(&mut self) -> Result<(), WriteError> {
        let mut sent = 0;
        let result = loop {
            let Some(rest) = self.pending.get(sent..).filter(|rest| !rest.is_empty()) else { break Ok(()) };
            match self.output.write(rest) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => sent += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(RETRY),
                Err(error) => break Err(error),
            }
        };
        if let Some(last) = self.pending[..sent].last() {
            self.mid_line = *last != b'\n';
        }
        self.pending.drain(..sent);
        result.map_err(|error| WriteError { error, lost: self.forget() })
    }

    /// Opens the file anew, as after a rotation. What is left of a line in the old one is lost.
    pub(crate) fn reopen(&mut self) -> Result<(), WriteError> {
        let Some(path) = &self.path else { return Ok(()) };
        let (file, mid_line) = open(path).map_err(|error| WriteError { error, lost: 0 })?;
        let rest = self.send();
        self.output = Box::new(file);
        self.pending = if mid_line { vec![b'\n'] } else { Vec::new() };
        let torn = std::mem::replace(&mut self.mid_line, mid_line);
        rest.map_err(|WriteError { error, lost }| WriteError { error, lost: lost + u64::from(torn) })
    }

    /// Drops all lines that were not begun, and says how many.
    fn forget(&mut self) -> u64 {
        let begun =
            if self.mid_line { self.pending.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1) } else { 0 };
        let lost = self.pending[begun..].split(|byte| *byte == b'\n').count() - 1;
        self.pending.truncate(begun);
        lost as u64
    }
}

/// Opens a log file to be appended to; says whether it ends in the middle of a line, as after a crash.
fn open(path: &Path) -> io::Result<(File, bool)> {
    let mut file =
        OpenOptions::new().append(true).read(true).create(true).mode(FILE_MODE).open(path).or_else(|error| {
            // A pipe or a device that may only be written to.
            OpenOptions::new().append(true).open(path).map_err(|_| error)
        })?;
    Ok((file.try_clone()?, ends_mid_line(&mut file).unwrap_or(false)))
}

fn ends_mid_line(file: &mut File) -> io::Result<bool> {
    if !file.metadata()?.is_file() || file.seek(SeekFrom::End(0))? == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}
