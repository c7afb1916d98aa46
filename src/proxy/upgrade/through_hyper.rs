//! An upgrade through hyper: for every request and every answer that cannot be relayed byte for byte.

use std::sync::Arc;

use http::{Request, Response, StatusCode, Version, header, request};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::admit::admit;
use super::error::{UpgradeError, chain};
use super::handshake::Handshake;
use super::stages::{Asked, Established};
use crate::close::{Address, Outcome};
use crate::proxy::http::answer::{Body, answer, empty};
use crate::proxy::http::facts::{joined, request_facts};
use crate::proxy::http::headers::{self, TraceHeaders};
use crate::proxy::http::offer::Offer;
use crate::proxy::http::target;
use crate::proxy::http::upstream::{Unanswered, UpstreamConnection};
use crate::proxy::http::upstreams::Upstreams;
use crate::proxy::http::websocket::{self, BadUpgrade, reserved_bits};
use crate::proxy::permit::Permit;
use crate::proxy::routes::Route;
use crate::proxy::source::client::Client;
use crate::proxy::source::forwarded;
use crate::proxy::state::Shared;
use crate::proxy::transport::dial::Reached;
use crate::proxy::transport::leg::Leg;
use crate::proxy::transport::rewind::Rewind;
use crate::proxy::transport::tls::failure_of;

/// The end of an upgrade request, with the answer for the client.
pub(in crate::proxy) enum Reply {
    /// The upstream has switched.
    Switched(Response<Body>, Box<Established>),
    /// The upstream has refused. `kept`: its connection is kept for the client's next request.
    Refused { response: Response<Body>, kept: bool },
    /// It was not asked, or gave no valid answer.
    Failed(Response<Body>),
}

/// The upstream's answer.
enum UpstreamAnswer {
    Switched { upstream: Leg, address: Address, early: Vec<u8>, response: Response<Body> },
    Refused { connection: UpstreamConnection, response: Response<Body> },
}

/// Passes an upgrade request on, unless it was `asked` already.
pub(in crate::proxy) async fn upgrade(
    proxy: &Arc<Shared>,
    client: &Client,
    upstreams: &Upstreams,
    mut request: Request<Incoming>,
    ambiguous: bool,
    asked: Option<Box<Asked>>,
) -> Reply {
    let all = |name: header::HeaderName| request.headers().get_all(name).iter().map(header::HeaderValue::as_bytes);
    let offer = Offer::of(all(header::SEC_WEBSOCKET_PROTOCOL), all(header::SEC_WEBSOCKET_EXTENSIONS));
    let values = |name: &header::HeaderName| all(name.clone()).collect();
    let (handshake, attempt) = if let Some(asked) = asked {
        let Asked { route, permit, handshake, answer, .. } = *asked;
        let answer = match (answer, websocket::check_upgrade(&request).cloned()) {
            (Ok((leg, address, read)), Ok(key)) => {
                exchange(proxy, upstreams, Rewind::answer(leg, read), address, upstream_head(request), &key).await
            }
            (Ok(_), Err(bad)) => Err(bad.into()),
            (Err(error), _) => Err(error),
        };
        (handshake, answer.map(|answer| (route, permit, answer)))
    } else {
        let mut facts = request_facts(&request, proxy.config.log.query);
        facts.real_address = forwarded::real_address(client, &proxy.config.forwarded, values).map(Box::new);
        facts.forwarded_for = forwarded::untrusted_hops(client, &proxy.config.forwarded, values);
        facts.visitor = proxy.sink.visitor(&TraceHeaders(request.headers()));
        let route = proxy.routes.find(headers::host(&request), target::path(&request)).cloned();
        let sink = Arc::clone(route.as_ref().map_or(&proxy.routes.none, |route| &route.sink));
        let (trace, traced) = headers::begin_trace(&*sink, &TraceHeaders(request.headers()));
        headers::replace(request.headers_mut(), traced);
        let handshake = Handshake::begin(sink, facts, client, proxy.shutdown.clone()).traced(trace);
        let attempt = match check(proxy, &request, ambiguous, route) {
            Ok((route, permit)) => {
                ask(proxy, client, upstreams, request, &route).await.map(|answer| (route, permit, answer))
            }
            Err(error) => Err(error),
        };
        (handshake, attempt)
    };
    match attempt {
        Ok((route, permit, UpstreamAnswer::Switched { upstream, address, early, response })) => {
            let selected = |name| {
                let values = response.headers().get_all(name).iter();
                joined(values.map(header::HeaderValue::as_bytes))
            };
            let subprotocol = selected(header::SEC_WEBSOCKET_PROTOCOL);
            let extensions = selected(header::SEC_WEBSOCKET_EXTENSIONS);
            let reserved_bits = reserved_bits(extensions.as_ref());
            let all = |name| response.headers().get_all(name).iter().map(header::HeaderValue::as_bytes);
            let selected = Offer::of(all(&header::SEC_WEBSOCKET_PROTOCOL), all(&header::SEC_WEBSOCKET_EXTENSIONS));
            let violations = offer.contradictions(&selected);
            let handshake = handshake.switching();
            let upstream_address = address;
            let established = Established {
                route,
                upstream,
                upstream_address,
                early,
                subprotocol,
                extensions,
                reserved_bits,
                violations,
                handshake,
                permit,
            };
            Reply::Switched(response, Box::new(established))
        }
        Ok((route, _, UpstreamAnswer::Refused { connection, response })) => {
            handshake.end(Outcome::Refused, response.status(), None);
            let kept = upstreams.keep(route.upstream(&proxy.config.limits), connection);
            Reply::Refused { response, kept }
        }
        Err(error) => {
            let (outcome, status) = error.outcome();
            let detail = chain(&error);
            tracing::debug!(client = %client.address, outcome = %outcome, "upgrade failed: {detail}");
            let tls_error = failure_of(&error).filter(|_| outcome == Outcome::TlsFailed);
            handshake.tls_failed(tls_error).end(outcome, status, Some(detail.as_str().into()));
            Reply::Failed(answer(status, &error.to_string()))
        }
    }
}

