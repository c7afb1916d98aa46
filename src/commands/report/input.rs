//! Files as blocks of whole lines, one after the other; packed ones unpacked.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;
use memchr::{memchr, memrchr};
use ruzstd::decoding::StreamingDecoder;

use super::counting::{BlockCount, Counting};
use super::progress::Progress;

/// Whole lines of one file.
#[derive(Debug, Default)]
pub(super) struct Block {
    /// Number of the file.
    pub(super) file: usize,
    /// Its number in all files.
    pub(super) number: u64,
    /// Lines that ended before its first one, and behind the block before it: the end of one that is too long.
    pub(super) skipped: u64,
    /// The reader's count of its lines.
    pub(super) counted: Option<BlockCount>,
    buffer: Vec<u8>,
    length: usize,
}

/// The rest of the files.
pub(super) struct Input<'a> {
    files: &'a [PathBuf],
    /// Number of the file that is read.
    file: usize,
    open: Option<Open>,
    /// Number of the next block.
    next: u64,
    /// Blocks that were read.
    pub(super) counting: Counting,
    progress: Progress,
}

/// A file that is being read.
struct Open {
    bytes: Box<dyn Read + Send>,
    /// The beginning of a line whose end was not read yet.
    begun: Vec<u8>,
    /// The line was too long, and what is left of it is not looked at.
    in_long_line: bool,
}

/// A file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{}", file.display())]
pub(super) struct Unreadable {
    pub(super) file: PathBuf,
    pub(super) source: io::Error,
}

/// Bytes that are read at once: few enough to stay in a core's cache until they are looked at.
const BLOCK: usize = 256 << 10;
/// A line may be so long: a collector writes thousands of records into one.
pub(super) const LONGEST_LINE: usize = 64 << 20;

// === impl Block ===

impl Block {
    /// Its lines.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.length]
    }

    /// Reads until it holds a whole line. True if the file ended instead.
    fn fill(&mut self, open: &mut Open) -> io::Result<bool> {
        (self.length, self.skipped) = (0, 0);
        self.push(&open.begun);
        open.begun.clear();
        loop {
            if self.buffer.len() < self.length + BLOCK {
                self.buffer.resize(self.length + BLOCK, 0);
            }
            let room = self.length..self.length + BLOCK;
            let mut read = match open.bytes.read(&mut self.buffer[room]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            if read == 0 {
                return Ok(true);
            }
            if open.in_long_line {
                let Some(end) = memchr(b'\n', &self.buffer[..read]) else { continue };
                self.buffer.copy_within(end + 1..read, 0);
                read -= end + 1;
                open.in_long_line = false;
                self.skipped = 1;
            }
            let before = self.length;
            self.length += read;
            // There was none in what came before.
            if let Some(end) = memrchr(b'\n', &self.buffer[before..self.length]) {
                let end = before + end + 1;
                open.begun.extend_from_slice(&self.buffer[end..self.length]);
                self.length = end;
                return Ok(false);
            }
            if self.length >= LONGEST_LINE {
                open.in_long_line = true;
                return Ok(false);
            }
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        if self.buffer.len() < bytes.len() {
            self.buffer.resize(bytes.len(), 0);
        }
        self.buffer[..bytes.len()].copy_from_slice(bytes);
        self.length = bytes.len();
    }
}

// === impl Input ===

impl<'a> Input<'a> {
    pub(super) fn of(files: &'a [PathBuf]) -> Self {
        Self { files, file: 0, open: None, next: 0, counting: Counting::default(), progress: Progress::of(files) }
    }

    /// Takes a block back that was read, and puts the next lines into it; false if there are none any more.
    pub(super) fn fill(&mut self, block: &mut Block) -> Result<bool, Unreadable> {
        if let Some(counted) = block.counted.take() {
            self.counting.add(counted);
        }
        while let Some(file) = self.files.get(self.file) {
            match self.fill_from(file, block) {
                Ok(true) => {
                    block.number = self.next;
                    self.next += 1;
                    return Ok(true);
                }
                // The next file's turn.
                Ok(false) => {}
                Err(source) => {
                    // No other reader goes on either.
                    self.file = self.files.len();
                    return Err(Unreadable { file: file.clone(), source });
                }
            }
        }
        self.progress.end();
        Ok(false)
    }

    /// The same, of one file.
    fn fill_from(&mut self, file: &Path, block: &mut Block) -> io::Result<bool> {
        if self.open.is_none() {
            let bytes = open(file, &self.progress.read)?;
            self.open = Some(Open { bytes, begun: vec![], in_long_line: false });
        }
        let Some(open) = &mut self.open else { return Ok(false) };
        block.file = self.file;
        let ended = block.fill(open)?;
        if ended {
            self.open = None;
            self.file += 1;
        }
        self.progress.show();
        Ok(!ended || block.length > 0)
    }
}

/// Opens a file, and unpacks it by its first bytes.
fn open(file: &Path, count: &Arc<AtomicU64>) -> io::Result<Box<dyn Read + Send>> {
    let source: Box<dyn Read + Send> =
        if file == Path::new("-") { Box::new(io::stdin()) } else { Box::new(File::open(file)?) };
    let mut source = Counted { source, count: Arc::clone(count) };
    let mut head = vec![];
    source.by_ref().take(4).read_to_end(&mut head)?;
    let packed = head.clone();
    let whole = io::Cursor::new(head).chain(source);
    match packed[..] {
        [0x1f, 0x8b, ..] => Ok(Box::new(MultiGzDecoder::new(whole))),
        [0x28, 0xb5, 0x2f, 0xfd] => Ok(Box::new(Frames::new(BufReader::with_capacity(BLOCK, whole)))),
        _ => Ok(Box::new(whole)),
    }
}

/// Bytes of a file that are counted.
struct Counted<R> {
    source: R,
    count: Arc<AtomicU64>,
}

// === impl Counted ===

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.count.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
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

impl<R: BufRead> Read for Frames<R> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_whose_last_line_has_no_end_are_read_once() {
        let path = |name: &str| std::env::temp_dir().join(format!("closewatch-input-{}-{name}", std::process::id()));
        let files = [path("a"), path("empty"), path("b")];
        for (file, text) in files.iter().zip(["1\n2", "", "3"]) {
            std::fs::write(file, text).unwrap();
        }
        let mut input = Input::of(&files);
        let mut block = Block::default();
        let mut found = vec![];
        while found.len() < 10 && input.fill(&mut block).unwrap() {
            found.push((block.file, block.number, String::from_utf8(block.bytes().to_vec()).unwrap()));
        }
        for file in &files {
            std::fs::remove_file(file).unwrap();
        }
        let expected = [(0, 0, "1\n"), (0, 1, "2"), (2, 2, "3")];
        assert_eq!(found, expected.map(|(file, number, text)| (file, number, text.to_owned())));
    }
}
