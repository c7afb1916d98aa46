//! PROXY protocol: the slices make no difference, what is behind a header stays on the socket to its last byte, and the crate
//! `ppp` finds the same source.

#![no_main]

use std::net::SocketAddr;

use closewatch::close::Address;
use closewatch::proxy::fuzzing::{Beginning, beginning, read_proxy_header};
use closewatch_fuzz::block_on;
use libfuzzer_sys::fuzz_target;
use ppp::{HeaderResult, v1, v2};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

// The first byte chooses the slices; all others are on the wire.
fuzz_target!(|data: &[u8]| {
    let [slices, bytes @ ..] = data else { return };
    let whole = beginning(bytes);
    for end in 0..bytes.len() {
        let found = beginning(&bytes[..end]);
        match whole {
            Beginning::Header(len, _) if end < len => assert_eq!(found, Beginning::Partial, "{end}"),
            Beginning::Header(..) => assert_eq!(found, whole, "{end}"),
            Beginning::Partial => assert_eq!(found, Beginning::Partial, "{end}"),
            Beginning::Other => assert!(matches!(found, Beginning::Partial | Beginning::Other), "{end}"),
        }
    }

    let sizes = [usize::from(slices & 15) + 1, usize::from(slices >> 4) * 9 + 1];
    let (read, left) = block_on(over_tcp(bytes, sizes));
    match &whole {
        Beginning::Header(len, source) => assert_eq!((read, &*left), (Some(source.clone()), &bytes[*len..])),
        Beginning::Partial | Beginning::Other => assert_eq!(read, None),
    }

    match (HeaderResult::parse(bytes), whole) {
        (HeaderResult::V1(Ok(theirs)), Beginning::Header(len, source)) => {
            assert_eq!((theirs.header.len(), source_v1(&theirs)), (len, source));
        }
        (HeaderResult::V2(Ok(theirs)), Beginning::Header(len, source)) => {
            assert_eq!((theirs.len(), source_v2(&theirs)), (len, source));
        }
        // To it "+80" is a port, and a bare LF within UNKNOWN part of the line.
        (HeaderResult::V1(Ok(theirs)), ours) => {
            let line = theirs.header.trim_end_matches("\r\n");
            assert!(line.contains(['+', '\n']), "{ours:?} of {theirs:?}");
        }
        (HeaderResult::V2(Ok(theirs)), ours) => assert!(theirs.len() > 4096, "{ours:?} of {theirs:?}"),
        // It wants addresses where none are looked for, and does not read every UNKNOWN.
        (HeaderResult::V1(Err(_)) | HeaderResult::V2(Err(_)), Beginning::Header(_, source)) => assert_eq!(source, None),
        (HeaderResult::V1(Err(_)) | HeaderResult::V2(Err(_)), Beginning::Partial | Beginning::Other) => {}
    }
});

/// Sends slices of two sizes in turn. Gives what is read of them, and what is left on the socket behind a header.
async fn over_tcp(bytes: &[u8], sizes: [usize; 2]) -> (Option<Option<Address>>, Vec<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut sender = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    sender.set_nodelay(true).unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    let sending = async {
        let mut rest = bytes;
        for size in sizes.into_iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (slice, behind) = rest.split_at(rest.len().min(size));
            // A reader that does not understand has hung up.
            if sender.write_all(slice).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
            rest = behind;
        }
        drop(sender);
    };
    let reading = async move {
        let read = read_proxy_header(&mut stream).await;
        let mut left = Vec::new();
        if read.is_some() {
            stream.read_to_end(&mut left).await.unwrap();
        }
        (read, left)
    };
    tokio::join!(sending, reading).1
}

fn source_v1(header: &v1::Header<'_>) -> Option<Address> {
    match header.addresses {
        v1::Addresses::Unknown => None,
        v1::Addresses::Tcp4(ip) => address(ip.source_address, ip.source_port),
        v1::Addresses::Tcp6(ip) => address(ip.source_address, ip.source_port),
    }
}

fn source_v2(header: &v2::Header<'_>) -> Option<Address> {
    if header.command == v2::Command::Local || header.protocol != v2::Protocol::Stream {
        return None;
    }
    match header.addresses {
        v2::Addresses::Unspecified => None,
        v2::Addresses::IPv4(ip) => address(ip.source_address, ip.source_port),
        v2::Addresses::IPv6(ip) => address(ip.source_address, ip.source_port),
        v2::Addresses::Unix(unix) => {
            let path = unix.source.split(|byte| *byte == 0).next().unwrap_or_default();
            (!path.is_empty()).then(|| Address::Unix(String::from_utf8_lossy(path).into()))
        }
    }
}

fn address(ip: impl Into<std::net::IpAddr>, port: u16) -> Option<Address> {
    Some(Address::Ip(SocketAddr::new(ip.into().to_canonical(), port)))
}
