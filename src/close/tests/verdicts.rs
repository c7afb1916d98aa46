//! The verdict table: code, initiator, cause, handshake, class.

use super::*;

#[track_caller]
fn verdicts(rows: &[(&str, &str)]) {
    check(verdict, &CodeRules::default(), rows);
}

#[test]
fn the_first_close_names_code_and_initiator_and_its_answer_completes_the_handshake() {
    verdicts(&[
        ("c:close=1000 c> u:close=1000 u> u:fin c:fin", "1000 client close_handshake complete clean"),
        ("u:close=1000 u> c:close=1000 c> u:fin c:fin", "1000 upstream close_handshake complete clean"),
        ("c:close c> u:close u>", "1005 client close_handshake complete clean"),
        ("u:close u> c:close c>", "1005 upstream close_handshake complete clean"),
        // Never judged by the echo.
        ("c:close=4401 c> u:close=1000 u>", "4xxx=4401 client close_handshake complete application"),
        ("u:close=1014 u> c:close=1002 c>", "1014 upstream close_handshake complete abnormal"),
        ("u:close=1000 u> c:close c>", "1000 upstream close_handshake complete clean"),
        ("c:close c> u:close=1011 u>", "1005 client close_handshake complete clean"),
        // Frames of the other peer between the two, and a Close inside a message.
        ("u:close=1000 u> c:text c> c:ping=x c> c:close=1000 c>", "1000 upstream close_handshake complete clean"),
        ("c:begin c:close=1000 c> u:close=1000 u>", "1000 client close_handshake complete clean"),
        // The transports end any way they like afterwards.
        ("c:close=1000 c> u:close=1000 u> u:reset c:reset", "1000 client close_handshake complete clean"),
        ("c:close=1000 c> u:close=1000 u> c:local u:local", "1000 client close_handshake complete clean"),
        ("c:close=1000 c:fin c> u:close=1000 u> u:fin", "1000 client close_handshake complete clean"),
    ]);
}

#[test]
fn closes_that_crossed_were_sent_by_both() {
    verdicts(&[
        ("c:close=1000 u:close=1000 c> u>", "1000 both close_handshake complete clean"),
        ("u:close=1001 c:close=1000 u> c>", "1001 both close_handshake complete clean"),
        ("c:close=1001 u:close=1000 c> u>", "1001 both close_handshake complete clean"),
        ("c:close=4000 u:close=1001 u> c>", "4xxx=4000 both close_handshake complete application"),
        // The first was never written on: the second cannot be its answer.
        ("c:close=1000 u:close=1000", "1000 both close_handshake complete clean"),
        ("c:close=1000 u:close=1000 c:fin u:reset", "1000 both close_handshake complete clean"),
        // Written on in the end, then answered.
        ("c:text&close=1000 c> u:close=1000", "1000 client close_handshake complete clean"),
    ]);
}

#[test]
fn only_the_whole_close_counts_as_written_on() {
    let mut play = Play::of("c:text");
    let text = play.taps[0].seen();
    play.word("c:close=1000");
    play.on(Event::Written { from: Peer::Client, total: text });
    let close = play.taps[0].seen();
    play.on(Event::Written { from: Peer::Client, total: close - 1 });
    play.word("u:close=1000");
    play.on(Event::Written { from: Peer::Client, total: close });
    let record = play.file(CodeRules::default());
    assert_eq!(verdict(&record), "1000 both close_handshake complete clean");
    assert_eq!(saw(&record), "1006 1000+");
}

#[test]
fn a_close_without_an_answer_is_half_a_handshake() {
    verdicts(&[
        ("c:close=1000 c> u:fin c:fin", "1000 client close_unanswered half clean"),
        ("c:close=1000 c:fin c> u:fin", "1000 client close_unanswered half clean"),
        ("u:close=1011 u> u:reset c:local", "1011 upstream close_unanswered half abnormal"),
        ("u:close=1000", "1000 upstream close_unanswered half clean"),
        ("c:close=1001 u:reset", "1001 client close_unanswered half clean"),
        ("u:close=1001 u> c:timeout", "1001 upstream close_unanswered half planned"),
        ("u:close=1013 u> c:text c> c:fin", "1013 upstream close_unanswered half overload"),
        // A second Close of the same peer answers nothing, and changes nothing.
        ("c:close=4000 c:close=1000 c>", "4xxx=4000 client close_unanswered half application"),
        // closewatch gives up waiting: still the peer's own end.
        ("u:close=1000 u> drain own=1001>u", "1000 upstream close_unanswered half clean"),
        ("u:close=1000 u> idle_timeout", "1000 upstream close_unanswered half clean"),
        ("u:close=1000 u> proxy_error", "1000 upstream close_unanswered half clean"),
    ]);
}

