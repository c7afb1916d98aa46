//! Clients that ask in unusual ways, or leave before they have their answer.

use std::time::Duration;

use closewatch::close::{Cause, Outcome, Text};
use tokio::time::Instant;

use super::answer::{Answer, fails};
use super::upstreams::BlackHole;
use crate::rig::{REQUEST, Rig, SWITCH, text};

#[tokio::test]
async fn a_client_that_resets_while_its_upstream_is_dialled_is_gone() {
    let hole = BlackHole::new();
    let mut rig = Rig::with(|config| {
        config.routes[0].upstream = format!("http://{}", hole.address).parse().unwrap();
        // Only the client's reset can end it.
        config.timeouts.dial = Duration::from_mins(10);
    });
    let mut client = rig.connect().await;
    client.send(REQUEST.as_bytes()).await;
    client.reset();
    fails(&mut rig, "default", Outcome::ClientGone, None).await;
    rig.done_with_upgrades().await;
}

#[tokio::test]
async fn a_client_that_resets_before_the_answer_is_gone_and_its_upstream_is_told() {
    let mut rig = Rig::new();
    let (mut client, mut upstream) = rig.asked(REQUEST).await;
    client.reset();
    fails(&mut rig, "default", Outcome::ClientGone, None).await;
    upstream.expect_fin().await;
    rig.done_with_upgrades().await;
}

#[tokio::test]
async fn a_client_that_is_gone_when_its_101_is_written_never_had_a_session() {
    let mut rig = Rig::new();
    let mut client = rig.connect().await;
    // With bytes behind its request nobody reads on from it, so its reset is first noticed by the write.
    client.send(&[REQUEST.as_bytes(), b"early"].concat()).await;
    let mut upstream = rig.accept().await;
    upstream.receive_head().await;
    client.reset();
    upstream.send(SWITCH.as_bytes()).await;
    fails(&mut rig, "default", Outcome::ClientGone, None).await;
    upstream.expect_fin().await;
    rig.done_with_upgrades().await;
}

#[tokio::test]
async fn a_client_that_only_hung_up_has_its_session() {
    let mut rig = Rig::new();
    let mut client = rig.connect().await;
    client.send(REQUEST.as_bytes()).await;
    client.fin().await;
    let mut upstream = rig.accept().await;
    upstream.receive_head().await;
    upstream.send(SWITCH.as_bytes()).await;
    client.receive_head().await;
    upstream.expect_fin().await;
    upstream.say(&text("last words")).await;
    client.hear(&text("last words")).await;
    upstream.fin().await;
    client.expect_fin().await;
    assert_eq!(rig.handshake().await.1.outcome, Outcome::Upgraded);
    assert_eq!(rig.record().await.verdict.cause, Cause::ClientEof);
    rig.done_with_upgrades().await;
}

/// As a session of no time at all it would look like somebody who navigated away.
#[tokio::test]
async fn a_client_that_gives_up_on_a_slow_handshake_is_told_by_how_long_that_took() {
    let mut rig = Rig::new();
    let (mut client, mut upstream) = rig.asked(REQUEST).await;
    let asked = Instant::now();
    // Others come and go meanwhile.
    for _ in 0..20 {
        let (mut other, mut its_upstream) = rig.session().await;
        other.reset();
        its_upstream.expect_reset().await;
        rig.record().await;
    }
    client.fin().await;
    let slow = asked.elapsed();
    upstream.send(SWITCH.as_bytes()).await;
    client.receive_head().await;
    upstream.expect_fin().await;
    upstream.fin().await;
    let record = rig.record().await;
    let (lasted, shook_hands) = (record.verdict.ended, record.session.handshake.get());
    assert!(shook_hands >= slow, "{shook_hands:?} of {slow:?}, and the session {lasted:?}");
    rig.done().await;
}

#[tokio::test]
async fn a_client_that_only_hung_up_is_given_its_refusal() {
    let mut rig = Rig::new();
    let mut client = rig.connect().await;
    client.send(REQUEST.as_bytes()).await;
    client.fin().await;
    let mut upstream = rig.accept().await;
    upstream.receive_head().await;
    upstream.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno").await;
    let answer = Answer::to(&mut client).await;
    assert_eq!((answer.status, answer.body.as_str()), (403, "no"));
    fails(&mut rig, "default", Outcome::Refused, Some(403)).await;
    rig.done_with_upgrades().await;
}

#[tokio::test]
async fn a_session_more_than_the_limit_is_refused_until_one_has_ended() {
    let mut rig = Rig::with(|config| config.limits.sessions = Some(1));
    let (mut client, mut upstream) = rig.session().await;
    assert_eq!(rig.handshake().await.1.outcome, Outcome::Upgraded);

    let mut refused = rig.connect().await;
    refused.send(REQUEST.as_bytes()).await;
    let answer = Answer::to(&mut refused).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    let (_, record) = rig.handshake().await;
    assert_eq!((record.outcome, record.status), (Outcome::OverLimit, Some(503)));

    client.reset();
    upstream.expect_reset().await;
    rig.record().await;
    let (mut client, mut upstream) = rig.session().await;
    assert_eq!(rig.handshake().await.1.outcome, Outcome::Upgraded);
    client.reset();
    upstream.expect_reset().await;
    rig.record().await;
    rig.done_with_upgrades().await;
}

