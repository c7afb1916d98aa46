//! The upgrade: relayed, not re-made. The upstream sees the client's request, the client the upstream's answer.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::time::Instant;

use super::accept::Inner;
use super::client::Client;
use super::dial::{DialError, Reached};
use super::headers::{self, BadUpgrade, TraceHeaders};
use super::leg::Leg;
use super::plain::{Body, answer};
use super::replayed::Replayed;
use super::routes::Route;
use super::tls::is_tls_failure;
use crate::close::{Address, HandshakeRecord, HandshakeTrace, Outcome, Request as RequestFacts, RouteSink, Text};
use crate::shutdown::{Phase, Shutdown};
use crate::wire::ReservedBits;

/// An upgrade that the upstream has accepted; a session as soon as the client has its 101.
pub(super) struct Established {
    pub(super) route: Arc<Route>,
    pub(super) upstream: Leg,
    pub(super) upstream_address: Address,
    /// What the upstream sent behind its 101.
    pub(super) early: Vec<u8>,
    pub(super) request: RequestFacts,
    pub(super) reserved_bits: ReservedBits,
    pub(super) handshake: Handshake,
    pub(super) permit: Permit,
}

/// An upgrade in progress: files one [`HandshakeRecord`], whatever happens to its task.
pub(super) struct Handshake {
    sink: Arc<dyn RouteSink>,
    request: RequestFacts,
    client: Address,
    began: Instant,
    trace: Option<Arc<HandshakeTrace>>,
    shutdown: Shutdown,
    /// Its answer is a 101, and on its way.
    switching: bool,
    filed: bool,
}

/// The right to one session or connection, of those that `limits.sessions` or `limits.connections` allows.
pub(super) struct Permit(Arc<AtomicUsize>);

