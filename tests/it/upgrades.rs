//! Upgrades that do not become a session: what the client is given, and what is recorded of it.

use std::time::Duration;

use closewatch::close::Outcome;
use closewatch::config::Config;
use closewatch::shutdown::Phase;

use crate::rig::{REQUEST, Rig, SWITCH, text};

/// Sends `request`, and expects closewatch's own answer with `status`, and an end behind it.
async fn refused(rig: &mut Rig, request: &str, outcome: Outcome, status: u16) {
    let mut client = rig.connect().await;
    client.send(request.as_bytes()).await;
    let head = client.receive_head().await;
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head:?} to {request:?}");
    if head.contains("content-length") {
        client.receive_all().await;
    }
    client.fin().await;
    let (_, record) = rig.handshake().await;
    assert_eq!((record.outcome, record.status), (outcome, Some(status)), "{request:?}: {record:?}");
    assert_eq!(record.client.to_string(), client.address());
}

#[tokio::test]
async fn what_is_not_a_valid_upgrade_goes_nowhere() {
    let mut rig = Rig::new();
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let version = "Sec-WebSocket-Version: 13\r\n";
    for request in [
        REQUEST.replace("GET", "POST"),
        REQUEST.replace("HTTP/1.1", "HTTP/1.0"),
        REQUEST.replace(key, ""),
        REQUEST.replace(key, &key.repeat(2)),
        REQUEST.replace(version, ""),
        REQUEST.replace(version, &version.repeat(2)),
        REQUEST.replace(key, &format!("{key}Content-Length: 5\r\n")),
        REQUEST.replace(key, &format!("{key}Transfer-Encoding: chunked\r\n")),
    ] {
        let status = if request.contains("HTTP/1.0") { "HTTP/1.0" } else { "HTTP/1.1" };
        let mut client = rig.connect().await;
        client.send(request.as_bytes()).await;
        let head = client.receive_head().await;
        assert!(head.starts_with(&format!("{status} 400 ")), "{head:?} to {request:?}");
        client.receive_all().await;
        client.fin().await;
        let (_, record) = rig.handshake().await;
        assert_eq!((record.outcome, record.status), (Outcome::BadRequest, Some(400)), "{request:?}");
    }
    rig.done().await;
}

#[tokio::test]
async fn what_is_not_http_is_answered_400_and_stands_with_the_failed_handshakes() {
    let mut rig = Rig::new();
    refused(&mut rig, "\x16\x03\x01\x02\x00 hello\r\n\r\n", Outcome::BadRequest, 400).await;
    refused(&mut rig, "GET /x HTTP/1.1\r\nbare\rreturn: x\r\n\r\n", Outcome::BadRequest, 400).await;
    refused(&mut rig, "GET /x HTTP/1.1\r\na: b\r\n folded\r\n\r\n", Outcome::BadRequest, 400).await;
    let huge = format!("GET /x HTTP/1.1\r\nhuge: {}\r\n\r\n", "x".repeat(100_000));
    refused(&mut rig, &huge, Outcome::BadRequest, 431).await;
    rig.done().await;
}

#[tokio::test]
async fn a_head_that_does_not_come_to_its_end_is_given_up() {
    let mut rig = Rig::with(|config| config.timeouts.head = Duration::from_millis(50));
    refused(&mut rig, "GET /chat HTTP/1.1\r\nHost:", Outcome::BadRequest, 408).await;
    // A client that says nothing at all is only hung up on.
    rig.connect().await.expect_fin().await;
    rig.done().await;
}

#[tokio::test]
async fn a_refusal_reaches_the_client_whole_and_nothing_behind_the_request_reaches_the_upstream() {
    let mut rig = Rig::new();
    let mut client = rig.connect().await;
    let smuggled = b"GET /admin HTTP/1.1\r\nHost: chat.test\r\n\r\n";
    client.send(&[REQUEST.as_bytes(), smuggled].concat()).await;
    let mut upstream = rig.accept().await;
    upstream.receive_head().await;
    let body = "x".repeat(100_000);
    let refusal = format!(
        "HTTP/1.1 403 Not For You\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nX-Why: because\r\n\r\n{body}",
        body.len()
    );
    upstream.send(refusal.as_bytes()).await;
    let head = client.receive_head().await;
    assert!(head.starts_with("HTTP/1.1 403 Not For You\r\nContent-Type: text/plain\r\n"), "{head:?}");
    assert!(head.contains("X-Why: because\r\n"), "{head:?}");
    client.expect(body.as_bytes()).await;
    client.expect_fin().await;
    client.fin().await;
    upstream.expect_fin().await;
    let (route, record) = rig.handshake().await;
    assert_eq!((route.as_str(), record.outcome, record.status), ("default", Outcome::Refused, Some(403)));
    drop(client);
    rig.done().await;
}

