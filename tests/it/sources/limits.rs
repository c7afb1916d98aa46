//! How many connections there may be.

use std::time::Duration;

use closewatch::close::Rejection;

use super::trust;
use crate::handshakes::answer::Answer;
use crate::rig::{REQUEST, RawPeer, Rig, SWITCH, text};

/// A client that was closed without a word.
async fn is_turned_away(client: &mut RawPeer) {
    let (answer, _) = client.receive_all().await;
    assert!(answer.is_empty(), "{}", answer.escape_ascii());
}

/// Asks for a page on a connection that may be kept; it is answered.
async fn ask(rig: &Rig, client: &mut RawPeer) -> RawPeer {
    client.send(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
    let mut upstream = rig.accept().await;
    upstream.receive_head().await;
    upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    client.receive_head().await;
    client.expect(b"ok").await;
    upstream
}

#[tokio::test]
async fn connections_without_a_session_are_limited_and_sessions_do_not_count() {
    let mut rig = Rig::with(|config| config.limits.connections = Some(2));
    let mut sessions = [rig.session().await, rig.session().await, rig.session().await];
    rig.until("the sessions to be open", |seen| seen.opened == 3).await;
    let mut kept = rig.connect().await;
    let _upstream = ask(&rig, &mut kept).await;
    let mut silent = rig.connect_at_once();
    let mut third = rig.connect_at_once();
    is_turned_away(&mut third).await;
    assert_eq!(rig.seen().rejected, [Rejection::Connections]);
    // A place that is given back goes to the next.
    silent.fin().await;
    silent.expect_fin().await;
    sessions[0].0.say(&text("meanwhile")).await;
    sessions[0].1.hear(&text("meanwhile")).await;
    let mut next = rig.connect().await;
    next.send(REQUEST.as_bytes()).await;
    let mut upstream = rig.accept().await;
    upstream.receive_head().await;
    upstream.send(SWITCH.as_bytes()).await;
    next.receive_head().await;
    for (mut client, mut upstream) in sessions.into_iter().chain([(next, upstream)]) {
        client.reset();
        upstream.expect_reset().await;
        rig.record().await;
    }
    rig.done().await;
}

#[tokio::test]
async fn a_source_has_its_share_sessions_included() {
    let mut rig = Rig::with(|config| config.limits.connections_per_source = Some(2));
    let (mut client, mut upstream) = rig.session().await;
    let mut kept = rig.connect().await;
    let _upstream = ask(&rig, &mut kept).await;
    is_turned_away(&mut rig.connect().await).await;
    assert_eq!(rig.seen().rejected, [Rejection::Source]);
    client.reset();
    upstream.expect_reset().await;
    rig.record().await;
    let (mut client, mut upstream) = rig.session().await;
    client.reset();
    upstream.expect_reset().await;
    rig.record().await;
    rig.done().await;
}

#[tokio::test]
async fn behind_a_balancer_the_sources_are_those_it_names() {
    let mut rig = Rig::with(|config| {
        trust(config);
        config.forwarded.proxy_protocol = true;
        config.limits.connections_per_source = Some(1);
    });
    let mut sessions = Vec::new();
    for host in 1..=3 {
        let mut client = rig.connect().await;
        client.send(format!("PROXY TCP4 203.0.113.{host} 10.0.0.1 4711 443\r\n{REQUEST}").as_bytes()).await;
        let mut upstream = rig.accept().await;
        upstream.receive_head().await;
        upstream.send(SWITCH.as_bytes()).await;
        client.receive_head().await;
        sessions.push((client, upstream));
    }
    let mut again = rig.connect().await;
    again.send(format!("PROXY TCP4 203.0.113.2 10.0.0.1 4712 443\r\n{REQUEST}").as_bytes()).await;
    is_turned_away(&mut again).await;
    assert_eq!(rig.seen().rejected, [Rejection::Source]);
    for (mut client, mut upstream) in sessions {
        client.reset();
        upstream.expect_reset().await;
        rig.record().await;
    }
    rig.done().await;
}

#[tokio::test]
async fn a_kept_connection_that_stays_quiet_is_let_go() {
    let rig = Rig::with(|config| config.timeouts.keep_alive = Duration::from_millis(300));
    let mut kept = rig.connect().await;
    let _upstream = ask(&rig, &mut kept).await;
    kept.expect_fin().await;
    rig.done().await;
}

#[tokio::test]
async fn a_body_is_not_bounded_by_the_limits_of_heads_and_quiet() {
    let rig = Rig::with(|config| {
        config.timeouts.keep_alive = Duration::from_millis(200);
        config.timeouts.head = Duration::from_millis(200);
    });
    let (mut client, mut upstream) =
        rig.asked(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\nConnection: close\r\n\r\n12").await;
    upstream.expect(b"12").await;
    // Time itself is what is tested.
    tokio::time::sleep(Duration::from_millis(500)).await;
    client.send(b"34").await;
    upstream.expect(b"34").await;
    upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(Answer::to(&mut client).await.status, 200);
    rig.done().await;
}
