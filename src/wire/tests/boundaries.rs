//! Places where closewatch may put a Close of its own.

use super::*;
use crate::wire::Boundary;

fn until(tap: &mut Tap, boundary: Boundary, bytes: &[u8]) -> (usize, Log) {
    let mut log = Log::default();
    (tap.feed_until(boundary, bytes, &mut log).0, log)
}

#[test]
fn a_new_tap_stands_between_messages() {
    let mut tap = tap();
    assert_eq!(tap.boundary(), Boundary::Message);
    for boundary in [Boundary::Inside, Boundary::Frame, Boundary::Message] {
        let (read, log) = until(&mut tap, boundary, &frame(PING, "").bytes());
        assert_eq!((read, log.0), (0, vec![]));
    }
    assert_eq!(tap.seen(), 0);
}

#[test]
fn reading_until_the_end_of_a_message_goes_no_further() {
    let head = frame(TEXT, "begun").unfinished().bytes();
    let tail = wire(&[frame(PING, "p"), frame(CONTINUATION, "x").unfinished(), frame(CONTINUATION, "end")]);
    let next = frame(TEXT, "next").bytes();
    let bytes = [&head[3..], &tail, &next].concat();
    let mut tap = tap();
    feed(&mut tap, &head[..3]);
    let (read, log) = until(&mut tap, Boundary::Message, &bytes);
    assert_eq!(read, bytes.len() - next.len());
    assert_eq!(log.opcodes(), [Opcode::Text, Opcode::Ping, Opcode::Continuation, Opcode::Continuation]);
    assert_eq!(tap.boundary(), Boundary::Message);
    assert_eq!(tap.seen(), (head.len() + tail.len()) as u64);
    assert_eq!(until(&mut tap, Boundary::Message, &next).0, 0);
}

#[test]
fn reading_until_the_end_of_a_frame_stops_in_the_middle_of_the_message() {
    let head = frame(TEXT, "begun").unfinished().bytes();
    let rest = wire(&[frame(PING, "p"), frame(CONTINUATION, "end")]);
    let bytes = [&head[1..], &rest].concat();
    let mut tap = tap();
    feed(&mut tap, &head[..1]);
    let (read, log) = until(&mut tap, Boundary::Frame, &bytes);
    assert_eq!(read, head.len() - 1);
    assert_eq!(log.opcodes(), [Opcode::Text]);
    assert_eq!(tap.boundary(), Boundary::Frame);
    assert_eq!(until(&mut tap, Boundary::Frame, &rest).0, 0);
}

#[test]
fn a_boundary_that_does_not_come_leaves_nothing_unread() {
    let bytes = frame(BINARY, [0; 50]).bytes();
    let mut tap = tap();
    feed(&mut tap, &bytes[..2]);
    assert_eq!(until(&mut tap, Boundary::Frame, &bytes[2..40]).0, 38);
    assert_eq!(tap.boundary(), Boundary::Inside);
    assert_eq!(until(&mut tap, Boundary::Frame, &bytes[40..]).0, bytes.len() - 40);
    assert_eq!(tap.boundary(), Boundary::Message);
}

#[test]
fn a_control_frame_does_not_end_the_message_it_interrupts() {
    let mut tap = tap();
    let ping = frame(PING, "p").bytes();
    feed(&mut tap, &wire(&[frame(TEXT, "a").unfinished()]));
    feed(&mut tap, &ping[..3]);
    assert_eq!(until(&mut tap, Boundary::Message, &ping[3..]).0, ping.len() - 3);
    assert_eq!(tap.boundary(), Boundary::Frame);
}

#[test]
fn an_empty_frame_is_a_boundary_too() {
    let mut tap = tap();
    let first = frame(TEXT, "a").unfinished().bytes();
    feed(&mut tap, &first);
    let bytes = wire(&[frame(CONTINUATION, ""), frame(PING, "")]);
    assert_eq!(until(&mut tap, Boundary::Message, &bytes).0, 6);
}

#[test]
fn a_blind_tap_has_no_boundary_any_more() {
    let mut tap = tap();
    feed(&mut tap, &frame(BINARY, "").declaring(1 << 63).bytes());
    assert_eq!(tap.boundary(), Boundary::Inside);
    let bytes = frame(PING, "").bytes();
    for boundary in [Boundary::Frame, Boundary::Message] {
        let (read, log) = until(&mut tap, boundary, &bytes);
        assert_eq!((read, log.0), (bytes.len(), vec![]));
    }
}
