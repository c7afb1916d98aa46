//! Lines into an engine: what is a record, what is not, and what was wrong with it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::anonymous::Anonymous;
use super::filter::Filter;
use crate::diagnosis::{BadLine, Engine, Observation};

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

/// Whole lines of one file.
pub(super) struct Block {
    pub(super) file: PathBuf,
    /// Number of its first line, from 1.
    pub(super) first_line: u64,
    pub(super) bytes: Vec<u8>,
}

/// Places that are kept of each kind.
const FIRST: usize = 3;

/// Reads the lines of a block.
pub(super) fn read(
    block: &Block,
    filter: &Filter,
    anonymous: Option<&Anonymous>,
    engine: &mut Engine,
    bad: &mut BadLines,
) {
    for (line, number) in block.bytes.split(|byte| *byte == b'\n').zip(block.first_line..) {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let Ok(text) = std::str::from_utf8(line) else {
            bad.add("not UTF-8", &block.file, number, "not UTF-8".to_owned());
            continue;
        };
        if let Err(error) = read_line(text, filter, anonymous, engine) {
            let kind = match error {
                // What the same pipe carries beside the records.
                BadLine::OwnLog => continue,
                BadLine::NotJson(_) => "not JSON",
                BadLine::Foreign => "other JSON",
                BadLine::NoTime => "no time",
                BadLine::Schema(_) => "newer schema",
            };
            bad.add(kind, &block.file, number, error.to_string());
        }
    }
}

/// Reads a record, which a prefix or the envelope of a container's log may surround.
fn read_line(text: &str, filter: &Filter, anonymous: Option<&Anonymous>, engine: &mut Engine) -> Result<(), BadLine> {
    match Observation::of_line(text) {
        Ok(seen) => {
            take(seen, text, filter, anonymous, engine);
            Ok(())
        }
        Err(BadLine::Foreign) => match serde_json::from_str::<Envelope>(text) {
            Ok(envelope) => {
                let inner = envelope.log.trim();
                take(Observation::of_line(inner)?, inner, filter, anonymous, engine);
                Ok(())
            }
            Err(_) => Err(BadLine::Foreign),
        },
        Err(error) => {
            let inner = text.find('{').filter(|at| *at > 0).map(|at| &text[at..]);
            let seen = inner.map(Observation::of_line);
            match (inner, seen) {
                (Some(inner), Some(Ok(seen))) => {
                    take(seen, inner, filter, anonymous, engine);
                    Ok(())
                }
                (_, Some(Err(BadLine::OwnLog))) => Err(BadLine::OwnLog),
                _ => Err(error),
            }
        }
    }
}

/// A line of a container, as Docker writes it.
#[derive(serde::Deserialize)]
struct Envelope {
    log: String,
}

fn take(mut seen: Observation<'_>, line: &str, filter: &Filter, anonymous: Option<&Anonymous>, engine: &mut Engine) {
    if filter.takes(&seen, line) {
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
            lines.push(format!("{} lines are no records: {kind}", bad.count));
            let place = |place: &Place| format!("  {}:{}: {}", place.file.display(), place.line, place.error);
            lines.extend(bad.first.iter().map(place));
        }
        lines.truncate(most);
        lines
    }
}
