//! Answers of closewatch's own, and the body type that they share with those that pass through.

use http::{HeaderMap, Response, StatusCode, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Bytes;

/// A body that passes through, or one of closewatch's own.
pub(in crate::proxy) type Body = BoxBody<Bytes, hyper::Error>;

/// An answer of closewatch's own: plain text, one line.
pub(in crate::proxy) fn answer(status: StatusCode, text: &str) -> Response<Body> {
    let body = Full::new(Bytes::from(format!("closewatch: {text}\n"))).map_err(|never| match never {});
    let mut response = Response::new(body.boxed());
    *response.status_mut() = status;
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/plain; charset=utf-8"));
    if status == StatusCode::BAD_REQUEST {
        // The end of a bad request can only be guessed, so nothing behind it is read as another request.
        headers.insert(header::CONNECTION, header::HeaderValue::from_static("close"));
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
    }
    response
}

/// An empty body.
pub(in crate::proxy) fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed()
}
