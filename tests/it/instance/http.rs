//! Requests to the operator's addresses.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, interval, timeout};

use super::child::PATIENCE;

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// The status of `path` at `address`: for an answer that may have no end.
pub(crate) async fn status(address: SocketAddr, path: &str) -> io::Result<u16> {
    timeout(PATIENCE, ask(address, "HEAD", path)).await?.map(|answer| answer.status)
}

/// The answer of `address` to a GET of `path`.
pub(crate) async fn get(address: SocketAddr, path: &str) -> io::Result<Answer> {
    timeout(PATIENCE, ask(address, "GET", path)).await?
}

async fn ask(address: SocketAddr, method: &str, path: &str) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    Ok(Answer { status, body: body.to_owned() })
}

/// Asks `holds` until it says yes: for what no event tells, as what `/proc` says of another process.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    let mut again = interval(Duration::from_millis(5));
    while !holds().await {
        assert!(began.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        again.tick().await;
    }
}
