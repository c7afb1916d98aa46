//! Close bodies, read and written.

use super::*;
use crate::wire::{CloseBody, MAX_CONTROL_PAYLOAD, close_frame, may_be_sent};

fn body(code: u16, reason: impl AsRef<[u8]>) -> Vec<u8> {
    [&code.to_be_bytes(), reason.as_ref()].concat()
}

fn parse(body: &[u8]) -> CloseBody<'_> {
    CloseBody::parse(body, body.len() as u64)
}

#[test]
fn a_body_is_a_code_and_a_reason() {
    let with_reason = body(1000, "bye");
    let close = parse(&with_reason);
    assert_eq!((close.code, &*close.reason, close.fault), (Some(1000), "bye", None));
    let close = parse(&with_reason[..2]);
    assert_eq!((close.code, &*close.reason, close.fault), (Some(1000), "", None));
}

#[test]
fn an_empty_body_has_no_code_and_no_fault() {
    assert_eq!(parse(b""), CloseBody { code: None, reason: "".into(), fault: None });
}

#[test]
fn a_body_of_one_byte_has_no_code_and_is_a_fault() {
    assert_eq!(parse(b"\x03"), CloseBody { code: None, reason: "".into(), fault: Some(Violation::CloseBody) });
}

#[test]
fn codes_that_may_be_sent_are_those_of_the_registry_and_the_private_ranges() {
    let legal = |code| matches!(code, 1000 | 1001 | 1002 | 1003 | 1007..=1014 | 3000..=3999 | 4000..=4999);
    for code in 0..=u16::MAX {
        assert_eq!(may_be_sent(code), legal(code), "{code}");
        let body = body(code, "x");
        let close = parse(&body);
        assert_eq!(close.code, Some(code));
        assert_eq!(close.fault, (!legal(code)).then_some(Violation::CloseCode), "{code}");
    }
}

#[test]
fn a_reason_that_is_not_utf8_is_a_fault_and_kept_lossily() {
    let bad = body(1000, b"ab\xffcd");
    let close = parse(&bad);
    assert_eq!((&*close.reason, close.fault), ("ab\u{fffd}cd", Some(Violation::CloseUtf8)));
    let cut = body(1000, &"é".as_bytes()[..1]);
    assert_eq!(parse(&cut).fault, Some(Violation::CloseUtf8));
}

#[test]
fn the_first_fault_is_the_worst() {
    assert_eq!(parse(&body(1005, b"\xff")).fault, Some(Violation::CloseCode));
    let oversize = body(1005, [0xff; 123]);
    assert_eq!(CloseBody::parse(&oversize, 126).fault, Some(Violation::CloseBody));
}

#[test]
fn an_oversize_body_is_read_as_far_as_it_is_kept() {
    let reason = "é".repeat(70);
    let log = see(&[frame(CLOSE, body(1000, &reason))]);
    assert_eq!(log.violations(), [Violation::ControlLength, Violation::CloseBody]);
    let kept = &log.payloads()[0];
    assert_eq!(kept.len(), MAX_CONTROL_PAYLOAD);
    let close = CloseBody::parse(kept, 142);
    assert_eq!(close.code, Some(1000));
    assert_eq!(*close.reason, format!("{}\u{fffd}", "é".repeat(61)));
}

#[test]
fn the_tap_tells_each_fault_of_a_close_once() {
    for (body, violations) in [
        (vec![], vec![]),
        (vec![3], vec![Violation::CloseBody]),
        (body(1000, "ok"), vec![]),
        (body(1006, ""), vec![Violation::CloseCode]),
        (body(5000, ""), vec![Violation::CloseCode]),
        (body(4000, b"\xc3\x28"), vec![Violation::CloseUtf8]),
    ] {
        let bytes = frame(CLOSE, &body).bytes();
        for split in 0..bytes.len() {
            let mut tap = tap();
            let mut log = feed(&mut tap, &bytes[..split]);
            log.0.extend(feed(&mut tap, &bytes[split..]).0);
            assert_eq!(log.violations(), violations, "{body:?} at {split}");
        }
    }
}

#[test]
fn a_close_of_our_own_is_masked_towards_the_upstream_only() {
    assert_eq!(close_frame(Peer::Client, 1001, "bye", MASK), *b"\x88\x05\x03\xe9bye");
    assert_eq!(close_frame(Peer::Upstream, 1001, "bye", MASK), frame(CLOSE, body(1001, "bye")).bytes());
}

#[test]
fn a_reason_of_our_own_is_cut_at_a_character() {
    for (reason, kept) in
        [("x".repeat(200), 123), ("é".repeat(100), 122), ("€".repeat(41), 123), ("🙂".repeat(40), 120)]
    {
        let bytes = close_frame(Peer::Client, 1012, &reason, MASK);
        assert_eq!(bytes.len(), 2 + 2 + kept);
        let log = feed(&mut Tap::new(Peer::Upstream, ReservedBits::None), &bytes);
        assert_eq!(log.violations(), []);
        assert_eq!(log.payloads(), [body(1012, &reason[..kept])]);
    }
}
