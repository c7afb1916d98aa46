//! Headers on their way through: what is hop-by-hop, what an upgrade needs, what is added.

use std::sync::Arc;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode, Version};
use opentelemetry::propagation::Extractor;

use super::client::Client;
use crate::close::{Address, HandshakeTrace, Propagation, Request as RequestFacts, RouteSink, Text};
use crate::config::{Forwarded, XForwarded};

pub(super) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Headers that are the upstream's, whoever names them in `Connection`: routing, framing and trust stand on them.
const END_TO_END: [HeaderName; 15] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::AUTHORIZATION,
    header::COOKIE,
    header::SET_COOKIE,
    header::ORIGIN,
    header::FORWARDED,
    X_FORWARDED_FOR,
    X_FORWARDED_PROTO,
    X_FORWARDED_HOST,
    header::SEC_WEBSOCKET_ACCEPT,
    header::SEC_WEBSOCKET_EXTENSIONS,
    header::SEC_WEBSOCKET_KEY,
    header::SEC_WEBSOCKET_PROTOCOL,
    header::SEC_WEBSOCKET_VERSION,
];

/// Marks a request whose head two readers could take for two different ones.
#[derive(Clone, Copy)]
pub(super) struct Ambiguous;

/// Headers as those look for them who read trace contexts.
pub(super) struct TraceHeaders<'h>(pub(super) &'h HeaderMap);

/// What is wrong with an upgrade request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadUpgrade {
    #[error("a WebSocket upgrade is a GET (RFC 6455 section 4.1)")]
    Method,
    #[error("a WebSocket upgrade is HTTP/1.1 (RFC 6455 section 4.1)")]
    Version,
    #[error("Connection names a header that is not its own (RFC 9110 section 7.6.1)")]
    Connection,
    #[error("a WebSocket upgrade has no body")]
    Body,
    #[error("a WebSocket upgrade has exactly one Sec-WebSocket-Key (RFC 6455 section 4.2.1)")]
    Key,
    #[error("a WebSocket upgrade has exactly one Sec-WebSocket-Version (RFC 6455 section 4.2.1)")]
    WebSocketVersion,
}

/// Whether a request asks for a WebSocket: `Upgrade` names it, and `Connection` names `Upgrade` (RFC 9110 §7.8).
pub(super) fn asks_for_websocket(headers: &HeaderMap) -> bool {
    has_token(headers, &header::UPGRADE, "websocket") && has_token(headers, &header::CONNECTION, "upgrade")
}

/// Checks a request for a WebSocket against RFC 6455 §4.2.1, as far as it concerns whoever passes it on. Gives its key.
pub(super) fn check_upgrade<B>(request: &Request<B>) -> Result<&HeaderValue, BadUpgrade> {
    let headers = request.headers();
    if request.method() != Method::GET {
        return Err(BadUpgrade::Method);
    }
    if request.version() != Version::HTTP_11 {
        return Err(BadUpgrade::Version);
    }
    let empty = headers.get(header::CONTENT_LENGTH).is_none_or(|length| length == "0");
    if !empty || headers.contains_key(header::TRANSFER_ENCODING) {
        return Err(BadUpgrade::Body);
    }
    // Relayed as it is, it would take the header away from whoever reads it behind the next proxy.
    if tokens(headers, &header::CONNECTION).any(is_end_to_end) {
        return Err(BadUpgrade::Connection);
    }
    sole(headers, &header::SEC_WEBSOCKET_VERSION).ok_or(BadUpgrade::WebSocketVersion)?;
    sole(headers, &header::SEC_WEBSOCKET_KEY).ok_or(BadUpgrade::Key)
}

/// Whether a 101 is the right answer to an upgrade with `key` (RFC 6455 §4.1): it must be, or the upstream is not talking
/// WebSocket, and what follows is not frames.
pub(super) fn accepts<B>(response: &Response<B>, key: &HeaderValue) -> bool {
    let expected = accept_for(key.as_bytes());
    response.status() == StatusCode::SWITCHING_PROTOCOLS
        && asks_for_websocket(response.headers())
        && sole(response.headers(), &header::SEC_WEBSOCKET_ACCEPT).is_some_and(|accept| accept == expected.as_str())
}

/// The `Sec-WebSocket-Accept` that belongs to a key (RFC 6455 §4.2.2).
pub(super) fn accept_for(key: &[u8]) -> String {
    tokio_tungstenite::tungstenite::handshake::derive_accept_key(key)
}

/// Whether a header with this name is for the upstream, not for the next hop.
pub(super) fn is_end_to_end(name: &str) -> bool {
    END_TO_END.iter().any(|known| known.as_str().eq_ignore_ascii_case(name))
}

/// Removes what concerns one connection only (RFC 9110 §7.6.1), `Upgrade` included.
pub(super) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = tokens(headers, &header::CONNECTION)
        .filter_map(|token| HeaderName::from_bytes(token.as_bytes()).ok())
        // A peer may name its own extensions here, but not take away what others stand on.
        .filter(|name| !END_TO_END.contains(name))
        .collect();
    let always = [header::CONNECTION, KEEP_ALIVE, PROXY_CONNECTION, header::TRANSFER_ENCODING, header::UPGRADE];
    for name in named.iter().chain(&always) {
        headers.remove(name);
    }
    // `TE: trailers` is the only form that may go on (RFC 9110 §10.1.4).
    if headers.get(header::TE).is_some_and(|te| te != "trailers") {
        headers.remove(header::TE);
    }
}

