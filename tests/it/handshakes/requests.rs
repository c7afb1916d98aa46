//! A bad request is answered without a connection to the upstream.

use std::time::Duration;

use closewatch::close::{Outcome, Text};
use tokio::time::Instant;

use super::answer::{Answer, fails};
use crate::rig::{REQUEST, Rig};

/// The header lines of an upgrade that is in order.
const HEADERS: &str = "Host: chat.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

/// A limit short enough to be waited for.
const HEAD_TIMEOUT: Duration = Duration::from_millis(300);

/// The same without the line that begins with `name`.
fn without(name: &str) -> String {
    HEADERS.split_inclusive("\r\n").filter(|line| !line.starts_with(name)).collect()
}

/// Sends each request on a connection of its own: it fails with this outcome and status on this route, and nobody is
/// dialled.
async fn each_fails(mut rig: Rig, route: &str, outcome: Outcome, requests: &[(&str, u16, String)]) {
    assert!(!requests.is_empty(), "a table without rows");
    for (what, status, request) in requests {
        let mut client = rig.connect().await;
        client.send(request.as_bytes()).await;
        let answer = Answer::to(&mut client).await;
        assert_eq!(answer.status, *status, "{what}: {answer:?}");
        let version = if request.contains(" HTTP/1.0\r\n") { "HTTP/1.0 " } else { "HTTP/1.1 " };
        assert!(answer.head.starts_with(version), "{what}: {answer:?}");
        assert_eq!(answer.header("connection"), Some("close"), "{what}: {answer:?}");
        assert_eq!(answer.header("content-length"), Some(&*answer.body.len().to_string()), "{what}: {answer:?}");
        let record = fails(&mut rig, route, outcome, Some(*status)).await;
        assert_eq!(record.client.to_string(), client.address(), "{what}");
        // One that did not come in time took all of `timeouts.head`.
        assert!(*status != 408 || record.duration >= HEAD_TIMEOUT, "{what}: {:?}", record.duration);
        assert!(rig.was_never_dialled(), "{what}");
    }
    rig.done_with_upgrades().await;
}

