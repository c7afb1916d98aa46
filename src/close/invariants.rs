//! Properties of every record, for any events in any order, possible or not: stated a second time, apart from the code
//! that judges.
//!
//! For the property tests and the fuzz targets, which differ only in where their events come from.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ulid::Ulid;

use super::{
    Address, Cause, Class, CloseCode, CloseRecord, CodeLabel, CodeRules, CompactDuration, End, Event, Facts, Handshake,
    Initiator, Ledger, Live, Request, RouteFacts, Seq, Session,
};
use crate::wire::{Frame, MessageKind, Opcode, Peer, Violation};

/// The time between two events of a script.
pub(super) const STEP: Duration = Duration::from_millis(1);

/// An event that owns what it speaks of.
#[derive(Clone, Debug)]
pub struct Act {
    /// The event.
    pub what: What,
    /// The peer that it is about.
    pub peer: Peer,
    /// The time since the one before.
    pub after: Duration,
}

/// An [`Event`], field by field.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the fields are the event's")]
pub enum What {
    Frame { opcode: Opcode, completes: Option<MessageKind>, payload: Vec<u8>, len: u64, after_close: bool, end: u64 },
    Violation(Violation),
    Blind,
    Read { bytes: usize, active: bool },
    Written { total: u64 },
    OwnClose(CloseCode),
    Ended(End),
    Reset,
    Decided(Cause),
    Stalled { relieved: bool },
    Kernel { unacknowledged: u64 },
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
        What::OwnClose(code) => ledger.on(Event::OwnClose { to: peer, code, reason: "own" }, at),
        What::Ended(how) => ledger.on(Event::Ended { peer, how }, at),
        What::Reset => ledger.on(Event::Reset { peer }, at),
        What::Decided(cause) => ledger.on(Event::Decided { cause }, at),
        What::Stalled { relieved } => ledger.on(Event::Stalled { peer, time: STEP, relieved }, at),
        What::Kernel { unacknowledged } => ledger.on(Event::Kernel { peer, unacknowledged, tcp: None }, at),
    };
}

/// Plays `acts`, with time going by between them or standing still.
pub(super) fn play(acts: &[Act], clock: bool) -> (Ledger, Duration) {
    let mut ledger = Ledger::new();
    let mut now = Duration::ZERO;
    for one in acts {
        now += if clock { one.after } else { Duration::ZERO };
        act(&mut ledger, one, now);
    }
    (ledger, now)
}

/// The record of `acts`, filed a step behind the last one.
pub fn file_played(acts: &[Act], clock: bool) -> CloseRecord {
    let (ledger, now) = play(acts, clock);
    file(ledger, CodeRules::default(), now + STEP)
}

/// A session that is nobody's.
pub(super) fn session(rules: CodeRules) -> Arc<Session> {
    Arc::new(Session {
        id: Ulid::nil(),
        route: Arc::new(RouteFacts { name: "test".into(), upstream: "".into(), rules }),
        opened_at: Timestamp::UNIX_EPOCH,
        handshake: CompactDuration::ZERO,
        client: Address::Unix("".into()),
        upstream: Address::Unix("".into()),
        client_tls: None,
        upstream_tls: None,
        request: Request::default(),
        trace: None,
        live: Live::default(),
    })
}

pub(super) fn file(ledger: Ledger, rules: CodeRules, filed: Duration) -> CloseRecord {
    CloseRecord::file(session(rules), ledger, filed, Timestamp::UNIX_EPOCH)
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

/// Asserts that facts and verdict of `record` belong together.
///
/// # Panics
///
/// If they do not.
pub fn assert_sound(record: &CloseRecord) {
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
        assert!(first.is_some_and(|peer| facts.of(peer).close.as_ref().is_some_and(|close| close.fault.is_some())));
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

    // The codes that each side saw.
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
        if saw.certain {
            let was_sent_one =
                theirs.close.as_ref().is_some_and(|close| close.written.is_some()) || own.own_close.is_some();
            assert!(own.close.is_some() || !was_sent_one || own.end.is_some());
        }
        // The facts that only count bytes or time.
        assert!(own.longest_silence >= own.silence_before_last);
        assert_eq!(own.longest_silence.is_some(), own.frames > 0);
        assert!(own.stalled_at(verdict.ended) <= verdict.ended);
        assert!(own.last_answered_ping <= own.last_pong);
    }
}
