//! What holds for any events in any order, possible or not.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::close::{Class, Facts, Handshake, Initiator, Seq, Verdict};
use crate::wire::{MessageKind, Opcode};

/// An event that owns what it speaks of, and the time since the one before.
#[derive(Clone, Debug)]
struct Act {
    what: What,
    peer: Peer,
    after: Duration,
}

#[derive(Clone, Debug)]
enum What {
    Frame { opcode: Opcode, completes: Option<MessageKind>, payload: Vec<u8>, len: u64, after_close: bool, end: u64 },
    Violation(Violation),
    Blind,
    Read { bytes: usize, active: bool },
    Written { total: u64 },
    OwnClose(CloseCode),
    Ended(End),
    Reset,
    Decided(Cause),
    Stalled,
    Kernel { unacknowledged: bool },
}

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
        1 => Just(What::Stalled),
        1 => any::<bool>().prop_map(|unacknowledged| What::Kernel { unacknowledged }),
    ];
    let after = prop_oneof![Just(0), 1..5000_u64].prop_map(Duration::from_millis);
    (what, prop::sample::select(Peer::ALL.to_vec()), after).prop_map(|(what, peer, after)| Act { what, peer, after })
}

fn act(ledger: &mut Ledger, Act { what, peer, .. }: &Act, at: Duration) {
    let peer = *peer;
    let from = peer;
    match *what {
        What::Frame { opcode, completes, ref payload, len, after_close, end } => {
            let frame = &Frame { opcode, completes, len, payload, after_close, end };
            ledger.on(Event::Frame { from, frame }, at)
        }
        What::Violation(violation) => ledger.on(Event::Violation { from, violation }, at),
        What::Blind => ledger.on(Event::Blind { from }, at),
        What::Read { bytes, active } => ledger.on(Event::Read { from, bytes, active }, at),
        What::Written { total } => ledger.on(Event::Written { from, total }, at),
        What::OwnClose(code) => ledger.on(Event::OwnClose { to: peer, code }, at),
        What::Ended(how) => ledger.on(Event::Ended { peer, how }, at),
        What::Reset => ledger.on(Event::Reset { peer }, at),
        What::Decided(cause) => ledger.on(Event::Decided { cause }, at),
        What::Stalled => ledger.on(Event::Stalled { peer, time: STEP }, at),
        What::Kernel { unacknowledged } => ledger.on(Event::Kernel { peer, unacknowledged, tcp: None }, at),
    };
}

/// Plays `acts`, with time going by between them or standing still.
fn play(acts: &[Act], clock: bool) -> (Ledger, Duration) {
    let mut ledger = Ledger::new();
    let mut now = Duration::ZERO;
    for one in acts {
        now += if clock { one.after } else { Duration::ZERO };
        act(&mut ledger, one, now);
    }
    (ledger, now)
}

fn file_played(acts: &[Act], clock: bool) -> CloseRecord {
    let (ledger, now) = play(acts, clock);
    file(ledger, CodeRules::default(), now + STEP)
}

/// A verdict without its durations.
fn timeless(verdict: Verdict) -> Verdict {
    Verdict { ended: Duration::ZERO, close_handshake: None, ..verdict }
}

/// The place of the ending event, found in another way than the verdict finds it.
fn ending_seq(facts: &Facts) -> Seq {
    let of_peer = |peer: Peer| {
        let seen = facts.of(peer);
        [seen.close.as_ref().map(|close| close.seq), seen.own_end().map(|end| end.seq)]
    };
    let decision = facts.decision.map(|decision| decision.seq);
    Peer::ALL.into_iter().flat_map(of_peer).chain([decision]).flatten().min().unwrap_or(Seq::END)
}

fn assert_sound(record: &CloseRecord) {
    let (facts, verdict) = (&record.facts, &record.verdict);
    let ending = ending_seq(facts);
    let blind = Peer::ALL.iter().any(|peer| facts.of(*peer).blind.is_some_and(|blind| blind < ending));
    let closes = Peer::ALL.iter().filter(|peer| facts.of(**peer).close.is_some()).count();
    let first = Peer::ALL.into_iter().find(|peer| facts.of(*peer).close.as_ref().is_some_and(|c| c.seq == ending));
    let one_byte = first
        .and_then(|peer| facts.of(peer).close.as_ref())
        .is_some_and(|close| close.code.is_none() && close.fault == Some(Violation::CloseBody));
    let ours = matches!(verdict.cause, Cause::Drain | Cause::IdleTimeout | Cause::ProxyError);

    // Code, label, class.
    assert_eq!(verdict.code.is_none(), blind || one_byte);
    assert_eq!(verdict.label == CodeLabel::Unknown, blind);
    assert_eq!(verdict.class == Class::Unknown, blind && !ours);
    if verdict.label == CodeLabel::Invalid {
        assert!(first.is_some_and(|peer| facts.of(peer).close.as_ref().unwrap().fault.is_some()));
        assert_eq!(verdict.class, Class::Protocol);
    }
    if let CodeLabel::Code(code) = verdict.label {
        assert_eq!(verdict.code, Some(CloseCode(code)));
    }

    // Handshake.
    assert_eq!(verdict.handshake == Handshake::Complete, closes == 2 && !blind);
    assert!(verdict.handshake != Handshake::Half || closes == 1);
    assert!(verdict.handshake != Handshake::None || closes == 0);
    assert_eq!(verdict.close_handshake.is_some(), closes == 2);

    // Initiator and cause.
    assert_eq!(verdict.initiator == Initiator::Proxy, ours);
    assert_eq!(verdict.cause == Cause::CloseHandshake, first.is_some() && verdict.handshake == Handshake::Complete);
    if verdict.initiator == Initiator::Both {
        assert_eq!(verdict.cause, Cause::CloseHandshake);
    }
    if verdict.initiator == Initiator::Unknown {
        assert!(blind && first.is_some());
    }
    if verdict.cause == Cause::Unknown {
        assert_eq!(verdict.handshake, Handshake::Unknown);
    }
    let cause = verdict.cause.as_str();
    for peer in Peer::ALL {
        let of_peer = cause.strip_prefix(peer.as_str());
        if of_peer == Some("_unresponsive") {
            assert_eq!(verdict.handshake, Handshake::Half);
            assert_eq!(verdict.initiator, peer.other().into());
            assert!(facts.of(peer.other()).pings > 0);
        } else if let Some(of_peer) = of_peer {
            assert_eq!(verdict.initiator, peer.into());
            assert_eq!(verdict.code, (!blind).then_some(CloseCode::ABNORMAL));
            let how = match facts.of(peer).end() {
                End::Fin | End::TlsTruncated => "_eof",
                End::Reset => "_reset",
                End::Timeout => "_timeout",
                End::Open | End::Local => "no end of its own",
            };
            assert_eq!(of_peer, how);
        }
    }

    // Times.
    assert!(verdict.ended <= record.filed);
    assert!(record.idle() <= verdict.ended);

    // What each side saw.
    for peer in Peer::ALL {
        let (own, saw) = record.of(peer);
        let theirs = record.of(peer.other()).0;
        if saw.clean {
            assert!(own.close.is_some() && !own.was_reset);
            assert!(theirs.close.as_ref().is_some_and(|close| close.written.is_some()) || own.own_close.is_some());
        }
        if saw.code.is_none() {
            assert!(theirs.close.is_some() || theirs.blind.is_some());
        }
        assert_eq!(saw.certain, !own.unacknowledged);
    }
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
