//! Lines into an engine: what is a record, what is not, and what was wrong with it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use memchr::memchr;
use serde_json::Value;

use super::anonymous::Anonymous;
use super::filter::Filter;
use super::input::{Block, LONGEST_LINE};
use crate::diagnosis::{BadLine, Batch, Engine, Observation};

/// Kinds of bad lines; each keeps the first few places.
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
    line: u64,
    error: String,
}

/// Places that are kept of each kind.
const FIRST: usize = 3;

/// Reads the lines of a block.
pub(super) fn read(
    block: &Block,
    file: &Path,
    filter: &Filter,
    anonymous: Option<&Anonymous>,
    engine: &mut Engine,
    bad: &mut BadLines,
) {
    for (line, number) in lines(block.bytes()).zip(block.first_line..) {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        if line.len() >= LONGEST_LINE {
            bad.add("too long", file, number, "longer than 64 MiB".to_owned());
            continue;
        }
        let Ok(text) = std::str::from_utf8(line) else {
            bad.add("not UTF-8", file, number, "not UTF-8".to_owned());
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
            bad.add(kind, file, number, error.to_string());
        }
    }
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
    let mut take = |seen: Observation<'_>, line: &str| {
        add(seen, || serde_json::from_str(line).ok(), filter, anonymous, engine);
    };
    let error = match Observation::of_line(text) {
        Ok(seen) => {
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
        take(Observation::of_line(inner)?, inner);
        return Ok(());
    }
    let Some(inner) = text.find('{').filter(|at| *at > 0).map(|at| &text[at..]) else { return Err(error) };
    match Observation::of_line(inner) {
        Ok(seen) => {
            take(seen, inner);
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
            Ok(seen) => {
                add(seen, || Some(record.fields()), filter, anonymous, engine);
                bad = Ok(());
            }
            Err(error) if bad.is_err() => bad = Err(error),
            Err(_) => {}
        }
    }
    bad
}

fn add(
    mut seen: Observation<'_>,
    fields: impl FnOnce() -> Option<Value>,
    filter: &Filter,
    anonymous: Option<&Anonymous>,
    engine: &mut Engine,
) {
    if filter.takes(&seen, fields) {
        if let Some(anonymous) = anonymous {
            anonymous.hide(&mut seen);
        }
        engine.add(&seen);
    }
}

// === impl BadLines ===

impl BadLines {
    fn add(&mut self, kind: &'static str, file: &Path, line: u64, error: String) {
        let bad = self.0.entry(kind).or_default();
        bad.count += 1;
        bad.first.push(Place { file: file.to_owned(), line, error });
        bad.first.sort();
        bad.first.truncate(FIRST);
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

    /// All of them.
    pub(super) fn total(&self) -> u64 {
        self.0.values().map(|bad| bad.count).sum()
    }

    /// Counts by kind, each with its first places.
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
