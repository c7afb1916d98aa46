//! HTTP/1.1 on a client's connection, until it becomes a session or ends.

use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::Instant;

use super::last_words::{NOT_HTTP_1, TOO_LATE, TOO_SLOW, say_goodbye, say_last};
use super::progress::{Counted, Front, InFlight, Late, Progress};
use crate::close::{Outcome, Request as RequestFacts};
use crate::proxy::http::answer::{Body, answer};
use crate::proxy::http::headers::{self, Ambiguous};
use crate::proxy::http::websocket;
use crate::proxy::source::client::Client;
use crate::proxy::source::forwarded;
use crate::proxy::state::Shared;
use crate::proxy::transport::leg::Leg;
use crate::proxy::transport::rewind::Rewind;
use crate::proxy::upgrade::handshake::Handshake;
use crate::proxy::upgrade::stages::{Asked, Established};
use crate::proxy::upgrade::through_hyper::upgrade;
use crate::shutdown::Phase;

/// How HTTP on a connection came to its end.
enum Ended {
    /// hyper is done: the connection has been used up, or switched.
    Done,
    /// What the client sent is not a request.
    NotHttp(hyper::Error),
    /// The connection broke.
    Broken,
    /// Its time was over.
    Late(Late),
    /// closewatch is on its way out.
    Closing,
}

/// Speaks HTTP until the connection ends, or a 101 has been written: then gives the session-to-be, the client's leg, and
/// what the client sent behind its request.
pub(super) async fn speak_http(
    proxy: &Arc<Shared>,
    leg: Rewind,
    asked: Option<Asked>,
    client: &Client,
    began: Instant,
) -> Option<(Established, Leg, Vec<u8>)> {
    let progress = Arc::new(Progress::new(began));
    let (asked, switched) = (Mutex::new(asked), Mutex::new(None));
    let service = service_fn(|mut request: Request<_>| {
        // At once: hyper looks for what follows the head before it polls what comes of it.
        if progress.begins(websocket::asks_for_websocket(request.headers())) {
            request.extensions_mut().insert(Ambiguous);
        }
        Box::pin(answer_request(proxy, client, request, &progress, &asked, &switched))
    });
    let front = Front::new(leg, Arc::clone(&progress));
    let mut connection = http1::Builder::new()
        .preserve_header_case(true)
        .auto_date_header(false)
        .max_buf_size(proxy.config.limits.header_bytes)
        // The buffer may grow to twice its limit in the last read.
        .max_header_size(proxy.config.limits.header_bytes)
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(front), service);
    let ended = drive(proxy, &progress, &mut connection).await;
    let parts = connection.into_parts();
    let (mut leg, unread) = parts.io.into_inner().into_leg();
    let switched = switched.lock().unwrap_or_else(PoisonError::into_inner).take();
    match (ended, switched) {
        (Ended::Done, Some(established)) => return Some((established, leg, [&*parts.read_buf, &unread].concat())),
        (Ended::Closing, None) if progress.owes_an_answer() => say_last(&mut leg, TOO_LATE).await,
        // The client was gone before its 101 was written: dropping the session-to-be files that.
        (_, Some(_)) | (Ended::Broken | Ended::Late(Late::Quiet) | Ended::Closing, None) => {}
        (Ended::Done, None) => say_goodbye(&mut leg).await,
        (Ended::NotHttp(error), None) => {
            let said = progress.refusal();
            file_bad_head(proxy, client, said.unwrap_or(StatusCode::BAD_REQUEST), &error.to_string());
            say_last(&mut leg, if said.is_none() { NOT_HTTP_1 } else { &[] }).await;
        }
        (Ended::Late(Late::Head), None) => {
            file_bad_head(proxy, client, StatusCode::REQUEST_TIMEOUT, "no whole request head in time");
            say_last(&mut leg, TOO_SLOW).await;
        }
    }
    None
}

