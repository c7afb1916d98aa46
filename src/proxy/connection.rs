//! A client's connection: HTTP/1.1 until it becomes a session or ends.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::Instant;
use ulid::Ulid;

use super::accept::Inner;
use super::headers;
use super::leg::Leg;
use super::plain::{Body, answer};
use super::relay::Relay;
use super::replayed::Replayed;
use super::session::SessionFile;
use super::upgrade::{Asked, Established, Handshake, Permit, upgrade};
use super::verbatim::{self, Opening};
use crate::close::{Address, Live, Outcome, Request as RequestFacts, Session};
use crate::shutdown::Phase;
use crate::wire::Peer;

/// How long a connection may stay quiet between two requests: more than the 60 s after which common load balancers give up
/// theirs, so that none of them sends a request into a connection that is just being closed.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// How long a client may take to read the last answer and hang up, so that no reset overtakes it.
const FAREWELL: Duration = Duration::from_secs(2);

/// What is said to a client that does not come to the end of its request's head.
const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// The client's leg while hyper has it.
struct Front {
    leg: Replayed,
    progress: Arc<Progress>,
}

/// How far a connection has come; shared by the stream, the service and the driver, which are all one task.
#[derive(Default)]
struct Progress {
    /// An upgrade is in progress: a FIN is not yet the client's end.
    upgrading: AtomicBool,
    /// Requests that are being answered.
    in_flight: AtomicUsize,
    times: Mutex<Times>,
}

#[derive(Default)]
struct Times {
    /// When the head that is being read began to come.
    head: Option<Instant>,
    /// When the last byte went either way, or the last request was over.
    quiet: Option<Instant>,
    /// Whether any request head was ever whole.
    heard: bool,
}

/// Counts a request as being answered until its answer's body is gone.
struct InFlight(Arc<Progress>);

/// How HTTP on a connection came to its end.
enum Ended {
    /// hyper is done: the connection has been used up, or switched.
    Done,
    /// What the client sent is not a request.
    NotHttp(hyper::Error),
    /// The connection broke.
    Broken,
    /// A head that does not come to its end.
    HeadTimeout,
    /// Nothing at all, for too long.
    Quiet,
    /// closewatch is on its way out.
    Closing,
}

/// Serves one client, from its first byte to the last of its session.
pub(super) async fn serve(proxy: Arc<Inner>, leg: Leg) {
    // Boxed, and gone before the relay begins: a session holds nothing of its handshake.
    let Some((mut relay, permit)) = Box::pin(open_session(&proxy, leg)).await else { return };
    relay.run(&proxy.shutdown).await;
    // The record first: who waits for the place may look for it.
    drop(relay);
    drop(permit);
}

/// Speaks HTTP until the connection ends, or a session is open.
async fn open_session(proxy: &Arc<Inner>, leg: Leg) -> Option<(Relay, Permit)> {
    let client = leg.peer_address();
    let (established, leg, early) = shake_hands(proxy, leg, &client).await?;
    let Established { route, upstream, early: upstream_early, request, reserved_bits, handshake, permit } = established;
    handshake.end(Outcome::Upgraded, StatusCode::SWITCHING_PROTOCOLS, None);
    let session = Session {
        id: Ulid::generate(),
        route: Arc::clone(&route.name),
        rules: Arc::clone(&route.rules),
        opened_at: Timestamp::now(),
        client,
        upstream: upstream.peer_address(),
        upstream_name: Arc::clone(&route.upstream_name),
        request,
        live: Live::default(),
    };
    let file = SessionFile::open(Arc::new(session), Arc::clone(&route.sink));
    let mut relay = Relay::new(file, Arc::clone(&route.limits), [leg, upstream], reserved_bits);
    relay.begin_with(Peer::Client, &early);
    relay.begin_with(Peer::Upstream, &upstream_early);
    Some((relay, permit))
}

/// Gives the session-to-be whose 101 has been written, the client's leg, and what the client sent behind its request.
async fn shake_hands(proxy: &Arc<Inner>, leg: Leg, client: &Address) -> Option<(Established, Leg, Vec<u8>)> {
    let began = Instant::now();
    let (leg, read, asked) = if proxy.config.relay.verbatim {
        match verbatim::open(proxy, leg, client, began).await {
            Opening::Switched(established, leg, early) => return Some((established, leg, early)),
            Opening::Http { leg, read, asked } => (leg, read, asked),
            Opening::Over => return None,
        }
    } else {
        (leg, Vec::new(), None)
    };
    speak_http(proxy, Replayed::with(leg, read), asked, client, began).await
}