#[test]
fn a_peer_silent_since_it_owed_a_pong_was_unresponsive() {
    verdicts(&[
        ("u:ping=a u> u:close=1011 u> u:fin", "1011 upstream client_unresponsive half abnormal"),
        ("c:ping=a c> c:close=1000 c> c:fin", "1000 client upstream_unresponsive half clean"),
        ("c:text c> u:ping=a u> u:text u> u:close=1011", "1011 upstream client_unresponsive half abnormal"),
        // An earlier ping was answered, the later ones not.
        (
            "u:ping=a u> c:pong=a u:ping=b u> u:ping=c u> u:close=1011",
            "1011 upstream client_unresponsive half abnormal",
        ),
        // Nothing that the silent one does after the Close changes this, short of a Close.
        ("u:ping=a u> u:close=1011 u> c:pong=a c:fin", "1011 upstream client_unresponsive half abnormal"),
        ("u:ping=a u> u:close=1011 u> c:close=1011", "1011 upstream close_handshake complete abnormal"),
    ]);
}

#[test]
fn a_peer_that_sent_a_byte_since_or_owed_nothing_was_not_unresponsive() {
    verdicts(&[
        ("u:close=1011 u>", "1011 upstream close_unanswered half abnormal"),
        ("u:ping=a u> c:pong=a u:close=1011", "1011 upstream close_unanswered half abnormal"),
        ("u:ping=a u> c:text u:close=1011", "1011 upstream close_unanswered half abnormal"),
        ("u:ping=a u> c:pong=b u:close=1011", "1011 upstream close_unanswered half abnormal"),
        // A byte between two pings is a sign of life since the oldest one it owes.
        ("u:ping=a u> c:text u:ping=b u> u:close=1011", "1011 upstream close_unanswered half abnormal"),
        // The ping never got there.
        ("u:ping=a u:close=1011", "1011 upstream close_unanswered half abnormal"),
        // It is the closing peer that owes.
        ("c:ping=a c> u:close=1011", "1011 upstream close_unanswered half abnormal"),
    ]);
}

#[test]
fn a_transport_that_ends_first_is_1006_by_that_peer() {
    verdicts(&[
        ("c:text c> c:fin u:fin", "1006 client client_eof none abnormal"),
        ("u:fin c:fin", "1006 upstream upstream_eof none abnormal"),
        ("c:tls_truncated u:local", "1006 client client_eof none abnormal"),
        ("u:tls_truncated", "1006 upstream upstream_eof none abnormal"),
        ("c:reset", "1006 client client_reset none abnormal"),
        ("u:reset c:local", "1006 upstream upstream_reset none abnormal"),
        ("c:timeout u:local", "1006 client client_timeout none abnormal"),
        ("u:timeout", "1006 upstream upstream_timeout none abnormal"),
        ("c:fin u:reset", "1006 client client_eof none abnormal"),
        ("u:reset c:fin", "1006 upstream upstream_reset none abnormal"),
    ]);
}

#[test]
fn a_close_after_the_others_transport_ended_leaves_it_1006() {
    let rows = [
        ("c:fin u:close=1000 u> u:fin", "1006 client client_eof half abnormal"),
        ("c:reset u:close=1011 u:fin", "1006 client client_reset half abnormal"),
        ("u:reset c:close=1001 c:fin", "1006 upstream upstream_reset half abnormal"),
        ("u:timeout c:close", "1006 upstream upstream_timeout half abnormal"),
    ];
    verdicts(&rows);
    let kept = record(rows[0].0).facts.upstream.close.unwrap();
    assert_eq!(kept.code, Some(CloseCode::NORMAL));
}

