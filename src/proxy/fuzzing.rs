//! Access to private parsers, for the fuzz targets and `benches/instructions`.

use http::Request;
use tokio::net::TcpStream;

use super::http::head::{RequestHead, Room, request};
use super::http::headers::names_two_hosts;
use super::http::target::put_stand_in;
use super::http::websocket::{asks_for_websocket, check_upgrade};
use super::parsed::Parsed;
use super::source::proxy_protocol::{self, Header};
use crate::close::Address;

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
    match request(bytes, &mut Room::new()) {
        Parsed::Whole(RequestHead::Upgrade(found)) => {
            let headers = found.head.iter().collect();
            Some(Verbatim { target: found.target, headers, len: found.head.bytes.len() })
        }
        Parsed::Whole(RequestHead::Other(_)) | Parsed::Partial | Parsed::Other => None,
    }
}

/// The first bytes of a connection as hyper is shown them.
pub fn for_hyper(head: &[u8]) -> Vec<u8> {
    let mut head = head.to_vec();
    put_stand_in(&mut head);
    head
}

/// Whether the request is an upgrade that would be put to an upstream, as far as its own head decides it.
pub fn is_upgrade<B>(request: &Request<B>) -> bool {
    asks_for_websocket(request.headers()) && check_upgrade(request).is_ok() && !names_two_hosts(request.headers())
}

/// The first bytes of a connection whose source has to send a PROXY protocol header.
#[derive(Debug, PartialEq)]
pub enum Beginning {
    /// Not yet a whole header.
    Partial,
    /// Not a header.
    Other,
    /// A header of this many bytes, and the client that it announces.
    Header(usize, Option<Address>),
}

/// The header that `bytes` begin with, if any.
pub fn beginning(bytes: &[u8]) -> Beginning {
    match proxy_protocol::parse(bytes) {
        Parsed::Partial => Beginning::Partial,
        Parsed::Other => Beginning::Other,
        Parsed::Whole(Header { len, source }) => Beginning::Header(len, source),
    }
}

/// Takes the header from a connection; gives the source that it names, `None` if there is no header.
pub async fn read_proxy_header(stream: &mut TcpStream) -> Option<Option<Address>> {
    proxy_protocol::read(stream).await.ok()
}
