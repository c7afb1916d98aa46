//! The facts that the ledger keeps.

use super::*;
use crate::close::facts::Violations;
use crate::wire::Opcode;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn counted(violations: &Violations) -> Vec<(&'static str, u32)> {
    violations.iter().map(|(violation, count)| (violation.as_str(), count)).collect()
}

#[test]
fn frames_messages_and_bytes_are_counted_for_their_sender() {
    let record = record("c:text c:binary c:begin c:ping=ab c:end u:pong=ab c:odd u:text");
    let (client, upstream) = (&record.facts.client, &record.facts.upstream);
    assert_eq!((client.text_messages, client.binary_messages, client.frames), (2, 1, 6));
    assert_eq!((client.pings, client.pongs, client.bytes), (1, 0, 11 + 11 + 9 + 8 + 8 + 6));
    assert_eq!((upstream.text_messages, upstream.binary_messages, upstream.frames), (1, 0, 2));
    assert_eq!((upstream.pings, upstream.pongs, upstream.bytes), (0, 1, 4 + 7));
    assert_eq!(counted(&client.violations), [("opcode", 1)]);
    assert_eq!(counted(&upstream.violations), []);
}

#[test]
fn last_times_are_those_of_the_last() {
    let facts = record("c:text +8 c:pong +9 c:begin").facts.client;
    assert_eq!(facts.last_message, Some(ms(1)));
    assert_eq!(facts.last_pong, Some(ms(10)));
    assert_eq!(facts.last_frame, Some(ms(20)));
    let facts = record("u:fin").facts.client;
    assert_eq!((facts.last_message, facts.last_pong, facts.last_frame), (None, None, None));
}

#[test]
fn the_first_close_is_kept_and_what_follows_it_is_counted() {
    let facts = record("c:close=1000,first c:text c:close=1001,second c:ping=x").facts.client;
    let close = facts.close.unwrap();
    assert_eq!((close.code, close.reason.as_str(), close.at), (Some(CloseCode::NORMAL), "first", ms(1)));
    assert_eq!(facts.frames_after_close, 3);
    assert_eq!(counted(&facts.violations), [("after_close", 2)]);
}

#[test]
fn the_first_end_of_a_transport_is_kept() {
    for (script, end, reset_after_fin) in [
        ("c:fin", End::Fin, false),
        ("c:fin c:reset", End::Fin, true),
        ("c:fin c:timeout", End::Fin, false),
        ("c:fin c:fin", End::Fin, false),
        ("c:tls_truncated c:reset", End::TlsTruncated, false),
        ("c:reset c:fin", End::Reset, false),
        ("c:local c:reset", End::Local, false),
        ("c:open c:reset", End::Reset, false),
        ("u:fin", End::Open, false),
    ] {
        let facts = record(script).facts.client;
        assert_eq!((facts.end(), facts.reset_after_fin), (end, reset_after_fin), "{script}");
    }
}

#[test]
fn idle_runs_from_the_last_byte_that_is_no_close_to_the_ending_event() {
    for (script, idle) in [
        ("c:text +99 c:fin", 100),
        ("c:text +99 u:close=1000", 100),
        ("c:fin", 1),
        ("c:text +49 u:ping +49 u:reset", 50),
        // Frozen at the ending event.
        ("c:text +99 c:close=1000 +500 u:text u:ping +500 u:close=1000", 100),
        ("c:text +99 c:fin +500 u:text", 100),
        ("c:text +99 idle_timeout +50 u:text c:close=1001", 100),
        // A frame that came with the Close, before it.
        ("c:text +99 c:text&close=1000", 0),
        ("c:text +99 c:close=1000 c:ping", 100),
        // The bytes of a Close that comes in pieces are no activity either; see the tap.
        ("c:close=1000 u:close=1000", 1),
        // Blind bytes are bytes.
        ("c:text +99 u:blind +49 u:fin", 50),
    ] {
        assert_eq!(record(script).idle(), ms(idle), "{script}");
    }
}

