//! The facts of a request that its record keeps.

use http::header::{self, HeaderName, HeaderValue};
use http::{Request, Version};

use super::target::target;
use crate::close::{HttpVersion, Request as RequestFacts, Text};
use crate::proxy::source::forwarded::join;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The facts of a request for its record: copies, so that the record keeps no buffer alive.
pub(in crate::proxy) fn request_facts<B>(request: &Request<B>, with_query: bool) -> RequestFacts {
    let path = match (target(request), request.uri().path_and_query()) {
        (Some(target), _) => target.shown(with_query),
        (None, Some(path)) if with_query => path.as_str(),
        (None, Some(path)) => path.path(),
        (None, None) => request.uri().path(),
    };
    let value = |name: &HeaderName| request.headers().get(name).map(HeaderValue::as_bytes);
    let offers = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().map(HeaderValue::as_bytes);
    facts(request.method().as_str(), path, version(request.version()), value, offers)
}

/// The same of a request in whatever form: `value` gives the first value of a header, `offers` all of
/// `Sec-WebSocket-Protocol`.
pub(in crate::proxy) fn facts<'h>(
    method: &str,
    path: &str,
    http_version: HttpVersion,
    value: impl Fn(&HeaderName) -> Option<&'h [u8]>,
    offers: impl Iterator<Item = &'h [u8]>,
) -> RequestFacts {
    let text = |name: &HeaderName| value(name).map(Text::from_bytes);
    let subprotocols = offers.flat_map(|value| value.split(|byte| *byte == b','));
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
        request_id: text(&X_REQUEST_ID).map(Box::new),
        forwarded_for: None,
        subprotocols_offered: u16::try_from(offered).unwrap_or(u16::MAX),
        visitor: None,
    }
}

/// The facts of a head that is refused before it is a request, as far as it can be read: its first line, if that is one, and
/// its header lines up to the first that is none.
pub(in crate::proxy) fn facts_of_broken_head(head: &[u8], with_query: bool) -> RequestFacts {
    let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
    let mut line = lines.next().unwrap_or_default().split(|byte| *byte == b' ');
    let (Some(method), Some(target)) = (line.next().and_then(token), line.next().and_then(visible)) else {
        return RequestFacts::default();
    };
    let path = if with_query { target } else { target.split('?').next().unwrap_or(target) };
    let http_version = match line.next() {
        Some(b"HTTP/1.0") => HttpVersion::Http10,
        Some(b"HTTP/1.1") => HttpVersion::Http11,
        Some(_) | None => HttpVersion::Unknown,
    };
    let headers: Vec<_> = lines
        .map_while(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            Some((token(&line[..colon])?, line[colon + 1..].trim_ascii()))
        })
        .collect();
    let all = |name: HeaderName| {
        let found = headers.iter().filter(move |(found, _)| found.eq_ignore_ascii_case(name.as_str()));
        found.map(|(_, value)| *value)
    };
    facts(method, path, http_version, |name| all(name.clone()).next(), all(header::SEC_WEBSOCKET_PROTOCOL))
}

/// A method or the name of a header (RFC 9110 §5.6.2).
fn token(bytes: &[u8]) -> Option<&str> {
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    std::str::from_utf8(bytes).ok().filter(|text| !text.is_empty() && text.bytes().all(|byte| is_token(&byte)))
}

fn visible(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(head: &[u8]) -> (String, String, Option<String>) {
        let facts = facts_of_broken_head(head, false);
        let host = facts.host.map(|host| host.as_str().to_owned());
        (facts.method.as_str().to_owned(), facts.path.as_str().to_owned(), host)
    }

    #[test]
    fn a_broken_head_is_read_as_far_as_it_goes() {
        let none = (String::new(), String::new(), None);
        let owned =
            |method: &str, path: &str, host: Option<&str>| (method.into(), path.into(), host.map(str::to_owned));
        for (head, expected) in [
            (
                &b"GET /chat?token=1 HTTP/1.1\r\nHost: a.test\r\nbro ken\r\nX: 1\r\n"[..],
                owned("GET", "/chat", Some("a.test")),
            ),
            (b"GET /chat HTTP/1.1\r\nbro ken\r\nHost: a.test\r\n", owned("GET", "/chat", None)),
            (b"POST /a<b> HTTP/1.1\nhost:b.test", owned("POST", "/a<b>", Some("b.test"))),
            (b"GET /chat", owned("GET", "/chat", None)),
            (b"GET ", none.clone()),
            (b"\x16\x03\x01\x02\x00 / ", none.clone()),
            (b"", none),
        ] {
            assert_eq!(read(head), expected, "{}", String::from_utf8_lossy(head));
        }
    }
}
