//! closewatch ends a session itself: at the idle limit, or because it is draining.

use std::time::Duration;

use closewatch::config::Config;
use closewatch::shutdown::Phase;
use closewatch::wire::Peer;

use crate::rig::{RawPeer, Rig, close, continuation, line, text};

const MOMENT: Duration = Duration::from_millis(50);

fn says_1012(config: &mut Config) {
    config.drain.code = Some(1012);
    "deploy".clone_into(&mut config.drain.reason);
}

/// closewatch sends both peers a FIN, and both answer with theirs.
async fn answer_fins(client: &mut RawPeer, upstream: &mut RawPeer) {
    for peer in [client, upstream] {
        peer.expect_fin().await;
        peer.fin().await;
    }
}

#[tokio::test]
async fn an_idle_session_is_told_and_ended() {
    let mut rig = Rig::with(|config| config.routes[0].idle = Some(MOMENT));
    let (mut client, mut upstream) = rig.session().await;
    for peer in [&mut client, &mut upstream] {
        peer.hear_own_close(1001, "").await;
        peer.say(&close(1001, "")).await;
    }
    answer_fins(&mut client, &mut upstream).await;
    let record = rig.record().await;
    assert_eq!(
        line(&record),
        "1001 by proxy: idle_timeout, complete, planned; client fin saw 1001 clean; upstream fin saw 1001 clean"
    );
    assert!(record.idle() >= MOMENT, "{:?}", record.idle());
    rig.done().await;
}

#[tokio::test]
async fn a_session_with_traffic_is_not_idle() {
    let mut rig = Rig::with(|config| config.routes[0].idle = Some(MOMENT * 20));
    let (mut client, mut upstream) = rig.session().await;
    let began = tokio::time::Instant::now();
    // The limit passes while messages come far more often.
    let mut tick = tokio::time::interval(MOMENT);
    while began.elapsed() < MOMENT * 25 {
        tick.tick().await;
        upstream.say(&text("tick")).await;
        client.hear(&text("tick")).await;
    }
    client.fin().await;
    upstream.expect_fin().await;
    upstream.fin().await;
    assert_eq!(rig.record().await.verdict.cause.as_str(), "client_eof");
    rig.done().await;
}

#[tokio::test]
async fn a_drain_says_what_is_configured_and_waits_for_the_replies() {
    let mut rig = Rig::with(says_1012);
    let (mut client, mut upstream) = rig.session().await;
    rig.advance(Phase::Closing);
    client.hear_own_close(1012, "deploy").await;
    upstream.hear_own_close(1012, "deploy").await;
    client.say(&text("the last of it")).await;
    client.say(&close(1012, "")).await;
    upstream.say(&close(1012, "")).await;
    // The replies are for closewatch: neither peer is given a second Close, nor what came before it.
    client.expect_fin().await;
    upstream.expect_fin().await;
    client.fin().await;
    upstream.fin().await;
    let record = rig.record().await;
    assert_eq!(
        line(&record),
        "1012 by proxy: drain, complete, planned; client fin saw 1012 clean; upstream fin saw 1012 clean"
    );
    assert_eq!(record.facts.client.text_messages, 1, "read and counted");
    assert!(record.facts.upstream.undelivered_bytes > 0, "but not passed on");
    rig.done().await;
}

#[tokio::test]
async fn a_drain_ends_sessions_whose_peers_do_not_answer() {
    let mut rig = Rig::with(|config| config.timeouts.close_reply = MOMENT);
    let (mut client, mut upstream) = rig.session().await;
    rig.advance(Phase::Closing);
    for peer in [&mut client, &mut upstream] {
        peer.hear_own_close(1001, "").await;
        peer.expect_fin().await;
    }
    assert_eq!(
        line(&rig.record().await),
        "1001 by proxy: drain, none, planned; client local saw 1001; upstream local saw 1001"
    );
    rig.done().await;
}

#[tokio::test]
async fn a_drain_without_a_code_sends_no_close() {
    let mut rig = Rig::with(|config| config.drain.code = None);
    let (mut client, mut upstream) = rig.session().await;
    rig.advance(Phase::Closing);
    answer_fins(&mut client, &mut upstream).await;
    assert_eq!(
        line(&rig.record().await),
        "1006 by proxy: drain, none, planned; client fin saw 1006; upstream fin saw 1006"
    );
    rig.done().await;
}

#[tokio::test]
async fn closewatchs_close_waits_for_the_end_of_a_message() {
    let mut rig = Rig::new();
    let (mut client, mut upstream) = rig.session().await;
    let (first, last) = (text("half a ").unfinished(), continuation(b"message"));
    client.say(&first).await;
    upstream.hear(&first).await;
    rig.advance(Phase::Closing);
    // The other direction stands between two messages.
    client.hear_own_close(1001, "").await;
    client.say(&last).await;
    upstream.hear(&last).await;
    upstream.hear_own_close(1001, "").await;
    client.say(&close(1001, "")).await;
    upstream.say(&close(1001, "")).await;
    answer_fins(&mut client, &mut upstream).await;
    assert_eq!(
        line(&rig.record().await),
        "1001 by proxy: drain, complete, planned; client fin saw 1001 clean; upstream fin saw 1001 clean"
    );
    rig.done().await;
}

