//! Headers whole, in pieces, and wrong.

use proptest::prelude::*;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::*;

/// A header of version 2.
fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(body.len()).unwrap().to_be_bytes();
    [&SIGNATURE[..], &[command, family], &len, body].concat()
}

/// A body of version 2 for two IPv4 addresses.
const IPV4: [u8; 12] = [203, 0, 113, 7, 10, 0, 0, 1, 0x12, 0x67, 0x01, 0xbb];

/// An extension of a kind that nobody knows.
const TLV: &[u8] = &[0xe0, 0, 5, b'h', b'e', b'l', b'l', b'o'];

fn ipv6() -> Vec<u8> {
    let address = |text: &str| text.parse::<Ipv6Addr>().unwrap().octets();
    [&address("2001:db8::7")[..], &address("2001:db8::1"), &[0x12, 0x67, 0x01, 0xbb]].concat()
}

fn unix(path: &str) -> Vec<u8> {
    let mut body = vec![0; 216];
    body[..path.len()].copy_from_slice(path.as_bytes());
    body
}

/// Every kind of valid header, with the source that it names.
fn valid() -> Vec<(Vec<u8>, Option<&'static str>)> {
    let text = |line: &str| line.as_bytes().to_vec();
    vec![
        (text("PROXY TCP4 203.0.113.7 10.0.0.1 4711 443\r\n"), Some("203.0.113.7:4711")),
        (text("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), Some("255.255.255.255:65535")),
        (text("PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n"), Some("[2001:db8::7]:4711")),
        (text("PROXY TCP6 ::ffff:203.0.113.7 ::1 4711 443\r\n"), Some("203.0.113.7:4711")),
        (text("PROXY UNKNOWN\r\n"), None),
        (text("PROXY UNKNOWN ffff:f...f:ffff whatever 65535\r\n"), None),
        (v2(0x21, 0x11, &IPV4), Some("203.0.113.7:4711")),
        (v2(0x21, 0x11, &[&IPV4, TLV].concat()), Some("203.0.113.7:4711")),
        (v2(0x21, 0x11, &[&IPV4[..], &[0xe0; 1000]].concat()), Some("203.0.113.7:4711")),
        (v2(0x21, 0x21, &ipv6()), Some("[2001:db8::7]:4711")),
        (v2(0x21, 0x31, &unix("/run/app.sock")), Some("unix:/run/app.sock")),
        (v2(0x21, 0x31, &unix("")), None),
        (v2(0x20, 0x00, &[]), None),
        (v2(0x20, 0x11, &IPV4), None),
        (v2(0x20, 0x11, &[]), None),
        (v2(0x21, 0x00, &[]), None),
        (v2(0x21, 0x00, TLV), None),
        (v2(0x21, 0x12, &IPV4), None),
    ]
}

fn malformed() -> Vec<Vec<u8>> {
    let mut wrong: Vec<Vec<u8>> = [
        "GET / HTTP/1.1\r\n",
        "proxy TCP4 203.0.113.7 10.0.0.1 4711 443\r\n",
        "PROXY\tTCP4 203.0.113.7 10.0.0.1 4711 443\r\n",
        "PROXY  TCP4 203.0.113.7 10.0.0.1 4711 443\r\n",
        "PROXY TCP4 203.0.113.7 10.0.0.1 4711 443 \r\n",
        "PROXY TCP4 203.0.113.7 10.0.0.1 4711 443\n",
        "PROXY TCP4 203.0.113.7 10.0.0.1 4711 443\rX",
        "PROXY TCP4 203.0.113.7 10.0.0.1 4711\r\n",
        "PROXY TCP4 203.0.113.7 10.0.0.1 4711 65536\r\n",
        "PROXY TCP4 203.0.113.7 10.0.0.1 +711 443\r\n",
        "PROXY TCP4 203.0.113.7 10.0.0.1 04711 443\r\n",
        "PROXY TCP4 203.0.113.7 10.0.0.1  443\r\n",
        "PROXY TCP4 2001:db8::7 2001:db8::1 4711 443\r\n",
        "PROXY TCP6 203.0.113.7 10.0.0.1 4711 443\r\n",
        "PROXY TCP4 203.0.113.07 10.0.0.1 4711 443\r\n",
        "PROXY TCP4 203.0.113.7 10.0.0.1. 4711 443\r\n",
        "PROXY UDP4 203.0.113.7 10.0.0.1 4711 443\r\n",
        "PROXY \r\n",
        "\x16\x03\x01\x02",
        "\r\n\r\nGET / HTTP/1.1\r\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into();
    wrong.push(format!("PROXY UNKNOWN {}\r\n", "x".repeat(LONGEST_LINE)).into_bytes());
    wrong.push(format!("PROXY UNKNOWN {}\r", "x".repeat(LONGEST_LINE)).into_bytes());
    wrong.push(vec![b'P'; 200]);
    wrong.push(b"PROXY UNKNOWN \xff\xfe\r\n".to_vec());
    wrong.push(v2(0x11, 0x11, &IPV4));
    wrong.push(v2(0x22, 0x11, &IPV4));
    wrong.push(v2(0x21, 0x41, &IPV4));
    wrong.push(v2(0x21, 0x13, &IPV4));
    wrong.push(v2(0x21, 0x11, &IPV4[..11]));
    wrong.push(v2(0x21, 0x21, &IPV4));
    wrong.push(v2(0x21, 0x31, &[0; 215]));
    wrong.push(v2(0x21, 0x11, &[0; LONGEST])[..FIXED].to_vec());
    wrong
}

/// Sends pieces, one after the other, to a reader of a header. Gives what it made of them, and what it left on the socket.
async fn over_tcp(pieces: &[&[u8]]) -> (Result<Option<Address>, ProxyError>, Vec<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut sender = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    sender.set_nodelay(true).unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    let reading = async {
        let read = read(&mut stream).await;
        let mut left = Vec::new();
        if read.is_ok() {
            stream.read_to_end(&mut left).await.unwrap();
        }
        (read, left)
    };
    let sending = async {
        for piece in pieces {
            // The reader may have hung up on what it does not understand.
            let _ = sender.write_all(piece).await;
            tokio::task::yield_now().await;
        }
        drop(sender);
    };
    tokio::join!(reading, sending).0
}

#[test]
fn every_valid_header_names_its_source_and_every_beginning_of_it_is_partial() {
    for (header, source) in valid() {
        let behind = [&header[..], b"GET / HTTP/1.1\r\n"].concat();
        let Parsed::Whole(found) = parse(&behind) else { panic!("{}", header.escape_ascii()) };
        assert_eq!(found.len, header.len(), "{}", header.escape_ascii());
        assert_eq!(found.source.map(|source| source.to_string()).as_deref(), source, "{}", header.escape_ascii());
        for end in 0..header.len() {
            assert!(matches!(parse(&header[..end]), Parsed::Partial), "{end} of {}", header.escape_ascii());
        }
    }
}

#[test]
fn nothing_else_is_a_header() {
    for bytes in malformed() {
        assert!(matches!(parse(&bytes), Parsed::Other), "{}", bytes.escape_ascii());
    }
}

#[tokio::test]
async fn exactly_the_header_is_taken_however_it_is_split() {
    let request = b"GET /chat HTTP/1.1\r\n\r\n";
    for (header, source) in valid() {
        let bytes = [&header[..], request].concat();
        // Up to the middle of what follows: also in one segment with it.
        for at in 0..(header.len() + 3).min(140) {
            let (before, behind) = bytes.split_at(at);
            let (read, left) = over_tcp(&[before, behind]).await;
            let read = read.unwrap().map(|source| source.to_string());
            assert_eq!((read.as_deref(), &*left), (source, &request[..]), "{at} of {}", header.escape_ascii());
        }
        let (read, left) = over_tcp(&header.chunks(1).chain([&request[..]]).collect::<Vec<_>>()).await;
        assert_eq!((read.unwrap().is_some(), &*left), (source.is_some(), &request[..]));
    }
}

#[tokio::test]
async fn what_is_no_header_is_refused_and_what_ends_too_early_is_gone() {
    for bytes in malformed() {
        let (read, _) = over_tcp(&[&bytes]).await;
        assert!(matches!(read, Err(ProxyError::Malformed)), "{}", bytes.escape_ascii());
    }
    for bytes in [&b""[..], b"PROXY TCP4", &SIGNATURE[..]] {
        let (read, _) = over_tcp(&[bytes]).await;
        assert!(matches!(read, Err(ProxyError::Gone(_))), "{}", bytes.escape_ascii());
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_or_wait_for_too_much(
        version in 0..3,
        mut bytes in proptest::collection::vec(any::<u8>(), 0..LONGEST + 100)
    ) {
        let prefix: &[u8] = match version { 0 => b"", 1 => b"PROXY ", _ => SIGNATURE };
        bytes.splice(0..0, prefix.iter().copied());
        match parse(&bytes) {
            Parsed::Whole(header) => prop_assert!(header.len <= bytes.len().min(LONGEST)),
            Parsed::Partial => prop_assert!(bytes.len() < LONGEST),
            Parsed::Other => {}
        }
    }
}
