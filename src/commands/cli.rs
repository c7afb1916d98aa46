//! The command line and its subcommands.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use super::{HeldSignals, USAGE, check, completions, demo, drain, explain, man, report, run, tail};
use crate::config::Overrides;

const EXIT_CODES: &str = "\
Exit codes:
  0   drained, or the command did what it was asked to
  64  bad usage or configuration
  1   anything else

Flags and environment override the configuration file.";

/// A transparent WebSocket reverse proxy that records how every session really ends.
///
/// Without a command it runs, with what flags, environment and configuration file say:
///
///   closewatch --listen 0.0.0.0:8080 --upstream http://127.0.0.1:9000
///   closewatch --config closewatch.toml
#[derive(Clone, Debug, Parser)]
#[command(name = "closewatch", version, after_help = EXIT_CODES, verbatim_doc_comment, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// The flags of a run.
    #[command(flatten)]
    pub overrides: Overrides,
    /// The subcommand; without one, closewatch runs.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Everything but a run.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Say what is wrong with a configuration file: line, key, what is allowed
    Check(check::Args),
    /// See it work: a backend, clients that end their sessions in every way, and closewatch between them
    Demo(demo::Args),
    /// Explain a close code, or another word of a record; two codes: the difference
    Explain(explain::Args),
    /// Follow the closures of a running instance, one line each
    Tail(tail::Args),
    /// Say of close logs who ended their sessions, how, and what to do
    Report(report::Args),
    /// Begin the drain of the running instance; for a preStop hook
    Drain(drain::Args),
    /// Print what a shell needs to complete command lines
    Completions(completions::Args),
    /// Print the manual page, in roff
    Man(man::Args),
}

/// Parses a command line. What is wrong with it, or the help it asked for, is printed here; the exit code is for `main`.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, ExitCode> {
    Cli::try_parse_from(arguments).map_err(|error| {
        // If standard output or error is gone, nobody can be told.
        let _ = error.print();
        if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS }
    })
}

/// Does what the command line says. An instance keeps the signals held until it can obey them; other commands release them.
pub fn execute(cli: Cli, held: HeldSignals) -> ExitCode {
    match cli.command {
        None => run::execute(&cli.overrides, held),
        Some(Command::Demo(args)) => demo::execute(&args, held),
        Some(Command::Check(args)) => released(held, || check::execute(&args)),
        Some(Command::Drain(args)) => released(held, || drain::execute(&args)),
        Some(Command::Explain(args)) => released(held, || explain::execute(&args)),
        Some(Command::Report(args)) => released(held, || report::execute(&args)),
        Some(Command::Completions(args)) => released(held, || completions::execute(&args, Cli::command())),
        Some(Command::Man(args)) => released(held, || man::execute(&args, Cli::command())),
        Some(Command::Tail(args)) => released(held, || tail::execute(&args)),
    }
}

fn released(held: HeldSignals, command: impl FnOnce() -> ExitCode) -> ExitCode {
    drop(held);
    command()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_of_a_run_has_its_variable() {
        let command = Cli::command();
        let flags: Vec<_> =
            command.get_arguments().filter(|arg| !matches!(arg.get_id().as_str(), "help" | "version")).collect();
        assert_eq!(flags.len(), 14);
        for flag in flags {
            let expected = format!("CLOSEWATCH_{}", flag.get_id().as_str().to_uppercase());
            assert_eq!(flag.get_env().and_then(|name| name.to_str()), Some(expected.as_str()));
        }
    }
}
