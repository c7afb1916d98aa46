//! The tap: the slices make no difference, nothing piles up, and tungstenite reads the same headers.

#![no_main]

use std::io::Cursor;

use closewatch::wire::{
    Boundary, Frame, MAX_CONTROL_PAYLOAD, MessageKind, Observe, Opcode, Peer, ReservedBits, Tap, Violation,
};
use libfuzzer_sys::fuzz_target;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

#[derive(Debug, PartialEq)]
enum Seen {
    Frame { opcode: Opcode, completes: Option<MessageKind>, len: u64, payload: Vec<u8>, after_close: bool, end: u64 },
    Violation(Violation),
    Blind,
}

#[derive(Default)]
struct Log(Vec<Seen>);

impl Observe for Log {
    fn frame(&mut self, frame: &Frame<'_>) {
        let Frame { opcode, completes, len, payload, after_close, end } = *frame;
        assert!(payload.len() <= MAX_CONTROL_PAYLOAD && payload.len() as u64 <= len);
        self.0.push(Seen::Frame { opcode, completes, len, payload: payload.to_vec(), after_close, end });
    }

    fn violation(&mut self, violation: Violation) {
        self.0.push(Seen::Violation(violation));
    }

    fn blind(&mut self) {
        self.0.push(Seen::Blind);
    }
}

// The first byte chooses the tap, the second the slices; all others are on the wire.
fuzz_target!(|data: &[u8]| {
    let [how, slices, bytes @ ..] = data else { return };
    let from = Peer::ALL[usize::from(how & 1)];
    let bits = [ReservedBits::None, ReservedBits::PerMessageDeflate, ReservedBits::Any][usize::from(how >> 1) % 3];

    let mut whole = Tap::new(from, bits);
    let mut expected = Log::default();
    let active = whole.feed(bytes, &mut expected);
    assert_eq!(whole.seen(), bytes.len() as u64);

    // In slices of two sizes in turn, the second time with a halt at every boundary.
    for boundary in [None, Some(Boundary::Frame), Some(Boundary::Message)] {
        let mut tap = Tap::new(from, bits);
        let mut log = Log::default();
        let mut any_active = false;
        let mut rest = bytes;
        for size in [usize::from(slices & 15) + 1, usize::from(slices >> 4) * 9 + 1].into_iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (mut slice, behind) = rest.split_at(rest.len().min(size));
            while !slice.is_empty() {
                let (read, active) = match boundary {
                    Some(boundary) if tap.boundary() < boundary => {
                        let (read, active) = tap.feed_until(boundary, slice, &mut log);
                        assert!(read == slice.len() || tap.boundary() >= boundary);
                        (read, active)
                    }
                    // Over the boundary.
                    Some(_) => (1, tap.feed(&slice[..1], &mut log)),
                    None => (slice.len(), tap.feed(slice, &mut log)),
                };
                any_active |= active;
                slice = &slice[read..];
            }
            rest = behind;
        }
        assert_eq!(log.0, expected.0);
        assert_eq!(any_active, active);
        let state = |tap: &Tap| (tap.boundary(), tap.close_seen(), tap.is_blind(), tap.seen());
        assert_eq!(state(&tap), state(&whole));
    }

    // tungstenite refuses reserved opcodes, and knows no length that is too long: so far it must agree.
    let mut ours = expected.0.iter().filter_map(|seen| match seen {
        Seen::Frame { opcode, len, end, .. } => Some((*opcode, *len, *end)),
        Seen::Violation(_) | Seen::Blind => None,
    });
    let mut cursor = Cursor::new(bytes);
    while let Ok(Some((header, len))) = FrameHeader::parse(&mut cursor) {
        let end = cursor.position().saturating_add(len);
        if end > bytes.len() as u64 {
            assert_eq!(ours.next(), None);
            return;
        }
        assert_eq!(ours.next(), Some((opcode(header.opcode), len, end)));
        cursor.set_position(end);
    }
});

fn opcode(theirs: OpCode) -> Opcode {
    match theirs {
        OpCode::Data(Data::Continue) => Opcode::Continuation,
        OpCode::Data(Data::Text) => Opcode::Text,
        OpCode::Data(Data::Binary) => Opcode::Binary,
        OpCode::Control(Control::Close) => Opcode::Close,
        OpCode::Control(Control::Ping) => Opcode::Ping,
        OpCode::Control(Control::Pong) => Opcode::Pong,
        OpCode::Data(Data::Reserved(value)) | OpCode::Control(Control::Reserved(value)) => Opcode::Reserved(value),
    }
}
