//! Properties of any bytes, in any slices.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::wire::{Boundary, MAX_CONTROL_PAYLOAD, MAX_HEADER};

/// A frame, most often a right one.
fn any_frame() -> impl Strategy<Value = Raw> {
    let opcode = prop_oneof![
        12 => prop::sample::select(vec![CONTINUATION, TEXT, BINARY, PING, PONG]),
        2 => Just(CLOSE),
        1 => 0..16_u8,
    ];
    let len = prop_oneof![8 => 0..20_usize, 2 => 120..130_usize, 1 => 130..400_usize];
    let first = prop_oneof![6 => Just(0x80), 3 => Just(0), 1 => prop::sample::select(vec![0x90, 0xa0, 0xc0, 0x70])];
    let mask = prop_oneof![8 => any::<[u8; 4]>().prop_map(Some), 1 => Just(None)];
    let form = prop_oneof![12 => Just(Form::Shortest), 1 => Just(Form::Two), 1 => Just(Form::Eight)];
    let code = prop_oneof![2 => 990..1020_u16, 1 => any::<u16>()];
    let declared = prop_oneof![60 => Just(None), 1 => any::<u64>().prop_map(Some)];
    (opcode, first, mask, form, declared, code, len.prop_flat_map(|len| vec(any::<u8>(), len))).prop_map(
        |(opcode, first, mask, form, declared, code, mut payload)| {
            if opcode == CLOSE && payload.len() >= 2 {
                payload[..2].copy_from_slice(&code.to_be_bytes());
            }
            Raw { first: first | opcode, mask, payload, form, declared }
        },
    )
}

/// Frames, with bytes that are none between them now and then.
fn any_wire() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        14 => any_frame().prop_map(|frame| frame.bytes()),
        1 => vec(any::<u8>(), 0..40),
    ];
    vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

fn any_tap() -> impl Strategy<Value = (Peer, ReservedBits)> {
    let bits = vec![ReservedBits::None, ReservedBits::PerMessageDeflate, ReservedBits::Any];
    (prop::sample::select(Peer::ALL.to_vec()), prop::sample::select(bits))
}

/// The sizes of slices, used in turn.
fn any_slices() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![vec(1..4_usize, 1..4), vec(1..40_usize, 1..8), vec(1..300_usize, 1..4)]
}

fn sliced<'a>(mut bytes: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let mut slices = vec![];
    for size in sizes.iter().cycle() {
        if bytes.is_empty() {
            break;
        }
        let (slice, rest) = bytes.split_at(bytes.len().min(*size));
        slices.push(slice);
        bytes = rest;
    }
    slices
}

/// All that a tap shows of itself.
fn state(tap: &Tap) -> (Boundary, bool, bool, u64) {
    (tap.boundary(), tap.close_seen(), tap.is_blind(), tap.seen())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(768))]

    #[test]
    fn the_slices_make_no_difference(bytes in any_wire(), (from, bits) in any_tap(), sizes in any_slices()) {
        let mut whole = Tap::new(from, bits);
        let mut expected = Log::default();
        let active = whole.feed(&bytes, &mut expected);

        let mut parts = Tap::new(from, bits);
        let mut log = Log::default();
        let mut any_active = false;
        for slice in sliced(&bytes, &sizes) {
            any_active |= parts.feed(slice, &mut log);
            prop_assert!(parts.kept() <= MAX_HEADER + MAX_CONTROL_PAYLOAD);
        }
        prop_assert_eq!(log.0, expected.0);
        prop_assert_eq!(any_active, active);
        prop_assert_eq!(state(&parts), state(&whole));
    }

    #[test]
    fn reading_until_a_boundary_stops_at_the_first_one_and_sees_the_same(
        bytes in any_wire(),
        (from, bits) in any_tap(),
        sizes in any_slices(),
        boundary in prop::sample::select(vec![Boundary::Inside, Boundary::Frame, Boundary::Message]),
    ) {
        // Byte by byte: where the boundaries are, and what is to be seen.
        let mut tap = Tap::new(from, bits);
        let mut expected = Log::default();
        let mut boundaries = vec![tap.boundary()];
        for byte in bytes.chunks(1) {
            tap.feed(byte, &mut expected);
            boundaries.push(tap.boundary());
        }

        let mut tap = Tap::new(from, bits);
        let mut log = Log::default();
        let mut at = 0;
        for slice in sliced(&bytes, &sizes) {
            let end = at + slice.len();
            while at < end {
                let (read, _) = tap.feed_until(boundary, &bytes[at..end], &mut log);
                let first = (at..end).find(|at| boundaries[*at] >= boundary).unwrap_or(end);
                prop_assert_eq!(at + read, first);
                prop_assert_eq!(tap.boundary(), boundaries[first]);
                at = first;
                // Over the boundary.
                if at < end {
                    tap.feed(&bytes[at..=at], &mut log);
                    at += 1;
                }
                prop_assert_eq!(tap.seen(), at as u64);
            }
        }
        prop_assert_eq!(log.0, expected.0);
    }

    #[test]
    fn payload_that_nobody_looks_at_makes_no_difference(
        bytes in any_wire(),
        (from, bits) in any_tap(),
        sizes in any_slices(),
    ) {
        let mut read = Tap::new(from, bits);
        let mut expected = Log::default();
        read.feed(&bytes, &mut expected);

        let mut tap = Tap::new(from, bits);
        let mut log = Log::default();
        for mut slice in sliced(&bytes, &sizes) {
            while let [first, rest @ ..] = slice {
                let ahead = slice.len().min(usize::try_from(tap.ahead()).unwrap());
                if ahead > 0 {
                    tap.skip(ahead as u64, &mut log);
                    slice = &slice[ahead..];
                } else {
                    tap.feed(&[*first], &mut log);
                    slice = rest;
                }
            }
        }
        prop_assert_eq!(log.0, expected.0);
        prop_assert_eq!(state(&tap), state(&read));
        prop_assert_eq!(tap.ahead(), read.ahead());
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_never_pile_up(
        bytes in vec(any::<u8>(), 0..2000),
        (from, bits) in any_tap(),
        sizes in any_slices(),
    ) {
        let mut tap = Tap::new(from, bits);
        let mut log = Log::default();
        for slice in sliced(&bytes, &sizes) {
            tap.feed(slice, &mut log);
            prop_assert!(tap.kept() <= MAX_HEADER + MAX_CONTROL_PAYLOAD);
        }
        prop_assert_eq!(tap.seen(), bytes.len() as u64);
        prop_assert_eq!(log.0.contains(&Seen::Blind), tap.is_blind());
        prop_assert_eq!(log.opcodes().contains(&Opcode::Close), tap.close_seen());
    }
}
