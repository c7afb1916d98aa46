//! PROXY protocol, versions 1 and 2: a balancer announces its client before the client's own first byte
//! (<https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>).
//!
//! The size of a header is bounded here, the time for it by the caller. No byte behind the header is taken from the socket,
//! so HTTP or TLS finds the socket as if there had been no header.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::close::Address;
use crate::proxy::parsed::Parsed;

/// The first bytes of a header of version 2.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// Signature, version and command, family and protocol, length.
const FIXED: usize = 16;

/// The longest header of version 1, CR LF included.
const LONGEST_LINE: usize = 107;

/// The longest header of version 2 that is read: two unix addresses take 216 bytes, the extensions (TLVs) of common
/// balancers some hundred more. The length field would allow 64 KiB.
const LONGEST: usize = 4096;

/// Why there is no header.
#[derive(Debug, thiserror::Error)]
pub(in crate::proxy) enum ProxyError {
    /// The bytes are not a header, or it is too long.
    #[error("the connection does not begin with a PROXY protocol header")]
    Malformed,
    /// The connection ended before its end.
    #[error("gone before the end of its PROXY protocol header")]
    Gone(#[source] io::Error),
}

/// A whole header.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::proxy) struct Header {
    pub(in crate::proxy) len: usize,
    /// The client that it announces; `None` if it announces none, as for the balancer's own health checks.
    pub(in crate::proxy) source: Option<Address>,
}

/// Takes the header from the beginning of a connection. Gives the client that it announces, if any. If this is
/// dropped halfway, the connection has to be dropped too: part of the header is gone.
pub(in crate::proxy) async fn read(stream: &mut TcpStream) -> Result<Option<Address>, ProxyError> {
    let mut header = Vec::new();
    let mut window = [0; 256];
    loop {
        let seen = stream.peek(&mut window).await.map_err(ProxyError::Gone)?;
        if seen == 0 {
            return Err(ProxyError::Gone(io::ErrorKind::UnexpectedEof.into()));
        }
        let before = header.len();
        header.extend_from_slice(&window[..seen]);
        let (taken, source) = match parse(&header) {
            Parsed::Partial => (seen, None),
            Parsed::Whole(Header { len, source }) => (len - before, Some(source)),
            Parsed::Other => return Err(ProxyError::Malformed),
        };
        // The bytes were just peeked at, so this does not wait.
        stream.read_exact(&mut window[..taken]).await.map_err(ProxyError::Gone)?;
        if let Some(source) = source {
            return Ok(source);
        }
    }
}

/// The header at the beginning of `bytes`.
pub(in crate::proxy) fn parse(bytes: &[u8]) -> Parsed<Header> {
    let beginning = &bytes[..bytes.len().min(SIGNATURE.len())];
    if SIGNATURE.starts_with(beginning) {
        binary(bytes)
    } else if b"PROXY ".starts_with(&bytes[..bytes.len().min(6)]) {
        line(bytes)
    } else {
        Parsed::Other
    }
}

/// Version 1: a line of text.
fn line(bytes: &[u8]) -> Parsed<Header> {
    let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n')) else {
        return if bytes.len() < LONGEST_LINE - 1 { Parsed::Partial } else { Parsed::Other };
    };
    match &bytes[end..] {
        _ if end + 2 > LONGEST_LINE => return Parsed::Other,
        [b'\r'] => return Parsed::Partial,
        [b'\r', b'\n', ..] => {}
        _ => return Parsed::Other,
    }
    let Ok(text) = std::str::from_utf8(&bytes[..end]) else { return Parsed::Other };
    let words: Vec<&str> = text.split(' ').collect();
    let source = match words[..] {
        ["PROXY", "UNKNOWN", ..] => Some(None),
        ["PROXY", "TCP4", source, destination, from, to] => {
            endpoint::<Ipv4Addr>([source, destination], [from, to]).map(Some)
        }
        ["PROXY", "TCP6", source, destination, from, to] => {
            endpoint::<Ipv6Addr>([source, destination], [from, to]).map(Some)
        }
        _ => None,
    };
    source.map_or(Parsed::Other, |source| Parsed::Whole(Header { len: end + 2, source }))
}

/// The source in a header of version 1; `None` unless both addresses and both ports are valid.
fn endpoint<A: std::str::FromStr + Into<IpAddr>>(addresses: [&str; 2], ports: [&str; 2]) -> Option<Address> {
    let [Ok(source), Ok(_)] = addresses.map(str::parse::<A>) else { return None };
    let [Some(from), Some(_)] = ports.map(port) else { return None };
    Some(ip(source, from))
}

/// A port: decimal digits only, without leading zeros.
fn port(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}

/// Version 2: binary. Extensions are passed over.
fn binary(bytes: &[u8]) -> Parsed<Header> {
    let Some(fixed) = bytes.first_chunk::<FIXED>() else { return Parsed::Partial };
    let [.., command, family, high, low] = *fixed;
    let len = FIXED + usize::from(u16::from_be_bytes([high, low]));
    if !matches!(command, 0x20 | 0x21) || family >> 4 > 3 || family & 0xf > 2 || len > LONGEST {
        return Parsed::Other;
    }
    let Some(body) = bytes.get(FIXED..len) else { return Parsed::Partial };
    let source = match (command, family) {
        // LOCAL: the connection is the balancer's own, and its addresses mean nothing.
        (0x20, _) => Some(None),
        (_, 0x11) => body.first_chunk::<12>().map(|&[a, b, c, d, _, _, _, _, high, low, ..]| {
            Some(ip(Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low])))
        }),
        (_, 0x21) => body.first_chunk::<36>().map(|body| {
            let source: [u8; 16] = *body.first_chunk()?;
            Some(ip(source, u16::from_be_bytes([body[32], body[33]])))
        }),
        (_, 0x31) => body.get(..216).map(|body| {
            let path = body[..108].split(|byte| *byte == 0).next().unwrap_or_default();
            (!path.is_empty()).then(|| Address::Unix(String::from_utf8_lossy(path).into()))
        }),
        // An address family or a transport that closewatch does not know.
        (..) => Some(None),
    };
    source.map_or(Parsed::Other, |source| Parsed::Whole(Header { len, source }))
}

fn ip(address: impl Into<IpAddr>, port: u16) -> Address {
    Address::Ip(SocketAddr::new(address.into().to_canonical(), port))
}

#[cfg(test)]
mod tests;
