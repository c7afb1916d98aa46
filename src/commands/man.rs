//! `closewatch man [COMMAND]`: the manual page, in roff.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap_mangen::Man;

use super::{FAILURE, USAGE, report};

/// The arguments of `man`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The page of this command, as in `closewatch-tail(1)` [default: that of closewatch]
    #[arg(value_name = "COMMAND")]
    pub command: Option<String>,
}

/// No such page.
#[derive(Debug, thiserror::Error)]
#[error("{given:?} is none of the commands: {known}")]
struct UnknownCommand {
    given: String,
    known: String,
}

/// Prints the page of `command`, or of one of its subcommands.
pub fn execute(args: &Args, mut command: clap::Command) -> ExitCode {
    // Gives subcommands their full names.
    command.build();
    let page = match &args.command {
        None => Ok(&command),
        Some(name) => command.find_subcommand(name).ok_or_else(|| UnknownCommand::new(name, &command)),
    };
    let page = match page {
        Ok(page) => page.clone(),
        Err(error) => {
            report(&error);
            return ExitCode::from(USAGE);
        }
    };
    let mut text = Vec::new();
    if let Err(error) = Man::new(page).render(&mut text) {
        report(&error);
        return ExitCode::from(FAILURE);
    }
    // A reader that has gone away has seen enough.
    let _ = io::stdout().lock().write_all(&text);
    ExitCode::SUCCESS
}

// === impl UnknownCommand ===

impl UnknownCommand {
    fn new(given: &str, command: &clap::Command) -> Self {
        let known: Vec<_> = command.get_subcommands().map(clap::Command::get_name).collect();
        Self { given: given.to_owned(), known: known.join(", ") }
    }
}
