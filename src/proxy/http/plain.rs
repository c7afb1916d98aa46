//! Plain HTTP: a request that is no upgrade passes through, over the client's own upstream connection.

use std::sync::Arc;

use http::uri::Authority;
use http::{Method, Request, Response, StatusCode, Uri, header};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};

use super::answer::{Body, empty};
use super::expect::{self, Withheld};
use super::headers;
use super::upstream::Unanswered;
use super::upstreams::{Given, OpenError, Upstream, Upstreams};
use crate::proxy::transport::dial::DialError;

/// Why a request got no answer from the upstream.
#[derive(Debug, thiserror::Error)]
pub(in crate::proxy) enum PlainError {
    /// It has no path.
    #[error("the request target cannot be forwarded")]
    Target,
    /// hyper undoes the chunks only, and would call the rest of it plain (RFC 9112 §6.1).
    #[error("the request is in a transfer coding other than chunked")]
    RequestCoding,
    /// The client's fault, and not the upstream's.
    #[error("the request's body is malformed, or ended early")]
    Body(#[source] hyper::Error),
    /// No coding but chunks was asked for.
    #[error("the upstream's answer is in a transfer coding that nobody asked for")]
    Coding,
    /// A 101 to a request that asked for no WebSocket.
    #[error("the upstream switched protocols though nobody asked")]
    Switched,
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Over a kept connection, and the request may not be sent twice.
    #[error("the upstream ended its kept connection without an answer")]
    Ended(#[source] hyper::Error),
    #[error("the head of the upstream's answer is beyond limits.header_bytes or limits.header_lines")]
    TooLarge(#[source] hyper::Error),
    #[error("no answer from the upstream")]
    Unanswered(#[source] hyper::Error),
}

/// Passes a request on, and its answer back. The connection that was `given` for it is taken if it leads to the same upstream.
pub(in crate::proxy) async fn forward(
    upstreams: &Upstreams,
    upstream: Upstream<'_>,
    request: Request<Incoming>,
    given: Option<Given>,
) -> Result<Response<Body>, PlainError> {
    let early = upstreams.early();
    // A client of HTTP/1.0 does not know them (RFC 9110 §15.2).
    let knows_early = request.version() == http::Version::HTTP_11;
    let (mut request, withheld) =
        expect::await_word(prepare(request, upstream.authority)?, knows_early.then_some(early));
    let given = given.filter(|given| Arc::ptr_eq(&given.dialer, upstream.dialer));
    if given.is_none()
        && let Some(mut connection) = upstreams.take(upstream).await.filter(|kept| kept.takes(&request))
    {
        let (first, again) = with_copy(request);
        match early.before(connection.send(first)).await {
            Ok(response) => {
                upstreams.keep(upstream, connection);
                return finish(response, &withheld);
            }
            Err(Unanswered::NotSent(unsent, _)) => request = *unsent,
            Err(Unanswered::Silent(error)) if error.is_user() => return Err(unanswered(error)),
            Err(Unanswered::Silent(error)) => request = again.ok_or(PlainError::Ended(error))?,
            Err(Unanswered::Broken(error)) => return Err(unanswered(error)),
        }
    }
    let mut connection = match given {
        Some(given) => given.result?,
        None => upstreams.open(upstream).await?,
    };
    let response = early.before(connection.send(request)).await.map_err(|error| unanswered(error.into_error()))?;
    upstreams.keep(upstream, connection);
    finish(response, &withheld)
}

fn unanswered(error: hyper::Error) -> PlainError {
    if error.is_user() {
        // hyper could not read the body that it was to send.
        PlainError::Body(error)
    } else if error.is_parse_too_large() {
        PlainError::TooLarge(error)
    } else {
        PlainError::Unanswered(error)
    }
}

/// The request as the upstream gets it.
fn prepare(mut request: Request<Incoming>, authority: &Authority) -> Result<Request<Incoming>, PlainError> {
    let path = request.uri().path_and_query().cloned().ok_or(PlainError::Target)?;
    if request.version() == http::Version::HTTP_10 && !request.headers().contains_key(header::HOST) {
        // HTTP/1.0 need not say it, HTTP/1.1 must (RFC 9112 §3.2).
        let host = authority.as_str().parse().map_err(|_| PlainError::Target)?;
        request.headers_mut().insert(header::HOST, host);
    }
    let mut codings = request.headers().get_all(header::TRANSFER_ENCODING).iter();
    if codings.any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked")) {
        return Err(PlainError::RequestCoding);
    }
    *request.uri_mut() = Uri::from(path);
    *request.version_mut() = http::Version::HTTP_11;
    headers::remove_hop_by_hop(request.headers_mut());
    if !request.body().is_end_stream() && request.body().size_hint().exact().is_none() {
        // hyper takes a GET of unknown length for one without a body, unless it is told (RFC 9110 §9.3.1).
        let chunked = header::HeaderValue::from_static("chunked");
        request.headers_mut().insert(header::TRANSFER_ENCODING, chunked);
    }
    Ok(request)
}

/// The request, and a copy of it if it may be sent twice: a backend may have acted on it before it hung up, and only these
/// methods change nothing (RFC 9110 §9.2.1, RFC 9112 §9.3.1).
fn with_copy(request: Request<Body>) -> (Request<Body>, Option<Request<Body>>) {
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let (parts, body) = request.into_parts();
    let copy = (safe && body.is_end_stream()).then(|| Request::from_parts(parts.clone(), empty()));
    (Request::from_parts(parts, body), copy)
}

/// The answer as the client gets it.
fn finish(mut response: Response<Incoming>, withheld: &Withheld) -> Result<Response<Body>, PlainError> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(PlainError::Switched);
    }
    let mut codings = response.headers().get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next().map(header::HeaderValue::as_bytes), codings.next()) {
        (None, _) => {}
        // Of two lengths the other is void (RFC 9112 §6.3). `identity`, no coding at all, is said by servers of RFC 2616.
        (Some(coding), None)
            if [&b"chunked"[..], b"identity"].iter().any(|known| coding.eq_ignore_ascii_case(known)) =>
        {
            response.headers_mut().remove(header::CONTENT_LENGTH);
        }
        (Some(_), _) => return Err(PlainError::Coding),
    }
    let upgrade = headers::required_upgrade(&response);
    headers::remove_hop_by_hop(response.headers_mut());
    headers::require_upgrade(response.headers_mut(), upgrade);
    if withheld.give_up() {
        headers::say_close(response.headers_mut());
    }
    *response.version_mut() = http::Version::HTTP_11;
    Ok(response.map(BodyExt::boxed))
}

// === impl PlainError ===

impl PlainError {
    /// The status that the client is given.
    pub(in crate::proxy) const fn status(&self) -> StatusCode {
        match self {
            Self::Target | Self::Body(_) => StatusCode::BAD_REQUEST,
            Self::RequestCoding => StatusCode::NOT_IMPLEMENTED,
            Self::Open(OpenError::OverLimit) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Open(OpenError::Dial(DialError::Timeout(_) | DialError::ResolverTimeout { .. })) => {
                StatusCode::GATEWAY_TIMEOUT
            }
            Self::Open(OpenError::Dial(_) | OpenError::Closed(_))
            | Self::Coding
            | Self::Switched
            | Self::Ended(_)
            | Self::TooLarge(_)
            | Self::Unanswered(_) => StatusCode::BAD_GATEWAY,
        }
    }

    /// The client is at fault, and not the upstream.
    pub(in crate::proxy) const fn is_of_the_client(&self) -> bool {
        match self {
            Self::Target | Self::RequestCoding | Self::Body(_) => true,
            Self::Coding
            | Self::Switched
            | Self::Open(_)
            | Self::Ended(_)
            | Self::TooLarge(_)
            | Self::Unanswered(_) => false,
        }
    }
}
