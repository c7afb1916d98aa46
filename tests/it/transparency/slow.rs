//! Peers that take their time, and those that never will again.

use std::time::Duration;

use closewatch::wire::Peer;

use crate::rig::{Rig, binary, close, payload, text};

/// At most this much of one direction waits in closewatch's own memory: one read.
const MOST_SPILLED: i64 = 64 * 1024;
/// At most this much of one direction waits in a pipe.
const MOST_IN_A_PIPE: i64 = 256 * 1024;

#[tokio::test]
async fn a_message_of_8_mb_reaches_a_slow_reader_whole_and_closewatch_keeps_little_of_it() {
    for (slow, splice, most_waiting) in
        Peer::ALL.into_iter().flat_map(|slow| [(slow, false, MOST_SPILLED), (slow, true, MOST_IN_A_PIPE)])
    {
        let mut rig = Rig::with_small_buffers(|config| config.relay.splice = splice);
        let (mut slow_peer, mut fast_peer) = rig.session_seen_by(slow).await;
        let message = binary(&payload(8 * 1024 * 1024));
        tokio::join!(fast_peer.say(&message), async {
            rig.until("the session to stall", |seen| seen.stalled == 1).await;
            // The other direction is not held up.
            slow_peer.hear(&message).await;
        });
        rig.until("nothing to wait", |seen| seen.stalled == 0 && seen.spilled == 0).await;
        fast_peer.fin().await;
        slow_peer.expect_fin().await;
        slow_peer.fin().await;
        fast_peer.expect_fin().await;
        let record = rig.record().await;
        assert_eq!(record.facts.of(slow.other()).binary_messages, 1);
        assert!(record.facts.of(slow).stalled > Duration::ZERO);
        assert_eq!(record.facts.of(slow.other()).stalled, Duration::ZERO);
        let most = rig.seen().most_spilled;
        assert!((1..=most_waiting).contains(&most), "{most} bytes waited");
        rig.done().await;
    }
}

#[tokio::test]
async fn a_stalled_direction_does_not_hold_up_the_other() {
    let mut rig = Rig::with_small_buffers(|_| {});
    let (mut client, mut upstream) = rig.session().await;
    rig.stall(&mut upstream).await;
    for _ in 0..100 {
        client.say(&text("still here")).await;
        upstream.hear(&text("still here")).await;
    }
    client.reset();
    upstream.expect_reset().await;
    let record = rig.record().await;
    assert_eq!(record.facts.client.text_messages, 100);
    assert!(record.facts.client.undelivered_bytes > 0);
    assert!(record.facts.client.stalled > Duration::ZERO);
    rig.done().await;
}

/// A suspended tab or a paused consumer: its host answers, but its window is closed.
#[tokio::test]
async fn a_peer_that_acknowledges_but_does_not_read_is_never_taken_for_dead() {
    let dead_peer = Duration::from_millis(500);
    let mut rig = Rig::with_small_buffers(|config| config.timeouts.dead_peer = Some(dead_peer));
    let (mut client, mut upstream) = rig.session().await;
    let (sent, _) = rig.stall(&mut upstream).await;
    // The kernel probes the closed window more and more rarely: time itself is what is tested. In 4 s there is a pause
    // between two probes of three times `dead_peer`.
    tokio::time::sleep(dead_peer * 8).await;
    assert_eq!(rig.seen().closed, 0, "ended though the peer's host answers");
    client.expect(&sent).await;
    client.fin().await;
    upstream.expect_fin().await;
    upstream.fin().await;
    client.expect_fin().await;
    assert_eq!(rig.record().await.verdict.cause.as_str(), "client_eof");
    rig.done().await;
}

#[tokio::test]
async fn a_peer_whose_host_acknowledges_nothing_is_dead() {
    for dead in Peer::ALL {
        let mut rig = Rig::with(|config| config.timeouts.dead_peer = Some(Duration::from_millis(500)));
        let (dead_peer, mut other) = rig.session_seen_by(dead).await;
        dead_peer.vanish();
        other.say(&text("anybody?")).await;
        other.expect_reset().await;
        let record = rig.record().await;
        assert_eq!(record.verdict.cause.as_str(), format!("{}_timeout", dead.as_str()));
        let lost = text("anybody?").bytes(dead.other()).len() as u64;
        // Bytes that it did not acknowledge came from the other peer alone.
        assert_eq!(record.facts.of(dead).undelivered_bytes, lost);
        assert_eq!(record.facts.of(dead.other()).undelivered_bytes, 0);
        assert!(record.facts.of(dead).tcp.is_some_and(|tcp| tcp.retransmits > 0));
        rig.done().await;
    }
}

#[tokio::test]
async fn an_idle_peer_whose_host_is_gone_is_found_by_keepalive() {
    let mut rig = Rig::with(|config| config.timeouts.dead_peer = Some(Duration::from_secs(2)));
    let (client, mut upstream) = rig.session().await;
    client.vanish();
    upstream.expect_reset().await;
    assert_eq!(rig.record().await.verdict.cause.as_str(), "client_timeout");
    rig.done().await;
}

#[tokio::test]
async fn the_end_of_a_peer_that_is_not_read_is_noticed() {
    for (ends, cause) in [("reset", "upstream_reset"), ("fin", "upstream_eof")] {
        let mut rig = Rig::with_small_buffers(|config| {
            config.timeouts.half_closed = Some(Duration::from_millis(100));
            // The reset is not read, for it stands behind bytes that the client does not take.
            config.timeouts.linger = Duration::from_millis(100);
        });
        let (mut client, mut upstream) = rig.session().await;
        let (sent, _) = rig.stall(&mut upstream).await;
        match ends {
            "reset" => upstream.reset(),
            _ => upstream.fin().await,
        }
        let record = rig.record().await;
        assert_eq!(record.verdict.cause.as_str(), cause);
        assert!(record.facts.client.was_reset);
        assert!(record.facts.client.stalled > Duration::ZERO, "the wait that the end cut off counts too");
        assert!(record.facts.client.undelivered_bytes > 0);
        assert!(record.facts.upstream.bytes <= sent.len() as u64);
        client.receive_all().await;
        rig.done().await;
    }
}

#[tokio::test]
async fn a_close_waits_its_turn_behind_what_a_slow_reader_has_not_read() {
    let mut rig = Rig::with_small_buffers(|_| {});
    let (mut client, mut upstream) = rig.session().await;
    let (sent, rest) = rig.stall(&mut upstream).await;
    tokio::join!(
        async {
            upstream.send(&rest).await;
            upstream.say(&close(1013, "too slow")).await;
        },
        async {
            client.expect(&sent).await;
            client.expect(&rest).await;
            client.hear(&close(1013, "too slow")).await;
        }
    );
    client.say(&close(1013, "")).await;
    upstream.hear(&close(1013, "")).await;
    upstream.fin().await;
    client.expect_fin().await;
    client.fin().await;
    let record = rig.record().await;
    assert_eq!(record.verdict.class.as_str(), "overload");
    rig.done().await;
}
