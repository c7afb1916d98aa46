//! The accept loop of an operator's address.
//!
//! A new connection never waits for the ones before it: where there are too many, the one that has asked for nothing for the
//! longest time makes room. So a liveness probe is answered whatever others keep open.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time;
use tokio_util::sync::CancellationToken;

use super::descriptors;

/// Connections at once. A scraper or two and an operator's browser need a dozen, and a client that opens thousands must not
/// take the descriptors that sessions need.
const MAX_CONNECTIONS: usize = 64;
/// A connection without a request for this long is closed. Longer than the usual scrape interval of a minute, so that a
/// scraper can keep its connection.
const IDLE: Duration = Duration::from_secs(75);
/// When accepting fails, most likely for want of descriptors, another attempt at once would fail as well.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// Requests that are being answered when the end comes have this long to finish.
const GRACE: Duration = Duration::from_secs(1);

/// The connections that are open, and when each was last used.
#[derive(Default)]
struct Connections {
    tasks: JoinSet<()>,
    open: Vec<Connection>,
    /// Counts accepted connections and requests: a larger number is later.
    clock: Arc<AtomicU64>,
}

struct Connection {
    task: AbortHandle,
    last_used: Arc<AtomicU64>,
}

/// Answers requests with `router` until `until` comes; returns at most a second later.
pub async fn serve(listener: TcpListener, router: Router, until: impl Future<Output = ()>) {
    descriptors::keep_back();
    let end = CancellationToken::new();
    let mut connections = Connections::default();
    let mut until = std::pin::pin!(until);
    loop {
        tokio::select! {
            // The end comes before one more connection. Finished connections are only collected.
            biased;
            () = &mut until => break,
            Some(_) = connections.tasks.join_next() => {}
            accepted = descriptors::accept(&listener) => match accepted {
                Ok(stream) => connections.begin(stream, router.clone(), end.clone()),
                Err(error) => {
                    tracing::warn!(%error, "an admin connection cannot be accepted");
                    time::sleep(ACCEPT_RETRY).await;
                }
            },
        }
    }
    drop(listener);
    end.cancel();
    // Connections that are not done by then are dropped with the set.
    let _ = time::timeout(GRACE, async { while connections.tasks.join_next().await.is_some() {} }).await;
}

// === impl Connections ===

impl Connections {
    fn begin(&mut self, stream: TcpStream, router: Router, end: CancellationToken) {
        self.open.retain(|connection| !connection.task.is_finished());
        if self.open.len() >= MAX_CONNECTIONS
            && let Some((at, _)) =
                self.open.iter().enumerate().min_by_key(|(_, connection)| connection.last_used.load(Ordering::Relaxed))
        {
            self.open.swap_remove(at).task.abort();
        }
        let last_used = Arc::new(AtomicU64::new(self.clock.fetch_add(1, Ordering::Relaxed)));
        let used = {
            let (clock, last_used) = (Arc::clone(&self.clock), Arc::clone(&last_used));
            move || last_used.store(clock.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed)
        };
        let task = self.tasks.spawn(answer(stream, router, used, end));
        self.open.push(Connection { task, last_used });
    }
}

async fn answer(stream: TcpStream, router: Router, used: impl Fn(), end: CancellationToken) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(|request: hyper::Request<Incoming>| {
        used();
        hyper::service::Service::call(&router, request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = end.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "an admin connection failed");
    }
}