#[test]
fn legs_that_closewatch_ended_or_left_open_end_no_session() {
    verdicts(&[
        ("c:local u:reset", "1006 upstream upstream_reset none abnormal"),
        ("u:local c:close=1000", "1000 client close_unanswered half clean"),
        ("c:open u:fin", "1006 upstream upstream_eof none abnormal"),
        // An end that comes behind our own on the same leg is our doing.
        ("c:local c:reset u:fin", "1006 upstream upstream_eof none abnormal"),
    ]);
}

#[test]
fn what_closewatch_decides_has_its_own_code_and_initiator() {
    verdicts(&[
        ("drain own=1001>c own=1001>u c:close=1001 u:close=1001", "1001 proxy drain complete planned"),
        ("drain own=1012>u own=1012>c c:close=1012 c:fin u:fin", "1012 proxy drain half planned"),
        ("drain own=1012>u", "1012 proxy drain none planned"),
        ("drain rst>c rst>u", "1006 proxy drain none planned"),
        ("idle_timeout own=1001>c own=1001>u", "1001 proxy idle_timeout none planned"),
        ("idle_timeout c:local u:local", "1006 proxy idle_timeout none planned"),
        ("idle_timeout own=4000>c", "4xxx=4000 proxy idle_timeout none planned"),
        ("proxy_error rst>c rst>u", "1006 proxy proxy_error none abnormal"),
        ("proxy_error own=1011>c", "1011 proxy proxy_error none abnormal"),
        // The first decision holds, and what the peers do afterwards is not the end.
        ("idle_timeout drain own=1001>c", "1001 proxy idle_timeout none planned"),
        ("drain c:close=1000 c> u:close=1000 u>", "1006 proxy drain complete planned"),
        ("drain c:reset u:fin", "1006 proxy drain none planned"),
    ]);
}

#[test]
fn a_session_that_ended_by_itself_keeps_its_cause_through_a_drain() {
    verdicts(&[
        ("c:reset drain own=1001>u", "1006 client client_reset none abnormal"),
        ("u:fin idle_timeout", "1006 upstream upstream_eof none abnormal"),
    ]);
}

#[test]
fn a_session_dropped_alive_is_our_error() {
    verdicts(&[
        ("", "1006 proxy proxy_error none abnormal"),
        ("c:text c>", "1006 proxy proxy_error none abnormal"),
        ("c:local u:local", "1006 proxy proxy_error none abnormal"),
    ]);
    let record = record("c:text +500");
    assert_eq!(record.verdict.ended, record.filed);
}

#[test]
fn blind_before_a_close_knows_nothing() {
    verdicts(&[
        ("c:blind u:close=1000 u>", "unknown unknown unknown unknown unknown"),
        ("u:blind u:text c:close=1000 c:fin", "unknown unknown unknown unknown unknown"),
        ("c:blind u:blind u:local", "unknown proxy proxy_error unknown abnormal"),
    ]);
}

#[test]
fn blind_before_any_other_end_knows_who_and_how_but_no_code() {
    verdicts(&[
        ("c:blind c:fin", "unknown client client_eof unknown unknown"),
        ("c:blind u:reset u:local", "unknown upstream upstream_reset unknown unknown"),
        ("u:blind u:timeout c:close=1000", "unknown upstream upstream_timeout unknown unknown"),
        ("u:blind drain own=1001>u", "unknown proxy drain unknown planned"),
        ("u:blind idle_timeout", "unknown proxy idle_timeout unknown planned"),
        ("c:blind proxy_error", "unknown proxy proxy_error unknown abnormal"),
        ("c:blind", "unknown proxy proxy_error unknown abnormal"),
    ]);
}

#[test]
fn blind_after_the_ending_event_leaves_the_code_known() {
    verdicts(&[
        // Nobody can say whether the other peer answered.
        ("c:close=1000 c> u:blind u:fin", "1000 client unknown unknown clean"),
        ("u:ping=a u> u:close=1011 u> c:blind", "1011 upstream unknown unknown abnormal"),
        ("u:fin c:blind", "1006 upstream upstream_eof unknown abnormal"),
        ("drain own=1001>c u:blind", "1001 proxy drain unknown planned"),
        // Blind behind its own Close: nothing is left to miss.
        ("c:close=1000&blind c> u:close=1000", "1000 client close_handshake complete clean"),
        ("c:close=1000 c> u:close=1000 u:blind", "1000 client close_handshake complete clean"),
        ("c:close=1000&blind c> u:fin", "1000 client close_unanswered half clean"),
    ]);
}
