//! Frames so large that their payload is spliced: nothing shows that it was.

use std::time::Duration;

use closewatch::close::{CloseRecord, PeerFacts};
use closewatch::shutdown::Phase;
use closewatch::wire::Peer;

use crate::rig::{Frame, Rig, binary, close, continuation, line, part, payload, ping, text};

/// The size of one read, and the size of a pipe.
const BUFFER: usize = 64 * 1024;
const PIPE: usize = 256 * 1024;

/// The header of a frame longer than 65535 bytes from an upstream.
const HEADER: usize = 10;

/// A peer's way through a session: messages of any size up to far beyond a pipe, in frames, with pings between them.
fn script(random: &mut fastrand::Rng) -> Vec<Frame> {
    let mut frames = Vec::new();
    for _ in 0..random.usize(1..8) {
        let mut len = || match random.u8(0..6) {
            0 => random.usize(0..200),
            1 => random.usize(0..BUFFER),
            2 => 2 * BUFFER + random.usize(0..3) * BUFFER - random.usize(0..16),
            3 => BUFFER + PIPE * random.usize(0..3) - HEADER + random.usize(0..4) - 2,
            4 => random.usize(2 * BUFFER..2 * PIPE),
            _ => random.usize(0..1_500_000),
        };
        let (first, second) = (payload(len()), payload(len()));
        match random.u8(0..5) {
            0 => frames.extend([binary(&first).unfinished(), ping(b"?"), continuation(&second)]),
            1 => frames.extend([binary(&first), text("small"), binary(&second)]),
            2 => frames.push(binary(&first).wrongly_masked()),
            3 => frames.push(binary(&first).reserved(0x10)),
            _ => frames.push(binary(&first)),
        }
    }
    frames
}

