//! An upgrade through hyper: whatever cannot be relayed byte for byte.

use std::pin::pin;
use std::sync::Arc;

use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use super::error::{UpgradeError, chain};
use super::handshake::Handshake;
use super::permit::{Permit, admit};
use super::stages::{Asked, Established};
use crate::close::{Address, Outcome};
use crate::proxy::http::answer::{Body, answer};
use crate::proxy::http::facts::{joined, request_facts};
use crate::proxy::http::headers::{self, TraceHeaders};
use crate::proxy::http::websocket::{self, reserved_bits};
use crate::proxy::routes::Route;
use crate::proxy::source::client::Client;
use crate::proxy::source::forwarded;
use crate::proxy::state::Shared;
use crate::proxy::transport::dial::Reached;
use crate::proxy::transport::leg::Leg;
use crate::proxy::transport::rewind::Rewind;
use crate::proxy::transport::tls::failure_of;

/// What the upstream said.
enum Answer {
    Switched { upstream: Leg, early: Vec<u8>, response: Response<Body> },
    Refused { response: Response<Body> },
}

/// Passes an upgrade request on, unless it was `asked` already. Gives the answer for the client, and the session-to-be if
/// the upstream switched.
pub(in crate::proxy) async fn upgrade(
    proxy: &Arc<Shared>,
    client: &Client,
    mut request: Request<Incoming>,
    ambiguous: bool,
    asked: Option<Box<Asked>>,
) -> (Response<Body>, Option<Established>) {
    let mut facts = request_facts(&request, proxy.config.log.query);
    let values = |name: &_| request.headers().get_all(name).iter().map(header::HeaderValue::as_bytes).collect();
    facts.real_address = forwarded::real_address(client, &proxy.config.forwarded, values).map(Box::new);
    facts.forwarded_for = forwarded::untrusted_hops(client, &proxy.config.forwarded, values);
    let (handshake, attempt) = if let Some(asked) = asked {
        let Asked { route, permit, handshake, answer } = *asked;
        let answer = match answer {
            Ok((leg, address, read)) => {
                put(proxy, request, Rewind::answer(leg, read)).await.map(|answer| (address, answer))
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
        let attempt = match check(proxy, &request, ambiguous, route) {
            Ok((route, permit)) => ask(proxy, client, request, &route).await.map(|answer| (route, permit, answer)),
            Err(error) => Err(error),
        };
        (handshake, attempt)
    };
    match attempt {
        Ok((route, permit, (upstream_address, Answer::Switched { upstream, early, response }))) => {
            let selected = |name| {
                let values = response.headers().get_all(name).iter();
                joined(values.map(header::HeaderValue::as_bytes))
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
            let tls_error = failure_of(&error).filter(|_| outcome == Outcome::TlsFailed);
            handshake.tls_failed(tls_error).end(outcome, status, Some(detail.as_str().into()));
            let mut response = answer(status, &error.to_string());
            close_behind(&mut response);
            (response, None)
        }
    }
}

/// All that can be said before anybody is dialled.
fn check(
    proxy: &Arc<Shared>,
    request: &Request<Incoming>,
    ambiguous: bool,
    route: Option<Arc<Route>>,
) -> Result<(Arc<Route>, Permit), UpgradeError> {
    websocket::check_upgrade(request)?;
    if ambiguous {
        return Err(UpgradeError::Ambiguous);
    }
    if headers::names_two_hosts(request.headers()) {
        return Err(UpgradeError::TwoHosts);
    }
    let route = route.ok_or(UpgradeError::NoRoute)?;
    Ok((route, admit(proxy)?))
}

/// Dials the upstream, and puts the client's request to it.
async fn ask(
    proxy: &Shared,
    client: &Client,
    mut request: Request<Incoming>,
    route: &Route,
) -> Result<(Address, Answer), UpgradeError> {
    let Reached { leg, address, .. } = route.dialer.dial(&[]).await?;
    forwarded::append(request.headers_mut(), client, &proxy.config.forwarded, proxy.scheme());
    Ok((address, put(proxy, request, Rewind::new(leg)).await?))
}

/// Puts the client's request to an upstream, within `timeouts.handshake`.
async fn put(proxy: &Shared, request: Request<Incoming>, upstream: Rewind) -> Result<Answer, UpgradeError> {
    let key = websocket::check_upgrade(&request)?.clone();
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
    upstream: Rewind,
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
    if !websocket::accepts(&response, key) {
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

fn close_behind(response: &mut Response<Body>) {
    response.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
}
