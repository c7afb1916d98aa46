//! How a command fails.

use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, Write as _};

use super::terminal;

/// Exit code: bad usage or configuration (`EX_USAGE` of sysexits).
pub const USAGE: u8 = 64;

/// Exit code: anything else that went wrong.
pub const FAILURE: u8 = 1;

/// Prints an error and its causes on standard error: in one line, or in as many as its terminal needs.
pub fn report(error: &dyn Error) {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a string does not fail.
        let _ = write!(line, ": {error}");
        cause = error.source();
    }
    // If standard error is gone there is nobody to tell.
    let _ = writeln!(io::stderr(), "{}", terminal::wrapped(&line));
}