/// `bytes` in pieces: now and then a few bytes alone, so that headers come in two.
fn cut<'b>(random: &mut fastrand::Rng, mut bytes: &'b [u8]) -> Vec<&'b [u8]> {
    let mut pieces = Vec::new();
    while !bytes.is_empty() {
        let largest = if random.u8(0..4) == 0 { 12 } else { 600_000 };
        let (piece, rest) = bytes.split_at(random.usize(1..=largest).min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

/// All of a record that is no time, no address, and not the kernel's.
fn told(record: &CloseRecord) -> String {
    let peer = |facts: &PeerFacts| {
        let close =
            facts.close.as_ref().map(|close| (close.code, close.reason.clone(), close.fault, close.written.is_some()));
        format!(
            "{close:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
            (facts.text_messages, facts.binary_messages, facts.frames, facts.bytes),
            (facts.pings, facts.pongs, facts.unanswered_pings, facts.unsolicited_pongs),
            facts.violations.iter().collect::<Vec<_>>(),
            (facts.frames_after_close, facts.undelivered_bytes, facts.blind.is_some()),
            (facts.end(), facts.was_reset, facts.reset_after_fin, facts.own_close.is_some()),
            (facts.last_frame.is_some(), facts.last_message.is_some(), facts.last_pong.is_some()),
            facts.ping_rtt.is_some(),
        )
    };
    format!("{}\nclient {}\nupstream {}", line(record), peer(&record.facts.client), peer(&record.facts.upstream))
}

#[tokio::test]
async fn frames_of_any_size_arrive_and_are_recorded_the_same_with_splice_and_without() {
    let mut rigs = [false, true].map(|splice| Rig::with(|config| config.relay.splice = splice));
    for seed in 0..25 {
        let mut records = Vec::new();
        for rig in &mut rigs {
            let mut random = fastrand::Rng::with_seed(seed);
            let [from_client, from_upstream] = Peer::ALL
                .map(|peer| script(&mut random).iter().flat_map(|frame| frame.bytes(peer)).collect::<Vec<_>>());
            let client_pieces = cut(&mut random, &from_client);
            let upstream_pieces = cut(&mut random, &from_upstream);
            let (mut client, mut upstream) = rig.session().await;
            tokio::join!(
                client.exchange(client_pieces, &from_upstream),
                upstream.exchange(upstream_pieces, &from_client)
            );
            part(&mut client, &mut upstream, "done").await;
            records.push(told(&rig.record().await));
        }
        assert_eq!(records[0], records[1], "seed {seed}: without, and with");
    }
    for rig in rigs {
        assert!(rig.seen().bytes.iter().all(|bytes| *bytes > 10_000_000), "{:?}", rig.seen());
        rig.done().await;
    }
}

#[tokio::test]
async fn the_end_of_a_frame_may_be_that_of_a_buffer_or_a_pipe_and_anything_may_follow() {
    let lens = [BUFFER, 2 * BUFFER, 3 * BUFFER, BUFFER + PIPE, BUFFER + 2 * PIPE, PIPE, 2 * PIPE];
    let mut rig = Rig::with(|config| config.relay.splice = true);
    for len in lens.into_iter().flat_map(|len| [len - 1, len, len + 1]) {
        let (mut client, mut upstream) = rig.session().await;
        // Counted with its header, and without.
        let frames = [binary(&payload(len)), text("next"), binary(&payload(len - HEADER)), ping(b"alive?")];
        let large = frames[0].bytes(Peer::Upstream);
        let next = frames[1].bytes(Peer::Upstream);
        let rest = [frames[2].bytes(Peer::Upstream), frames[3].bytes(Peer::Upstream)].concat();
        let all = [&large[..], &next, &rest].concat();
        // The next header in two parts, the first right behind the payload.
        let pieces = [&all[..=large.len()], &all[large.len() + 1..]];
        tokio::join!(upstream.exchange(pieces, &[]), client.expect(&all));
        part(&mut upstream, &mut client, "done").await;
        let facts = rig.record().await.facts;
        let upstream = &facts.upstream;
        assert_eq!((upstream.binary_messages, upstream.text_messages, upstream.pings), (2, 1, 1), "{len}");
        assert_eq!(upstream.frames, 5, "{len}");
    }
    rig.done().await;
}

#[tokio::test]
async fn unix_sockets_and_tcp_are_spliced_alike() {
    let mut rig = Rig::with_unix_upstream(|config| config.relay.splice = true);
    let (mut client, mut upstream) = rig.session().await;
    let message = binary(&payload(3_000_000));
    tokio::join!(client.say(&message), upstream.hear(&message));
    tokio::join!(upstream.say(&message), client.hear(&message));
    part(&mut client, &mut upstream, "done").await;
    let record = rig.record().await;
    assert_eq!((record.facts.client.binary_messages, record.facts.upstream.binary_messages), (1, 1));
    rig.done().await;
}

#[tokio::test]
async fn a_close_right_behind_a_spliced_frame_is_seen() {
    for from in Peer::ALL {
        let mut rig = Rig::with(|config| config.relay.splice = true);
        let (mut closer, mut other) = rig.session_seen_by(from).await;
        let bytes = [binary(&payload(1_000_000)).bytes(from), close(1011, "boom").bytes(from)].concat();
        tokio::join!(closer.send(&bytes), other.expect(&bytes));
        other.say(&close(1011, "")).await;
        closer.hear(&close(1011, "")).await;
        closer.fin().await;
        other.expect_fin().await;
        other.fin().await;
        closer.expect_fin().await;
        let record = rig.record().await;
        assert_eq!(record.verdict.code, Some(1011.into()));
        assert_eq!(record.verdict.initiator.as_str(), from.as_str());
        assert_eq!(record.verdict.handshake.as_str(), "complete");
        assert_eq!(record.facts.of(from).frames_after_close, 0);
        rig.done().await;
    }
}

#[tokio::test]
async fn a_fin_in_the_middle_of_a_spliced_frame_leaves_as_one_behind_all_that_came() {
    for from in Peer::ALL {
        let mut rig = Rig::with_small_buffers(|config| config.relay.splice = true);
        let (mut gone, mut other) = rig.session_seen_by(from).await;
        let bytes = binary(&payload(4_000_000)).bytes(from);
        let sent = &bytes[..3_000_000];
        tokio::join!(
            async {
                gone.send(sent).await;
                gone.fin().await;
            },
            async {
                other.expect(sent).await;
                other.expect_fin().await;
            }
        );
        // The other direction is open, and still spliced.
        let answer = binary(&payload(1_000_000));
        tokio::join!(other.say(&answer), gone.hear(&answer));
        other.fin().await;
        gone.expect_fin().await;
        let record = rig.record().await;
        assert_eq!(record.verdict.cause.as_str(), format!("{}_eof", from.as_str()));
        let facts = record.facts.of(from);
        assert_eq!((facts.bytes, facts.frames), (sent.len() as u64, 0), "no frame came to its end");
        assert_eq!(record.facts.of(from.other()).binary_messages, 1);
        assert_eq!((record.facts.client.undelivered_bytes, record.facts.upstream.undelivered_bytes), (0, 0));
        rig.done().await;
    }
}

#[tokio::test]
async fn a_sender_reset_in_the_middle_of_a_spliced_frame_is_passed_on_behind_what_was_read() {
    for from in Peer::ALL {
        let mut rig = Rig::with_small_buffers(|config| config.relay.splice = true);
        let (mut gone, mut other) = rig.session_seen_by(from).await;
        let bytes = binary(&payload(4_000_000)).bytes(from);
        let sent = &bytes[..1_000_000];
        gone.send(sent).await;
        // A reset throws away what the sender's own host has not sent; here closewatch has it all, some in a pipe.
        rig.until("closewatch to have it all", |seen| seen.bytes[from.index()] == sent.len() as u64).await;
        gone.reset();
        other.expect(sent).await;
        other.expect_reset().await;
        let record = rig.record().await;
        assert_eq!(record.verdict.cause.as_str(), format!("{}_reset", from.as_str()));
        let facts = &record.facts;
        assert!(facts.of(from.other()).was_reset);
        assert_eq!((facts.of(from).frames, facts.of(from.other()).undelivered_bytes), (0, 0));
        rig.done().await;
    }
}

#[tokio::test]
async fn a_receiver_reset_in_the_middle_of_a_spliced_frame_costs_nobody_else_anything() {
    for from in Peer::ALL {
        let mut rig = Rig::with_small_buffers(|config| config.relay.splice = true);
        let (mut sender, mut gone) = rig.session_seen_by(from).await;
        let bytes = binary(&payload(8_000_000)).bytes(from);
        sender.send_until(&bytes, rig.until("the session to stall", |seen| seen.stalled == 1)).await;
        gone.reset();
        sender.expect_reset().await;
        let record = rig.record().await;
        assert_eq!(record.verdict.cause.as_str(), format!("{}_reset", from.other().as_str()));
        let facts = &record.facts;
        assert!(facts.of(from.other()).undelivered_bytes > 0);
        assert!(facts.of(from).bytes >= facts.of(from.other()).undelivered_bytes);
        rig.done().await;
    }
}

#[tokio::test]
async fn a_drain_lets_a_spliced_frame_come_to_its_end_and_puts_its_close_behind() {
    let mut rig = Rig::with(|config| config.relay.splice = true);
    let (mut client, mut upstream) = rig.session().await;
    // More than all sockets' buffers grow to. They are large, so that the rest does not take as long as a drain waits.
    let bytes = binary(&payload(32_000_000)).bytes(Peer::Upstream);
    let sent = upstream.send_until(&bytes, rig.until("the session to stall", |seen| seen.stalled == 1)).await;
    let second = &bytes[sent..];
    rig.advance(Phase::Closing);
    upstream.hear_own_close(1001, "").await;
    tokio::join!(
        async {
            // Piece by piece, here and there: with TLS, on a busy machine, all of it is more than one wait's worth.
            for piece in second.chunks(1_000_000) {
                upstream.send(piece).await;
            }
            // Bytes behind the frame are forwarded to nobody.
            upstream.say(&text("too late")).await;
        },
        async {
            for piece in bytes.chunks(1_000_000) {
                client.expect(piece).await;
            }
            client.hear_own_close(1001, "").await;
        }
    );
    for peer in [&mut client, &mut upstream] {
        peer.say(&close(1001, "")).await;
        peer.expect_fin().await;
        peer.fin().await;
    }
    let record = rig.record().await;
    assert_eq!(
        line(&record),
        "1001 by proxy: drain, complete, planned; client fin saw 1001 clean; upstream fin saw 1001 clean"
    );
    assert_eq!((record.facts.upstream.binary_messages, record.facts.upstream.text_messages), (1, 1));
    rig.done().await;
}

#[tokio::test]
async fn a_drain_does_not_wait_for_a_spliced_frame_that_does_not_end() {
    let mut rig = Rig::with(|config| {
        config.relay.splice = true;
        config.timeouts.close_reply = Duration::from_millis(50);
    });
    let (mut client, mut upstream) = rig.session().await;
    let bytes = binary(&payload(2_000_000)).bytes(Peer::Upstream);
    let (first, _) = bytes.split_at(1_500_000);
    tokio::join!(upstream.send(first), client.expect(first));
    rig.advance(Phase::Closing);
    upstream.hear_own_close(1001, "").await;
    // No Close may go into the middle of a frame.
    client.expect_reset().await;
    let record = rig.record().await;
    assert_eq!(record.verdict.cause.as_str(), "drain");
    assert!(record.facts.client.was_reset && record.facts.client.own_close.is_none());
    rig.done().await;
}
