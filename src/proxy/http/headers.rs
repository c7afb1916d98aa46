//! Headers on their way through: hop-by-hop headers are removed, headers of a trace are set.

use std::sync::Arc;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response, StatusCode};

use crate::close::{HandshakeTrace, Propagation, RequestHeaders, RouteSink};
use crate::proxy::source::forwarded::{X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Headers that reach the upstream even if `Connection` names them: routing, framing and trust depend on them.
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

/// A header map in the form that readers of trace contexts take.
pub(in crate::proxy) struct TraceHeaders<'h>(pub(in crate::proxy) &'h HeaderMap);

/// Whether a header with this name must reach the upstream, even if `Connection` names it.
pub(in crate::proxy) fn is_end_to_end(name: &str) -> bool {
    END_TO_END.iter().any(|known| known.as_str().eq_ignore_ascii_case(name))
}

/// Removes the headers of one connection only (RFC 9110 §7.6.1), `Upgrade` included.
pub(in crate::proxy) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = tokens(headers, &header::CONNECTION)
        .filter_map(|token| HeaderName::from_bytes(token.as_bytes()).ok())
        // A peer may name its own extensions here, but must not remove headers that others depend on.
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

/// Begins the trace of an upgrade, if sessions are traced: gives its span, and the headers that tell the upstream.
pub(in crate::proxy) fn begin_trace(
    sink: &dyn RouteSink,
    headers: &dyn RequestHeaders,
) -> (Option<Arc<HandshakeTrace>>, Vec<(&'static str, String)>) {
    match sink.trace(headers) {
        Some(Propagation { trace, headers }) => (Some(trace), headers),
        None => (None, Vec::new()),
    }
}

/// The protocols that a 426 asks for: its `Upgrade` (RFC 9110 §15.5.22).
pub(in crate::proxy) fn required_upgrade<B>(response: &Response<B>) -> Vec<HeaderValue> {
    let asks = response.status() == StatusCode::UPGRADE_REQUIRED;
    let values = response.headers().get_all(header::UPGRADE).iter().cloned();
    if asks { values.collect() } else { Vec::new() }
}

/// Puts the `Upgrade` of a 426 back, with the `Connection` that has to stand beside it (RFC 9110 §7.8).
pub(in crate::proxy) fn require_upgrade(headers: &mut HeaderMap, upgrade: Vec<HeaderValue>) {
    if !upgrade.is_empty() {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    }
    for value in upgrade {
        headers.append(header::UPGRADE, value);
    }
}

/// Says that the connection ends behind this answer. An `Upgrade` keeps the option that has to stand beside it.
pub(in crate::proxy) fn say_close(headers: &mut HeaderMap) {
    let close = if headers.contains_key(header::UPGRADE) { "close, upgrade" } else { "close" };
    headers.insert(header::CONNECTION, HeaderValue::from_static(close));
    headers.remove(KEEP_ALIVE);
}

/// Puts headers in place of those of the same name; an empty value only removes them.
pub(in crate::proxy) fn replace(headers: &mut HeaderMap, with: Vec<(&'static str, String)>) {
    for (name, value) in with {
        match HeaderValue::try_from(value) {
            Ok(value) if !value.is_empty() => drop(headers.insert(name, value)),
            Ok(_) | Err(_) => drop(headers.remove(name)),
        }
    }
}

/// Replaces `Host` by the host of an absolute target (RFC 9112 §3.2.2), so that route, record and upstream see the same one.
/// Two `Host` headers stay: the request is refused for them.
pub(in crate::proxy) fn settle_host<B>(request: &mut Request<B>) {
    let Some(authority) = request.uri().authority().filter(|_| !names_two_hosts(request.headers())) else { return };
    // Credentials in a target are not passed on (RFC 9110 §4.2.4).
    let host = authority.as_str().rsplit('@').next().unwrap_or_default();
    if let Ok(host) = HeaderValue::from_str(host) {
        request.headers_mut().insert(header::HOST, host);
    }
}

/// The host by which the route is chosen.
pub(in crate::proxy) fn host<B>(request: &Request<B>) -> Option<&str> {
    sole(request.headers(), &header::HOST)?.to_str().ok()
}

/// Whether there is more than one `Host`: two readers may take different ones (RFC 9112 §3.2).
pub(in crate::proxy) fn names_two_hosts(headers: &HeaderMap) -> bool {
    headers.get_all(header::HOST).iter().count() > 1
}

/// The value of a header that must not be repeated.
pub(in crate::proxy) fn sole<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

pub(in crate::proxy) fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|found| found.eq_ignore_ascii_case(token))
}

pub(in crate::proxy) fn tokens<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

// === impl TraceHeaders ===

impl RequestHeaders for TraceHeaders<'_> {
    fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.to_str().ok()
    }
}
