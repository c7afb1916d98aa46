//! A running instance: the composition root. What `run` and `demo` have in common.
//!
//! Threads: this one has the signals and the operator's addresses; each worker has a runtime of its own and a clone of the
//! one listening socket; the close log has its writer. They share the exporter, and the phase of the shutdown.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::handover::{Named, Successors};
use super::reload::Reloader;
use super::service_manager;
use super::signals::{HeldSignals, Signals};
use super::sockets::{self, Sockets};
use super::start_error::StartError;
use super::terminal;
use crate::admin::{self, Admin};
use crate::close::CloseCode;
use crate::config::{Config, LogFormat, LogTarget, Overrides};
use crate::export::{ExportOptions, Exporter, JsonStyle, Layout, LogOptions};
use crate::proxy::Proxy;
use crate::shutdown::{Phase, Shutdown};

/// Time that a session may need beyond the configured waits to end: two waits for a frame boundary and one for the FINs, each
/// of a second, and a margin for a busy machine.
const GOODBYE: Duration = Duration::from_secs(5);

/// How long outputs may take to write what they have, on the way out in order.
const FLUSH: Duration = Duration::from_secs(10);

/// The same after a second signal.
const HASTY_FLUSH: Duration = Duration::from_secs(1);

/// How the names of the threads that serve sessions begin.
pub(super) const WORKER: &str = "worker-";

/// How an instance came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// In order.
    Drained,
    /// By a second signal.
    Hurried,
}

/// An instance whose addresses are bound, and that serves nobody yet.
pub(super) struct Instance {
    config: Config,
    /// Where `config` comes from, if it can be read again.
    source: Option<Overrides>,
    exporter: Exporter,
    shutdown: Shutdown,
    sockets: Sockets,
}

// === impl Instance ===

impl Instance {
    /// Opens what `config` names: addresses first, so that nothing is written by a process that cannot run.
    /// With a `source`, SIGHUP reads it again.
    pub(super) fn open(config: Config, source: Option<Overrides>) -> Result<Self, StartError> {
        let sockets = Sockets::open(&config)?;
        let exporter = Exporter::start(outputs(&config)).map_err(|error| StartError::of_outputs(error, &config))?;
        for route in &config.routes {
            exporter.declare_route(&route.name, &route.codes);
        }
        exporter.metrics().certificates_taken(&config.certificates());
        if !config.admin.url.is_empty() {
            exporter.metrics().admin_url(&config.admin.url);
        }
        Ok(Self { config, source, exporter, shutdown: Shutdown::new(), sockets })
    }

    /// Where clients are accepted.
    pub(super) fn front(&self) -> io::Result<SocketAddr> {
        self.sockets.front.local_addr()
    }

    /// Where the operator is answered, if anywhere.
    pub(super) fn admin(&self) -> Option<SocketAddr> {
        self.sockets.admin.as_ref()?.local_addr().ok()
    }

    /// The configuration that the instance starts with.
    pub(super) const fn config(&self) -> &Config {
        &self.config
    }

    /// Every output of the instance.
    pub(super) const fn exporter(&self) -> &Exporter {
        &self.exporter
    }

    /// Runs until a signal, or `until`, has begun a drain and the drain is over. Blocks.
    pub(super) fn run(self, held: HeldSignals, until: impl Future<Output = ()>) -> Result<Ended, StartError> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Start)?;
        let ended = runtime.block_on(self.serve(held, until));
        // A name look-up that still hangs must not hold up the exit.
        runtime.shutdown_background();
        ended
    }

    async fn serve(self, held: HeldSignals, until: impl Future<Output = ()>) -> Result<Ended, StartError> {
        let mut signals = Signals::install().map_err(StartError::Start)?;
        // Without a source it stays what it is by default: the end of a demo whose terminal is closed.
        let hangup = self.source.map(|source| Ok((source, signal(SignalKind::hangup())?))).transpose();
        let hangup = hangup.map_err(StartError::Start)?;
        // From here on there is a handler for each.
        drop(held);
        let proxy = Proxy::new(self.config.clone(), Arc::new(self.exporter.clone()), self.shutdown.clone());
        let state = Admin::new(self.exporter.clone(), self.shutdown.clone(), self.config.admin.names.clone());
        let restart = match &self.config.restart.socket {
            None => None,
            Some(path) => {
                let successors =
                    Successors::bind(path).map_err(|source| StartError::Restart { path: path.clone(), source })?;
                Some((successors, self.sockets.to_hand_on().map_err(StartError::Start)?))
            }
        };
        let Sockets { front, admin, metrics, predecessor } = self.sockets;
        let operators = [
            (sockets::ADMIN, admin, admin::admin_router(state.clone())),
            (sockets::METRICS, metrics, admin::metrics_router(state.clone())),
        ];
        for (name, listener, router) in operators {
            let Some(listener) = listener else { continue };
            announce(name, &listener.local_addr());
            let listener = tokio::net::TcpListener::from_std(listener).map_err(StartError::Start)?;
            // They answer until the process is gone, or another one answers: the last scrape is the one that counts.
            tokio::spawn(admin::serve(listener, router, handed_on(self.shutdown.clone())));
        }
        let watching = proxy.clone();
        let exporter = self.exporter.clone();
        tokio::spawn(async move {
            let tell = |reloaded: &Result<Vec<_>, _>| match reloaded {
                Ok(certificates) => exporter.metrics().certificates_taken(certificates),
                Err(_) => exporter.metrics().certificates_refused(),
            };
            watching.watch_certificates(tell).await;
        });
        let mut workers = start_workers(self.config.workers, &proxy, &front).map_err(StartError::Start)?;
        let address = front.local_addr();
        drop(front);
        // Logged last: by then everything is in place.
        announce(sockets::PROXY, &address);
        if let Some(predecessor) = predecessor {
            match predecessor.may_go() {
                Ok(()) => tracing::info!("took over from the instance before, which drains"),
                Err(error) => tracing::warn!(%error, "the instance before goes on beside this one"),
            }
        }
        if let Some((successors, sockets)) = restart {
            if let Err(error) = successors.publish() {
                tracing::warn!(%error, "the next instance cannot take over from this one");
            }
            tokio::spawn(watch_for_successors(successors, sockets, self.shutdown.clone()));
        }

        service_manager::ready();

        let reloads = async {
            let Some((source, hangup)) = hangup else { return std::future::pending().await };
            let (proxy, exporter) = (proxy.clone(), self.exporter.clone());
            Reloader { source, started_with: self.config, proxy, exporter }.obey(hangup).await
        };
        let way_out = async {
            self.shutdown.reached(Phase::Unready).await;
            service_manager::stopping();
            self.exporter.metrics().draining();
            tracing::info!(live = self.exporter.live().count(), "drain begins");
            drain(&proxy, &self.shutdown, &mut workers).await;
            flush(&self.exporter, FLUSH).await;
            state.end_streams().await;
            if !self.shutdown.has_successor() {
                sleep(proxy.timeouts().final_scrape).await;
            }
        };
        let ended = tokio::select! {
            () = way_out => Ended::Drained,
            () = signals.obey(&self.shutdown, &self.exporter, until) => Ended::Hurried,
            never = reloads => match never {},
        };
        if ended == Ended::Hurried {
            tracing::warn!(live = self.exporter.live().count(), "second signal: every session is filed now");
            self.shutdown.advance(Phase::Abort);
            let _ = timeout(HASTY_FLUSH, workers.recv()).await;
            flush(&self.exporter, HASTY_FLUSH).await;
        }
        tracing::info!("drained");
        Ok(ended)
    }
}

