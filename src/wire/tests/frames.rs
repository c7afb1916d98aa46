//! Frames as they should be, in slices as they come.

use super::*;
use crate::wire::{Boundary, MAX_CONTROL_PAYLOAD, MAX_HEADER};

#[test]
fn each_opcode_has_its_name() {
    use Opcode::{Binary, Close, Continuation, Ping, Pong, Reserved, Text};
    let all = (0..16).map(|low| Opcode::from_first_byte(0xf0 | low)).collect::<Vec<_>>();
    let reserved = |low| Reserved(low);
    let expected = [
        [Continuation, Text, Binary, reserved(3), reserved(4), reserved(5), reserved(6), reserved(7)],
        [Close, Ping, Pong, reserved(11), reserved(12), reserved(13), reserved(14), reserved(15)],
    ];
    assert_eq!(all, expected.concat());
    assert!(all.iter().enumerate().all(|(low, opcode)| opcode.is_control() == (low >= 8)));
}

#[test]
fn of_payload_only_a_control_frame_in_pieces_is_kept() {
    for (opcode, pieces, kept) in
        [(BINARY, [4, 6], [0, 0]), (BINARY, [10, 0], [0, 0]), (PING, [4, 6], [4, 10]), (PING, [10, 0], [0, 0])]
    {
        let mut tap = tap();
        let bytes = frame(opcode, [7; 10]).bytes();
        let (header, payload) = bytes.split_at(bytes.len() - 10);
        tap.feed(header, &mut Log::default());
        let mut at = 0;
        let found = pieces.map(|size| {
            tap.feed(&payload[at..at + size], &mut Log::default());
            at += size;
            tap.kept()
        });
        assert_eq!(found, kept, "opcode {opcode}, {pieces:?}");
    }
}

#[test]
fn a_whole_message_is_one_frame_that_completes_it() {
    let log = see(&[frame(TEXT, "hello"), frame(BINARY, [0; 3])]);
    assert_eq!(
        log.0,
        [
            Seen::Frame {
                opcode: Opcode::Text,
                completes: Some(MessageKind::Text),
                len: 5,
                payload: vec![],
                after_close: false,
                end: 11,
            },
            Seen::Frame {
                opcode: Opcode::Binary,
                completes: Some(MessageKind::Binary),
                len: 3,
                payload: vec![],
                after_close: false,
                end: 20,
            },
        ]
    );
}

#[test]
fn a_fragmented_message_is_complete_at_its_last_frame_and_keeps_its_kind() {
    let log = see(&[
        frame(BINARY, "a").unfinished(),
        frame(CONTINUATION, "b").unfinished(),
        frame(PING, "c"),
        frame(CONTINUATION, "d"),
        frame(TEXT, "e").unfinished(),
        frame(CONTINUATION, ""),
    ]);
    assert_eq!(log.completed(), [MessageKind::Binary, MessageKind::Text]);
    assert_eq!(log.opcodes().len(), 6);
    assert_eq!(log.violations(), []);
}

#[test]
fn each_length_form_begins_where_the_one_before_it_ends() {
    for len in [0, 1, 124, 125, 126, 127, 128, 0xffff, 0x1_0000, 0x1_0001] {
        for frame in [frame(BINARY, vec![1; len]), frame(BINARY, vec![1; len]).unmasked()] {
            let from = if frame.mask.is_some() { Peer::Client } else { Peer::Upstream };
            let bytes = frame.bytes();
            let mut tap = Tap::new(from, ReservedBits::None);
            let log = feed(&mut tap, &bytes);
            assert_eq!(log.lens(), [len as u64]);
            assert_eq!(log.ends(), [bytes.len() as u64]);
            assert_eq!(log.violations(), []);
            assert_eq!(tap.boundary(), Boundary::Message);
        }
    }
}

#[test]
fn a_header_split_at_every_byte_is_read_all_the_same() {
    for len in [5, 300, 70_000] {
        let bytes = wire(&[frame(BINARY, vec![1; len]), frame(PING, "after")]);
        let whole = feed(&mut tap(), &bytes);
        for split in 0..=MAX_HEADER {
            let mut tap = tap();
            let mut log = feed(&mut tap, &bytes[..split]);
            assert_eq!(tap.seen(), split as u64);
            log.0.extend(feed(&mut tap, &bytes[split..]).0);
            assert_eq!(log.0, whole.0, "{len} at {split}");
        }
    }
}

#[test]
fn a_control_payload_split_anywhere_is_whole_and_unmasked() {
    let payload = (0..MAX_CONTROL_PAYLOAD as u8).collect::<Vec<_>>();
    for opcode in [PING, PONG, CLOSE] {
        let bytes = wire(&[frame(opcode, &payload)]);
        for first in 0..bytes.len() {
            for second in [first, (first + 1).min(bytes.len()), first.midpoint(bytes.len()), bytes.len()] {
                let mut tap = tap();
                let mut log = feed(&mut tap, &bytes[..first]);
                log.0.extend(feed(&mut tap, &bytes[first..second]).0);
                log.0.extend(feed(&mut tap, &bytes[second..]).0);
                assert_eq!(log.payloads(), std::slice::from_ref(&payload), "{opcode} at {first} and {second}");
            }
        }
    }
}

