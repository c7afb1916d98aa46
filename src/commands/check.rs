//! `closewatch check FILE`: what is wrong with a configuration, or what it would run.
//!
//! The file is judged by itself: flags and environment of this shell are not those of the machine it is meant for. A misspelt
//! `CLOSEWATCH_…` is a mistake on either.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::{USAGE, report};
use crate::config::{self, Config, Place};

/// Standard input, as a file.
const STDIN: &str = "-";

/// The arguments of `check`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The configuration file (TOML); "-" reads standard input
    pub file: PathBuf,
    /// JSON on standard output: the effective configuration, or the mistakes
    #[arg(long)]
    pub json: bool,
}

/// Checks the file. Errors and warnings go to standard error, as `FILE:LINE: KEY: MESSAGE`; with `--json`, all goes to standard output.
pub fn execute(args: &Args) -> ExitCode {
    let read = if args.file == Path::new(STDIN) {
        config::read_from(io::stdin().lock(), &args.file)
    } else {
        config::read(&args.file)
    };
    // A reader that stops after the first line (`| head -1`) is no failure.
    match read {
        Ok(config) => {
            let mut out = io::stdout().lock();
            let _ = if args.json {
                let warnings: Vec<_> = config.former_names.iter().map(ToString::to_string).collect();
                let config: Value = serde_json::to_value(&config).unwrap_or_default();
                let answer = json!({
                    "file": args.file, "ok": true, "config": config, "mistakes": [], "warnings": warnings,
                });
                writeln!(out, "{answer:#}")
            } else {
                for former in &config.former_names {
                    let _ = writeln!(io::stderr(), "warning: {former}");
                }
                summary(&mut out, &args.file, &config)
            };
            ExitCode::SUCCESS
        }
        Err(error) => {
            if args.json {
                let mistakes = mistakes(&error);
                let answer = json!({ "file": args.file, "ok": false, "config": null, "mistakes": mistakes });
                let _ = writeln!(io::stdout().lock(), "{answer:#}");
            } else {
                report(&error);
            }
            ExitCode::from(USAGE)
        }
    }
}

/// The mistakes, each with its line and key, as far as it has these.
fn mistakes(error: &config::Error) -> Vec<Value> {
    match error {
        config::Error::Unreadable { source, .. } => {
            vec![json!({ "line": null, "key": null, "message": format!("cannot be read: {source}") })]
        }
        config::Error::Invalid { mistakes } => {
            let line = |place: &Place| match place {
                Place::File { line, .. } => Some(*line),
                Place::Flag(_) | Place::Variable(_) => None,
            };
            let mistake = |mistake: &config::Mistake| json!({ "line": line(&mistake.place), "key": mistake.key, "message": mistake.message });
            mistakes.iter().map(mistake).collect()
        }
    }
}

fn summary(out: &mut impl Write, file: &Path, config: &Config) -> io::Result<()> {
    let none = || "off".to_owned();
    writeln!(out, "{}: ok", file.display())?;
    writeln!(out, "  listen   {}{}", config.listen, if config.tls.identity.is_some() { " (TLS)" } else { "" })?;
    writeln!(out, "  admin    {}", config.admin.listen.map_or_else(none, |address| address.to_string()))?;
    writeln!(out, "  metrics  {}", config.metrics.listen.map_or_else(none, |address| address.to_string()))?;
    for route in &config.routes {
        let host = route.host.as_ref().map_or_else(|| "*".to_owned(), ToString::to_string);
        writeln!(out, "  route    {}: {host}{} -> {}", route.name, route.path, route.upstream)?;
    }
    Ok(())
}
