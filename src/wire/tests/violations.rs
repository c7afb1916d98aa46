//! Every rule that a peer can break, and what is seen of it.

use super::*;
use crate::wire::Boundary;

#[test]
fn every_kind_of_violation_has_its_place_and_its_own_name() {
    for (index, violation) in Violation::ALL.into_iter().enumerate() {
        assert_eq!(violation.index(), index);
    }
    let names = "mask rsv opcode control_length control_fragmented length continuation after_close close_body close_code close_utf8 \
        subprotocol extension";
    assert_eq!(Violation::ALL.map(Violation::as_str).join(" "), names);
}

#[test]
fn a_client_must_mask_and_an_upstream_must_not() {
    let (masked, bare) = (frame(TEXT, "a"), frame(TEXT, "a").unmasked());
    for (from, frame, violations) in [
        (Peer::Client, &masked, vec![]),
        (Peer::Client, &bare, vec![Violation::Mask]),
        (Peer::Upstream, &masked, vec![Violation::Mask]),
        (Peer::Upstream, &bare, vec![]),
    ] {
        let log = feed(&mut Tap::new(from, ReservedBits::None), &frame.bytes());
        assert_eq!(log.violations(), violations);
        assert_eq!(log.completed(), [MessageKind::Text]);
    }
}

#[test]
fn a_close_is_read_by_its_own_mask_bit_whoever_sent_it() {
    for from in Peer::ALL {
        for close in [frame(CLOSE, [0x03, 0xe8]), frame(CLOSE, [0x03, 0xe8]).unmasked()] {
            let log = feed(&mut Tap::new(from, ReservedBits::None), &close.bytes());
            assert_eq!(log.payloads(), [[0x03, 0xe8]]);
        }
    }
}

#[test]
fn a_reserved_bit_needs_an_extension() {
    let broken = |extension, frame: Raw| {
        feed(&mut Tap::new(Peer::Client, extension), &frame.bytes()).violations().contains(&Violation::Rsv)
    };
    for bits in [0x40, 0x20, 0x10, 0x50, 0x60, 0x30, 0x70] {
        for opcode in [TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG, 0x3] {
            let frame = || frame(opcode, "").reserved_bits(bits);
            assert!(broken(ReservedBits::None, frame()));
            let compressed = bits == 0x40 && matches!(opcode, TEXT | BINARY);
            assert_eq!(broken(ReservedBits::PerMessageDeflate, frame()), !compressed, "{bits:x} {opcode}");
            assert!(!broken(ReservedBits::Any, frame()));
        }
    }
}

#[test]
fn a_compressed_message_has_the_bit_on_its_first_frame_only() {
    let mut tap = Tap::new(Peer::Client, ReservedBits::PerMessageDeflate);
    let good = [
        frame(TEXT, "a").unfinished().reserved_bits(0x40),
        frame(CONTINUATION, "b").unfinished(),
        frame(PING, ""),
        frame(CONTINUATION, "c"),
    ];
    assert_eq!(feed(&mut tap, &wire(&good)).violations(), []);
    let bad = [frame(TEXT, "a").unfinished().reserved_bits(0x40), frame(CONTINUATION, "b").reserved_bits(0x40)];
    let log = feed(&mut tap, &wire(&bad));
    assert_eq!(log.violations(), [Violation::Rsv]);
    assert_eq!(log.completed(), [MessageKind::Text]);
}

#[test]
fn a_reserved_opcode_is_skipped_and_counted() {
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        let log = see(&[frame(opcode, "whatever"), frame(TEXT, "a")]);
        assert_eq!(log.violations(), [Violation::Opcode]);
        assert_eq!(log.opcodes(), [Opcode::Reserved(opcode), Opcode::Text]);
        assert_eq!(log.completed(), [MessageKind::Text]);
    }
}

#[test]
fn a_reserved_opcode_does_not_touch_the_message_it_interrupts() {
    let log = see(&[frame(TEXT, "a").unfinished(), frame(0x3, "x"), frame(CONTINUATION, "b")]);
    assert_eq!(log.violations(), [Violation::Opcode]);
    assert_eq!(log.completed(), [MessageKind::Text]);
}

#[test]
fn a_control_frame_over_125_bytes_is_cut_and_skipped() {
    let payload = (0..=255).collect::<Vec<u8>>();
    for opcode in [PING, PONG] {
        let bytes = wire(&[frame(opcode, &payload), frame(PING, "next")]);
        for split in [bytes.len(), 0, 1, 8, 9, 60, 133, 134, 200] {
            let mut tap = tap();
            let mut log = feed(&mut tap, &bytes[..split]);
            log.0.extend(feed(&mut tap, &bytes[split..]).0);
            assert_eq!(log.violations(), [Violation::ControlLength]);
            assert_eq!(log.payloads(), [&payload[..125], b"next"]);
            assert_eq!(log.lens(), [256, 4]);
        }
    }
    assert_eq!(see(&[frame(PING, [0; 125])]).violations(), []);
    assert_eq!(see(&[frame(PING, [0; 126])]).violations(), [Violation::ControlLength]);
    assert_eq!(see(&[frame(0xb, [0; 126])]).violations(), [Violation::Opcode, Violation::ControlLength]);
}

