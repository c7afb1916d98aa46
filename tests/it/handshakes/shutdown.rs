//! Upgrades that meet a drain.

use std::time::Duration;

use closewatch::close::{Cause, Outcome};
use closewatch::shutdown::Phase;

use super::answer::{Answer, fails};
use crate::rig::{REQUEST, Rig, SWITCH, text};

#[tokio::test]
async fn an_upgrade_during_a_drain_is_sent_elsewhere() {
    let mut rig = Rig::new();
    let mut client = rig.connect().await;
    rig.advance(Phase::Draining);
    client.send(REQUEST.as_bytes()).await;
    let answer = Answer::to(&mut client).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    fails(&mut rig, "default", Outcome::Draining, Some(503)).await;
    assert!(rig.was_never_dialled());
    rig.done_with_upgrades().await;
}

#[tokio::test]
async fn an_upgrade_before_the_drain_is_served_as_ever() {
    let mut rig = Rig::new();
    rig.advance(Phase::Unready);
    let (mut client, mut upstream) = rig.asked(REQUEST).await;
    rig.advance(Phase::Draining);
    upstream.send(SWITCH.as_bytes()).await;
    // Byte for byte: that no request may follow is not said of a connection that has none any more.
    assert_eq!(client.receive_head().await, SWITCH);
    client.fin().await;
    upstream.expect_fin().await;
    upstream.fin().await;
    client.expect_fin().await;
    assert_eq!(rig.handshake().await.1.outcome, Outcome::Upgraded);
    assert_eq!(rig.record().await.verdict.cause, Cause::ClientEof);
    rig.done_with_upgrades().await;
}

#[tokio::test]
async fn an_upgrade_that_is_still_not_answered_at_the_end_of_a_drain_is_told_so() {
    let mut rig = Rig::new();
    let (mut client, mut upstream) = rig.asked(REQUEST).await;
    rig.advance(Phase::Closing);
    let answer = Answer::to(&mut client).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    fails(&mut rig, "default", Outcome::Draining, Some(503)).await;
    upstream.expect_fin().await;
    rig.done_with_upgrades().await;
}

#[tokio::test]
async fn a_connection_in_use_ends_behind_its_answer_and_an_idle_one_at_once() {
    let rig = Rig::with(|config| config.timeouts.head = Duration::from_mins(10));
    let mut idle = rig.connect().await;
    idle.send(b"GET /page HTTP/1.1\r\nHost: chat.test\r\n\r\n").await;
    let mut upstream = rig.accept().await;
    upstream.receive_head().await;
    upstream.send(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").await;
    let head = idle.receive_head().await;
    assert!(!head.to_lowercase().contains("connection: close"), "{head}");

    let mut busy = rig.connect().await;
    busy.send(b"GET /page HTTP/1.1\r\nHost: chat.test\r\n\r\n").await;
    let mut upstream = rig.accept().await;
    upstream.receive_head().await;
    let (mut fresh, mut silent) = (rig.connect().await, rig.connect().await);

    rig.advance(Phase::Draining);
    idle.expect_fin().await;
    upstream.send(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").await;
    let answer = Answer::to(&mut busy).await;
    assert_eq!((answer.status, answer.header("connection")), (204, Some("close")));

    fresh.send(b"GET /page HTTP/1.1\r\nHost: chat.test\r\n\r\n").await;
    let mut upstream = rig.accept().await;
    upstream.receive_head().await;
    upstream.send(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").await;
    let answer = Answer::to(&mut fresh).await;
    assert_eq!((answer.status, answer.header("connection")), (204, Some("close")));
    // It is not waited for as long as it would be at other times.
    silent.expect_fin().await;
    rig.done_with_upgrades().await;
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
