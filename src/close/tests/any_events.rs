//! Any events in any order, possible or not.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::close::invariants::{Act, What, assert_sound, file_played, play};
use crate::close::{Initiator, Verdict};
use crate::wire::{MessageKind, Opcode};

fn any_frame() -> impl Strategy<Value = What> {
    let body = prop_oneof![
        Just(vec![]),
        Just(vec![3]),
        prop::sample::select(vec![999_u16, 1000, 1001, 1006, 1011, 1012, 1013, 3000, 4000])
            .prop_map(|code| code.to_be_bytes().to_vec()),
        vec(any::<u8>(), 0..5),
    ];
    let opcode = prop::sample::select(vec![
        Opcode::Close,
        Opcode::Close,
        Opcode::Ping,
        Opcode::Pong,
        Opcode::Text,
        Opcode::Continuation,
        Opcode::Reserved(3),
    ]);
    let kind = prop::option::of(prop::sample::select(vec![MessageKind::Text, MessageKind::Binary]));
    let ping = prop::sample::select(vec![vec![], vec![1], vec![2]]);
    (opcode, kind, body, ping, prop_oneof![9 => Just(0), 1 => any::<u64>()], any::<bool>(), 0..40_u64).prop_map(
        |(opcode, completes, body, ping, more, after_close, end)| {
            let payload = if opcode == Opcode::Close { body } else { ping };
            let len = more.saturating_add(payload.len() as u64);
            What::Frame { opcode, completes, payload, len, after_close, end }
        },
    )
}

fn any_act() -> impl Strategy<Value = Act> {
    let what = prop_oneof![
        8 => any_frame(),
        1 => prop::sample::select(Violation::ALL.to_vec()).prop_map(What::Violation),
        1 => Just(What::Blind),
        3 => (0..100_usize, any::<bool>()).prop_map(|(bytes, active)| What::Read { bytes, active }),
        4 => (0..50_u64).prop_map(|total| What::Written { total }),
        1 => prop::sample::select(vec![1001, 1012, 4000]).prop_map(|code| What::OwnClose(CloseCode(code))),
        3 => prop::sample::select(End::ALL.to_vec()).prop_map(What::Ended),
        1 => Just(What::Reset),
        1 => prop::sample::select(vec![Cause::Drain, Cause::IdleTimeout, Cause::ProxyError]).prop_map(What::Decided),
        1 => any::<bool>().prop_map(|relieved| What::Stalled { relieved }),
        1 => prop::sample::select(vec![0, 1, 4, 1000]).prop_map(|unacknowledged| What::Kernel { unacknowledged }),
    ];
    let after = prop_oneof![Just(0), 1..5000_u64].prop_map(Duration::from_millis);
    (what, prop::sample::select(Peer::ALL.to_vec()), after).prop_map(|(what, peer, after)| Act { what, peer, after })
}

/// A verdict without its durations.
fn timeless(verdict: Verdict) -> Verdict {
    Verdict { ended: Duration::ZERO, close_handshake: None, ..verdict }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_events_in_any_order_make_a_sound_record(acts in vec(any_act(), 0..24)) {
        assert_sound(&file_played(&acts, true));
    }

    #[test]
    fn the_same_events_make_the_same_record(acts in vec(any_act(), 0..24)) {
        let (one, other) = (file_played(&acts, true), file_played(&acts, true));
        prop_assert_eq!(one.verdict, other.verdict);
        prop_assert_eq!(format!("{:?}", one.facts), format!("{:?}", other.facts));
    }

    #[test]
    fn a_verdict_depends_on_the_order_and_not_on_the_clock(acts in vec(any_act(), 0..24)) {
        let (moving, still) = (file_played(&acts, true), file_played(&acts, false));
        prop_assert_eq!(timeless(moving.verdict), timeless(still.verdict));
    }

    #[test]
    fn what_comes_behind_the_ending_event_does_not_move_it(acts in vec(any_act(), 1..24)) {
        let Some(ended) = (1..=acts.len()).find(|len| play(&acts[..*len], true).0.is_ending()) else { return Ok(()) };
        let at_once = file_played(&acts[..ended], true).verdict;
        let later = file_played(&acts, true).verdict;
        prop_assert_eq!(later.ended, at_once.ended);
        // Of our own decision, the Close comes behind it.
        let ours = at_once.initiator == Initiator::Proxy;
        prop_assert!(ours || (later.code, later.label) == (at_once.code, at_once.label));
        // A Close that was already on its way may still make it both.
        let both = later.initiator == Initiator::Both;
        prop_assert!(both || later.initiator == at_once.initiator);
        prop_assert!(both || later.class == at_once.class);
    }

    #[test]
    fn every_frame_and_byte_is_counted_once(acts in vec(any_act(), 0..24)) {
        let record = file_played(&acts, true);
        for peer in Peer::ALL {
            let of_peer = || acts.iter().filter(|act| act.peer == peer);
            let facts = record.of(peer).0;
            let frames = of_peer().filter(|act| matches!(act.what, What::Frame { .. })).count();
            let bytes = of_peer().map(|act| if let What::Read { bytes, .. } = act.what { bytes as u64 } else { 0 });
            let violations = of_peer().filter(|act| matches!(act.what, What::Violation(_))).count();
            prop_assert_eq!(facts.frames, frames as u64);
            prop_assert_eq!(facts.bytes, bytes.sum::<u64>());
            prop_assert_eq!(facts.violations.iter().map(|(_, count)| count as usize).sum::<usize>(), violations);
            prop_assert!(facts.unsolicited_pongs <= facts.pongs);
            prop_assert!(u64::from(facts.unanswered_pings) <= record.of(peer.other()).0.pings);
        }
    }
}
