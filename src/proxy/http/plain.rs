//! Plain HTTP: what is not an upgrade passes through, over pooled connections.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, StatusCode, Uri, header};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};

use super::answer::Body;
use super::headers;
use crate::config::Upstream;
use crate::proxy::transport::dial::{DialError, Dialer};
use crate::proxy::transport::leg::Leg;

/// The keep-alive connections to one upstream.
pub(in crate::proxy) struct Pool {
    client: Client<Connect, Incoming>,
    authority: Authority,
}

/// Why a request got no answer from the upstream.
#[derive(Debug, thiserror::Error)]
pub(in crate::proxy) enum PlainError {
    /// `OPTIONS *` has no place in a reverse proxy.
    #[error("the request target cannot be forwarded")]
    Target,
    /// No coding but chunks was asked for.
    #[error("the upstream's answer is in a transfer coding that nobody asked for")]
    Coding,
    /// The request did not come through.
    #[error("no answer from the upstream")]
    Upstream(#[source] Error),
}

#[derive(Clone)]
struct Connect(Arc<Dialer>);

// === impl Pool ===

impl Pool {
    pub(in crate::proxy) fn new(upstream: &Upstream, dialer: Arc<Dialer>, header_bytes: usize) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .http1_preserve_header_case(true)
            .http1_max_buf_size(header_bytes)
            .set_host(false)
            .build(Connect(dialer));
        Self { client, authority: upstream.authority.clone() }
    }

    /// Passes a request on, and its answer back.
    pub(in crate::proxy) async fn forward(&self, mut request: Request<Incoming>) -> Result<Response<Body>, PlainError> {
        let path = request.uri().path_and_query().cloned().ok_or(PlainError::Target)?;
        let uri = origin(&self.authority, path).map_err(|_| PlainError::Target)?;
        if request.version() == http::Version::HTTP_10 && !request.headers().contains_key(header::HOST) {
            // HTTP/1.0 need not say it, HTTP/1.1 must (RFC 9112 §3.2).
            let host = self.authority.as_str().parse().map_err(|_| PlainError::Target)?;
            request.headers_mut().insert(header::HOST, host);
        }
        *request.uri_mut() = uri;
        *request.version_mut() = http::Version::HTTP_11;
        headers::remove_hop_by_hop(request.headers_mut());
        if !request.body().is_end_stream() && request.body().size_hint().exact().is_none() {
            // hyper takes a GET of unknown length for one without a body, unless it is told (RFC 9110 §9.3.1).
            let chunked = header::HeaderValue::from_static("chunked");
            request.headers_mut().insert(header::TRANSFER_ENCODING, chunked);
        }
        let mut response = self.client.request(request).await.map_err(PlainError::Upstream)?;
        let mut codings = response.headers().get_all(header::TRANSFER_ENCODING).iter();
        match (codings.next().map(header::HeaderValue::as_bytes), codings.next()) {
            (None, _) => {}
            // Of two lengths the other is void (RFC 9112 §6.3).
            (Some(coding), None) if coding.eq_ignore_ascii_case(b"chunked") => {
                response.headers_mut().remove(header::CONTENT_LENGTH);
            }
            (Some(_), _) => return Err(PlainError::Coding),
        }
        headers::remove_hop_by_hop(response.headers_mut());
        *response.version_mut() = http::Version::HTTP_11;
        Ok(response.map(BodyExt::boxed))
    }
}

impl PlainError {
    /// What the client is told.
    pub(in crate::proxy) fn status(&self) -> StatusCode {
        match self {
            Self::Target => StatusCode::BAD_REQUEST,
            Self::Coding => StatusCode::BAD_GATEWAY,
            Self::Upstream(error) => {
                let mut cause = std::error::Error::source(error);
                while let Some(error) = cause {
                    if let Some(DialError::Timeout(_) | DialError::ResolverTimeout { .. }) = error.downcast_ref() {
                        return StatusCode::GATEWAY_TIMEOUT;
                    }
                    cause = error.source();
                }
                StatusCode::BAD_GATEWAY
            }
        }
    }
}

fn origin(authority: &Authority, path: PathAndQuery) -> Result<Uri, http::uri::InvalidUriParts> {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(authority.clone());
    parts.path_and_query = Some(path);
    Uri::from_parts(parts)
}

// === impl Connect ===

impl tower_service::Service<Uri> for Connect {
    type Response = TokioIo<Leg>;
    type Error = DialError;
    type Future = Pin<Box<dyn Future<Output = Result<TokioIo<Leg>, DialError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DialError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let dialer = Arc::clone(&self.0);
        Box::pin(async move {
            let leg = dialer.dial(&[]).await?.leg;
            dialer.keep_alive(&leg);
            Ok(TokioIo::new(leg))
        })
    }
}

impl Connection for Leg {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}