#[test]
fn activity_at_the_very_time_of_the_ending_event_is_judged_by_order() {
    let mut play = Play::of("c:text +99");
    let at = play.now;
    for word in ["u:fin", "c:text"] {
        play.now = at;
        play.word(word);
    }
    assert_eq!(play.file(CodeRules::default()).idle(), ms(100));
}

#[test]
fn the_close_handshake_lasts_from_the_first_close_to_the_others() {
    assert_eq!(record("c:close c> +250 u:close").verdict.close_handshake, Some(ms(252)));
    assert_eq!(record("u:close +10 c:close c:close").verdict.close_handshake, Some(ms(11)));
    assert_eq!(record("u:close +10 c:fin").verdict.close_handshake, None);
}

#[test]
fn the_session_ended_at_the_ending_event_and_was_filed_later() {
    let record = record("+99 c:close c> +400 u:fin +5000");
    assert_eq!(record.verdict.ended, ms(100));
    assert_eq!(record.filed, ms(100 + 2 + 400 + 1 + 5000));
}

#[test]
fn the_reason_is_that_of_the_close_whose_code_decided() {
    for (script, reason) in [
        ("c:close=1000,bye u:close=1000,later", "bye"),
        ("c:fin u:close=1000,late", ""),
        ("c:reset u:close=1001,bye u>", ""),
        // closewatch's own, and neither that of the answer nor that of a Close before it.
        ("drain own=1001,restart>c c:close=1001,answer", "restart"),
        ("drain u:close=1000,late own=1001,restart>c", "restart"),
        ("drain c:fin", ""),
        // The code is not known, so its reason is not either.
        ("u:blind c:close=1000,bye", ""),
        ("u:close c:close=1000,answer", ""),
        ("u:close=utf8", "\u{fffd}"),
        ("u:reset", ""),
    ] {
        assert_eq!(record(script).reason(), reason, "{script}");
    }
}

#[test]
fn stalls_add_up_and_the_kernels_word_is_kept() {
    let facts = record("stall>u stall>u unacked=9>u").facts.upstream;
    assert_eq!(facts.stalled, ms(20));
    assert_eq!(facts.tcp, Some(TcpFacts { rtt: ms(1), retransmits: 7 }));
    assert_eq!(facts.unacknowledged, 9);
    assert_eq!(record("unacked=9>u unacked=0>u").facts.upstream.unacknowledged, 0, "the last word counts");
}

#[test]
fn undelivered_bytes_are_kept_at_the_peer_that_did_not_get_them() {
    let facts = record("c:text c> c:ping=ab u:close").facts;
    assert_eq!((facts.client.undelivered_bytes, facts.upstream.undelivered_bytes), (2, 8));
    let facts = record("c:text u:text c> u> c:fin").facts;
    assert_eq!((facts.client.undelivered_bytes, facts.upstream.undelivered_bytes), (0, 0));
}

#[test]
fn bytes_that_a_vanished_peer_did_not_acknowledge_were_not_delivered() {
    for (script, client, upstream) in [
        // 7 bytes each.
        ("u:text u> u:text u> unacked=14>c c:timeout", 14, 0),
        ("u:text u> u:text u> unacked=5>c c:reset", 5, 0),
        ("u:text u> u:text unacked=5>c c:reset", 12, 0),
        ("u:text u> unacked=7>c rst>c", 7, 0),
        ("u:text u> c:fin unacked=7>c c:reset", 7, 0),
        // TLS has bytes of its own, and so has the answer of the handshake.
        ("u:text u> unacked=900>c c:reset", 7, 0),
        // Its host may still acknowledge them.
        ("u:text u> unacked=7>c c:fin", 0, 0),
        ("u:text u> unacked=7>c c:local", 0, 0),
        ("c:text c> unacked=11>u u:timeout", 0, 11),
    ] {
        let facts = record(script).facts;
        let undelivered = (facts.client.undelivered_bytes, facts.upstream.undelivered_bytes);
        assert_eq!(undelivered, (client, upstream), "{script}");
    }
}