/// The checks before the upstream is dialled.
fn check(
    proxy: &Arc<Shared>,
    request: &Request<Incoming>,
    ambiguous: bool,
    route: Option<Arc<Route>>,
) -> Result<(Arc<Route>, Permit), UpgradeError> {
    websocket::check_upgrade(request)?;
    // hyper switches for HTTP/1.1 only.
    if request.version() != Version::HTTP_11 {
        return Err(BadUpgrade::Version.into());
    }
    if ambiguous {
        return Err(UpgradeError::Ambiguous);
    }
    if headers::names_two_hosts(request.headers()) {
        return Err(UpgradeError::TwoHosts);
    }
    let route = route.ok_or(UpgradeError::NoRoute)?;
    Ok((route, admit(proxy)?))
}

/// Puts the client's request to the upstream: over the connection that is kept for this client, or a new one.
async fn ask(
    proxy: &Shared,
    client: &Client,
    upstreams: &Upstreams,
    mut request: Request<Incoming>,
    route: &Route,
) -> Result<UpstreamAnswer, UpgradeError> {
    forwarded::append(request.headers_mut(), client, &proxy.config.forwarded, proxy.scheme());
    let key = websocket::check_upgrade(&request)?.clone();
    let kept = upstreams.take(route.upstream(&proxy.config.limits)).await.filter(|kept| kept.takes(&request));
    let head = upstream_head(request);
    if let Some(mut connection) = kept {
        match put(proxy, upstreams, &mut connection, head.clone()).await? {
            Ok(response) => return judge(connection, response, &key).await,
            // It ended while nothing was under way. A GET can be sent again (RFC 9112 §9.3.1).
            Err(Unanswered::NotSent(..) | Unanswered::Silent(_)) => {}
            Err(Unanswered::Broken(error)) => return Err(unanswered(error)),
        }
    }
    let Reached { leg, address, .. } = route.dialer.dial(&[]).await?;
    exchange(proxy, upstreams, Rewind::new(leg), address, head, &key).await
}

/// One request, one answer, on a connection that is new to hyper.
async fn exchange(
    proxy: &Shared,
    upstreams: &Upstreams,
    upstream: Rewind,
    address: Address,
    head: request::Parts,
    key: &header::HeaderValue,
) -> Result<UpstreamAnswer, UpgradeError> {
    let connection = UpstreamConnection::new(upstream, address, &proxy.config.limits).await;
    let mut connection = connection.map_err(UpgradeError::Closed)?;
    let response =
        put(proxy, upstreams, &mut connection, head).await?.map_err(|error| unanswered(error.into_error()))?;
    judge(connection, response, key).await
}

/// Sends an upgrade request, and waits for its answer within `timeouts.handshake`.
async fn put(
    proxy: &Shared,
    upstreams: &Upstreams,
    connection: &mut UpstreamConnection,
    head: request::Parts,
) -> Result<Result<Response<Incoming>, Unanswered>, UpgradeError> {
    let patience = proxy.config.timeouts.handshake;
    let (early, mut request) = (upstreams.early(), Request::from_parts(head, empty()));
    early.pass_those_to(&mut request, || false);
    let exchange = early.before(connection.send_upgrade(request));
    tokio::time::timeout(patience, exchange).await.map_err(|_| UpgradeError::Timeout(patience))
}

async fn judge(
    connection: UpstreamConnection,
    response: Response<Incoming>,
    key: &header::HeaderValue,
) -> Result<UpstreamAnswer, UpgradeError> {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(UpstreamAnswer::Refused { connection, response: response.map(BodyExt::boxed) });
    }
    if !websocket::accepts(&response, key) {
        return Err(UpgradeError::BadSwitch);
    }
    let address = connection.address.clone();
    let (upstream, early) = connection.into_leg().await.ok_or(UpgradeError::BadSwitch)?;
    // A 101 has no body (RFC 9110 §15.2).
    Ok(UpstreamAnswer::Switched { upstream, address, early, response: response.map(|_| empty()) })
}

/// The head of an upgrade request as the upstream gets it: an absolute target is for proxies, an upstream reads the path, and
/// `Host`, which says the rest (RFC 9112 §3.2.1).
fn upstream_head(request: Request<Incoming>) -> request::Parts {
    let (mut head, _) = request.into_parts();
    if let Some(path) = head.uri.path_and_query().cloned() {
        head.uri = http::Uri::from(path);
    }
    head
}

fn unanswered(error: hyper::Error) -> UpgradeError {
    if error.is_parse_too_large() {
        UpgradeError::TooLarge(error)
    } else if error.is_parse() {
        UpgradeError::NotHttp(error)
    } else {
        UpgradeError::Closed(error)
    }
}
