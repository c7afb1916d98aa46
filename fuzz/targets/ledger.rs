//! The ledger: any events in any order make one sound record, and the same one again.

#![no_main]

use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use closewatch::close::invariants::{Act, What, assert_sound, file_played};
use closewatch::close::{Cause, CloseCode, End};
use closewatch::wire::{MessageKind, Opcode, Peer, Violation};
use libfuzzer_sys::fuzz_target;

#[derive(Debug)]
struct Script(Vec<Act>);

fuzz_target!(|script: Script| {
    let record = file_played(&script.0, true);
    assert_sound(&record);
    let again = file_played(&script.0, true);
    assert_eq!(record.verdict, again.verdict);
    // The order decides, not the clock.
    let still = file_played(&script.0, false).verdict;
    assert_eq!(
        (still.code, still.label, still.class),
        (record.verdict.code, record.verdict.label, record.verdict.class)
    );
    assert_eq!((still.initiator, still.cause), (record.verdict.initiator, record.verdict.cause));
    assert_eq!((still.client_saw, still.upstream_saw), (record.verdict.client_saw, record.verdict.upstream_saw));
});

// === impl Script ===

impl<'a> Arbitrary<'a> for Script {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let mut acts = vec![];
        while !u.is_empty() && acts.len() < 64 {
            acts.push(act(u)?);
        }
        Ok(Self(acts))
    }
}

fn act(u: &mut Unstructured<'_>) -> arbitrary::Result<Act> {
    let what = match u.int_in_range(0..=12)? {
        0..=2 => frame(u)?,
        3 => What::Violation(*u.choose(&Violation::ALL)?),
        4 => What::Blind,
        5 => What::Read { bytes: u.int_in_range(0..=100)?, active: u.arbitrary()? },
        6 => What::Written { total: u.int_in_range(0..=60)? },
        7 => What::OwnClose(CloseCode(*u.choose(&[1001, 1012, 4000])?)),
        8 => What::Ended(*u.choose(&End::ALL)?),
        9 => What::Reset,
        10 => What::Decided(*u.choose(&[Cause::Drain, Cause::IdleTimeout, Cause::ProxyError])?),
        11 => What::Stalled { relieved: u.arbitrary()? },
        _ => What::Kernel { unacknowledged: u64::from(u.arbitrary::<u8>()?) },
    };
    let after = Duration::from_millis(u.int_in_range(0..=255)?);
    Ok(Act { what, peer: *u.choose(&Peer::ALL)?, after })
}

fn frame(u: &mut Unstructured<'_>) -> arbitrary::Result<What> {
    let opcodes = [
        Opcode::Close,
        Opcode::Ping,
        Opcode::Pong,
        Opcode::Text,
        Opcode::Binary,
        Opcode::Continuation,
        Opcode::Reserved(3),
    ];
    let size = u.int_in_range(0..=6)?;
    let payload = u.bytes(size.min(u.len()))?.to_vec();
    let beyond: u64 = if u.ratio(1, 16)? { u.arbitrary()? } else { 0 };
    Ok(What::Frame {
        opcode: *u.choose(&opcodes)?,
        completes: *u.choose(&[None, Some(MessageKind::Text), Some(MessageKind::Binary)])?,
        len: beyond.saturating_add(payload.len() as u64),
        payload,
        after_close: u.arbitrary()?,
        end: u.int_in_range(0..=60)?,
    })
}