#[test]
fn the_answer_to_a_close_is_missed_by_nobody() {
    for (script, client, upstream) in [
        // Answers to closewatch's own Close stay here.
        ("drain own=1001>c own=1001>u c:close=1001 u:close=1001", 0, 0),
        ("drain own=1001>c own=1001>u c:text c:close=1001 u:close", 0, 11),
        // Its sender closed first, and is gone.
        ("c:close=1000 c:reset c> u:close=1000", 0, 0),
        ("u:close=1000,a_reason u:reset u> c:close=1000,a_reason", 0, 0),
        ("c:close=1000 c:reset c> u:text u:close=1000", 7, 0),
        // These would have been the first that the peer was given.
        ("c:reset u:close=1011", 4, 0),
        ("u:fin c:close=1000", 0, 8),
    ] {
        let facts = record(script).facts;
        let undelivered = (facts.client.undelivered_bytes, facts.upstream.undelivered_bytes);
        assert_eq!(undelivered, (client, upstream), "{script}");
    }
}

#[test]
fn silences_are_those_of_one_direction_before_each_of_its_frames() {
    for (script, before_last, longest) in [
        ("+99 c:text", Some(100), Some(100)),
        ("c:text +499 c:ping +99 c:text", Some(100), Some(500)),
        ("c:text +99 u:text +98 c:text +1000", Some(199), Some(199)),
        // The silence that the session did not survive is in `idle`.
        ("c:text +9000 u:reset", Some(1), Some(1)),
        ("c:text&text +9 u:text", Some(0), Some(1)),
        ("u:text +99 u:fin", None, None),
    ] {
        let facts = record(script).facts.client;
        assert_eq!(
            (facts.silence_before_last, facts.longest_silence),
            (before_last.map(ms), longest.map(ms)),
            "{script}"
        );
    }
}

#[test]
fn a_stall_at_the_end_is_told_from_one_before() {
    for (script, at_end) in [
        ("+99 stall>c +500 u:reset", 0),
        // It took nothing any more, and the end was noticed while it did not, or later.
        ("+99 stuck>c +50 u:reset", 61),
        // Behind the first wait it took what was left, and paused once more.
        ("+99 stuck>c +20 stall>c +50 u:reset", 82),
        ("+99 u:reset stall>c", 9),
        ("+99 u:reset +500 stall>c", 0),
        ("+99 u:reset stuck>u", 0),
        ("u:reset", 0),
    ] {
        let record = record(script);
        assert_eq!(record.facts.client.stalled_at(record.verdict.ended), ms(at_end), "{script}");
    }
}

#[test]
fn an_answered_ping_is_the_last_one_that_was_answered() {
    let facts = record("u:ping=a u> +7 c:pong=a +5 c:pong=b").facts.client;
    assert_eq!((facts.last_answered_ping, facts.last_pong), (Some(ms(10)), Some(ms(16))));
    assert_eq!(record("c:pong=a").facts.client.last_answered_ping, None);
}

#[test]
fn the_ledger_knows_when_the_end_has_come_and_when_both_closes_are_through() {
    for (script, ending, written) in [
        ("c:text c> c:local", false, false),
        ("c:fin", true, false),
        ("drain", true, false),
        ("c:close", true, false),
        ("c:close c> u:close", true, false),
        ("c:close u:close c> u>", true, true),
    ] {
        let ledger = Play::of(script).ledger;
        assert_eq!((ledger.is_ending(), ledger.closes_written().is_some()), (ending, written), "{script}");
    }
}

#[test]
fn a_ledger_takes_little_memory() {
    assert!(size_of::<Ledger>() <= 192, "a ledger takes {} bytes", size_of::<Ledger>());
}

#[test]
fn a_close_that_claims_the_largest_length_is_a_fact_like_any_other() {
    let mut ledger = Ledger::new();
    for from in Peer::ALL {
        let frame =
            Frame { opcode: Opcode::Close, completes: None, len: u64::MAX, payload: &[], after_close: false, end: 2 };
        ledger.on(Event::Frame { from, frame: &frame }, Duration::ZERO);
        ledger.on(Event::Read { from, bytes: 20, active: false }, Duration::ZERO);
    }
    let (facts, _) = ledger.into_facts();
    assert_eq!((facts.client.undelivered_bytes, facts.upstream.undelivered_bytes), (0, 0));
}