/// Why there is no upgrade, other than that the upstream refused it.
#[derive(Debug, thiserror::Error)]
pub(super) enum UpgradeError {
    #[error("no route takes this host and path")]
    NoRoute,
    #[error(transparent)]
    Bad(#[from] BadUpgrade),
    #[error("the request names two hosts (RFC 9112 section 3.2)")]
    TwoHosts,
    #[error("the request can be read in two ways (RFC 9112 sections 2.2 and 6.1)")]
    Ambiguous,
    #[error("too many sessions")]
    OverLimit,
    #[error("shutting down")]
    Draining,
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("the upstream hung up before it answered")]
    Closed(#[source] hyper::Error),
    #[error("the connection to the upstream broke")]
    Broken(#[source] io::Error),
    #[error("the upstream did not answer within {0:?}")]
    Timeout(Duration),
    #[error("the upstream's answer is not HTTP")]
    NotHttp(#[source] hyper::Error),
    #[error("the upstream's 101 is not a valid WebSocket handshake (RFC 6455 section 4.1)")]
    BadSwitch,
}

/// An upgrade that was put to its upstream already, byte for byte, but whose answer is not a plain 101: hyper reads it, or
/// says to the client what went wrong.
pub(super) struct Asked {
    pub(super) route: Arc<Route>,
    pub(super) permit: Permit,
    pub(super) handshake: Handshake,
    /// The upstream, and what was read of its answer.
    pub(super) answer: Result<(Leg, Address, Vec<u8>), UpgradeError>,
}

/// What the upstream said.
enum Answer {
    Switched { upstream: Leg, early: Vec<u8>, response: Response<Body> },
    Refused { response: Response<Body> },
}

/// Passes an upgrade request on, unless it was `asked` already. Gives the answer for the client, and the session-to-be if
/// the upstream switched.
pub(super) async fn upgrade(
    proxy: &Arc<Inner>,
    client: &Client,
    mut request: Request<Incoming>,
    asked: Option<Asked>,
) -> (Response<Body>, Option<Established>) {
    let mut facts = headers::request_facts(&request, proxy.config.log.query);
    let values = |name: &_| request.headers().get_all(name).iter().map(header::HeaderValue::as_bytes).collect();
    facts.real_address = client.real_address(&proxy.config.forwarded, values).map(Box::new);
    let (handshake, attempt) = if let Some(Asked { route, permit, handshake, answer }) = asked {
        let answer = match answer {
            Ok((leg, address, read)) => {
                put(proxy, request, Replayed::answer(leg, read)).await.map(|answer| (address, answer))
            }
            Err(error) => Err(error),
        };
        (handshake, answer.map(|answer| (route, permit, answer)))
    } else {
        let route = proxy.routes.find(headers::host(&request), request.uri().path()).cloned();
        let sink = Arc::clone(route.as_ref().map_or(&proxy.routes.none, |route| &route.sink));
        let (trace, traced) = headers::begin_trace(&*sink, &TraceHeaders(request.headers()));
        headers::replace(request.headers_mut(), traced);
        let handshake =
            Handshake::begin(sink, facts.clone(), client.address.clone(), proxy.shutdown.clone()).traced(trace);
        let attempt = match check(proxy, &request, route) {
            Ok((route, permit)) => ask(proxy, client, request, &route).await.map(|answer| (route, permit, answer)),
            Err(error) => Err(error),
        };
        (handshake, attempt)
    };
    match attempt {
        Ok((route, permit, (upstream_address, Answer::Switched { upstream, early, response }))) => {
            let selected = |name| {
                let values = response.headers().get_all(name).iter();
                headers::joined(values.map(header::HeaderValue::as_bytes))
            };
            facts.subprotocol = selected(header::SEC_WEBSOCKET_PROTOCOL);
            facts.extensions = selected(header::SEC_WEBSOCKET_EXTENSIONS);
            let reserved_bits = reserved_bits(facts.extensions.as_ref());
            let handshake = handshake.switching();
            let request = facts;
            let established =
                Established { route, upstream, upstream_address, early, request, reserved_bits, handshake, permit };
            (response, Some(established))
        }
        Ok((_, _, (_, Answer::Refused { mut response }))) => {
            handshake.end(Outcome::Refused, response.status(), None);
            // What the client may have sent behind its request was meant for a session: nobody else may read it as a
            // request (request smuggling).
            close_behind(&mut response);
            (response, None)
        }
        Err(error) => {
            let (outcome, status) = error.outcome();
            let detail = chain(&error);
            tracing::debug!(client = %client.address, outcome = %outcome, "upgrade failed: {detail}");
            handshake.end(outcome, status, Some(detail.as_str().into()));
            let mut response = answer(status, &error.to_string());
            close_behind(&mut response);
            (response, None)
        }
    }
}

/// All that can be said before anybody is dialled.
fn check(
    proxy: &Arc<Inner>,
    request: &Request<Incoming>,
    route: Option<Arc<Route>>,
) -> Result<(Arc<Route>, Permit), UpgradeError> {
    headers::check_upgrade(request)?;
    if headers::is_ambiguous(request) {
        return Err(UpgradeError::Ambiguous);
    }
    if headers::names_two_hosts(request.headers()) {
        return Err(UpgradeError::TwoHosts);
    }
    let route = route.ok_or(UpgradeError::NoRoute)?;
    Ok((route, admit(proxy)?))
}

/// Whether there may be one session more.
pub(super) fn admit(proxy: &Inner) -> Result<Permit, UpgradeError> {
    // Whoever was accepted before another process took over is still served.
    let last = if proxy.shutdown.has_successor() { Phase::Draining } else { Phase::Unready };
    if proxy.shutdown.phase() > last {
        return Err(UpgradeError::Draining);
    }
    Permit::take(&proxy.sessions, proxy.config.limits.sessions).ok_or(UpgradeError::OverLimit)
}

/// Dials the upstream, and puts the client's request to it.
async fn ask(
    proxy: &Inner,
    client: &Client,
    mut request: Request<Incoming>,
    route: &Route,
) -> Result<(Address, Answer), UpgradeError> {
    let Reached { leg, address, .. } = route.dialer.dial(&[]).await?;
    headers::forward_client(request.headers_mut(), client, proxy);
    Ok((address, put(proxy, request, Replayed::new(leg)).await?))
}

/// Puts the client's request to an upstream, within `timeouts.handshake`.
async fn put(proxy: &Inner, request: Request<Incoming>, upstream: Replayed) -> Result<Answer, UpgradeError> {
    let key = headers::check_upgrade(&request)?.clone();
    let (mut parts, _) = request.into_parts();
    if let Some(path) = parts.uri.path_and_query().cloned() {
        // An absolute target is for proxies; an upstream reads the path, and `Host`, which says the rest (RFC 9112 §3.2.1).
        parts.uri = http::Uri::from(path);
    }
    let patience = proxy.config.timeouts.handshake;
    let request = Request::from_parts(parts, Empty::new());
    let exchange = exchange(upstream, request, &key, proxy.config.limits.header_bytes);
    tokio::time::timeout(patience, exchange).await.unwrap_or(Err(UpgradeError::Timeout(patience)))
}

/// One request, one answer, on a connection of its own.
async fn exchange(
    upstream: Replayed,
    request: Request<Empty<Bytes>>,
    key: &header::HeaderValue,
    header_bytes: usize,
) -> Result<Answer, UpgradeError> {
    let (mut sender, mut connection) = http1::Builder::new()
        .preserve_header_case(true)
        .max_buf_size(header_bytes)
        .max_header_size(header_bytes)
        .handshake(TokioIo::new(upstream))
        .await
        .map_err(UpgradeError::Closed)?;
    let response = {
        let mut response = pin!(sender.send_request(request));
        let mut driven = false;
        std::future::poll_fn(|cx| {
            // The answer comes while the connection is driven; how the connection fares is said in the answer.
            driven = driven || connection.poll_without_shutdown(cx).is_ready();
            response.as_mut().poll(cx)
        })
        .await
    };
    let response = response
        .map_err(|error| if error.is_parse() { UpgradeError::NotHttp(error) } else { UpgradeError::Closed(error) })?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        // The body is still to come: the connection lives on for it, and ends with it.
        drop(sender);
        tokio::spawn(connection);
        return Ok(Answer::Refused { response: response.map(BodyExt::boxed) });
    }
    if !headers::accepts(&response, key) {
        return Err(UpgradeError::BadSwitch);
    }
    let parts = connection.into_parts();
    let (upstream, unread) = parts.io.into_inner().into_parts();
    let early = [&*parts.read_buf, &unread].concat();
    Ok(Answer::Switched { upstream, early, response: response.map(|_| answer_body()) })
}

/// A 101 has no body (RFC 9110 §15.2).
fn answer_body() -> Body {
    Empty::new().map_err(|never| match never {}).boxed()
}

/// What the selected extensions mean for the reserved bits.
pub(super) fn reserved_bits(extensions: Option<&Text>) -> ReservedBits {
    let Some(extensions) = extensions else { return ReservedBits::None };
    let mut names = extensions.as_str().split(',').map(|extension| extension.split(';').next().unwrap_or("").trim());
    match (names.next(), names.next()) {
        (None | Some(""), None) => ReservedBits::None,
        (Some(name), None) if name.eq_ignore_ascii_case("permessage-deflate") => ReservedBits::PerMessageDeflate,
        (_, _) => ReservedBits::Any,
    }
}

fn close_behind(response: &mut Response<Body>) {
    response.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
}

/// An error and its causes, on one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

// === impl UpgradeError ===

impl UpgradeError {
    fn outcome(&self) -> (Outcome, StatusCode) {
        match self {
            Self::NoRoute => (Outcome::NoRoute, StatusCode::NOT_FOUND),
            Self::Bad(_) | Self::TwoHosts | Self::Ambiguous => (Outcome::BadRequest, StatusCode::BAD_REQUEST),
            Self::OverLimit => (Outcome::OverLimit, StatusCode::SERVICE_UNAVAILABLE),
            Self::Draining => (Outcome::Draining, StatusCode::SERVICE_UNAVAILABLE),
            Self::Dial(DialError::Timeout(_)) => (Outcome::DialTimeout, StatusCode::GATEWAY_TIMEOUT),
            Self::Dial(DialError::Resolve { .. } | DialError::Connect { .. }) => {
                (Outcome::DialFailed, StatusCode::BAD_GATEWAY)
            }
            Self::Dial(DialError::Tls { .. }) => (Outcome::TlsFailed, StatusCode::BAD_GATEWAY),
            // In TLS 1.3 an upstream says only behind the handshake that it does not want closewatch's certificate.
            Self::Closed(_) | Self::Broken(_) if is_tls_failure(self) => (Outcome::TlsFailed, StatusCode::BAD_GATEWAY),
            Self::Closed(_) | Self::Broken(_) => (Outcome::UpstreamClosed, StatusCode::BAD_GATEWAY),
            Self::Timeout(_) => (Outcome::UpstreamTimeout, StatusCode::GATEWAY_TIMEOUT),
            Self::NotHttp(_) | Self::BadSwitch => (Outcome::BadResponse, StatusCode::BAD_GATEWAY),
        }
    }
}

// === impl Handshake ===

impl Handshake {
    pub(super) fn begin(sink: Arc<dyn RouteSink>, request: RequestFacts, client: Address, shutdown: Shutdown) -> Self {
        Self { sink, request, client, began: Instant::now(), trace: None, shutdown, switching: false, filed: false }
    }

    /// The same, with a place in a trace.
    pub(super) fn traced(mut self, trace: Option<Arc<HandshakeTrace>>) -> Self {
        self.trace = trace;
        self
    }

    /// Its place in a trace.
    pub(super) fn trace(&self) -> Option<Arc<HandshakeTrace>> {
        self.trace.clone()
    }

    /// The upstream has switched, and the client is about to be told.
    pub(super) fn switching(mut self) -> Self {
        self.switching = true;
        self
    }

    /// There was nothing to ask an upstream, and no answer to give.
    pub(super) fn fail(mut self, outcome: Outcome, detail: Text) {
        self.file(outcome, None, Some(detail));
    }

    /// The client was given its answer.
    pub(super) fn end(mut self, outcome: Outcome, status: StatusCode, detail: Option<Text>) {
        self.file(outcome, Some(status.as_u16()), detail);
    }

    fn file(&mut self, outcome: Outcome, status: Option<u16>, detail: Option<Text>) {
        self.filed = true;
        self.sink.handshake(HandshakeRecord {
            outcome,
            status,
            request: std::mem::take(&mut self.request),
            client: self.client.clone(),
            duration: self.began.elapsed(),
            time: Timestamp::now(),
            detail,
            trace: self.trace.take(),
        });
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        if !self.filed {
            // Its task was dropped: by a panic, by the end of the process, or by hyper, because the client is gone.
            let (outcome, status) = if std::thread::panicking() {
                (Outcome::Internal, None)
            } else if self.shutdown.phase() >= Phase::Closing {
                // The client is told so, unless its 101 was begun.
                (Outcome::Draining, (!self.switching).then_some(StatusCode::SERVICE_UNAVAILABLE.as_u16()))
            } else {
                (Outcome::ClientGone, None)
            };
            self.file(outcome, status, None);
        }
    }
}

// === impl Permit ===

impl Permit {
    /// One place more, unless `limit` are taken.
    pub(super) fn take(active: &Arc<AtomicUsize>, limit: Option<usize>) -> Option<Self> {
        let permit = Self(Arc::clone(active));
        let before = active.fetch_add(1, Ordering::Relaxed);
        // A permit that is refused gives its place back by being dropped.
        limit.is_none_or(|limit| before < limit).then_some(permit)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
