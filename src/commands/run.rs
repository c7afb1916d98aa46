//! `closewatch`: run, with what flags, environment and file say.

use std::io::{self, Write};
use std::process::ExitCode;

use super::{FAILURE, USAGE, report};
use crate::config::{self, Overrides};

/// Loads the configuration and runs until drained.
pub fn execute(overrides: &Overrides) -> ExitCode {
    match config::load(overrides) {
        Ok(config) => {
            // There is no proxy behind the configuration yet.
            let _ = writeln!(io::stderr(), "effective config {config}\nnothing to run in this build");
            ExitCode::from(FAILURE)
        }
        Err(error) => {
            report(&error);
            ExitCode::from(USAGE)
        }
    }
}
