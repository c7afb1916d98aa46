//! The facts of a request that its record keeps.

use http::header::{self, HeaderName, HeaderValue};
use http::{Request, Version};

use crate::close::{Request as RequestFacts, Text};
use crate::proxy::source::forwarded::join;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What a record keeps of a request: copies, so that nothing holds on to a buffer.
pub(in crate::proxy) fn request_facts<B>(request: &Request<B>, with_query: bool) -> RequestFacts {
    let path = match request.uri().path_and_query() {
        Some(path) if with_query => path.as_str(),
        Some(path) => path.path(),
        None => request.uri().path(),
    };
    let value = |name: &HeaderName| request.headers().get(name).map(HeaderValue::as_bytes);
    facts(request.method().as_str(), path, version(request.version()), value)
}

/// The same of a request in whatever form: `value` gives the first value of a header.
pub(in crate::proxy) fn facts<'h>(
    method: &str,
    path: &str,
    http_version: &'static str,
    value: impl Fn(&HeaderName) -> Option<&'h [u8]>,
) -> RequestFacts {
    let text = |name: &HeaderName| value(name).map(Text::from_bytes);
    RequestFacts {
        real_address: None,
        method: method.into(),
        path: path.into(),
        host: text(&header::HOST),
        http_version,
        user_agent: text(&header::USER_AGENT),
        origin: text(&header::ORIGIN),
        subprotocol: None,
        extensions: None,
        request_id: text(&X_REQUEST_ID),
    }
}

/// The values of a header, joined, for the record.
pub(in crate::proxy) fn joined<'h>(values: impl Iterator<Item = &'h [u8]>) -> Option<Text> {
    let all = join(values);
    (!all.is_empty()).then(|| Text::from_bytes(&all))
}

const fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    }
}