#[tokio::test]
async fn upgrades_that_are_not_answered_yet_count_towards_the_limit() {
    let mut rig = Rig::with(|config| config.limits.sessions = Some(1));
    let mut first = rig.connect().await;
    first.send(REQUEST.as_bytes()).await;
    let mut upstream = rig.accept().await;
    upstream.receive_head().await;
    let mut second = rig.connect().await;
    second.send(REQUEST.as_bytes()).await;
    assert_eq!(Answer::to(&mut second).await.status, 503);
    fails(&mut rig, "default", Outcome::OverLimit, Some(503)).await;
    // A refused upgrade gives its place back.
    upstream.send(b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(Answer::to(&mut first).await.status, 403);
    fails(&mut rig, "default", Outcome::Refused, Some(403)).await;
    let (mut client, mut upstream) = rig.session().await;
    client.reset();
    upstream.expect_reset().await;
    rig.record().await;
    rig.done_with_upgrades().await;
}

#[tokio::test]
async fn an_upgrade_may_be_the_second_request_of_a_connection() {
    let mut rig = Rig::new();
    let mut client = rig.connect().await;
    client.send(b"GET /page HTTP/1.1\r\nHost: chat.test\r\n\r\n").await;
    let mut upstream = rig.accept().await;
    assert!(upstream.receive_head().await.starts_with("GET /page HTTP/1.1\r\n"));
    upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npage").await;
    client.receive_head().await;
    client.expect(b"page").await;

    client.send(REQUEST.as_bytes()).await;
    // Over the upstream connection that its requests go over, as it would without closewatch.
    assert!(upstream.receive_head().await.starts_with("GET /chat HTTP/1.1\r\n"));
    upstream.send(SWITCH.as_bytes()).await;
    assert!(client.receive_head().await.starts_with("HTTP/1.1 101 "));
    client.say(&text("hi")).await;
    upstream.hear(&text("hi")).await;
    client.reset();
    upstream.expect_reset().await;
    rig.record().await;
    rig.done_with_upgrades().await;
}

#[tokio::test]
async fn an_upgrade_may_name_other_tokens_beside_its_own() {
    let mut rig = Rig::new();
    for (from, to) in [
        ("Connection: Upgrade", "Connection: keep-alive, Upgrade"),
        ("Connection: Upgrade", "Connection: keep-alive\r\nConnection: upgrade"),
        ("Upgrade: websocket", "Upgrade: WebSocket"),
        ("\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n"),
    ] {
        let request = REQUEST.replace(from, to);
        let (mut client, mut upstream) = rig.session_with(&request, SWITCH).await;
        client.reset();
        upstream.expect_reset().await;
        rig.record().await;
        assert_eq!(rig.handshake().await.1.outcome, Outcome::Upgraded, "{to}");
    }
    rig.done_with_upgrades().await;
}

#[tokio::test]
async fn an_upgrade_to_anything_else_passes_as_plain_http_without_it() {
    let rig = Rig::new();
    for (upgrade, connection) in
        [("h2c", "Upgrade, HTTP2-Settings"), ("TLS/1.0", "Upgrade"), ("websocket", "keep-alive")]
    {
        let mut client = rig.connect().await;
        let request = format!(
            "GET /page HTTP/1.1\r\nHost: chat.test\r\nUpgrade: {upgrade}\r\nConnection: {connection}\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
        );
        client.send(request.as_bytes()).await;
        let mut upstream = rig.accept().await;
        let head = upstream.receive_head().await.to_lowercase();
        assert!(!head.contains("\r\nupgrade:") && !head.contains("\r\nconnection:"), "{head}");
        assert_eq!(head.contains("\r\nhttp2-settings:"), upgrade != "h2c", "{head}");
        upstream.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok").await;
        client.receive_head().await;
        client.expect(b"ok").await;
        client.fin().await;
        client.expect_fin().await;
    }
    assert_eq!(rig.seen().statuses, [200; 3]);
    // They were no upgrades: nothing is recorded.
    rig.done_with_upgrades().await;
}

#[tokio::test]
async fn an_absolute_target_names_the_host() {
    let mut rig = Rig::new();
    let request = REQUEST.replace("GET /chat", "GET http://real.test:8080/chat?room=1");
    let mut client = rig.connect().await;
    client.send(request.as_bytes()).await;
    let mut upstream = rig.accept().await;
    let head = upstream.receive_head().await;
    assert!(head.starts_with("GET /chat?room=1 HTTP/1.1\r\n"), "{head}");
    // RFC 9112 §3.2.2: `Host` is replaced by what the target says.
    assert!(head.contains("\r\nHost: real.test:8080\r\n") && !head.contains("chat.test"), "{head}");
    upstream.send(SWITCH.as_bytes()).await;
    client.receive_head().await;
    client.reset();
    upstream.expect_reset().await;
    let record = rig.record().await;
    assert_eq!(record.session.request.path.as_str(), "/chat");
    assert_eq!(record.session.request.host.as_ref().map(Text::as_str), Some("real.test:8080"));
    rig.done_with_upgrades().await;
}