#[tokio::test]
async fn what_comes_with_the_end_of_a_message_is_cut_off_behind_it() {
    let mut rig = Rig::new();
    let (mut client, mut upstream) = rig.session().await;
    let (first, last) = (text("half a ").unfinished(), continuation(b"message"));
    client.say(&first).await;
    upstream.hear(&first).await;
    rig.advance(Phase::Closing);
    client.hear_own_close(1001, "").await;
    client.send(&[last.bytes(Peer::Client), text("more").bytes(Peer::Client)].concat()).await;
    upstream.hear(&last).await;
    upstream.hear_own_close(1001, "").await;
    client.say(&close(1001, "")).await;
    upstream.say(&close(1001, "")).await;
    answer_fins(&mut client, &mut upstream).await;
    let record = rig.record().await;
    assert_eq!(record.facts.client.text_messages, 2);
    // The client's reply answers closewatch's own Close: it was owed to nobody else.
    assert_eq!(record.facts.upstream.undelivered_bytes, text("more").bytes(Peer::Client).len() as u64);
    rig.done().await;
}

#[tokio::test]
async fn closewatchs_close_goes_between_two_frames_if_the_message_does_not_end() {
    let mut rig = Rig::new();
    let (mut client, mut upstream) = rig.session().await;
    let first = text("half a ").unfinished();
    upstream.say(&first).await;
    client.hear(&first).await;
    rig.advance(Phase::Closing);
    upstream.hear_own_close(1001, "").await;
    upstream.say(&close(1001, "")).await;
    client.hear(&close(1001, "")).await;
    client.say(&close(1001, "")).await;
    answer_fins(&mut client, &mut upstream).await;
    assert_eq!(rig.record().await.verdict.cause.as_str(), "drain");

    let mut rig = Rig::new();
    let (mut client, mut upstream) = rig.session().await;
    upstream.say(&first).await;
    client.hear(&first).await;
    rig.advance(Phase::Closing);
    // The message does not end. closewatch waits a second for that, and then for the end of a frame only.
    client.hear_own_close(1001, "").await;
    client.say(&close(1001, "")).await;
    upstream.hear_own_close(1001, "").await;
    upstream.say(&close(1001, "")).await;
    answer_fins(&mut client, &mut upstream).await;
    assert_eq!(
        line(&rig.record().await),
        "1001 by proxy: drain, complete, planned; client fin saw 1001 clean; upstream fin saw 1001 clean"
    );
    rig.done().await;
}

#[tokio::test]
async fn a_peer_is_reset_rather_than_sent_a_close_inside_a_frame() {
    // The frame that does not end, and the one that cannot be read.
    let beginnings: [&[u8]; 2] = [&[0x82, 0x7e, 0xff, 0xff, 1, 2, 3], &[0x82, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0]];
    for beginning in beginnings {
        let mut rig = Rig::with(|config| config.timeouts.close_reply = MOMENT);
        let (mut client, mut upstream) = rig.session().await;
        upstream.send(beginning).await;
        client.expect(beginning).await;
        rig.advance(Phase::Closing);
        upstream.hear_own_close(1001, "").await;
        upstream.say(&close(1001, "")).await;
        upstream.fin().await;
        // A frame without an end goes on for as long as the upstream sends.
        assert_eq!(client.receive_all().await.1, Some(std::io::ErrorKind::ConnectionReset));
        let record = rig.record().await;
        assert_eq!(record.verdict.cause.as_str(), "drain");
        assert!(record.facts.client.was_reset);
        assert_eq!(record.facts.client.own_close.map(|own| own.code.0), None);
        rig.done().await;
    }
}

#[tokio::test]
async fn a_drain_leaves_alone_what_the_peers_have_begun() {
    let mut rig = Rig::new();
    let (mut client, mut upstream) = rig.session().await;
    client.say(&close(4000, "mine")).await;
    upstream.hear(&close(4000, "mine")).await;
    rig.advance(Phase::Closing);
    // Only the direction that carried no Close yet is given one.
    client.hear_own_close(1001, "").await;
    upstream.say(&close(4000, "")).await;
    answer_fins(&mut client, &mut upstream).await;
    assert_eq!(
        line(&rig.record().await),
        "4000 [4xxx] by client: close_handshake, complete, application; \
         client fin saw 1001 clean; upstream fin saw 4000 clean"
    );
    rig.done().await;
}

#[tokio::test]
async fn a_peer_that_does_not_read_cannot_hold_up_a_drain() {
    let mut rig = Rig::with_small_buffers(|config| config.timeouts.close_reply = MOMENT);
    let (mut client, mut upstream) = rig.session().await;
    rig.stall(&mut upstream).await;
    rig.advance(Phase::Closing);
    let record = rig.record().await;
    assert_eq!(record.verdict.cause.as_str(), "drain");
    assert!(record.facts.client.was_reset, "its Close did not get through");
    assert_eq!(record.facts.client.own_close.map(|own| own.code.0), None);
    client.receive_all().await;
    rig.done().await;
}

#[tokio::test]
async fn the_second_signal_files_every_session_at_once() {
    let mut rig = Rig::new();
    let mut peers = Vec::new();
    for _ in 0..20 {
        peers.push(rig.session().await);
    }
    rig.advance(Phase::Abort);
    for _ in 0..20 {
        let record = rig.record().await;
        assert_eq!(record.verdict.cause.as_str(), "drain");
        assert_eq!(record.verdict.class.as_str(), "planned");
    }
    rig.done().await;
}