#[tokio::test]
async fn an_upgrade_that_is_not_one_by_the_book_is_a_bad_request() {
    let request = |line: &str, headers: &str| format!("{line}\r\n{headers}\r\n");
    let good = "GET /chat HTTP/1.1";
    let rows = [
        ("not GET", request("POST /chat HTTP/1.1", HEADERS)),
        ("HTTP/1.0 with a body", request("GET /chat HTTP/1.0", &format!("{HEADERS}Content-Length: 5\r\n")) + "hello"),
        ("with a body", format!("{good}\r\n{HEADERS}Content-Length: 5\r\n\r\nhello")),
        ("with a chunked body", format!("{good}\r\n{HEADERS}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")),
        (
            "with a length given twice",
            format!("{good}\r\n{HEADERS}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ),
        (
            "with a length given twice, the other way round",
            format!("{good}\r\n{HEADERS}Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n"),
        ),
        ("without a key", request(good, &without("Sec-WebSocket-Key"))),
        ("with two keys", request(good, &format!("{HEADERS}Sec-WebSocket-Key: eHh4eHh4eHh4eHh4eHh4eA==\r\n"))),
        ("without a version", request(good, &without("Sec-WebSocket-Version"))),
        ("with two versions", request(good, &format!("{HEADERS}Sec-WebSocket-Version: 8\r\n"))),
        ("for two hosts", request(good, &format!("{HEADERS}Host: other.test\r\n"))),
        (
            "for two hosts, and a third in its target",
            request("GET http://chat.test/chat HTTP/1.1", &format!("{HEADERS}Host: other.test\r\n")),
        ),
    ];
    let rows = rows.map(|(what, request)| (what, 400, request));
    each_fails(Rig::new(), "default", Outcome::BadRequest, &rows).await;
}

/// hyper switches for HTTP/1.1 only.
#[tokio::test]
async fn an_upgrade_in_http_1_0_that_does_not_pass_byte_for_byte_is_a_bad_request() {
    let rows = [("HTTP/1.0", 400, format!("GET /chat HTTP/1.0\r\n{HEADERS}\r\n"))];
    each_fails(Rig::with(|config| config.relay.verbatim = false), "default", Outcome::BadRequest, &rows).await;
}

#[tokio::test]
async fn a_head_that_cannot_be_read_at_all_is_a_bad_request_on_no_route() {
    let rows = [
        ("garbage", 400, "\x01\x02\x03 nothing like HTTP\r\n\r\n".to_owned()),
        ("TLS in the clear", 400, "\x16\x03\x01\x02\0\x01\0\x01\u{7c}\x03\x03\r\n\r\n".to_owned()),
        ("HTTP/2 without asking", 400, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned()),
        // hyper throws the head away before it finds the second length.
        (
            "two different lengths",
            400,
            format!("GET / HTTP/1.1\r\n{HEADERS}Content-Length: 1\r\nContent-Length: 2\r\n\r\n"),
        ),
    ];
    each_fails(Rig::new(), "none", Outcome::BadRequest, &rows).await;
}

#[tokio::test]
async fn a_head_that_breaks_off_being_one_is_recorded_as_far_as_it_could_be_read() {
    let mut rig = Rig::new();
    let mut client = rig.connect().await;
    client.send(format!("GET /chat?token=secret HTTP/1.1\r\n{HEADERS}X-Bare: a\rb\r\n\r\n").as_bytes()).await;
    assert_eq!(Answer::to(&mut client).await.status, 400);
    let record = fails(&mut rig, "default", Outcome::BadRequest, Some(400)).await;
    let request = record.request;
    assert_eq!((request.method.as_str(), request.path.as_str()), ("GET", "/chat"));
    assert_eq!(request.host.as_ref().map(Text::as_str), Some("chat.test"));
    rig.done_with_upgrades().await;
}

#[tokio::test]
async fn a_head_that_is_no_request_is_a_bad_request_on_the_route_that_it_names() {
    let bomb = format!("GET /chat HTTP/1.1\r\n{HEADERS}X-Bomb: {}\r\n\r\n", "x".repeat(20_000));
    let crowd = "X-Crowd: x\r\n".repeat(200);
    let rows = [
        ("a folded header", 400, format!("GET /chat HTTP/1.1\r\n{HEADERS}X-Folded: a\r\n b\r\n\r\n")),
        ("a bare CR", 400, format!("GET /chat HTTP/1.1\r\n{HEADERS}X-Bare: a\rb\r\n\r\n")),
        ("a head of more bytes than it may have", 431, bomb),
        ("a head of more lines than it may have", 431, format!("GET /chat HTTP/1.1\r\n{HEADERS}{crowd}\r\n")),
    ];
    let rig = Rig::with(|config| config.limits.header_bytes = 16 * 1024);
    each_fails(rig, "default", Outcome::BadRequest, &rows).await;
}

#[tokio::test]
async fn a_target_that_is_too_long_is_recorded_with_the_status_that_the_client_was_given() {
    let rows = [("a long target", 414, format!("GET /{} HTTP/1.1\r\nHost: chat.test\r\n\r\n", "x".repeat(70_000)))];
    let rig = Rig::with(|config| config.limits.header_bytes = 1024 * 1024);
    each_fails(rig, "default", Outcome::BadRequest, &rows).await;
}

#[tokio::test]
async fn a_head_that_does_not_come_to_its_end_is_given_up() {
    let rig = Rig::with(|config| config.timeouts.head = HEAD_TIMEOUT);
    each_fails(rig, "none", Outcome::BadRequest, &[("one byte", 408, "G".to_owned())]).await;
    let rig = Rig::with(|config| config.timeouts.head = HEAD_TIMEOUT);
    let rows = [("all but the empty line", 408, REQUEST[..REQUEST.len() - 2].to_owned())];
    each_fails(rig, "default", Outcome::BadRequest, &rows).await;
}

/// The way without hyper reads it first, and then hyper does.
#[tokio::test]
async fn there_is_one_deadline_for_a_head_whoever_reads_it() {
    let limit = Duration::from_secs(2);
    let rig = Rig::with(|config| config.timeouts.head = limit);
    let began = Instant::now();
    each_fails(rig, "default", Outcome::BadRequest, &[("half a head", 408, REQUEST[..40].to_owned())]).await;
    let waited = began.elapsed();
    assert!(waited >= limit && waited < limit * 2, "{waited:?} for a head that may take {limit:?}");
}

#[tokio::test]
async fn what_no_route_takes_is_not_found() {
    let rig = Rig::with(|config| {
        config.routes[0].path = "/only".parse().unwrap();
    });
    let rows = [("another path", 404, REQUEST.to_owned())];
    each_fails(rig, "none", Outcome::NoRoute, &rows).await;
}

#[tokio::test]
async fn clients_that_say_nothing_are_let_go_and_cost_the_others_nothing() {
    let mut rig = Rig::with(|config| config.timeouts.head = HEAD_TIMEOUT);
    let mut silent = [rig.connect().await, rig.connect().await];
    let (mut client, mut upstream) = rig.session().await;
    for peer in &mut silent {
        peer.expect_fin().await;
    }
    // Far beyond the limit for a head, the session is up.
    client.say(&crate::rig::text("still here")).await;
    upstream.hear(&crate::rig::text("still here")).await;
    client.reset();
    upstream.expect_reset().await;
    rig.record().await;
    // Nobody asked them for anything: there is nothing to record but the session's own handshake.
    assert_eq!(rig.handshake().await.1.outcome, Outcome::Upgraded);
    rig.done_with_upgrades().await;
}

#[tokio::test]
async fn a_request_for_two_hosts_goes_to_neither() {
    let rig = Rig::new();
    let mut client = rig.connect().await;
    client.send(b"GET /page HTTP/1.1\r\nHost: chat.test\r\nHost: other.test\r\nConnection: close\r\n\r\n").await;
    assert_eq!(Answer::to(&mut client).await.status, 400);
    assert!(rig.was_never_dialled());
    rig.done_with_upgrades().await;
}

#[tokio::test]
async fn a_request_that_need_not_name_its_host_is_given_one() {
    let rig = Rig::new();
    let mut client = rig.connect().await;
    client.send(b"GET /health HTTP/1.0\r\n\r\n").await;
    let mut upstream = rig.accept().await;
    let head = upstream.receive_head().await;
    assert!(head.starts_with("GET /health HTTP/1.1\r\n"), "{head}");
    assert!(head.to_lowercase().contains("\r\nhost: 127.0.0.1:"), "{head}");
    upstream.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n").await;
    let answer = Answer::to(&mut client).await;
    // Chunks are HTTP/1.1's.
    assert_eq!((answer.status, answer.header("transfer-encoding"), &*answer.body), (200, None, "ok"));
    rig.done_with_upgrades().await;
}
