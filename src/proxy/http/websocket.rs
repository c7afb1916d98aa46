//! The opening handshake of RFC 6455, as far as it concerns a proxy: what makes a request an upgrade, and a 101 its answer.

use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode};

use super::headers::{has_token, is_end_to_end, sole, tokens};
use crate::close::Text;
use crate::wire::ReservedBits;

/// A fault of an upgrade request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::proxy) enum BadUpgrade {
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
pub(in crate::proxy) fn asks_for_websocket(headers: &HeaderMap) -> bool {
    has_token(headers, &header::UPGRADE, "websocket") && has_token(headers, &header::CONNECTION, "upgrade")
}

/// Checks a request for a WebSocket against RFC 6455 §4.2.1, as far as a proxy has to. Gives its key.
pub(in crate::proxy) fn check_upgrade<B>(request: &Request<B>) -> Result<&HeaderValue, BadUpgrade> {
    let headers = request.headers();
    if request.method() != Method::GET {
        return Err(BadUpgrade::Method);
    }
    let empty = headers.get(header::CONTENT_LENGTH).is_none_or(|length| length == "0");
    if !empty || headers.contains_key(header::TRANSFER_ENCODING) {
        return Err(BadUpgrade::Body);
    }
    // Relayed unchanged, it would make the next proxy remove that header.
    if tokens(headers, &header::CONNECTION).any(is_end_to_end) {
        return Err(BadUpgrade::Connection);
    }
    sole(headers, &header::SEC_WEBSOCKET_VERSION).ok_or(BadUpgrade::WebSocketVersion)?;
    sole(headers, &header::SEC_WEBSOCKET_KEY).ok_or(BadUpgrade::Key)
}

/// Whether a 101 is the right answer to an upgrade with `key` (RFC 6455 §4.1): if it is not, the upstream does
/// not speak WebSocket, and no frames follow.
pub(in crate::proxy) fn accepts<B>(response: &Response<B>, key: &HeaderValue) -> bool {
    let expected = accept_for(key.as_bytes());
    response.status() == StatusCode::SWITCHING_PROTOCOLS
        && asks_for_websocket(response.headers())
        && sole(response.headers(), &header::SEC_WEBSOCKET_ACCEPT).is_some_and(|accept| accept == expected.as_str())
}

/// The `Sec-WebSocket-Accept` that belongs to a key (RFC 6455 §4.2.2).
pub(in crate::proxy) fn accept_for(key: &[u8]) -> String {
    tokio_tungstenite::tungstenite::handshake::derive_accept_key(key)
}

/// The meaning that the selected extensions give to the reserved bits of a frame.
pub(in crate::proxy) fn reserved_bits(extensions: Option<&Text>) -> ReservedBits {
    let Some(extensions) = extensions else { return ReservedBits::None };
    let mut names = extensions.as_str().split(',').map(|extension| extension.split(';').next().unwrap_or("").trim());
    match (names.next(), names.next()) {
        (None | Some(""), None) => ReservedBits::None,
        (Some(name), None) if name.eq_ignore_ascii_case("permessage-deflate") => ReservedBits::PerMessageDeflate,
        (_, _) => ReservedBits::Any,
    }
}
