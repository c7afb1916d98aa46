//! Bytes through TLS: all of them, in order, whatever the pieces and however slow the reader.

use closewatch::wire::Peer;
use proptest::prelude::*;

use super::LEGS;
use crate::rig::{Legs, REQUEST, RawPeer, Rig, SWITCH, binary, close, text};

const BOTH: Legs = Legs { client: true, upstream: true };

/// Messages of one peer, as the bytes of their frames, and where to cut these.
fn stream() -> impl Strategy<Value = (Vec<usize>, Vec<usize>)> {
    (prop::collection::vec(0..70_000_usize, 1..6), prop::collection::vec(1..40_000_usize, 1..20))
}

fn bytes(peer: &RawPeer, sizes: &[usize]) -> Vec<u8> {
    let frames = sizes.iter().enumerate();
    frames.flat_map(|(at, size)| peer.bytes_of(&binary(&vec![at.to_le_bytes()[0]; *size]))).collect()
}

/// `bytes` in pieces of these lengths, again and again.
fn pieces<'b>(mut bytes: &'b [u8], lengths: &[usize]) -> Vec<&'b [u8]> {
    let mut pieces = Vec::new();
    for length in lengths.iter().cycle() {
        if bytes.is_empty() {
            break;
        }
        let (piece, rest) = bytes.split_at(bytes.len().min(*length));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes_pass_unchanged_in_any_pieces(from_client in stream(), from_upstream in stream(), legs in 0..LEGS.len()) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let mut rig = Rig::with_tls(LEGS[legs], |_| {});
            let (mut client, mut upstream) = rig.session().await;
            let (out, back) = (bytes(&client, &from_client.0), bytes(&upstream, &from_upstream.0));
            tokio::join!(
                client.exchange(pieces(&out, &from_client.1), &back),
                upstream.exchange(pieces(&back, &from_upstream.1), &out),
            );
            client.fin().await;
            upstream.expect_fin().await;
            upstream.fin().await;
            client.expect_fin().await;
            let record = rig.record().await;
            assert_eq!(record.facts.client.bytes, out.len() as u64);
            assert_eq!(record.facts.upstream.bytes, back.len() as u64);
            assert_eq!(record.facts.client.undelivered_bytes, 0);
            rig.done().await;
        });
    }
}

#[tokio::test]
async fn a_slow_reader_gets_everything_and_then_the_close() {
    for legs in LEGS {
        for from in Peer::ALL {
            let mut rig = Rig::with_tls_and_small_buffers(legs, |_| {});
            let (mut client, mut upstream) = rig.session().await;
            let (fast, slow) = match from {
                Peer::Client => (&mut client, &mut upstream),
                Peer::Upstream => (&mut upstream, &mut client),
            };
            let (sent, rest) = rig.stall(fast).await;
            tokio::join!(fast.flush(), slow.expect(&sent));
            fast.send_at_once(&[&rest[..], &fast.bytes_of(&close(1011, "boom"))].concat());
            fast.cut_off();
            slow.expect(&rest).await;
            slow.hear(&close(1011, "boom")).await;
            if fast.has_tls() && slow.has_tls() {
                slow.expect_cut_off().await;
            } else {
                slow.expect_fin().await;
            }
            slow.fin().await;
            let record = rig.record().await;
            assert_eq!(record.verdict.code.map(|code| code.0), Some(1011));
            let facts = record.facts.of(from.other());
            assert_eq!(facts.undelivered_bytes, 0);
            assert!(!facts.stalled.is_zero());
            rig.done().await;
        }
    }
}

#[tokio::test]
async fn a_fin_behind_a_full_pipe_waits_and_still_says_close_notify() {
    let mut rig = Rig::with_tls_and_small_buffers(BOTH, |_| {});
    let (mut client, mut upstream) = rig.session().await;
    let (sent, rest) = rig.stall(&mut upstream).await;
    // Now closewatch itself has bytes that wait; and behind them an end that must not look cut off.
    let sending = async {
        upstream.send(&rest).await;
        upstream.fin().await;
    };
    let reading = async {
        client.expect(&sent).await;
        client.expect(&rest).await;
        client.expect_fin().await;
    };
    tokio::join!(sending, reading);
    client.fin().await;
    upstream.expect_fin().await;
    assert_eq!(
        crate::rig::line(&rig.record().await),
        "1006 by upstream: upstream_eof, none, abnormal; client fin saw 1006; upstream fin saw 1006"
    );
    rig.done().await;
}

#[tokio::test]
async fn a_drain_closes_and_then_says_close_notify() {
    use closewatch::shutdown::Phase;
    for legs in LEGS {
        let mut rig = Rig::with_tls(legs, |_| {});
        let (mut client, mut upstream) = rig.session().await;
        client.say(&text("before")).await;
        upstream.hear(&text("before")).await;
        rig.advance(Phase::Closing);
        client.hear_own_close(1001, "").await;
        upstream.hear_own_close(1001, "").await;
        client.say(&close(1001, "")).await;
        upstream.say(&close(1001, "")).await;
        client.expect_fin().await;
        upstream.expect_fin().await;
        client.fin().await;
        upstream.fin().await;
        let record = rig.record().await;
        assert_eq!(record.verdict.cause.as_str(), "drain");
        rig.done().await;
    }
}

#[tokio::test]
async fn plain_http_and_refusals_pass_and_end_in_order() {
    let mut rig = Rig::with_tls(BOTH, |_| {});
    let mut client = rig.connect().await;
    client.send(b"GET /x HTTP/1.1\r\nHost: chat.test\r\nConnection: close\r\n\r\n").await;
    let mut upstream = rig.accept().await;
    let head = upstream.receive_head().await;
    assert!(head.to_lowercase().contains("x-forwarded-proto: https\r\n"), "{head}");
    upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    let (answer, end) = client.receive_all().await;
    assert!(answer.ends_with(b"\r\n\r\nok"), "{answer:?}");
    assert_eq!(end, None, "close_notify before the FIN");

    let mut client = rig.connect().await;
    client.send(REQUEST.as_bytes()).await;
    let mut upstream = rig.accept().await;
    let head = upstream.receive_head().await;
    assert!(head.to_lowercase().contains("x-forwarded-proto: https\r\n"), "{head}");
    upstream.send(b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno").await;
    let (answer, end) = client.receive_all().await;
    assert!(answer.starts_with(b"HTTP/1.1 403 Forbidden\r\n"), "{answer:?}");
    assert_eq!(end, None, "close_notify before the FIN");
    assert_eq!(rig.handshake().await.1.status, Some(403));
    rig.done().await;
}

#[tokio::test]
async fn bytes_behind_both_heads_are_the_sessions() {
    for legs in LEGS {
        let mut rig = Rig::with_tls(legs, |_| {});
        let mut client = rig.connect().await;
        client.send(&[REQUEST.as_bytes(), &client.bytes_of(&text("early"))].concat()).await;
        let mut upstream = rig.accept().await;
        upstream.receive_head().await;
        upstream.send(&[SWITCH.as_bytes(), &upstream.bytes_of(&text("too"))].concat()).await;
        client.receive_head().await;
        client.hear(&text("too")).await;
        upstream.hear(&text("early")).await;
        client.fin().await;
        upstream.expect_fin().await;
        upstream.fin().await;
        rig.record().await;
        rig.done().await;
    }
}
