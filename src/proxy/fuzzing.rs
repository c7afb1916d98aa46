//! What the fuzz targets may ask of the private pieces.

use http::Request;

use super::head::{Parsed, Room, upgrade};
use super::headers::{asks_for_websocket, check_upgrade, names_two_hosts};

/// An upgrade that would be relayed byte for byte.
#[derive(Debug)]
pub struct Verbatim<'b> {
    /// The request target.
    pub target: &'b str,
    /// All headers, in their order.
    pub headers: Vec<(&'b str, &'b [u8])>,
    /// The bytes of the head.
    pub len: usize,
}

/// The upgrade at the beginning of `bytes`, if it would be relayed byte for byte.
pub fn verbatim(bytes: &[u8]) -> Option<Verbatim<'_>> {
    match upgrade(bytes, &mut Room::new()) {
        Parsed::Whole(found) => {
            let headers = found.head.iter().collect();
            Some(Verbatim { target: found.target, headers, len: found.head.bytes.len() })
        }
        Parsed::Partial | Parsed::Other => None,
    }
}

/// Whether the request is an upgrade that would be put to an upstream, as far as its own head decides it.
pub fn is_upgrade<B>(request: &Request<B>) -> bool {
    asks_for_websocket(request.headers()) && check_upgrade(request).is_ok() && !names_two_hosts(request.headers())
}