#[test]
fn a_split_control_payload_leaves_nothing_to_the_next_one() {
    let mut tap = tap();
    let bytes = frame(PING, "a long payload").bytes();
    feed(&mut tap, &bytes[..9]);
    assert_eq!(feed(&mut tap, &bytes[9..]).payloads(), [b"a long payload"]);
    assert_eq!(feed(&mut tap, &frame(PONG, "short").bytes()).payloads(), [b"short"]);
    assert_eq!(feed(&mut tap, &frame(PONG, "").bytes()).payloads(), [b""]);
    let bytes = frame(PONG, "split").bytes();
    feed(&mut tap, &bytes[..7]);
    assert_eq!(feed(&mut tap, &bytes[7..]).payloads(), [b"split"]);
}

#[test]
fn data_payload_is_never_shown() {
    let log = see(&[frame(TEXT, "secret"), frame(BINARY, "secret"), frame(0x3, "secret"), frame(0xb, "secret")]);
    assert!(log.payloads().iter().all(Vec::is_empty));
}

#[test]
fn frames_without_payload_are_frames() {
    let log = see(&[
        frame(TEXT, ""),
        frame(BINARY, "").unfinished(),
        frame(CONTINUATION, "").unfinished(),
        frame(PING, ""),
        frame(CONTINUATION, ""),
        frame(PONG, ""),
        frame(CLOSE, ""),
    ]);
    assert_eq!(log.ends(), [6, 12, 18, 24, 30, 36, 42]);
    assert_eq!(log.lens(), [0; 7]);
    assert_eq!(log.completed(), [MessageKind::Text, MessageKind::Binary]);
    assert_eq!(log.violations(), []);
}

#[test]
fn a_close_may_come_in_the_middle_of_a_message() {
    let mut tap = tap();
    let log = feed(&mut tap, &wire(&[frame(TEXT, "a").unfinished(), frame(CLOSE, [0x03, 0xe8])]));
    assert_eq!(log.violations(), []);
    assert_eq!(log.payloads(), [vec![], vec![0x03, 0xe8]]);
    assert!(tap.close_seen());
    assert_eq!(tap.boundary(), Boundary::Frame);
}

#[test]
fn a_frame_of_the_greatest_length_is_counted_down() {
    let mut tap = tap();
    let header = frame(BINARY, "").declaring(i64::MAX as u64).bytes();
    assert_eq!(feed(&mut tap, &header).0, []);
    assert!(!tap.is_blind());
    assert_eq!(feed(&mut tap, &[0x88; 4096]).0, []);
    assert_eq!(tap.seen(), header.len() as u64 + 4096);
    assert_eq!(tap.boundary(), Boundary::Inside);
}

#[test]
fn only_bytes_of_a_close_are_no_activity() {
    let close = frame(CLOSE, [0x03, 0xe8]).bytes();
    for split in 1..close.len() {
        let mut tap = tap();
        assert!(!tap.feed(&close[..split], &mut Log::default()));
        assert!(!tap.feed(&close[split..], &mut Log::default()));
    }
    for opcode in [CONTINUATION, TEXT, BINARY, PING, PONG, 0x7, 0xf] {
        let bytes = frame(opcode, "abc").bytes();
        let mut tap = tap();
        assert!(bytes.chunks(1).all(|byte| tap.feed(byte, &mut Log::default())), "{opcode}");
    }
    let both = wire(&[frame(PONG, ""), frame(CLOSE, "")]);
    assert!(tap().feed(&both, &mut Log::default()));
    assert!(!tap().feed(&[], &mut Log::default()));
}

#[test]
fn what_lies_ahead_is_payload_that_means_nothing() {
    let mut tap = tap();
    assert_eq!(tap.ahead(), 0);
    let header = frame(BINARY, "").declaring(100).bytes();
    feed(&mut tap, &header);
    assert_eq!(tap.ahead(), 100);
    let mut log = Log::default();
    tap.skip(60, &mut log);
    tap.skip(0, &mut log);
    assert_eq!((tap.ahead(), tap.seen(), log.lens()), (40, header.len() as u64 + 60, vec![]));
    // No more than there is, and between frames nothing.
    tap.skip(1_000, &mut log);
    tap.skip(0, &mut log);
    tap.skip(1, &mut log);
    assert_eq!((tap.ahead(), tap.seen(), log.lens()), (0, header.len() as u64 + 100, vec![100]));
    feed(&mut tap, &frame(PING, "").declaring(100).bytes());
    assert_eq!(tap.ahead(), 0);
}

#[test]
fn peers_have_names_and_a_direction() {
    let names = Peer::ALL.map(|peer| (peer.index(), peer.as_str(), peer.direction(), peer.other().as_str()));
    assert_eq!(names, [(0, "client", "from_client", "upstream"), (1, "upstream", "from_upstream", "client")]);
}

#[test]
fn a_tap_is_small() {
    assert!(size_of::<Tap>() <= 64, "a tap takes {} bytes", size_of::<Tap>());
}