/// Speaks HTTP until the connection ends, or a 101 has been written: then gives the session-to-be, the client's leg, and
/// what the client sent behind its request.
async fn speak_http(
    proxy: &Arc<Inner>,
    leg: Replayed,
    asked: Option<Asked>,
    client: &Address,
    began: Instant,
) -> Option<(Established, Leg, Vec<u8>)> {
    let progress = Arc::new(Progress::default());
    let (asked, switched) = (Mutex::new(asked), Mutex::new(None));
    let service = service_fn(|request| Box::pin(answer_request(proxy, client, request, &progress, &asked, &switched)));
    let front = Front { leg, progress: Arc::clone(&progress) };
    let mut connection = http1::Builder::new()
        .preserve_header_case(true)
        .auto_date_header(false)
        .max_buf_size(proxy.config.limits.header_bytes)
        // The buffer may grow to twice its limit in the last read.
        .max_header_size(proxy.config.limits.header_bytes)
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(front), service);
    let ended = drive(proxy, &progress, &mut connection, began).await;
    let parts = connection.into_parts();
    let (mut leg, unread) = parts.io.into_inner().leg.into_parts();
    let switched = switched.lock().unwrap_or_else(PoisonError::into_inner).take();
    match (ended, switched) {
        (Ended::Done, Some(established)) => return Some((established, leg, [&*parts.read_buf, &unread].concat())),
        // The client was gone before its 101 was written: dropping the session-to-be files that.
        (_, Some(_)) | (Ended::Broken | Ended::Quiet | Ended::Closing, None) => {}
        (Ended::Done, None) => say_goodbye(&mut leg).await,
        (Ended::NotHttp(error), None) => {
            let too_large = error.is_parse_too_large();
            let status = if too_large { StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE } else { StatusCode::BAD_REQUEST };
            file_bad_head(proxy, client, status, &error.to_string());
            say_goodbye(&mut leg).await;
        }
        (Ended::HeadTimeout, None) => {
            file_bad_head(proxy, client, StatusCode::REQUEST_TIMEOUT, "no whole request head in time");
            if leg.write_all(TOO_SLOW).await.is_ok() {
                say_goodbye(&mut leg).await;
            }
        }
    }
    None
}

/// Drives a connection to its end, within the limits of time.
async fn drive<S>(
    proxy: &Inner,
    progress: &Progress,
    connection: &mut http1::Connection<TokioIo<Front>, S>,
    began: Instant,
) -> Ended
where
    S: hyper::service::HttpService<Incoming, ResBody = Body, Future: Unpin> + Unpin,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let head = proxy.config.timeouts.head;
    let mut timer = pin!(tokio::time::sleep_until(began + head));
    let mut changed = pin!(proxy.shutdown.changed());
    let mut seen = None;
    let mut leaving = false;
    std::future::poll_fn(|cx| {
        while seen != Some(proxy.shutdown.phase()) {
            changed.set(proxy.shutdown.changed());
            let phase = proxy.shutdown.phase();
            if phase >= Phase::Closing {
                return Poll::Ready(Ended::Closing);
            }
            if changed.as_mut().poll(cx).is_pending() {
                seen = Some(phase);
            }
        }
        loop {
            match connection.poll_without_shutdown(cx) {
                Poll::Ready(Ok(())) => return Poll::Ready(Ended::Done),
                Poll::Ready(Err(error)) if error.is_parse() => return Poll::Ready(Ended::NotHttp(error)),
                Poll::Ready(Err(_)) => return Poll::Ready(Ended::Broken),
                Poll::Pending => {}
            }
            // Not before the first request, which may be on its way and is owed an answer. Not during an upgrade: hyper
            // would write `close` into its 101.
            if leaving || seen < Some(Phase::Draining) || !progress.is_plain() {
                break;
            }
            leaving = true;
            Pin::new(&mut *connection).graceful_shutdown();
        }
        while timer.as_mut().poll(cx).is_ready() {
            match progress.due(began, head) {
                Ok(due) => timer.as_mut().reset(due),
                Err(ended) => return Poll::Ready(ended),
            }
        }
        Poll::Pending
    })
    .await
}

