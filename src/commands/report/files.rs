//! Files to an engine, on all cores: each thread takes a block of lines at a time, and reads it into an engine of its own.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::anonymous::Anonymous;
use super::filter::Filter;
use super::input::{Block, Input, Unreadable};
use super::reading::{self, BadLines};
use crate::diagnosis::Engine;

/// The outcome of reading all files.
pub(super) struct Outcome {
    pub(super) engine: Engine,
    pub(super) bad: BadLines,
}

/// Reads all files. Without any, standard input.
pub(super) fn read(files: &[PathBuf], filter: &Filter, anonymise: bool) -> Result<Outcome, Unreadable> {
    let standard = [PathBuf::from("-")];
    let files = if files.is_empty() { &standard } else { files };
    let anonymous = anonymise.then(Anonymous::default);
    let input = Mutex::new(Input::of(files));
    let sample = Mutex::new(Engine::default());
    let outcomes: Vec<_> = thread::scope(|scope| {
        let read = || read_blocks(&input, &sample, files, filter, anonymous.as_ref());
        let readers: Vec<_> = (0..threads()).map(|_| scope.spawn(read)).collect();
        let outcome = |reader: thread::ScopedJoinHandle<'_, _>| {
            reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        readers.into_iter().map(outcome).collect()
    });
    let engine = sample.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut whole = Outcome { engine, bad: BadLines::default() };
    for outcome in outcomes {
        let Outcome { engine, bad } = outcome?;
        whole.engine.merge(engine);
        whole.bad.merge(bad);
    }
    whole.bad.number(&input.into_inner().unwrap_or_else(PoisonError::into_inner).counting);
    Ok(whole)
}

/// Threads that read, and reason.
pub(super) fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn read_blocks(
    input: &Mutex<Input<'_>>,
    sample: &Mutex<Engine>,
    files: &[PathBuf],
    filter: &Filter,
    anonymous: Option<&Anonymous>,
) -> Result<Outcome, Unreadable> {
    let mut outcome = Outcome { engine: Engine::default(), bad: BadLines::default() };
    let mut block = Block::default();
    loop {
        // The lock covers the read of a block, and the unpacking: others meanwhile have their own blocks to work on.
        let filled = input.lock().unwrap_or_else(PoisonError::into_inner).fill(&mut block)?;
        if !filled {
            return Ok(outcome);
        }
        let file = &files[block.file];
        reading::read(&mut block, file, filter, anonymous, &mut outcome.engine, &mut outcome.bad);
        // All threads fill one sample: memory does not grow with their number.
        outcome.engine.hand_over(&mut sample.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
