//! The process: arguments in, exit code out. All else is in the library.

use std::process::ExitCode;

use closewatch::commands;

fn main() -> ExitCode {
    match commands::parse(std::env::args_os()) {
        Ok(cli) => commands::execute(cli),
        Err(code) => code,
    }
}