/// Answers one request: an upgrade, or plain HTTP.
async fn answer_request(
    proxy: &Arc<Inner>,
    client: &Address,
    mut request: Request<Incoming>,
    progress: &Arc<Progress>,
    asked: &Mutex<Option<Asked>>,
    switched: &Mutex<Option<Established>>,
) -> Result<Response<Body>, Infallible> {
    let in_flight = InFlight::begin(progress);
    let response = if headers::asks_for_websocket(request.headers()) {
        progress.upgrading.store(true, Ordering::Relaxed);
        let asked = asked.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (response, established) = upgrade(proxy, client, request, asked).await;
        *switched.lock().unwrap_or_else(PoisonError::into_inner) = established;
        response
    } else {
        let route = proxy.routes.find(headers::host(&request), request.uri().path()).cloned();
        let sink = Arc::clone(route.as_ref().map_or(&proxy.routes.none, |route| &route.sink));
        let response = if headers::is_ambiguous(request.headers()) {
            answer(StatusCode::BAD_REQUEST, "the request's length is given twice")
        } else if let Some(route) = route {
            let uri = request.uri().clone();
            headers::take_host_from_target(request.headers_mut(), &uri);
            headers::forward_client(request.headers_mut(), client, proxy.config.forwarded.x_forwarded);
            match route.pool.forward(request).await {
                Ok(response) => response,
                Err(error) => {
                    tracing::debug!(client = %client, route = %route.name, error = &error as &dyn std::error::Error, "request failed");
                    answer(error.status(), &error.to_string())
                }
            }
        } else {
            answer(StatusCode::NOT_FOUND, "no route takes this host and path")
        };
        sink.http_response(response.status().as_u16());
        response
    };
    Ok(response.map(|body| {
        body.map_frame(move |frame| {
            let _ = &in_flight;
            frame
        })
        .boxed()
    }))
}

/// FIN, then whatever the client still sends, until it hangs up too: a socket closed with unread input resets, and a reset
/// can overtake the answer.
async fn say_goodbye(leg: &mut Leg) {
    let discard = async {
        leg.shutdown().await?;
        let mut scrap = [0; 4096];
        while leg.read(&mut scrap).await? > 0 {}
        io::Result::Ok(())
    };
    // However it ends, the connection is over.
    let _ = tokio::time::timeout(FAREWELL, discard).await;
}

/// A head that is no request may have been meant as an upgrade: it stands with the failed ones.
fn file_bad_head(proxy: &Inner, client: &Address, status: StatusCode, detail: &str) {
    let sink = Arc::clone(&proxy.routes.none);
    let handshake = Handshake::begin(sink, RequestFacts::default(), client.clone(), proxy.shutdown.clone());
    handshake.end(Outcome::BadRequest, status, Some(detail.into()));
}

// === impl Progress ===

impl Progress {
    fn times<T>(&self, change: impl FnOnce(&mut Times) -> T) -> T {
        change(&mut self.times.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A byte went one way or the other.
    fn moved(&self, read: bool) {
        let now = Instant::now();
        let between = self.in_flight.load(Ordering::Relaxed) == 0;
        self.times(|times| {
            times.quiet = Some(now);
            if read && between {
                times.head.get_or_insert(now);
            }
        });
    }

    /// Whether a request was ever heard, and the last was no upgrade.
    fn is_plain(&self) -> bool {
        self.times(|times| times.heard) && !self.upgrading.load(Ordering::Relaxed)
    }

    /// When to look again, or how the connection ends because its time is over.
    fn due(&self, began: Instant, head: Duration) -> Result<Instant, Ended> {
        let now = Instant::now();
        if self.in_flight.load(Ordering::Relaxed) > 0 {
            return Ok(now + head);
        }
        let (due, ended) = self.times(|times| match (times.head, times.quiet) {
            (Some(since), _) => (since + head, Ended::HeadTimeout),
            (None, Some(since)) if times.heard => (since + KEEP_ALIVE, Ended::Quiet),
            (None, _) => (began + head, Ended::Quiet),
        });
        // Not later than `head` from now: a request may begin to come meanwhile.
        if due <= now { Err(ended) } else { Ok(due.min(now + head)) }
    }
}

// === impl InFlight ===

impl InFlight {
    fn begin(progress: &Arc<Progress>) -> Self {
        progress.in_flight.fetch_add(1, Ordering::Relaxed);
        progress.times(|times| {
            times.head = None;
            times.heard = true;
        });
        Self(Arc::clone(progress))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.0.times(|times| times.quiet = Some(Instant::now()));
    }
}

// === impl Front ===

impl AsyncRead for Front {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.leg).poll_read(cx, buf);
        let some = buf.filled().len() > before;
        if some {
            self.progress.moved(true);
        }
        // A FIN while the upgrade is on its way is half-close, and the session's business; a reset is an error, and hyper
        // drops the handshake for it.
        let half_closed = matches!(read, Poll::Ready(Ok(()))) && !some;
        if half_closed && self.progress.upgrading.load(Ordering::Relaxed) { Poll::Pending } else { read }
    }
}

impl AsyncWrite for Front {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.progress.moved(false);
        Pin::new(&mut self.leg).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.progress.moved(false);
        Pin::new(&mut self.leg).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.leg.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.leg).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.leg).poll_shutdown(cx)
    }
}
