//! Files into blocks of lines, and blocks to the threads that read them.

use std::fs::File;
use std::io::{self, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use flate2::read::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;

use super::anonymous::Anonymous;
use super::filter::Filter;
use super::reading::{self, BadLines, Block};
use crate::diagnosis::Engine;

/// The outcome of reading all files.
pub(super) struct Outcome {
    pub(super) engine: Engine,
    pub(super) bad: BadLines,
}

/// A file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{}", file.display())]
pub(super) struct Unreadable {
    file: PathBuf,
    source: io::Error,
}

/// Bytes of a block, but for its last line.
const BLOCK: usize = 1 << 20;
/// Blocks that wait for each thread.
const WAITING: usize = 2;
/// A line longer than this is none.
const LONGEST_LINE: usize = 64 << 20;
/// Progress is shown every so many bytes.
const PROGRESS: u64 = 64 << 20;

/// Reads all files, on all cores. Without any, standard input.
pub(super) fn read(files: &[PathBuf], filter: &Filter, anonymise: bool) -> Result<Outcome, Unreadable> {
    let standard = [PathBuf::from("-")];
    let files = if files.is_empty() { &standard } else { files };
    let anonymous = anonymise.then(Anonymous::default);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let (sender, receiver) = sync_channel::<Block>(threads * WAITING);
    let receiver = Arc::new(Mutex::new(receiver));
    thread::scope(|scope| {
        let readers: Vec<_> =
            (0..threads).map(|_| scope.spawn(|| read_blocks(&receiver, filter, anonymous.as_ref()))).collect();
        let mut progress = Progress::default();
        let sent = files.iter().try_for_each(|file| {
            send(file, &sender, &mut progress).map_err(|source| Unreadable { file: file.clone(), source })
        });
        drop(sender);
        progress.end();
        let mut outcome = Outcome { engine: Engine::default(), bad: BadLines::default() };
        for reader in readers {
            let (engine, bad) = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            outcome.engine.merge(engine);
            outcome.bad.merge(bad);
        }
        sent.map(|()| outcome)
    })
}

fn read_blocks(
    receiver: &Mutex<Receiver<Block>>,
    filter: &Filter,
    anonymous: Option<&Anonymous>,
) -> (Engine, BadLines) {
    let (mut engine, mut bad) = (Engine::default(), BadLines::default());
    loop {
        let block = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(block) = block else { return (engine, bad) };
        reading::read(&block, filter, anonymous, &mut engine, &mut bad);
    }
}

fn send(file: &Path, sender: &SyncSender<Block>, progress: &mut Progress) -> io::Result<()> {
    let mut reader = open(file)?;
    let mut rest = vec![];
    let mut first_line = 1;
    loop {
        let mut bytes = std::mem::take(&mut rest);
        let read = reader.by_ref().take(BLOCK as u64).read_to_end(&mut bytes)?;
        progress.add(read as u64);
        let ended = read == 0;
        if let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n').filter(|_| !ended) {
            rest = bytes.split_off(end + 1);
        } else if !ended {
            if bytes.len() > LONGEST_LINE {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a line longer than 64 MiB"));
            }
            rest = bytes;
            continue;
        }
        let lines = bytes.split(|byte| *byte == b'\n').count() as u64 - 1;
        // The threads only end when this end of the channel does.
        let _ = sender.send(Block { file: file.to_owned(), first_line, bytes });
        first_line += lines;
        if ended {
            return Ok(());
        }
    }
}

/// Opens a file, and unpacks it by its first bytes.
fn open(file: &Path) -> io::Result<Box<dyn Read>> {
    let mut reader: Box<dyn Read> =
        if file == Path::new("-") { Box::new(io::stdin().lock()) } else { Box::new(File::open(file)?) };
    let mut head = vec![];
    reader.by_ref().take(4).read_to_end(&mut head)?;
    let packed = head.clone();
    let whole = BufReader::with_capacity(BLOCK, io::Cursor::new(head).chain(reader));
    match packed[..] {
        [0x1f, 0x8b, ..] => Ok(Box::new(MultiGzDecoder::new(whole))),
        [0x28, 0xb5, 0x2f, 0xfd] => Ok(Box::new(Frames::new(whole))),
        _ => Ok(Box::new(whole)),
    }
}

/// All frames of a zstd file, one after the other.
struct Frames<R: Read> {
    source: Option<R>,
    decoder: Option<StreamingDecoder<R, ruzstd::decoding::FrameDecoder>>,
}

// === impl Frames ===

impl<R: Read> Frames<R> {
    fn new(source: R) -> Self {
        Self { source: Some(source), decoder: None }
    }
}

impl<R: io::BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(decoder) = &mut self.decoder {
                let read = decoder.read(buffer)?;
                if read > 0 || buffer.is_empty() {
                    return Ok(read);
                }
            }
            if let Some(decoder) = self.decoder.take() {
                self.source = Some(decoder.into_inner());
            }
            let Some(mut source) = self.source.take() else { return Ok(0) };
            if source.fill_buf()?.is_empty() {
                return Ok(0);
            }
            self.decoder = Some(StreamingDecoder::new(source).map_err(io::Error::other)?);
        }
    }
}

/// Bytes read so far, on a terminal.
#[derive(Debug, Default)]
struct Progress {
    bytes: u64,
    shown: u64,
}

// === impl Progress ===

impl Progress {
    fn add(&mut self, bytes: u64) {
        self.bytes += bytes;
        if self.bytes - self.shown >= PROGRESS && io::IsTerminal::is_terminal(&io::stderr()) {
            self.shown = self.bytes;
            // If standard error is gone there is nobody to tell.
            let _ = write!(io::stderr(), "\r{} MiB read", self.bytes >> 20);
        }
    }

    fn end(&self) {
        if self.shown > 0 {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