fn outputs(config: &Config) -> ExportOptions {
    ExportOptions {
        log: LogOptions {
            target: config.log.closes.clone(),
            only: config.log.only.clone(),
            text: match (config.log.closes_format, &config.log.closes) {
                (LogFormat::Json, _) => None,
                (LogFormat::Text, LogTarget::Stdout) => Some(terminal::layout()),
                (LogFormat::Text, LogTarget::File(_) | LogTarget::Off) => Some(Layout::PLAIN),
            },
        },
        json: JsonStyle {
            path: config.log.path,
            reason: config.log.reason,
            instance: Some(rustix::system::uname().nodename().to_string_lossy().into()),
        },
        own_codes: config.drain.code.map(CloseCode).into_iter().collect(),
        otel: config.otel.clone(),
        diagnosis: config.diagnosis.clone(),
        ..ExportOptions::default()
    }
}

fn announce(name: &str, address: &io::Result<SocketAddr>) {
    if let Ok(address) = address {
        tracing::info!(listener = name, %address, "listening");
    }
}

/// Waits until another instance has the listening sockets.
async fn handed_on(shutdown: Shutdown) {
    shutdown.reached(Phase::Unready).await;
    if !shutdown.has_successor() {
        std::future::pending::<()>().await;
    }
}

/// Hands the sockets to the next instance when it asks, and then begins the way out. Its copies of them are gone when no
/// client is accepted any more.
async fn watch_for_successors(successors: Successors, sockets: Vec<Named>, shutdown: Shutdown) {
    tokio::select! {
        biased;
        () = shutdown.reached(Phase::Draining) => {}
        () = successors.wait(&sockets) => shutdown.hand_on(),
    }
}

/// Starts the workers. The channel closes when the last of them has ended.
fn start_workers(count: usize, proxy: &Proxy, front: &TcpListener) -> io::Result<mpsc::Receiver<Infallible>> {
    let count = match count {
        0 => std::thread::available_parallelism().map_or(1, NonZero::get),
        count => count,
    };
    let (alive, ended) = mpsc::channel(1);
    for number in 0..count {
        let (proxy, listener, alive) = (proxy.clone(), front.try_clone()?, alive.clone());
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name(format!("{WORKER}{number}")).spawn(move || {
            if let Err(error) = runtime.block_on(proxy.serve(listener)) {
                tracing::error!(%error, "a worker cannot accept connections");
            }
            runtime.shutdown_background();
            drop(alive);
        })?;
    }
    Ok(ended)
}

/// The drain, from [`Phase::Unready`] to the end of the last worker.
async fn drain(proxy: &Proxy, shutdown: &Shutdown, workers: &mut mpsc::Receiver<Infallible>) {
    let timeouts = proxy.timeouts();
    if !shutdown.has_successor() {
        // Load balancers learn of it from the readiness probe, which takes them a while.
        sleep(timeouts.unready).await;
    }
    shutdown.advance(Phase::Draining);
    if timeout(timeouts.drain, workers.recv()).await.is_ok() {
        return;
    }
    shutdown.advance(Phase::Closing);
    let goodbye = timeouts.drain_jitter + timeouts.close_reply + GOODBYE;
    if timeout(goodbye, workers.recv()).await.is_err() {
        tracing::error!("sessions did not end in time: they are filed now");
        shutdown.advance(Phase::Abort);
        let _ = timeout(HASTY_FLUSH, workers.recv()).await;
    }
}

async fn flush(exporter: &Exporter, limit: Duration) {
    let exporter = exporter.clone();
    // It blocks, and the operator's addresses are still to be answered.
    let flushed = tokio::task::spawn_blocking(move || exporter.flush(limit)).await;
    if !matches!(flushed, Ok(true)) {
        tracing::warn!("the outputs could not write everything out in time");
    }
}
