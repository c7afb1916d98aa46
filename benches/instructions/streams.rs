//! The cost of a message: the tap and the ledger.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use closewatch::close::{CloseRecord, End, Event, Ledger};
use closewatch::wire::{Frame, MessageKind, Observe, Opcode, Peer, ReservedBits, Tap, Violation};
use jiff::Timestamp;

use super::records::session;
use super::repeat;

/// Bytes of a message of 128 B with its header.
const FRAME: u64 = 134;
/// The relay's read buffer.
const SLICE: usize = 64 * 1024;

/// Takes what a tap sees, so that nothing of it is optimised away.
#[derive(Default)]
struct Seen(u64);

/// A message of 128 B from the client, a slice of its own.
pub(crate) fn tap(times: u32) {
    let message = [&[0x82, 0xfe, 0, 128, 1, 2, 3, 4][..], &[0x5a; 128]].concat();
    feed(times, Peer::Client, &message, &message);
}

/// A full buffer of a frame of 1 MiB from the upstream.
pub(crate) fn tap_large(times: u32) {
    let header = [&[0x82, 127][..], &(1_u64 << 40).to_be_bytes()].concat();
    feed(times, Peer::Upstream, &header, &vec![0x5a; SLICE]);
}

fn feed(times: u32, from: Peer, first: &[u8], slice: &[u8]) {
    let mut seen = Seen::default();
    let begun = || {
        let mut tap = Tap::new(from, ReservedBits::None);
        tap.feed(first, &mut Seen::default());
        tap
    };
    repeat(times, begun, |tap| {
        black_box(tap.feed(black_box(slice), &mut seen));
    });
}

/// A message: its frame, its bytes read, and written.
pub(crate) fn ledger(times: u32) {
    let at = Duration::from_millis(1);
    let state = || (Ledger::new(), 0);
    repeat(times, state, |(ledger, total)| {
        *total += FRAME;
        message(ledger, Peer::Client, Opcode::Text, &[], *total, at);
    });
}

/// A short session from its opening to its record: one message each way, a closing handshake, two FINs.
pub(crate) fn ledger_session(times: u32) {
    let session = session(1);
    repeat(
        times,
        || (),
        |()| {
            let mut ledger = Ledger::new();
            let at = Duration::from_millis;
            for (step, opcode, payload) in [(1, Opcode::Text, &b"hello"[..]), (2, Opcode::Close, &[0x03, 0xe8])] {
                for from in Peer::ALL {
                    message(&mut ledger, from, opcode, black_box(payload), step * FRAME, at(step));
                }
            }
            for peer in Peer::ALL {
                ledger.on(Event::Ended { peer, how: End::Fin }, at(3));
            }
            black_box(CloseRecord::file(Arc::clone(&session), ledger, at(3), Timestamp::UNIX_EPOCH));
        },
    );
}

/// A message that is read from `from` and written on.
fn message(ledger: &mut Ledger, from: Peer, opcode: Opcode, payload: &[u8], end: u64, at: Duration) {
    let completes = (opcode == Opcode::Text).then_some(MessageKind::Text);
    let frame = Frame { opcode, completes, len: payload.len() as u64, payload, after_close: false, end };
    ledger.on(Event::Frame { from, frame: black_box(&frame) }, at);
    ledger.on(Event::Read { from, bytes: FRAME as usize, active: opcode != Opcode::Close }, at);
    ledger.on(Event::Written { from, total: end }, at);
}

// === impl Seen ===

impl Observe for Seen {
    fn frame(&mut self, frame: &Frame<'_>) {
        self.0 += black_box(frame).len;
    }

    fn violation(&mut self, violation: Violation) {
        panic!("the stream is in order, but: {violation:?}");
    }

    fn blind(&mut self) {
        panic!("the stream is in order");
    }
}
