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
        ("u:close=1011 u> u:reset", "1011 1006"),
        ("c:close=1000 c> u:fin", "1006 1000"),
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
        ("u:close=1000 u> c:reset", "1000 1006"),
        ("u:close=1000 c:fin u>", "1006 1006"),
    ]);
}

#[test]
fn an_illegal_code_is_what_was_seen_and_a_body_of_one_byte_is_nobody_knows_what() {
    sights(&[
        ("c:close=999 c> u:close=1002 u>", "1002+ 999+"),
        ("c:close=byte c> u:close=1002 u>", "1002+ null+"),
        ("c:close=utf8 c>", "1006 1000"),
        ("c:close=long c>", "1006 1000"),
    ]);
}

#[test]
fn closewatchs_own_close_counts_for_whom_it_was_written_to() {
    sights(&[
        ("drain own=1001>c own=1001>u c:close=1001 u:close=1001", "1001+ 1001+"),
        ("drain own=1001>c c:close=1001 u:fin", "1001+ 1006"),
        ("drain own=1001>c rst>u", "1001 1006"),
        // Too late, and after the peer's.
        ("drain c:fin own=1001>c", "1006 1006"),
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
fn bytes_without_acknowledgement_make_it_uncertain() {
    sights(&[
        ("c:close=1000 c> u:close=1000 u> unacked>c", "1000+? 1000+"),
        ("u:text u> c:timeout unacked>c unacked>u", "1006? 1006?"),
    ]);
}

#[test]
fn towards_a_blind_direction_nobody_knows() {
    sights(&[
        ("u:blind u> u:fin c:fin", "null 1006"),
        ("c:blind c> c:reset", "1006 null"),
        ("c:blind u:blind drain", "null null"),
        ("c:close=1000 c> u:blind u> u:fin", "null 1000"),
        // Our own Close goes only where none can have gone before.
        ("c:blind drain own=1001>c", "1001 null"),
        // Read before it went blind.
        ("u:close=1000&blind u> c:fin", "1000 1006"),
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
