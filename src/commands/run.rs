//! `closewatch`: run, with what flags, environment and file say.

use std::process::ExitCode;

use super::instance::{Ended, Instance};
use super::own_log::Wrap;
use super::{FAILURE, HeldSignals, USAGE, exposure, own_log, report};
use crate::config::{self, Config, Overrides};

/// Loads the configuration and runs until drained.
pub fn execute(overrides: &Overrides, held: HeldSignals) -> ExitCode {
    let config = match config::load(overrides) {
        Ok(config) => config,
        Err(error) => {
            report(&error);
            return ExitCode::from(USAGE);
        }
    };
    let log = match own_log::start(config.log.level, config.log.own_format, Wrap::Never) {
        Ok(log) => log,
        Err(error) => {
            report(&error);
            return ExitCode::from(FAILURE);
        }
    };
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "closewatch starts");
    let ended = Instance::open(config, Some(overrides.clone())).and_then(|instance| {
        describe(instance.config());
        instance.run(held, std::future::pending())
    });
    // The last lines of the log come before the error.
    drop(log);
    match ended {
        Ok(Ended::Drained) => ExitCode::SUCCESS,
        Ok(Ended::Hurried) => ExitCode::from(FAILURE),
        Err(error) => {
            report(&error);
            ExitCode::from(FAILURE)
        }
    }
}

/// Logs the settings that the instance runs with, and what is unusual about them.
fn describe(config: &Config) {
    tracing::info!("effective config {config}");
    exposure::warn(config);
    for ignored in config.ignored.iter().chain(&config.otel.ignored) {
        tracing::warn!("ignored: {ignored}");
    }
    for former in &config.former_names {
        tracing::warn!("{former}");
    }
}
