//! Lines into an engine: records are added, other lines are noted by kind and place.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use memchr::memchr;
use serde_json::Value;

use super::anonymous::Anonymous;
use super::counting::{BlockCount, Counting};
use super::filter::Filter;
use super::input::{Block, LONGEST_LINE};
use crate::diagnosis::{BadLine, Batch, Engine, Observation};

/// Bad lines by kind; each kind keeps its first few places.
#[derive(Clone, Debug, Default)]
pub(super) struct BadLines(BTreeMap<&'static str, Bad>);

#[derive(Clone, Debug, Default)]
struct Bad {
    count: u64,
    /// The first of them, in the order of files and lines.
    first: Vec<Place>,
}

/// A line, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    file: PathBuf,
    /// Its block, of all files.
    block: u64,
    /// The number of the line in its block; in its file as soon as all blocks are counted.
    line: u64,
    error: String,
}

/// Places that are kept of each kind.
const FIRST: usize = 3;

/// Reads the lines of a block into `engine`, and notes in the block how many they were.
pub(super) fn read(
    block: &mut Block,
    file: &Path,
    filter: &Filter,
    anonymous: Option<&Anonymous>,
    engine: &mut Engine,
    bad: &mut BadLines,
) {
    let (mut count, mut names_bad) = (block.skipped, false);
    let mut add_bad = |kind, line, error| {
        names_bad |= bad.add(kind, Place { file: file.to_owned(), block: block.number, line, error });
    };
    for line in lines(block.bytes()) {
        count += 1;
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        if line.len() >= LONGEST_LINE {
            add_bad("too long", count, "longer than 64 MiB".to_owned());
            continue;
        }
        let Ok(text) = simdutf8::basic::from_utf8(line) else {
            add_bad("not UTF-8", count, "not UTF-8".to_owned());
            continue;
        };
        if let Err(error) = read_line(text, filter, anonymous, engine) {
            let kind = match error {
                // Other lines of the same pipe.
                BadLine::OwnLog => continue,
                BadLine::NotJson(_) => "not JSON",
                BadLine::Foreign => "other JSON",
                BadLine::NoTime => "no time",
                BadLine::Schema(_) => "newer schema",
            };
            add_bad(kind, count, error.to_string());
        }
    }
    let unended = u64::from(block.bytes().last().is_some_and(|last| *last != b'\n'));
    let (file, number) = (block.file, block.number);
    block.counted = Some(BlockCount { file, number, lines: count - unended, names_bad });
}

fn lines(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let end = memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1);
        let line = bytes.split_off(..end)?;
        (!line.is_empty()).then_some(line)
    })
}

/// Reads a record, which a prefix or an envelope may surround; or all records of one line of OTLP.
fn read_line(text: &str, filter: &Filter, anonymous: Option<&Anonymous>, engine: &mut Engine) -> Result<(), BadLine> {
    let mut take = |seen: &mut Observation<'_>, line: &str| {
        add(seen, || serde_json::from_str(line).ok(), filter, anonymous, engine);
    };
    let error = match Observation::of_line(text) {
        // Where it lies: it is large.
        Ok(ref mut seen) => {
            take(seen, text);
            return Ok(());
        }
        Err(error) => error,
    };
    if error == BadLine::Foreign {
        if let Some(batch) = Batch::of_line(text) {
            return read_batch(&batch?, filter, anonymous, engine);
        }
        let Ok(envelope) = serde_json::from_str::<Envelope>(text) else { return Err(error) };
        let inner = envelope.line.trim();
        take(&mut Observation::of_line(inner)?, inner);
        return Ok(());
    }
    let Some(inner) = text.find('{').filter(|at| *at > 0).map(|at| &text[at..]) else { return Err(error) };
    match Observation::of_line(inner) {
        Ok(mut seen) => {
            take(&mut seen, inner);
            Ok(())
        }
        Err(BadLine::OwnLog) => Err(BadLine::OwnLog),
        Err(_) => Err(error),
    }
}

/// A line of a container as Docker, Vector or logcli wraps it.
#[derive(serde::Deserialize)]
struct Envelope {
    #[serde(alias = "log", alias = "message")]
    line: String,
}

/// Reads the log records of one line. If some are none of closewatch's, the others count.
fn read_batch(
    batch: &Batch<'_>,
    filter: &Filter,
    anonymous: Option<&Anonymous>,
    engine: &mut Engine,
) -> Result<(), BadLine> {
    let mut bad = Err(BadLine::Foreign);
    for record in batch.records() {
        match record.observation() {
            Ok(mut seen) => {
                add(&mut seen, || Some(record.fields()), filter, anonymous, engine);
                bad = Ok(());
            }
            Err(error) if bad.is_err() => bad = Err(error),
            Err(_) => {}
        }
    }
    bad
}

fn add(
    seen: &mut Observation<'_>,
    fields: impl FnOnce() -> Option<Value>,
    filter: &Filter,
    anonymous: Option<&Anonymous>,
    engine: &mut Engine,
) {
    if filter.takes(seen, fields) {
        if let Some(anonymous) = anonymous {
            anonymous.hide(seen);
        }
        engine.add(seen);
    }
}

// === impl BadLines ===

impl BadLines {
    /// Counts a line, and says whether its place is kept.
    fn add(&mut self, kind: &'static str, place: Place) -> bool {
        let bad = self.0.entry(kind).or_default();
        bad.count += 1;
        let is_kept = bad.first.len() < FIRST || bad.first.last().is_some_and(|last| place < *last);
        if is_kept {
            bad.first.push(place);
            bad.first.sort();
            bad.first.truncate(FIRST);
        }
        is_kept
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (kind, theirs) in other.0 {
            let bad = self.0.entry(kind).or_default();
            bad.count += theirs.count;
            bad.first.extend(theirs.first);
            bad.first.sort();
            bad.first.truncate(FIRST);
        }
    }

    /// Numbers lines as their files have them.
    pub(super) fn number(&mut self, counting: &Counting) {
        for place in self.0.values_mut().flat_map(|bad| &mut bad.first) {
            place.line += counting.before(place.block);
        }
    }

    /// Bad lines of all kinds.
    pub(super) fn total(&self) -> u64 {
        self.0.values().map(|bad| bad.count).sum()
    }

    /// Counts by kind, each followed by its first places; `most` lines of text in all.
    pub(super) fn named(&self, most: usize) -> Vec<String> {
        let mut lines = vec![];
        for (kind, bad) in &self.0 {
            lines.push(match bad.count {
                1 => format!("1 line is no record: {kind}"),
                count => format!("{count} lines are no records: {kind}"),
            });
            let place = |place: &Place| format!("  {}:{}: {}", place.file.display(), place.line, place.error);
            lines.extend(bad.first.iter().map(place));
        }
        lines.truncate(most);
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_before_a_block_are_wanted_only_if_a_place_in_it_is_kept() {
        let mut bad = BadLines::default();
        let mut add = |kind, block| bad.add(kind, Place { file: "a".into(), block, line: 1, error: String::new() });
        for (kind, block, is_kept) in [
            ("not JSON", 5, true),
            ("not JSON", 6, true),
            ("not JSON", 8, true),
            ("not JSON", 9, false),
            ("no time", 10, true),
            ("not JSON", 7, true),
            ("not JSON", 8, false),
        ] {
            assert_eq!(add(kind, block), is_kept, "{kind} in {block}");
        }
        let blocks: Vec<u64> = bad.0["not JSON"].first.iter().map(|place| place.block).collect();
        assert_eq!((blocks, bad.total()), (vec![5, 6, 7], 7));
    }
}
