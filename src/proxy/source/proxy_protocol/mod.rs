//! PROXY protocol, versions 1 and 2: what a balancer says of its client before the client's own first byte
//! (<https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>).
//!
//! Bounded in size here, and in time by the caller. Exactly the header is taken from the socket: what follows, HTTP or a TLS
//! handshake, is read as if it were the beginning.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::close::Address;
use crate::proxy::parsed::Parsed;

/// What begins a header of version 2.
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
    /// What came is none, or too long.
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
    /// Who it says the client is; `None` if it says nothing, as for the balancer's own health checks.
    pub(in crate::proxy) source: Option<Address>,
}

/// Takes the header from the beginning of a connection. Gives who it says the client is, if it says so. Safe to drop only
/// together with the connection.
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
        // It is there: this does not wait.
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

/// The source of version 1, and `None` if anything of the two ends is wrong.
fn endpoint<A: std::str::FromStr + Into<IpAddr>>(addresses: [&str; 2], ports: [&str; 2]) -> Option<Address> {
    let [Ok(source), Ok(_)] = addresses.map(str::parse::<A>) else { return None };
    let [Some(from), Some(_)] = ports.map(port) else { return None };
    Some(ip(source, from))
}

/// A port as it must be written: digits, none of them in vain.
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
        // The balancer speaks for itself, whatever else stands there.
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
        // No address, or of no stream.
        (..) => Some(None),
    };
    source.map_or(Parsed::Other, |source| Parsed::Whole(Header { len, source }))
}

fn ip(address: impl Into<IpAddr>, port: u16) -> Address {
    Address::Ip(SocketAddr::new(address.into().to_canonical(), port))
}

#[cfg(test)]
mod tests;
