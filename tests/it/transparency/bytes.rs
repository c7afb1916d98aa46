//! Bytes out equal bytes in.

use closewatch::wire::{Peer, Violation};

use crate::rig::{Frame, REQUEST, Rig, SWITCH, binary, close, continuation, ping, pong, text};

const SWITCH_DEFLATE: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";

/// A direction's worth of frames of all kinds; now and then something that is no frame at all.
fn stream(random: &mut fastrand::Rng, from: Peer) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..random.usize(1..40) {
        let mut payload = vec![0; random.usize(0..125)];
        random.fill(&mut payload);
        let frame = match random.u8(0..9) {
            0 => text("text"),
            1 => binary(&payload),
            2 => binary(&payload).unfinished(),
            3 => continuation(&payload),
            4 => ping(&payload),
            5 => pong(&payload),
            6 => binary(&vec![random.u8(..); random.usize(0..100_000)]),
            7 => Frame::new(random.u8(0..16), &payload).reserved(random.u8(..)),
            _ => binary(&payload).wrongly_masked(),
        };
        bytes.extend(frame.bytes(from));
        if random.u8(0..200) == 0 {
            bytes.extend(&payload);
        }
    }
    bytes
}

/// `bytes` in pieces of any size, most of them small.
fn cut<'b>(random: &mut fastrand::Rng, mut bytes: &'b [u8]) -> Vec<&'b [u8]> {
    let mut pieces = Vec::new();
    while !bytes.is_empty() {
        let largest = if random.bool() { 8 } else { 30_000 };
        let (piece, rest) = bytes.split_at(random.usize(1..=largest).min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

#[tokio::test]
async fn any_bytes_in_any_pieces_arrive_as_they_were_sent_both_ways_at_once() {
    let mut rig = Rig::new();
    for seed in 0..60 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (from_client, from_upstream) = (stream(&mut random, Peer::Client), stream(&mut random, Peer::Upstream));
        let (client_pieces, upstream_pieces) = (cut(&mut random, &from_client), cut(&mut random, &from_upstream));
        let (mut client, mut upstream) = rig.session().await;
        tokio::join!(client.exchange(client_pieces, &from_upstream), upstream.exchange(upstream_pieces, &from_client),);
        client.fin().await;
        upstream.expect_fin().await;
        upstream.fin().await;
        client.expect_fin().await;
        let record = rig.record().await;
        let facts = &record.facts;
        assert_eq!(facts.client.bytes, from_client.len() as u64, "seed {seed}");
        assert_eq!(facts.upstream.bytes, from_upstream.len() as u64, "seed {seed}");
        assert_eq!((facts.client.undelivered_bytes, facts.upstream.undelivered_bytes), (0, 0), "seed {seed}");
    }
    let seen = rig.seen();
    assert!(seen.bytes.iter().all(|bytes| *bytes > 1_000_000), "{seen:?}");
    rig.done().await;
}

#[tokio::test]
async fn compressed_messages_keep_their_bit_and_are_no_violation_once_negotiated() {
    for (switch, violations) in [(SWITCH_DEFLATE, 0), (SWITCH, 2)] {
        let mut rig = Rig::new();
        let (mut client, mut upstream) = rig.session_with(REQUEST, switch).await;
        let compressed = Frame::new(0x1, b"\xf2\x48\xcd\xc9\xc9\x07\x00").reserved(0x40);
        client.say(&compressed).await;
        upstream.hear(&compressed).await;
        let first = compressed.unfinished();
        client.say(&first).await;
        client.say(&continuation(b"\x00")).await;
        upstream.hear(&first).await;
        upstream.hear(&continuation(b"\x00")).await;
        client.fin().await;
        upstream.fin().await;
        let record = rig.record().await;
        let counted: u32 = record.facts.client.violations.iter().map(|(_, count)| count).sum();
        assert_eq!(counted, violations);
        assert!(record.facts.client.violations.iter().all(|(kind, _)| kind == Violation::Rsv));
        assert_eq!(record.facts.client.text_messages, 2);
        rig.done().await;
    }
}

#[tokio::test]
async fn bytes_glued_to_the_request_and_to_the_101_are_data() {
    let mut rig = Rig::new();
    let (early_client, early_upstream) = (text("sent with the request"), text("sent with the 101"));
    let mut client = rig.connect().await;
    client.send(&[REQUEST.as_bytes(), &early_client.bytes(Peer::Client)].concat()).await;
    let mut upstream = rig.accept().await;
    upstream.receive_head().await;
    upstream.send(&[SWITCH.as_bytes(), &early_upstream.bytes(Peer::Upstream)].concat()).await;
    client.receive_head().await;
    client.hear(&early_upstream).await;
    upstream.hear(&early_client).await;
    // Nothing was lost or doubled between the early bytes and those that follow.
    client.say(&text("next")).await;
    upstream.hear(&text("next")).await;
    upstream.say(&text("next")).await;
    client.hear(&text("next")).await;
    client.fin().await;
    upstream.expect_fin().await;
    upstream.fin().await;
    client.expect_fin().await;
    let record = rig.record().await;
    assert_eq!((record.facts.client.text_messages, record.facts.upstream.text_messages), (2, 2));
    rig.done().await;
}

#[tokio::test]
async fn a_whole_session_glued_to_its_handshake_is_recorded_like_any_other() {
    let mut rig = Rig::new();
    let mut client = rig.connect().await;
    client
        .send(&[REQUEST.as_bytes(), &text("hi").bytes(Peer::Client), &close(1000, "").bytes(Peer::Client)].concat())
        .await;
    client.fin().await;
    let mut upstream = rig.accept().await;
    upstream.receive_head().await;
    upstream.send(&[SWITCH.as_bytes(), &close(1000, "").bytes(Peer::Upstream)].concat()).await;
    upstream.fin().await;
    client.receive_head().await;
    client.hear(&close(1000, "")).await;
    client.expect_fin().await;
    upstream.hear(&text("hi")).await;
    upstream.hear(&close(1000, "")).await;
    upstream.expect_fin().await;
    let record = rig.record().await;
    assert_eq!(record.verdict.handshake.as_str(), "complete");
    assert_eq!(record.verdict.code, Some(1000.into()));
    rig.done().await;
}

#[tokio::test]
async fn data_behind_a_close_still_passes_in_both_directions() {
    let mut rig = Rig::new();
    let (mut client, mut upstream) = rig.session().await;
    client.say(&close(1000, "")).await;
    upstream.hear(&close(1000, "")).await;
    let rest = binary(&vec![5; 300_000]);
    tokio::join!(upstream.say(&rest), client.hear(&rest));
    client.say(&text("against the rules")).await;
    upstream.hear(&text("against the rules")).await;
    upstream.say(&close(1000, "")).await;
    client.hear(&close(1000, "")).await;
    upstream.fin().await;
    client.expect_fin().await;
    client.fin().await;
    upstream.expect_fin().await;
    let record = rig.record().await;
    assert_eq!(record.facts.client.frames_after_close, 1);
    assert_eq!(record.facts.upstream.frames_after_close, 0);
    rig.done().await;
}

#[tokio::test]
async fn a_unix_upstream_is_served_like_any_other() {
    let mut rig = Rig::with_unix_upstream(|_| {});
    let (mut client, mut upstream) = rig.session().await;
    let large = binary(&vec![9; 1_000_000]);
    tokio::join!(client.say(&large), upstream.hear(&large));
    tokio::join!(upstream.say(&large), client.hear(&large));
    upstream.say(&close(1001, "")).await;
    client.hear(&close(1001, "")).await;
    client.say(&close(1001, "")).await;
    upstream.hear(&close(1001, "")).await;
    upstream.fin().await;
    client.expect_fin().await;
    client.fin().await;
    upstream.expect_fin().await;
    let record = rig.record().await;
    assert_eq!(record.verdict.class.as_str(), "planned");
    assert!(record.session.upstream.to_string().starts_with("unix:/"), "{}", record.session.upstream);
    assert!(record.session.route.upstream.starts_with("unix:/"), "{}", record.session.route.upstream);
    rig.done().await;
}
