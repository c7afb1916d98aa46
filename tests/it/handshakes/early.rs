//! Bytes that a client sends behind its upgrade request, before it knows what comes of it.

use closewatch::close::Outcome;
use closewatch::wire::Peer;

use super::answer::{Answer, fails};
use crate::rig::{Frame, REQUEST, Rig, SWITCH, text};

/// A request that must not be read as one, behind an upgrade.
const SMUGGLED: &str = "GET /admin HTTP/1.1\r\nHost: chat.test\r\n\r\n";

#[tokio::test]
async fn behind_a_101_they_are_data() {
    let mut rig = Rig::new();
    let early = text("in a hurry").bytes(Peer::Client);
    let (mut client, mut upstream) = rig.asked([REQUEST.as_bytes(), &early].concat()).await;
    client.say(&text("and more")).await;
    upstream.send(&[SWITCH.as_bytes(), &text("so am I").bytes(Peer::Upstream)].concat()).await;
    client.receive_head().await;
    client.hear(&text("so am I")).await;
    upstream.expect(&early).await;
    upstream.hear(&text("and more")).await;
    client.reset();
    upstream.expect_reset().await;
    let record = rig.record().await;
    assert_eq!(record.facts.client.text_messages, 2);
    assert_eq!(record.facts.upstream.text_messages, 1);
    rig.done_with_upgrades().await;
}

#[tokio::test]
async fn behind_a_refusal_they_never_reach_the_upstream() {
    let mut rig = Rig::new();
    // Far more than is read with the head: the client would be reset if its connection were closed on them.
    for early in [SMUGGLED.as_bytes().to_vec(), Frame::new(0x2, &vec![0; 200_000]).bytes(Peer::Client)] {
        let (mut client, mut upstream) = rig.asked([REQUEST.as_bytes(), &early].concat()).await;
        // It takes more than one write to pass on.
        let body = "x".repeat(100_000);
        let refusal = format!("HTTP/1.1 403 Forbidden\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        upstream.send(refusal.as_bytes()).await;
        let answer = Answer::to(&mut client).await;
        assert_eq!((answer.status, &*answer.body), (403, &*body));
        assert_eq!(answer.header("connection"), Some("close"));
        fails(&mut rig, "default", Outcome::Refused, Some(403)).await;
        upstream.expect_fin().await;
        assert!(rig.was_never_dialled(), "a second time");
    }
    rig.done_with_upgrades().await;
}

#[tokio::test]
async fn behind_a_refusal_of_our_own_they_go_nowhere_either() {
    let mut rig = Rig::with(|config| config.limits.sessions = Some(0));
    for early in [SMUGGLED.as_bytes().to_vec(), vec![b'x'; 200_000]] {
        let mut client = rig.connect().await;
        client.send(&[REQUEST.as_bytes(), &early].concat()).await;
        assert_eq!(Answer::to(&mut client).await.status, 503);
        fails(&mut rig, "default", Outcome::OverLimit, Some(503)).await;
        assert!(rig.was_never_dialled());
    }
    rig.done_with_upgrades().await;
}