#[tokio::test]
async fn a_101_that_is_no_websocket_is_not_passed_on() {
    for answer in [
        SWITCH.replace("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        SWITCH.replace("Sec-WebSocket-Accept", "X-Accept"),
        SWITCH.replace("Upgrade: websocket", "Upgrade: h2c"),
        SWITCH.replace("HTTP/1.1 101 Switching Protocols", "SSH-2.0-OpenSSH"),
    ] {
        let mut rig = Rig::new();
        let mut client = rig.connect().await;
        client.send(REQUEST.as_bytes()).await;
        let mut upstream = rig.accept().await;
        upstream.receive_head().await;
        upstream.send(answer.as_bytes()).await;
        let head = client.receive_head().await;
        assert!(head.starts_with("HTTP/1.1 502 "), "{head:?} to {answer:?}");
        let (_, record) = rig.handshake().await;
        assert_eq!((record.outcome, record.status), (Outcome::BadResponse, Some(502)));
        drop(client);
        rig.done().await;
    }
}

#[tokio::test]
async fn an_upstream_that_hangs_up_stays_silent_or_is_not_there_is_told_apart() {
    let mut rig = Rig::with(|config| config.timeouts.handshake = Duration::from_millis(50));
    for (hangs_up, outcome, status) in [(true, Outcome::UpstreamClosed, 502), (false, Outcome::UpstreamTimeout, 504)] {
        let mut client = rig.connect().await;
        client.send(REQUEST.as_bytes()).await;
        let mut upstream = rig.accept().await;
        upstream.receive_head().await;
        if hangs_up {
            upstream.reset();
        }
        let head = client.receive_head().await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head:?}");
        let (_, record) = rig.handshake().await;
        assert_eq!((record.outcome, record.status), (outcome, Some(status)), "{record:?}");
    }
    rig.done().await;

    let nowhere = |config: &mut Config| config.routes[0].upstream = "unix:/nowhere/at.all".parse().unwrap();
    let mut rig = Rig::with(nowhere);
    refused(&mut rig, REQUEST, Outcome::DialFailed, 502).await;
    rig.done().await;
}

#[tokio::test]
async fn a_request_that_no_route_takes_is_404() {
    let mut rig = Rig::with(|config| "/only".clone_into(&mut config.routes[0].path));
    refused(&mut rig, REQUEST, Outcome::NoRoute, 404).await;
    rig.done().await;
}

#[tokio::test]
async fn one_session_more_than_allowed_is_refused_and_the_place_is_given_back() {
    let mut rig = Rig::with(|config| config.limits.sessions = Some(1));
    for _ in 0..2 {
        let (mut client, mut upstream) = rig.session().await;
        rig.handshake().await;
        refused(&mut rig, REQUEST, Outcome::OverLimit, 503).await;
        client.reset();
        upstream.expect_reset().await;
        rig.record().await;
    }
    rig.done().await;
}

#[tokio::test]
async fn a_client_that_resets_before_its_101_is_gone() {
    let mut rig = Rig::new();
    let mut client = rig.connect().await;
    client.send(REQUEST.as_bytes()).await;
    let mut upstream = rig.accept().await;
    upstream.receive_head().await;
    client.reset();
    upstream.receive_all().await;
    let (_, record) = rig.handshake().await;
    assert_eq!((record.outcome, record.status), (Outcome::ClientGone, None));
    drop(client);
    rig.done().await;
}

#[tokio::test]
async fn a_client_that_hangs_up_in_its_direction_only_still_gets_its_session() {
    let mut rig = Rig::new();
    let mut client = rig.connect().await;
    client.send(REQUEST.as_bytes()).await;
    client.fin().await;
    let mut upstream = rig.accept().await;
    upstream.receive_head().await;
    upstream.send(SWITCH.as_bytes()).await;
    client.receive_head().await;
    upstream.say(&text("good bye")).await;
    client.hear(&text("good bye")).await;
    upstream.expect_fin().await;
    upstream.fin().await;
    client.expect_fin().await;
    assert_eq!(rig.record().await.verdict.cause.as_str(), "client_eof");
    drop(client);
    rig.done().await;
}

#[tokio::test]
async fn a_drain_lets_go_on_what_was_begun_and_refuses_what_is_asked_from_then_on() {
    let mut rig = Rig::new();
    let mut session = rig.session().await;
    rig.handshake().await;
    let mut asking = rig.connect().await;
    asking.send(REQUEST.as_bytes()).await;
    let mut upstream = rig.accept().await;
    upstream.receive_head().await;
    let mut accepted = rig.connect().await;
    // Its connection waits behind the listener, and its request in there, when the drain begins.
    let mut queued = rig.connect_at_once();
    queued.send_at_once(REQUEST.as_bytes());
    accepted.send_at_once(REQUEST.as_bytes());
    rig.advance(Phase::Draining);

    for late in [&mut accepted, &mut queued] {
        let head = late.receive_head().await;
        assert!(head.starts_with("HTTP/1.1 503 "), "{head:?}");
        assert!(head.to_ascii_lowercase().contains("retry-after: "), "{head:?}");
        assert_eq!(rig.handshake().await.1.outcome, Outcome::Draining);
        late.receive_all().await;
        late.fin().await;
    }
    upstream.send(SWITCH.as_bytes()).await;
    assert_eq!(asking.receive_head().await, SWITCH, "a 101 is not told of the drain");
    assert_eq!(rig.handshake().await.1.outcome, Outcome::Upgraded);
    for (client, upstream) in [(&mut session.0, &mut session.1), (&mut asking, &mut upstream)] {
        client.say(&text("still here")).await;
        upstream.hear(&text("still here")).await;
        client.reset();
        upstream.expect_reset().await;
        assert_eq!(rig.record().await.verdict.cause.as_str(), "client_reset");
    }
    rig.done().await;
}
