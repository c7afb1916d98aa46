//! Pings, pongs, and the time between them.

use super::*;
use crate::close::PeerFacts;

fn upstream(script: &str) -> PeerFacts {
    record(script).facts.upstream
}

fn rtts(facts: &PeerFacts) -> (Option<u128>, Option<u128>) {
    (facts.ping_rtt.map(|rtt| rtt.as_millis()), facts.ping_rtt_max.map(|rtt| rtt.as_millis()))
}

/// That many pings of `peer`, each with a payload of its own, and written on.
fn pings(peer: &str, count: u32) -> String {
    (0..count).map(|number| format!("{peer}:ping={number} {peer}>")).collect::<Vec<_>>().join(" ")
}

#[test]
fn round_trip_time_runs_from_the_ping_written_to_the_pong_read() {
    let facts = upstream("c:ping=a +50 c> +29 u:pong=a");
    assert_eq!(rtts(&facts), (Some(30), Some(30)));
    let facts = upstream("c:ping=a c> +39 u:pong=a c:ping=b c> +9 u:pong=b");
    assert_eq!(rtts(&facts), (Some(10), Some(40)));
    assert_eq!((facts.unanswered_pings, facts.unsolicited_pongs, facts.pongs), (0, 0, 2));
}

#[test]
fn the_event_that_answers_a_ping_gives_its_round_trip_time() {
    let mut play = Play::of("c:ping=a c> +9");
    let payload =
        Frame { opcode: crate::wire::Opcode::Pong, completes: None, len: 1, payload: b"a", after_close: false, end: 3 };
    let event = Event::Frame { from: Peer::Upstream, frame: &payload };
    assert_eq!(play.ledger.on(event, play.now), Some(Duration::from_millis(10)));
    assert_eq!(play.ledger.on(event, play.now), None);
}

#[test]
fn a_pong_that_answers_nothing_is_unsolicited() {
    for (script, unanswered, unsolicited) in [
        ("u:pong=a", 0, 1),
        ("c:ping=a c> u:pong=b", 1, 1),
        ("c:ping=a c> u:pong=a u:pong=a", 0, 1),
        // Sent before it could have had the ping.
        ("c:ping=a u:pong=a c>", 1, 1),
        ("c:ping=a u:pong=a", 0, 1),
        // Its own ping.
        ("u:ping=a u> u:pong=a", 0, 1),
    ] {
        let facts = upstream(script);
        assert_eq!((facts.unanswered_pings, facts.unsolicited_pongs), (unanswered, unsolicited), "{script}");
    }
}

#[test]
fn an_answer_to_a_later_ping_supersedes_the_ones_before() {
    let facts = upstream("c:ping=a c> c:ping=b c> c:ping=c c> u:pong=b");
    assert_eq!((facts.unanswered_pings, facts.unsolicited_pongs), (1, 0));
    let facts = upstream("c:ping=a c> c:ping=b c> u:pong=b u:pong=a");
    assert_eq!((facts.unanswered_pings, facts.unsolicited_pongs), (0, 1));
}

#[test]
fn of_pings_with_the_same_payload_the_oldest_is_answered() {
    let facts = upstream("c:ping=a c> +99 c:ping=a c> +9 u:pong=a +9 u:pong=a");
    assert_eq!(rtts(&facts), (Some(20), Some(111)));
    assert_eq!((facts.unanswered_pings, facts.unsolicited_pongs), (0, 0));
}

#[test]
fn a_ping_that_was_never_written_on_is_not_owed() {
    assert_eq!(upstream("c:ping=a c> c:ping=b").unanswered_pings, 1);
    assert_eq!(upstream("c:ping=a").unanswered_pings, 0);
}

#[test]
fn sixteen_pings_are_remembered_and_the_others_only_counted() {
    let pings = pings("c", 20);
    assert_eq!(upstream(&pings).unanswered_pings, 20);
    // The first four are forgotten: their pongs match nothing.
    let facts = upstream(&format!("{pings} u:pong=3"));
    assert_eq!((facts.unanswered_pings, facts.unsolicited_pongs), (20, 1));
    let facts = upstream(&format!("{pings} u:pong=4"));
    assert_eq!((facts.unanswered_pings, facts.unsolicited_pongs), (15, 0));
    let facts = upstream(&format!("{pings} u:pong=19"));
    assert_eq!((facts.unanswered_pings, facts.unsolicited_pongs), (0, 0));
}

#[test]
fn a_silent_peer_with_more_pings_than_are_remembered_is_unresponsive() {
    let script = pings("u", 40) + " u:close=1011";
    assert_eq!(record(&script).verdict.cause, Cause::ClientUnresponsive);
}
