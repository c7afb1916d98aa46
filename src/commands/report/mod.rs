//! `closewatch report [FILE…]`: who ended the sessions of these close logs, how, and what to do about it.

mod anonymous;
mod args;
mod counting;
mod files;
mod filter;
mod input;
mod json_text;
mod page;
mod progress;
mod reading;

use std::io::{self, Write as _};
use std::process::ExitCode;

use jiff::Timestamp;

use self::args::Format;
use self::filter::Filter;
use self::page::Page;
use super::failure::{FAILURE, USAGE, report};
use crate::diagnosis::Report;

pub use self::args::Args;

/// Text is not wrapped to more than this, however wide the terminal.
const WIDEST: usize = 120;
/// The width where there is no terminal.
const USUAL_WIDTH: usize = 100;
/// The most that is said of bad lines on standard error, in lines of text.
const NAMED_LINES: usize = 10;

/// Reads the files and prints the report. Exit code 64 for bad usage, 1 for a file that cannot be read, or for a finding if
/// the caller asked for that.
pub fn execute(args: &Args) -> ExitCode {
    let now = Timestamp::now();
    let filter = match Filter::new(args.since, args.until, now) {
        Ok(filter) => Filter {
            route: args.route.clone(),
            instance: args.instance.clone(),
            conditions: args.conditions.clone(),
            ..filter
        },
        Err(error) => {
            report(&error);
            return ExitCode::from(USAGE);
        }
    };
    let outcome = match files::read(&args.files, &filter, args.anonymise) {
        Ok(outcome) => outcome,
        Err(error) => {
            report(&error);
            return ExitCode::from(FAILURE);
        }
    };
    let mut found = outcome.engine.report_on(files::threads());
    found.unread_lines = outcome.bad.total();
    for line in outcome.bad.named(NAMED_LINES) {
        // If standard error is gone there is nobody to tell.
        let _ = writeln!(io::stderr(), "{line}");
    }
    let text = if args.json { json_text::of(&found) } else { text(&found, args.format) };
    // A reader that has gone away has seen enough.
    let _ = io::stdout().lock().write_all(text.as_bytes());
    // The process is about to end, and gives all memory back at once.
    std::mem::forget(outcome);
    if args.fail_on_findings && !found.findings.is_empty() { ExitCode::from(FAILURE) } else { ExitCode::SUCCESS }
}

fn text(found: &Report, format: Format) -> String {
    let width = terminal_size::terminal_size().map_or(USUAL_WIDTH, |(width, _)| usize::from(width.0));
    Page::new(width.min(WIDEST), format == Format::Markdown).of(found)
}