/// Drives a connection to its end, within the limits of time.
async fn drive<S>(proxy: &Shared, progress: &Progress, connection: &mut http1::Connection<TokioIo<Front>, S>) -> Ended
where
    S: hyper::service::HttpService<Incoming, ResBody = Body, Future: Unpin> + Unpin,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let timeouts = &proxy.config.timeouts;
    let mut timer = pin!(tokio::time::sleep(timeouts.head.min(timeouts.keep_alive)));
    let mut changed = pin!(proxy.shutdown.changed());
    let mut seen = None;
    let mut retired = false;
    std::future::poll_fn(|cx| {
        while seen != Some(proxy.shutdown.phase()) {
            changed.set(proxy.shutdown.changed());
            let phase = proxy.shutdown.phase();
            if phase >= Phase::Closing {
                return Poll::Ready(Ended::Closing);
            }
            if phase >= Phase::Draining {
                progress.hurry();
                timer.as_mut().reset(Instant::now());
            }
            if changed.as_mut().poll(cx).is_pending() {
                seen = Some(phase);
            }
        }
        let draining = seen >= Some(Phase::Draining);
        loop {
            // An answer that comes in this very look is to say that it is the last.
            if draining && !retired && progress.is_answering() {
                retired = true;
                Pin::new(&mut *connection).graceful_shutdown();
            }
            match connection.poll_without_shutdown(cx) {
                Poll::Ready(Ok(())) => return Poll::Ready(Ended::Done),
                Poll::Ready(Err(error)) if error.is_parse() => return Poll::Ready(Ended::NotHttp(error)),
                Poll::Ready(Err(_)) => return Poll::Ready(Ended::Broken),
                Poll::Pending => {}
            }
            // Behind the look at what has come, and not before the first request: hyper would hang up on both.
            if retired || !draining || !progress.may_retire() {
                break;
            }
            retired = true;
            Pin::new(&mut *connection).graceful_shutdown();
        }
        while timer.as_mut().poll(cx).is_ready() {
            match progress.due(timeouts.head, timeouts.keep_alive) {
                Ok(due) => timer.as_mut().reset(due),
                Err(late) => return Poll::Ready(Ended::Late(late)),
            }
        }
        Poll::Pending
    })
    .await
}

/// Answers one request: an upgrade, or plain HTTP.
async fn answer_request(
    proxy: &Arc<Shared>,
    client: &Client,
    mut request: Request<Incoming>,
    progress: &Arc<Progress>,
    asked: &Mutex<Option<Asked>>,
    switched: &Mutex<Option<Established>>,
) -> Result<Response<Body>, Infallible> {
    let in_flight = InFlight::begin(progress);
    let proxy = &proxy.latest();
    headers::settle_host(&mut request);
    let response = if websocket::asks_for_websocket(request.headers()) {
        let asked = asked.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (response, established) = upgrade(proxy, client, request, asked).await;
        progress.upgrade_is_answered();
        *switched.lock().unwrap_or_else(PoisonError::into_inner) = established;
        response
    } else {
        let route = proxy.routes.find(headers::host(&request), request.uri().path()).cloned();
        let sink = Arc::clone(route.as_ref().map_or(&proxy.routes.none, |route| &route.sink));
        let response = if headers::names_two_hosts(request.headers()) {
            answer(StatusCode::BAD_REQUEST, "the request names two hosts")
        } else if headers::is_ambiguous(&request) {
            answer(StatusCode::BAD_REQUEST, "the request can be read in two ways")
        } else if request.method() == Method::CONNECT {
            answer(StatusCode::BAD_REQUEST, "no tunnels are opened here")
        } else if let Some(route) = route {
            forwarded::append(request.headers_mut(), client, &proxy.config.forwarded, proxy.scheme());
            match route.pool.forward(request).await {
                Ok(response) => response,
                Err(error) => {
                    tracing::debug!(client = %client.address, route = %route.facts.name, error = &error as &dyn std::error::Error, "request failed");
                    answer(error.status(), &error.to_string())
                }
            }
        } else {
            answer(StatusCode::NOT_FOUND, "no route takes this host and path")
        };
        sink.http_response(response.status().as_u16());
        response
    };
    Ok(response.map(|body| Counted::new(body, in_flight).boxed()))
}

/// A head that is no request may have been meant as an upgrade: it stands with the failed ones.
fn file_bad_head(proxy: &Shared, client: &Client, status: StatusCode, detail: &str) {
    let sink = Arc::clone(&proxy.routes.none);
    let facts = RequestFacts { real_address: client.proxied.clone().map(Box::new), ..RequestFacts::default() };
    let handshake = Handshake::begin(sink, facts, client.address.clone(), proxy.shutdown.clone());
    handshake.end(Outcome::BadRequest, status, Some(detail.into()));
}
