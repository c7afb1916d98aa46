//! Balancers that say who their client is before it speaks.

use std::time::Duration;

use closewatch::close::{Outcome, Rejection};
use closewatch::config::Config;

use super::{client_of, request_with, shown, trust};
use crate::handshakes::answer::{Answer, fails};
use crate::rig::{REQUEST, Rig, SWITCH, text};

const V1: &[u8] = b"PROXY TCP4 203.0.113.7 10.0.0.1 4711 443\r\n";
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x14\xcb\0\x71\x07\x0a\0\0\x01\x12\x67\x01\xbb\xe0\0\x05hello";
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

fn proxied(config: &mut Config) {
    trust(config);
    config.forwarded.proxy_protocol = true;
}

#[tokio::test]
async fn the_record_and_the_upstream_know_who_a_balancer_speaks_for() {
    for (header, verbatim, real, told) in [
        (V1, true, Some("203.0.113.7:4711"), "203.0.113.7"),
        (V1, false, Some("203.0.113.7:4711"), "203.0.113.7"),
        (V2, true, Some("203.0.113.7:4711"), "203.0.113.7"),
        (V2, false, Some("203.0.113.7:4711"), "203.0.113.7"),
        (LOCAL, true, None, "127.0.0.1"),
        (b"PROXY UNKNOWN\r\n", true, None, "127.0.0.1"),
    ] {
        let mut rig = Rig::with(|config| {
            proxied(config);
            config.relay.verbatim = verbatim;
        });
        let mut client = rig.connect().await;
        let address = client.address();
        // In one segment, early bytes and all.
        let early = client.bytes_of(&text("early"));
        client.send(&[header, REQUEST.as_bytes(), &early].concat()).await;
        let mut upstream = rig.accept().await;
        let head = upstream.receive_head().await.to_lowercase();
        assert!(head.contains(&format!("\r\nx-forwarded-for: {told}\r\n")), "{head}");
        upstream.send(SWITCH.as_bytes()).await;
        client.receive_head().await;
        upstream.hear(&text("early")).await;
        let (socket, found) = client_of(&mut rig, &mut client, &mut upstream).await;
        assert_eq!((socket, found.as_deref()), (address, real), "{verbatim} {}", header.escape_ascii());
        rig.done().await;
    }
}

#[tokio::test]
async fn a_header_may_come_in_pieces_before_plain_http_too() {
    let rig = Rig::with(proxied);
    for header in [V1, V2] {
        let mut client = rig.connect().await;
        for piece in header.chunks(3) {
            client.send(piece).await;
            tokio::task::yield_now().await;
        }
        client.send(b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n").await;
        let mut upstream = rig.accept().await;
        assert!(upstream.receive_head().await.to_lowercase().contains("\r\nx-forwarded-for: 203.0.113.7\r\n"));
        upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
        assert_eq!(Answer::to(&mut client).await.status, 200);
    }
    rig.done().await;
}

/// The balancer is believed; whom it speaks for only if that one is trusted as well.
#[tokio::test]
async fn headers_behind_it_are_believed_by_the_address_that_it_names() {
    for (header, expected) in
        [(V1, "203.0.113.7:4711"), (&b"PROXY TCP4 127.0.0.9 10.0.0.1 4711 443\r\n"[..], "198.51.100.2")]
    {
        let mut rig = Rig::with(proxied);
        let mut client = rig.connect().await;
        let request = request_with("X-Forwarded-For: 198.51.100.2\r\n");
        client.send(&[header, request.as_bytes()].concat()).await;
        let mut upstream = rig.accept().await;
        upstream.receive_head().await;
        upstream.send(SWITCH.as_bytes()).await;
        client.receive_head().await;
        assert_eq!(client_of(&mut rig, &mut client, &mut upstream).await.1.as_deref(), Some(expected));
        rig.done().await;
    }
}

#[tokio::test]
async fn a_trusted_source_that_does_not_send_one_is_turned_away() {
    let mut rig = Rig::with(proxied);
    for bytes in [REQUEST.as_bytes(), b"\x16\x03\x01\x02\0", &[&V2[..12], &[0x11, 0x11, 0, 0]].concat(), &V1[..20]] {
        let mut client = rig.connect().await;
        client.send(&[bytes, b"\n\n"].concat()).await;
        // Nothing is said: a source that does not speak the protocol is no HTTP client either.
        let (answer, _) = client.receive_all().await;
        assert!(answer.is_empty(), "{}", answer.escape_ascii());
    }
    rig.until("all to be counted", |seen| seen.rejected == [Rejection::ProxyProtocol; 4]).await;
    assert!(rig.was_never_dialled());
    // A probe of the port is nobody's fault.
    let mut probe = rig.connect().await;
    probe.fin().await;
    probe.expect_fin().await;
    assert_eq!(rig.seen().rejected.len(), 4);

    let mut client = rig.connect().await;
    client.send(&[V1, b"nonsense\r\n\r\n"].concat()).await;
    assert_eq!(Answer::to(&mut client).await.status, 400);
    let record = fails(&mut rig, "none", Outcome::BadRequest, Some(400)).await;
    assert_eq!(shown(record.request.real_address.as_deref()).as_deref(), Some("203.0.113.7:4711"));
    rig.done().await;
}

#[tokio::test]
async fn a_header_that_does_not_come_to_its_end_is_given_up() {
    let rig = Rig::with(|config| {
        proxied(config);
        config.timeouts.head = Duration::from_millis(300);
    });
    for beginning in [&b""[..], &V1[..10], &V2[..20]] {
        let mut client = rig.connect().await;
        client.send(beginning).await;
        assert!(client.receive_all().await.0.is_empty());
    }
    rig.until("all to be counted", |seen| seen.rejected == [Rejection::ProxyProtocol; 3]).await;
    rig.done().await;
}

#[tokio::test]
async fn from_anybody_else_it_is_a_bad_request() {
    for configure in
        [(|config| config.forwarded.trusted = vec!["192.0.2.0/24".parse().unwrap()]) as fn(&mut Config), |config| {
            config.forwarded.proxy_protocol = false;
        }]
    {
        let mut rig = Rig::with(|config| {
            proxied(config);
            configure(config);
        });
        for header in [V1, V2] {
            let mut client = rig.connect().await;
            client.send(&[header, REQUEST.as_bytes()].concat()).await;
            assert_eq!(Answer::to(&mut client).await.status, 400);
            let record = fails(&mut rig, "none", Outcome::BadRequest, Some(400)).await;
            assert_eq!(shown(record.request.real_address.as_deref()), None);
        }
        assert!(rig.was_never_dialled());
        // Without it, they are served as ever.
        let (mut client, mut upstream) = rig.session().await;
        assert_eq!(client_of(&mut rig, &mut client, &mut upstream).await.1, None);
        rig.done().await;
    }
}

#[tokio::test]
async fn a_header_that_is_waited_for_does_not_hold_up_a_drain() {
    let rig = Rig::with(|config| {
        proxied(config);
        config.timeouts.head = Duration::from_mins(10);
    });
    let mut client = rig.connect().await;
    client.send(&V1[..10]).await;
    // It comes to its end by itself.
    rig.advance(closewatch::shutdown::Phase::Closing);
    client.receive_all().await;
    rig.done().await;
}
