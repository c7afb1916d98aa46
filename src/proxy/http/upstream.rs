//! An HTTP/1.1 connection to an upstream, driven by a task of its own.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, Parts, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::answer::Body;
use super::head::USUAL_HEADER_LINES;
use super::target::{Restored, target};
use crate::close::{Address, RouteSink};
use crate::config::Limits;
use crate::proxy::permit::Permit;
use crate::proxy::transport::leg::Leg;
use crate::proxy::transport::rewind::Rewind;

/// A connection to an upstream that speaks HTTP. It ends when this is dropped.
pub(in crate::proxy) struct UpstreamConnection {
    sender: SendRequest<Body>,
    driver: AbortOnDropHandle<Option<Parts<TokioIo<UpstreamStream>>>>,
    shared: Arc<Shared>,
    /// A request was sent over it.
    used: bool,
    pub(in crate::proxy) address: Address,
    /// When the upstream's name was last known to lead to that address.
    pub(in crate::proxy) known: Instant,
}

/// A counted connection to an upstream: in its limit, and in the metrics.
pub(in crate::proxy) struct UpstreamPlace {
    sink: Arc<dyn RouteSink>,
    _permit: Permit,
}

/// Why an upstream gave no answer.
#[derive(Debug)]
pub(in crate::proxy) enum Unanswered {
    /// The connection ended before anything of this request was sent.
    NotSent(Box<Request<Body>>, hyper::Error),
    /// The connection ended before a byte of an answer came.
    Silent(hyper::Error),
    /// It ended, or broke the protocol, in the middle of an answer.
    Broken(hyper::Error),
}

/// The facts that the stream and the connection share: both are in other tasks.
struct Shared {
    /// Bytes that the upstream has sent.
    received: AtomicU64,
    /// hyper holds no bytes that the leg has not taken.
    flushed: AtomicBool,
    /// The request is an upgrade: the leg is given back if the connection ends with a 101.
    upgrading: AtomicBool,
    /// Its place in `limits.upstream_connections`, until it is closed. One that may become a session has none.
    place: Mutex<Option<UpstreamPlace>>,
    /// The target of the request, until it is written in the place of its stand-in.
    target: Mutex<Option<Restored>>,
}

/// The leg while hyper has it: counts the bytes that come.
struct UpstreamStream {
    leg: Rewind,
    shared: Arc<Shared>,
    /// The upstream takes no more.
    deaf: bool,
}

// === impl UpstreamConnection ===

impl UpstreamConnection {
    /// Speaks HTTP on `leg`, with heads within `limits`.
    pub(in crate::proxy) async fn new(leg: Rewind, address: Address, limits: &Limits) -> hyper::Result<Self> {
        let shared = Arc::new(Shared {
            received: AtomicU64::new(0),
            flushed: AtomicBool::new(true),
            upgrading: AtomicBool::new(false),
            place: Mutex::default(),
            target: Mutex::default(),
        });
        let stream = UpstreamStream { leg, shared: Arc::clone(&shared), deaf: false };
        let mut builder = http1::Builder::new();
        builder.preserve_header_case(true).max_buf_size(limits.header_bytes).max_header_size(limits.header_bytes);
        if limits.header_lines != USUAL_HEADER_LINES {
            builder.max_headers(limits.header_lines);
        }
        let (sender, mut connection) = builder.handshake(TokioIo::new(stream)).await?;
        let driver = tokio::spawn({
            let shared = Arc::clone(&shared);
            async move {
                // Its result is part of the answer that `send` gives.
                let _ = std::future::poll_fn(|cx| connection.poll_without_shutdown(cx)).await;
                drop(shared.place().take());
                // Without an upgrade it is closed here, and not when it is next wanted.
                shared.upgrading.load(Ordering::Relaxed).then(|| connection.into_parts())
            }
        });
        Ok(Self { sender, driver: AbortOnDropHandle::new(driver), shared, used: false, address, known: Instant::now() })
    }

    /// Gives it a place in the limit, if it has none yet.
    pub(in crate::proxy) fn take_place(&self, place: impl FnOnce() -> Option<UpstreamPlace>) -> bool {
        let mut taken = self.shared.place();
        if taken.is_none() {
            *taken = place();
        }
        taken.is_some()
    }

    /// The upstream has ended it.
    pub(in crate::proxy) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// The last answer is over, and another request can be sent.
    pub(in crate::proxy) fn is_idle(&self) -> bool {
        self.sender.is_ready()
    }

    /// Whether this request can be sent over it. A target is restored at the beginning of what is written, so nothing of the
    /// request before may still wait to be.
    pub(in crate::proxy) fn takes<B>(&self, request: &Request<B>) -> bool {
        target(request).is_none() || self.shared.flushed.load(Ordering::Relaxed)
    }

    /// Sends a request, and gives the head of its answer. The connection has to be kept until the body has come.
    pub(in crate::proxy) async fn send(&mut self, request: Request<Body>) -> Result<Response<Incoming>, Unanswered> {
        // A new connection takes the request at once, and its error names the cause.
        if std::mem::replace(&mut self.used, true)
            && let Err(error) = self.sender.ready().await
        {
            return Err(Unanswered::NotSent(Box::new(request), error));
        }
        *self.shared.target() = target(&request).map(|target| target.restored(request.method()));
        let before = self.shared.received.load(Ordering::Relaxed);
        match self.sender.try_send_request(request).await {
            Ok(response) => Ok(response),
            Err(mut failed) => match failed.take_message() {
                Some(request) => Err(Unanswered::NotSent(Box::new(request), failed.into_error())),
                None if self.shared.received.load(Ordering::Relaxed) == before => {
                    Err(Unanswered::Silent(failed.into_error()))
                }
                None => Err(Unanswered::Broken(failed.into_error())),
            },
        }
    }

