//! `closewatch completions SHELL`: what a shell needs to complete a command line.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap_complete::Shell;

/// The arguments of `completions`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// Prints the completions of `command`.
pub fn execute(args: &Args, mut command: clap::Command) -> ExitCode {
    let mut script = Vec::new();
    let name = command.get_name().to_owned();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    // A reader that has gone away has seen enough.
    let _ = io::stdout().lock().write_all(&script);
    ExitCode::SUCCESS
}
