//! SIGHUP: the configuration is read again, and taken whole or not at all.

use std::convert::Infallible;

use jiff::Timestamp;
use tokio::signal::unix::Signal;

use super::{exposure, service_manager};
use crate::config::{self, Config, Overrides};
use crate::export::Exporter;
use crate::proxy::Proxy;

/// Reloads the configuration of a running instance.
pub(super) struct Reloader {
    /// Where the configuration comes from: the same file, environment and flags as at the start.
    pub(super) source: Overrides,
    /// The configuration that the instance was started with.
    pub(super) started_with: Config,
    pub(super) proxy: Proxy,
    pub(super) exporter: Exporter,
}

// === impl Reloader ===

impl Reloader {
    /// Reloads at every SIGHUP, one after the other. Never ends.
    pub(super) async fn obey(self, mut hangup: Signal) -> Infallible {
        while hangup.recv().await.is_some() {
            service_manager::reloading();
            match self.load().await {
                Ok(config) => self.take(config),
                Err(mistakes) => self.refuse(&mistakes),
            }
            service_manager::ready();
        }
        std::future::pending().await
    }

    /// Makes all that can fail, and changes nothing. Errors are the mistakes, a line each.
    async fn load(&self) -> Result<Config, Vec<String>> {
        let source = self.source.clone();
        // A file can be a pipe or on a dead mount: signals and the operator are answered meanwhile.
        let loaded = tokio::task::spawn_blocking(move || config::load(&source)).await;
        loaded.map_err(|error| vec![error.to_string()])?.map_err(|error| match error {
            config::Error::Invalid { mistakes } => mistakes.iter().map(ToString::to_string).collect(),
            config::Error::Unreadable { ref source, .. } => vec![format!("{error}: {source}")],
        })
    }

    /// Puts a configuration in force, in every part that a reload changes. Nothing here can fail.
    fn take(&self, config: Config) {
        for config::Pending { key, running, given } in config::pending(&self.started_with, &config) {
            tracing::warn!(key, %running, %given, "only a restart can change this: the running value stays");
        }
        exposure::warn(&config);
        for former in &config.former_names {
            tracing::warn!("{former}");
        }
        // Before the first session of a new route can end.
        for route in &config.routes {
            self.exporter.declare_route(&route.name, &route.codes);
        }
        self.exporter.resample(&config.otel);
        self.exporter.metrics().certificates_taken(&config.certificates());
        if let Some(diagnosis) = self.exporter.diagnosis() {
            diagnosis.reload(&config.diagnosis);
        }
        let effective = config.to_string();
        let routes: Vec<_> = config.routes.iter().map(|route| route.name.clone()).collect();
        self.proxy.reload(config);
        self.exporter.keep_routes(routes.iter().map(String::as_str));
        self.exporter.metrics().config_taken(Timestamp::now());
        tracing::info!("configuration reloaded: {effective}");
    }

    fn refuse(&self, mistakes: &[String]) {
        self.exporter.metrics().config_refused();
        for mistake in mistakes {
            tracing::error!("{mistake}");
        }
        tracing::error!(
            mistakes = mistakes.len(),
            "the new configuration is refused: the one before it stays in force"
        );
    }
}