#[test]
fn a_fragmented_control_frame_is_whole_by_itself() {
    let log = see(&[frame(PING, "a").unfinished(), frame(TEXT, "b")]);
    assert_eq!(log.violations(), [Violation::ControlFragmented]);
    assert_eq!(log.opcodes(), [Opcode::Ping, Opcode::Text]);
    let log = see(&[frame(CLOSE, [0x03, 0xe8]).unfinished(), frame(CONTINUATION, "b")]);
    assert_eq!(log.violations(), [Violation::ControlFragmented, Violation::Continuation, Violation::AfterClose]);
    assert_eq!(log.payloads()[0], [0x03, 0xe8]);
}

#[test]
fn a_length_must_be_in_its_shortest_form() {
    for (len, form, violations) in [
        (0, Form::Two, 1),
        (125, Form::Two, 1),
        (126, Form::Two, 0),
        (0xffff, Form::Two, 0),
        (0, Form::Eight, 1),
        (125, Form::Eight, 1),
        (126, Form::Eight, 1),
        (0xffff, Form::Eight, 1),
        (0x1_0000, Form::Eight, 0),
    ] {
        let log = see(&[frame(BINARY, vec![0; len]).len_in(form), frame(PING, "")]);
        assert_eq!(log.violations(), vec![Violation::Length; violations], "{len} {form:?}");
        assert_eq!(log.lens(), [len as u64, 0]);
    }
    let log = see(&[frame(PING, "odd").len_in(Form::Eight)]);
    assert_eq!(log.payloads(), [b"odd"]);
}

#[test]
fn a_length_with_the_top_bit_makes_blind_and_nothing_is_seen_any_more() {
    for len in [1 << 63, u64::MAX] {
        let mut tap = tap();
        let bytes = wire(&[frame(PING, ""), frame(BINARY, "").declaring(len), frame(CLOSE, [0x03, 0xe8])]);
        let log = feed(&mut tap, &bytes);
        assert_eq!(log.0[1..], [Seen::Violation(Violation::Length), Seen::Blind]);
        assert!(tap.is_blind() && !tap.close_seen());
        assert_eq!(tap.boundary(), Boundary::Inside);
        assert_eq!(tap.seen(), bytes.len() as u64);
        assert_eq!(feed(&mut tap, &frame(CLOSE, "").bytes()).0, []);
        assert!(tap.feed(&frame(CLOSE, "").bytes(), &mut Log::default()), "who knows what it was");
        assert_eq!(tap.kept(), 0);
    }
}

#[test]
fn a_continuation_needs_a_message() {
    let log = see(&[frame(CONTINUATION, "a"), frame(TEXT, "b"), frame(CONTINUATION, "c").unfinished()]);
    assert_eq!(log.violations(), [Violation::Continuation; 2]);
    assert_eq!(log.completed(), [MessageKind::Text]);
}

#[test]
fn a_message_inside_another_takes_its_place() {
    let log = see(&[frame(TEXT, "a").unfinished(), frame(BINARY, "b"), frame(CONTINUATION, "c")]);
    assert_eq!(log.violations(), [Violation::Continuation; 2]);
    assert_eq!(log.completed(), [MessageKind::Binary]);
}

#[test]
fn behind_a_close_only_pings_and_pongs_are_no_violation() {
    let log = see(&[
        frame(CLOSE, [0x03, 0xe8]),
        frame(PING, ""),
        frame(PONG, ""),
        frame(TEXT, ""),
        frame(CLOSE, [0x03, 0xe9]),
        frame(0x3, ""),
    ]);
    assert_eq!(
        log.violations(),
        [Violation::AfterClose, Violation::AfterClose, Violation::Opcode, Violation::AfterClose]
    );
    let after = log.frames(|seen| match seen {
        Seen::Frame { after_close, .. } => Some(*after_close),
        Seen::Violation(_) | Seen::Blind => None,
    });
    assert_eq!(after, [false, true, true, true, true, true]);
}

#[test]
fn violations_come_before_their_frame_and_in_the_order_of_the_bytes() {
    let log = see(&[frame(PING, "").unmasked().unfinished().reserved_bits(0x10), frame(CLOSE, "x")]);
    let kinds = log.0.iter().map(|seen| match seen {
        Seen::Frame { opcode, .. } => format!("{opcode:?}"),
        Seen::Violation(violation) => violation.as_str().to_owned(),
        Seen::Blind => "blind".to_owned(),
    });
    assert_eq!(kinds.collect::<Vec<_>>(), ["mask", "rsv", "control_fragmented", "Ping", "close_body", "Close"]);
}
