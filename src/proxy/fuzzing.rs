//! Access to private parsers, for the fuzz targets and `benches/instructions`.

use http::Request;
use tokio::net::TcpStream;

use super::http::head::{RequestHead, Room, request};
use super::http::headers::names_two_hosts;
use super::http::lines;
use super::http::target::put_stand_in;
use super::http::websocket::{asks_for_websocket, check_upgrade};
use super::parsed::Parsed;
use super::source::client::Client;
use super::source::proxy_protocol::{self, Header};
use crate::close::Address;
use crate::config::Forwarded;

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

/// A request that passes line by line.
#[derive(Debug)]
pub struct PassedRequest<'b> {
    /// Its `Host`.
    pub host: &'b str,
    /// Its target without the query.
    pub path: &'b str,
    /// Whether its answer has no body.
    pub is_head: bool,
    /// Whether its answer is the last of its connection.
    pub is_last: bool,
    /// The bytes of the head.
    pub len: usize,
    /// The head as its upstream gets it.
    pub written: Vec<u8>,
}

/// The head of an answer that passes line by line.
#[derive(Debug)]
pub struct PassedAnswer {
    /// Its status.
    pub status: u16,
    /// The bytes of its body.
    pub body: u64,
    /// Whether the answer itself comes behind it.
    pub is_early: bool,
    /// Whether it is the last of its connection.
    pub is_last: bool,
    /// The bytes of the head.
    pub len: usize,
    /// The head as its client gets it: on a connection that goes on, and on one that ends.
    pub written: [Vec<u8>; 2],
}

/// The request at the beginning of `bytes`, if it passes line by line.
pub fn passed_request(bytes: &[u8]) -> Option<PassedRequest<'_>> {
    let mut room = Room::new();
    let request = lines::request(bytes, &mut room)?;
    let mut written = Vec::new();
    let client = Client { address: Address::Unix("".into()), proxied: None, tls: None };
    request.write(&mut written, &client, &Forwarded::default(), "http");
    let (host, path, len) = (request.host, request.path, request.len());
    Some(PassedRequest { host, path, is_head: request.is_head, is_last: request.is_last, len, written })
}

/// The answer at the beginning of `bytes`, if it passes line by line; `to_head` if it answers a HEAD.
pub fn passed_answer(bytes: &[u8], to_head: bool) -> Option<PassedAnswer> {
    let mut room = Room::new();
    let Parsed::Whole(answer) = lines::answer(bytes, to_head, &mut room) else { return None };
    let written = [false, true].map(|last| {
        let mut written = Vec::new();
        answer.write(&mut written, last);
        written
    });
    let (is_early, len) = (answer.is_early(), answer.len());
    Some(PassedAnswer { status: answer.status, body: answer.body, is_early, is_last: answer.is_last, len, written })
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
