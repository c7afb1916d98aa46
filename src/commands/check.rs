//! `closewatch check FILE`: what is wrong with a configuration, or what it would run.
//!
//! The file is judged by itself: flags and environment of this shell are not those of the machine it is meant for. A misspelt
//! `CLOSEWATCH_…` is a mistake on either.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{USAGE, report};
use crate::config::{self, Config};

/// The arguments of `check`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The configuration file (TOML)
    pub file: PathBuf,
}

/// Checks the file: errors and warnings go to standard error, as `FILE:LINE: KEY: MESSAGE`.
pub fn execute(args: &Args) -> ExitCode {
    match config::read(&args.file) {
        Ok(config) => {
            for former in &config.former_names {
                let _ = writeln!(io::stderr(), "warning: {former}");
            }
            // A reader that stops after the first line (`| head -1`) is no failure.
            let _ = summary(&mut io::stdout().lock(), &args.file, &config);
            ExitCode::SUCCESS
        }
        Err(error) => {
            report(&error);
            ExitCode::from(USAGE)
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
