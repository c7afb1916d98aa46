//! `closewatch`: run, with what flags, environment and file say.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use tracing::level_filters::LevelFilter;

use super::instance::{Ended, Instance};
use super::{FAILURE, USAGE, report};
use crate::config::{self, LogLevel, Overrides};

/// Loads the configuration and runs until drained.
pub fn execute(overrides: &Overrides) -> ExitCode {
    let config = match config::load(overrides) {
        Ok(config) => config,
        Err(error) => {
            report(&error);
            return ExitCode::from(USAGE);
        }
    };
    start_own_log(config.log.level);
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "closewatch starts");
    tracing::info!("effective config {config}");
    warn_of_exposure(&config);
    for ignored in &config.otel.ignored {
        tracing::warn!("ignored: {ignored}");
    }
    match Instance::open(config).and_then(|instance| instance.run(std::future::pending())) {
        Ok(Ended::Drained) => ExitCode::SUCCESS,
        Ok(Ended::Hurried) => ExitCode::from(FAILURE),
        Err(error) => {
            report(&error);
            ExitCode::from(FAILURE)
        }
    }
}

/// closewatch's own log goes to standard error: standard output is for records.
pub(super) fn start_own_log(level: LogLevel) {
    let level = match level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_max_level(level)
        .with_target(false)
        .init();
}

fn warn_of_exposure(config: &config::Config) {
    if let Some(address) = config.admin.listen.filter(|address| !address.ip().is_loopback()) {
        tracing::warn!(%address, "the admin address is open beyond this host: it shows paths, hosts and close reasons");
    }
}
