//! FIN leaves as FIN, a reset as a reset, and what came before either arrives first.

use closewatch::wire::Peer;

use crate::rig::{Rig, binary, close, text};

#[tokio::test]
async fn a_half_closed_session_goes_on_in_the_other_direction() {
    for gone in Peer::ALL {
        let mut rig = Rig::new();
        let (mut gone_peer, mut other) = rig.session_seen_by(gone).await;
        gone_peer.fin().await;
        other.expect_fin().await;
        let rest = binary(&vec![1; 1024 * 1024]);
        tokio::join!(other.say(&rest), gone_peer.hear(&rest));
        other.fin().await;
        gone_peer.expect_fin().await;
        let record = rig.record().await;
        assert_eq!(record.facts.of(gone.other()).binary_messages, 1);
        assert_eq!(record.facts.of(gone).undelivered_bytes, 0);
        rig.done().await;
    }
}

#[tokio::test]
async fn a_fin_behind_data_does_not_overtake_it() {
    let mut rig = Rig::with_small_buffers(|_| {});
    let (mut client, mut upstream) = rig.session().await;
    let message = binary(&vec![3; 8 * 1024 * 1024]);
    let send = async {
        upstream.say(&message).await;
        upstream.fin().await;
    };
    let receive = async {
        rig.until("the session to stall", |seen| seen.stalled == 1).await;
        client.hear(&message).await;
        client.expect_fin().await;
    };
    tokio::join!(send, receive);
    client.fin().await;
    upstream.expect_fin().await;
    rig.record().await;
    rig.done().await;
}

#[tokio::test]
async fn a_reset_arrives_as_one_whoever_sends_it() {
    for gone in Peer::ALL {
        let mut rig = Rig::new();
        let (mut gone_peer, mut other) = rig.session_seen_by(gone).await;
        gone_peer.say(&text("last words")).await;
        other.hear(&text("last words")).await;
        gone_peer.reset();
        other.expect_reset().await;
        let record = rig.record().await;
        assert!(record.facts.of(gone.other()).was_reset);
        assert!(record.facts.of(gone).tcp.is_some(), "the kernel's facts of an abnormal end");
        rig.done().await;
    }
}

/// As a process does that shuts down its socket, goes on reading for a while, and is killed.
#[tokio::test]
async fn a_reset_behind_a_fin_is_passed_on_though_no_read_will_tell() {
    for gone in Peer::ALL {
        let mut rig = Rig::new();
        let (mut gone_peer, mut other) = rig.session_seen_by(gone).await;
        gone_peer.fin().await;
        other.expect_fin().await;
        gone_peer.reset();
        // To the other peer a reset behind a FIN shows when it next sends something, as it would without closewatch.
        let record = rig.record().await;
        assert_eq!(record.verdict.cause.as_str(), format!("{}_eof", gone.as_str()));
        assert_eq!(record.facts.of(gone).end().as_str(), "fin");
        assert!(record.facts.of(gone).reset_after_fin);
        assert!(record.facts.of(gone.other()).was_reset);
        rig.done().await;
    }
}

/// A close with a zero linger throws the send queue away: the 1011 in it would become a 1006.
#[tokio::test]
async fn a_reset_does_not_overtake_megabytes_that_wait_for_a_slow_reader() {
    let mut rig = Rig::with_small_buffers(|_| {});
    let (mut client, mut upstream) = rig.session().await;
    let message = binary(&vec![4; 1024 * 1024]);
    let boom = close(1011, "boom");
    let all = (message.bytes(Peer::Upstream).len() + boom.bytes(Peer::Upstream).len()) as u64;
    upstream.say(&message).await;
    upstream.say(&boom).await;
    // A reset throws away what the upstream's own host has not sent; here closewatch has read it all.
    rig.until("closewatch to have it all", |seen| seen.bytes[Peer::Upstream.index()] == all).await;
    upstream.reset();
    client.hear(&message).await;
    client.hear(&boom).await;
    client.expect_reset().await;
    let record = rig.record().await;
    assert_eq!(record.verdict.cause.as_str(), "close_unanswered");
    assert_eq!(record.verdict.client_saw.code, Some(1011.into()));
    assert!(!record.verdict.client_saw.certain, "its kernel has acknowledged all, and the client has said nothing");
    assert_eq!(record.facts.client.undelivered_bytes, 0);
    rig.done().await;
}

#[tokio::test]
async fn a_reset_waits_for_a_reader_that_takes_nothing_no_longer_than_the_linger() {
    let mut rig = Rig::with_small_buffers(|config| config.timeouts.linger = std::time::Duration::from_millis(100));
    let (client, mut upstream) = rig.session().await;
    let message = binary(&vec![4; 1024 * 1024]).bytes(Peer::Upstream);
    upstream.send(&message).await;
    rig.until("closewatch to have it all", |seen| seen.bytes[Peer::Upstream.index()] == message.len() as u64).await;
    upstream.reset();
    let record = rig.record().await;
    assert_eq!(record.verdict.cause.as_str(), "upstream_reset");
    let client_facts = &record.facts.client;
    assert!(client_facts.was_reset && client_facts.unacknowledged > 0, "{client_facts:?}");
    assert!(client_facts.undelivered_bytes >= client_facts.unacknowledged, "{client_facts:?}");
    drop(client);
    rig.done().await;
}

#[tokio::test]
async fn what_a_peer_was_still_owed_reaches_it_though_the_other_was_reset() {
    let mut rig = Rig::new();
    let (mut client, mut upstream) = rig.session().await;
    // Both are written before closewatch sees either: the client's reset must not cost the upstream its message.
    upstream.send_at_once(&text("to nobody").bytes(Peer::Upstream));
    client.send_at_once(&text("to the upstream").bytes(Peer::Client));
    client.reset();
    upstream.hear(&text("to the upstream")).await;
    upstream.expect_reset().await;
    let record = rig.record().await;
    assert_eq!(record.verdict.cause.as_str(), "client_reset");
    assert_eq!(record.facts.client.text_messages, 1);
    rig.done().await;
}
