//! The code that the targets share.

use std::convert::Infallible;
use std::future::Future;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Runtime;

/// Runs a future on the one runtime of the process, where whatever it spawned goes on the next time.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    thread_local!(static RUNTIME: Runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime"));
    RUNTIME.with(|runtime| runtime.block_on(future))
}

/// hyper's reading of `bytes`, all of which a client sent before its FIN.
pub async fn serve_bytes<S>(bytes: &[u8], service: S)
where
    S: Service<Request<Incoming>, Response = Response<String>, Error = Infallible>,
{
    serve(tokio::io::join(bytes, tokio::io::sink()), service).await;
}

/// hyper's reading of a connection, with closewatch's own settings. How it ends is not of interest.
pub async fn serve<S>(stream: impl AsyncRead + AsyncWrite + Unpin, service: S)
where
    S: Service<Request<Incoming>, Response = Response<String>, Error = Infallible>,
{
    let mut server = http1::Builder::new();
    server.half_close(true).timer(TokioTimer::new()).max_header_size(64 * 1024).max_buf_size(64 * 1024);
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}
