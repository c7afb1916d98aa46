//! The accept loop of an operator's address.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time;
use tokio_util::sync::CancellationToken;

/// Connections at once; more wait in the kernel. A scraper or two and an operator's browser need a dozen, and whoever
/// opens thousands must not take the descriptors that sessions need.
const MAX_CONNECTIONS: usize = 64;
/// A connection without a request for this long is closed. Longer than the usual scrape interval of a minute, so that a
/// scraper can keep its connection.
const IDLE: Duration = Duration::from_secs(75);
/// When accepting fails, most likely for want of descriptors, another attempt at once would fail as well.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// Requests that are being answered when the end comes have this long to finish.
const GRACE: Duration = Duration::from_secs(1);

/// Answers requests with `router` until `until` comes; returns at most a second later.
pub async fn serve(listener: TcpListener, router: Router, until: impl Future<Output = ()>) {
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let end = CancellationToken::new();
    let mut connections = JoinSet::new();
    let mut until = std::pin::pin!(until);
    loop {
        let accepted = async {
            let permit = Arc::clone(&permits).acquire_owned().await;
            (listener.accept().await, permit)
        };
        tokio::select! {
            // The end before one more connection; finished ones are only collected.
            biased;
            () = &mut until => break,
            Some(_) = connections.join_next() => {}
            (accepted, permit) = accepted => match accepted {
                Ok((stream, _)) => {
                    let connection = answer(stream, router.clone(), end.clone());
                    connections.spawn(async move {
                        connection.await;
                        drop(permit);
                    });
                }
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
    let _ = time::timeout(GRACE, async { while connections.join_next().await.is_some() {} }).await;
}

async fn answer(stream: TcpStream, router: Router, end: CancellationToken) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
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
