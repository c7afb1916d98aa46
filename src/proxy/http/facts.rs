//! The facts of a request that its record keeps.

use http::header::{self, HeaderName, HeaderValue};
use http::{Request, Version};

use crate::close::{HttpVersion, Request as RequestFacts, Text};
use crate::proxy::source::forwarded::join;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What a record keeps of a request: copies, so that nothing holds on to a buffer.
pub(in crate::proxy) fn request_facts<B>(request: &Request<B>, with_query: bool) -> RequestFacts {
    let path = match request.uri().path_and_query() {
        Some(path) if with_query => path.as_str(),
        Some(path) => path.path(),
        None => request.uri().path(),
    };
    let values = |name: &HeaderName| request.headers().get_all(name).iter().map(HeaderValue::as_bytes).collect();
    facts(request.method().as_str(), path, version(request.version()), values)
}

/// The same of a request in whatever form: `values` gives the values of a header.
pub(in crate::proxy) fn facts<'h>(
    method: &str,
    path: &str,
    http_version: HttpVersion,
    values: impl Fn(&HeaderName) -> Vec<&'h [u8]>,
) -> RequestFacts {
    let text = |name: &HeaderName| values(name).first().map(|value| Text::from_bytes(value));
    let subprotocols =
        values(&header::SEC_WEBSOCKET_PROTOCOL).into_iter().flat_map(|value| value.split(|byte| *byte == b','));
    let offered = subprotocols.filter(|name| !name.trim_ascii().is_empty()).count();
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
        forwarded_for: None,
        subprotocols_offered: u16::try_from(offered).unwrap_or(u16::MAX),
    }
}

/// The values of a header, joined, for the record.
pub(in crate::proxy) fn joined<'h>(values: impl Iterator<Item = &'h [u8]>) -> Option<Text> {
    let all = join(values);
    (!all.is_empty()).then(|| Text::from_bytes(&all))
}

const fn version(version: Version) -> HttpVersion {
    match version {
        Version::HTTP_10 => HttpVersion::Http10,
        Version::HTTP_2 => HttpVersion::Http2,
        Version::HTTP_3 => HttpVersion::Http3,
        _ => HttpVersion::Http11,
    }
}
