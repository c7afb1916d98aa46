//! The code that each side saw: RFC 6455 §7.1.5, seen from outside.

use super::*;

#[track_caller]
fn sights(rows: &[(&str, &str)]) {
    check(saw, &CodeRules::default(), rows);
}

#[test]
fn each_side_saw_the_first_close_written_to_it() {
    sights(&[
        ("c:close=1000 c> u:close=1000 u> u:fin c:fin", "1000+ 1000+"),
        ("c:close=4000 c> u:close=1000 u>", "1000+ 4000+"),
        ("c:close=1000 u:close=1001 c> u>", "1001+ 1000+"),
        ("c:close=1000 c:close=1001 c> u:close=1000 u>", "1000+ 1000+"),
    ]);
    assert!(!record("c:close=1000 c> u:close=1000 u>").verdict.saw_mismatch());
    assert!(record("c:close=4000 c> u:close=1000 u>").verdict.saw_mismatch());
}

#[test]
fn an_empty_close_is_1005_and_none_is_1006() {
    sights(&[
        ("c:close c> u:close u>", "1005+ 1005+"),
        ("c:fin u:reset", "1006 1006"),
        ("u:close=1011 u> u:reset", "1011? 1006"),
        ("c:close=1000 c> u:fin", "1006 1000?"),
        ("", "1006 1006"),
    ]);
}

#[test]
fn a_close_that_was_not_written_on_was_not_seen() {
    sights(&[
        ("u:close=1000 u:fin", "1006 1006"),
        ("c:close=1000 u:reset", "1006 1006"),
        ("c:reset u:close=1000 u> u:fin", "1006 1006"),
        // In time, then the leg ended.
        ("u:close=1000 u> c:reset", "1000? 1006"),
    ]);
}

#[test]
fn an_illegal_code_is_what_was_seen_and_a_body_of_one_byte_is_nobody_knows_what() {
    sights(&[
        ("c:close=999 c> u:close=1002 u>", "1002+ 999+"),
        ("c:close=byte c> u:close=1002 u>", "1002+ null+"),
        ("c:close=utf8 c>", "1006 1000?"),
        ("c:close=long c>", "1006 1000?"),
    ]);
}

#[test]
fn closewatchs_own_close_counts_for_whom_it_was_written_to() {
    sights(&[
        ("drain own=1001>c own=1001>u c:close=1001 u:close=1001", "1001+ 1001+"),
        ("drain own=1001>c c:close=1001 u:fin", "1001+ 1006"),
        ("drain own=1001>c rst>u", "1001? 1006"),
        // Too late, and after the peer's.
        ("drain c:reset own=1001>c", "1006 1006"),
        ("u:close=1000 u> drain own=1001>c c:close=1000", "1000+ 1006"),
        ("u:close=1000 drain own=1001>c c:close=1000 u>", "1001+ 1006"),
    ]);
}

#[test]
fn a_leg_that_closewatch_reset_was_not_clean() {
    sights(&[
        ("c:close=1000 c> u:close=1000 u> rst>c", "1000 1000+"),
        ("c:close=1000 c> u:close=1000 u> rst>u u:local c:fin", "1000+ 1000"),
    ]);
}

#[test]
fn certain_is_what_the_peer_has_shown() {
    sights(&[
        // Its own Close came behind the one that it was given.
        ("u:close=4000 u> c:close=4000 c> c:fin", "4000+ 4000+"),
        // It closed first, and was answered.
        ("c:close=1000 c> u:close=1000 u> c:reset", "1000+ 1000+"),
        // It went without a word: it may have failed the connection before it read the Close.
        ("u:close=4406 u> c:fin", "4406? 1006"),
        ("u:close=4406 u> c:reset", "4406? 1006"),
        ("u:close=4406 u>", "4406? 1006"),
        // Nothing was written that it could have seen.
        ("u:close=4406 c:reset", "1006 1006"),
        ("u:text u> c:timeout unacked=7>c", "1006 1006"),
        // An answer that its kernel never acknowledged is none, once the connection is broken.
        ("c:close=1000 c> u:close=1000 u> unacked=4>c c:timeout", "1000+? 1000+"),
        ("c:close=1000 c> u:close=1000 u> unacked=4>c rst>c", "1000? 1000+"),
        ("c:close=1000 c> u:close=1000 u> unacked=4>c", "1000+ 1000+"),
    ]);
}

#[test]
fn a_peer_that_reads_on_behind_its_fin_sees_the_close_that_comes_then() {
    sights(&[
        // Safari sends Close and FIN at once, and reads the answer.
        ("c:close=1001 c:fin c> u:close=1001 u> u:fin", "1001+ 1001+"),
        ("c:fin u:close=1000 u> u:fin", "1000? 1006"),
        ("u:fin c:close=1000 c> c:fin", "1006 1000?"),
        ("c:fin drain own=1001>c", "1001? 1006"),
        // Not if its kernel answered with a reset, or did not answer.
        ("c:close=1001 c:fin c> u:close=1001 u> c:reset", "1006? 1001+"),
        ("c:fin u:close=1000 u> unacked=4>c u:fin", "1006? 1006"),
        ("c:tls_truncated u:close=1000 u>", "1006 1006"),
    ]);
    assert!(record("c:fin u:close=1000 u> u:fin").verdict.saw_mismatch());
    assert!(!record("c:close=1001 c:fin c> u:close=1001 u> u:fin").verdict.saw_mismatch());
}

#[test]
fn a_disagreement_is_a_warning_where_both_sides_have_shown_it() {
    for (events, level) in [
        // Closed with 1000, answered with 1011: each side has what the other sent, and shows it.
        ("c:close=1000 c> u:close=1011 u> u:fin", "warn"),
        ("c:close=1000 c> u:close=1000 u> u:fin", "info"),
        // A client that leaves without a word behind the Close that it was given, as many do: whether it was read is not known.
        ("u:close=1000 u> c:fin u:fin", "info"),
        ("u:close=4401 u> c:reset", "info"),
        ("c:fin u:close=1000 u> u:fin", "warn"),
        ("u:close=1011 u> c:fin", "warn"),
    ] {
        assert_eq!(record(events).verdict.level(), level, "{events}");
    }
    // It can be found all the same.
    assert!(record("u:close=1000 u> c:fin u:fin").verdict.saw_mismatch());
}

#[test]
fn a_reset_behind_both_closes_is_not_clean_for_those_that_were_reset() {
    // Chromium reports `wasClean: false` there, though RFC 6455 §7.1.4 would allow clean.
    sights(&[("c:close=1000 c> u:close=1000 u> u:reset rst>c", "1000 1000+")]);
}

#[test]
fn towards_a_blind_direction_nobody_knows() {
    sights(&[
        ("u:blind u> u:fin c:fin", "null? 1006"),
        ("c:blind c> c:reset", "1006 null?"),
        ("c:blind u:blind drain", "null? null?"),
        ("c:close=1000 c> u:blind u> u:fin", "null? 1000?"),
        // Our own Close goes only where none can have gone before.
        ("c:blind drain own=1001>c", "1001? null?"),
        // Read before it went blind.
        ("u:close=1000&blind u> c:fin", "1000? 1006"),
    ]);
}

#[test]
fn a_blind_direction_hides_no_close_that_could_still_have_been_seen() {
    sights(&[
        // The first Close is known, and it was never written on.
        ("u:close=1000&blind u:reset", "1006 1006"),
        // Its receiver was gone before.
        ("c:reset u:blind u:fin", "1006 1006"),
    ]);
}