/// Says who the client is: `X-Forwarded-For` is appended to, `-Proto` and `-Host` are set, whatever the client wrote there;
/// of a trusted source these two are kept.
pub(super) fn forward_client(headers: &mut HeaderMap, client: &Client, forwarded: &Forwarded) {
    match forwarded.x_forwarded {
        XForwarded::Off => return,
        XForwarded::Append => {}
    }
    let hops = forwarded_for(headers.get_all(X_FORWARDED_FOR).iter().map(HeaderValue::as_bytes), client);
    // Header values and an address, joined by commas, are a header value.
    if let Ok(hops) = HeaderValue::from_bytes(&hops)
        && !hops.is_empty()
    {
        headers.insert(X_FORWARDED_FOR, hops);
    }
    let keep = |headers: &HeaderMap, name| client.is_trusted(forwarded) && headers.contains_key(name);
    if !keep(headers, X_FORWARDED_PROTO) {
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static("http"));
    }
    if !keep(headers, X_FORWARDED_HOST) {
        match headers.get(header::HOST).cloned() {
            Some(host) => headers.insert(X_FORWARDED_HOST, host),
            None => headers.remove(X_FORWARDED_HOST),
        };
    }
}

/// `X-Forwarded-For`: the hops so far, and the client. Empty if neither is known.
pub(super) fn forwarded_for<'h>(hops: impl Iterator<Item = &'h [u8]>, client: &Client) -> Vec<u8> {
    let mut all = join(hops);
    if let Address::Ip(address) = client.source() {
        if !all.is_empty() {
            all.extend_from_slice(b", ");
        }
        all.extend_from_slice(address.ip().to_canonical().to_string().as_bytes());
    }
    all
}

/// Begins the trace of an upgrade, if sessions are traced: its place there, and the headers that say so to the upstream.
pub(super) fn begin_trace(
    sink: &dyn RouteSink,
    headers: &dyn Extractor,
) -> (Option<Arc<HandshakeTrace>>, Vec<(&'static str, String)>) {
    match sink.trace(headers) {
        Some(Propagation { trace, headers }) => (Some(trace), headers),
        None => (None, Vec::new()),
    }
}

/// Puts headers in place of those of the same name; an empty value only removes them.
pub(super) fn replace(headers: &mut HeaderMap, with: Vec<(&'static str, String)>) {
    for (name, value) in with {
        match HeaderValue::try_from(value) {
            Ok(value) if !value.is_empty() => drop(headers.insert(name, value)),
            Ok(_) | Err(_) => drop(headers.remove(name)),
        }
    }
}

/// What a record keeps of a request: copies, so that nothing holds on to a buffer.
pub(super) fn request_facts<B>(request: &Request<B>, with_query: bool) -> RequestFacts {
    let path = match request.uri().path_and_query() {
        Some(path) if with_query => path.as_str(),
        Some(path) => path.path(),
        None => request.uri().path(),
    };
    let value = |name: &HeaderName| request.headers().get(name).map(HeaderValue::as_bytes);
    facts(request.method().as_str(), path, version(request.version()), value)
}

/// The same of a request in whatever form: `value` gives the first value of a header.
pub(super) fn facts<'h>(
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
pub(super) fn joined<'h>(values: impl Iterator<Item = &'h [u8]>) -> Option<Text> {
    let all = join(values);
    (!all.is_empty()).then(|| Text::from_bytes(&all))
}

/// The values of a repeated header as one, as RFC 9110 §5.3 allows.
fn join<'h>(values: impl Iterator<Item = &'h [u8]>) -> Vec<u8> {
    let mut all = Vec::new();
    for value in values {
        if !all.is_empty() {
            all.extend_from_slice(b", ");
        }
        all.extend_from_slice(value);
    }
    all
}

/// Makes an absolute target's host the request's `Host`, whatever that said (RFC 9112 §3.2.2): what routes are chosen by,
/// what the record keeps and what the upstream reads are then one. Two hosts stay two: that is an error of its own.
pub(super) fn settle_host<B>(request: &mut Request<B>) {
    let Some(authority) = request.uri().authority().filter(|_| !names_two_hosts(request.headers())) else { return };
    // Credentials in a target are nobody's business (RFC 9110 §4.2.4).
    let host = authority.as_str().rsplit('@').next().unwrap_or_default();
    if let Ok(host) = HeaderValue::from_str(host) {
        request.headers_mut().insert(header::HOST, host);
    }
}

/// The host that routes are chosen by.
pub(super) fn host<B>(request: &Request<B>) -> Option<&str> {
    sole(request.headers(), &header::HOST)?.to_str().ok()
}

/// Whether the request's head can be read in two ways.
///
/// Of a request that was sent before the one before it was answered this is not known. hyper makes it unambiguous: of two
/// lengths it drops the one, and closes the connection behind the answer (RFC 9112 §6.3).
pub(super) fn is_ambiguous<B>(request: &Request<B>) -> bool {
    request.extensions().get::<Ambiguous>().is_some()
}

/// Whether the request names two hosts, of which two readers may take different ones (RFC 9112 §3.2).
pub(super) fn names_two_hosts(headers: &HeaderMap) -> bool {
    headers.get_all(header::HOST).iter().count() > 1
}

const fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    }
}

/// The value of a header that must not be repeated.
fn sole<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|found| found.eq_ignore_ascii_case(token))
}

fn tokens<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

// === impl TraceHeaders ===

impl Extractor for TraceHeaders<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}