    /// The same for an upgrade, behind whose 101 the connection can be [taken](Self::into_leg).
    pub(in crate::proxy) async fn send_upgrade(
        &mut self,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, Unanswered> {
        self.shared.upgrading.store(true, Ordering::Relaxed);
        let response = self.send(request).await?;
        let switches = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        self.shared.upgrading.store(switches, Ordering::Relaxed);
        Ok(response)
    }

    /// The leg behind a 101, and the bytes that came behind that. `None` if there was no 101.
    pub(in crate::proxy) async fn into_leg(self) -> Option<(Leg, Vec<u8>)> {
        let parts = self.driver.await.ok().flatten()?;
        let (leg, unread) = parts.io.into_inner().leg.into_parts();
        Some((leg, [&*parts.read_buf, &unread].concat()))
    }
}

// === impl Shared ===

impl Shared {
    fn place(&self) -> MutexGuard<'_, Option<UpstreamPlace>> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn target(&self) -> MutexGuard<'_, Option<Restored>> {
        self.target.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl UpstreamPlace ===

impl UpstreamPlace {
    pub(in crate::proxy) fn new(permit: Permit, sink: Arc<dyn RouteSink>) -> Self {
        sink.upstream_connections(1);
        Self { sink, _permit: permit }
    }
}

impl Drop for UpstreamPlace {
    fn drop(&mut self) {
        self.sink.upstream_connections(-1);
    }
}

// === impl Unanswered ===

impl Unanswered {
    pub(in crate::proxy) fn into_error(self) -> hyper::Error {
        match self {
            Self::NotSent(_, error) | Self::Silent(error) | Self::Broken(error) => error,
        }
    }
}

// === impl UpstreamStream ===

impl AsyncRead for UpstreamStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.leg).poll_read(cx, buf);
        self.shared.received.fetch_add((buf.filled().len() - before) as u64, Ordering::Relaxed);
        read
    }
}

/// An upstream that refuses an upload may answer and hang up before it has read all of it. hyper takes a failed write for
/// the end, and would not read that answer, so what cannot be written is dropped: reading tells how the connection ended.
impl AsyncWrite for UpstreamStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Self { leg, shared, deaf } = &mut *self;
        shared.flushed.store(false, Ordering::Relaxed);
        let mut target = shared.target();
        if *deaf {
            return Poll::Ready(Ok(bytes.len()));
        }
        let Some(restored) = &mut *target else {
            return Poll::Ready(taken(ready!(Pin::new(leg).poll_write(cx, bytes)), bytes.len(), deaf));
        };
        let written = ready!(Pin::new(leg).poll_write(cx, &restored.put_into(bytes)));
        let written = taken(written, bytes.len(), deaf)?;
        if restored.wrote(written) {
            *target = None;
        }
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.shared.flushed.store(false, Ordering::Relaxed);
        if self.shared.target().is_some() {
            let first = slices.iter().find(|slice| !slice.is_empty());
            return self.poll_write(cx, first.map_or(&[], |first| first));
        }
        let all = slices.iter().map(|slice| slice.len()).sum();
        if self.deaf {
            return Poll::Ready(Ok(all));
        }
        let written = ready!(Pin::new(&mut self.leg).poll_write_vectored(cx, slices));
        Poll::Ready(taken(written, all, &mut self.deaf))
    }

    fn is_write_vectored(&self) -> bool {
        self.leg.is_write_vectored()
    }

    /// hyper flushes the stream when it has written everything, and not before.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shared.flushed.store(true, Ordering::Relaxed);
        Pin::new(&mut self.leg).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.leg).poll_shutdown(cx)
    }
}

/// The bytes that count as written: all of them, if the upstream has hung up.
fn taken(written: io::Result<usize>, all: usize, deaf: &mut bool) -> io::Result<usize> {
    match written {
        Err(error) if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => {
            *deaf = true;
            Ok(all)
        }
        written => written,
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use http_body_util::BodyExt;
    use hyper::body::{Body as HttpBody, Bytes, Frame};

    use super::*;

    /// An upload. With its second piece the upstream answers, and hangs up without having read anything.
    struct Upload {
        upstream: Option<UnixStream>,
        pieces: usize,
    }

    impl HttpBody for Upload {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let Some(left) = self.pieces.checked_sub(1) else { return Poll::Ready(None) };
            self.pieces = left;
            if left == 2
                && let Some(mut upstream) = self.upstream.take()
            {
                upstream
                    .write_all(b"HTTP/1.1 413 Too Much\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
                    .unwrap();
            }
            Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![b'x'; 64 * 1024])))))
        }
    }

    #[tokio::test]
    async fn an_answer_is_read_though_the_rest_of_the_request_cannot_be_written() {
        let (upstream, ours) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let leg = Rewind::new(Leg::Unix(tokio::net::UnixStream::from_std(ours).unwrap()));
        let address = Address::Unix("/test".into());
        let mut connection = UpstreamConnection::new(leg, address, &Limits::default()).await.unwrap();
        let upload = Upload { upstream: Some(upstream), pieces: 4 };
        let request = Request::post("/").body(upload.map_err(|never| match never {}).boxed()).unwrap();
        let answer = connection.send(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "no");
    }
}
