//! Codes and their classes, whoever sends them and however the session then ends.

use super::*;
use crate::close::{Class, CodeMatch};

/// Codes, and the class that they are.
const TABLE: &[(Class, &[u16])] = &[
    (Class::Clean, &[1000]),
    (Class::Planned, &[1012]),
    (Class::Application, &[3001, 3002, 3004, 3008, 3500, 3999, 4000, 4001, 4401, 4999]),
    (Class::Policy, &[1008, 1009, 3000, 3003]),
    (Class::Protocol, &[1002, 1003, 1007, 1010]),
    (Class::Overload, &[1013]),
    (Class::Abnormal, &[1011, 1014]),
];

const ILLEGAL: [u16; 13] = [0, 1, 404, 999, 1004, 1005, 1006, 1015, 1016, 1500, 2999, 5000, 65535];

/// Every way in which a session ends with a Close: script, initiator, cause, handshake. `X` is the Close.
const ENDS: [(&str, &str); 7] = [
    ("c:X c> u:close=1002 u> u:fin c:fin", "client close_handshake complete"),
    ("u:X u> c:close c> u:fin c:fin", "upstream close_handshake complete"),
    ("c:X u:close=4999 c> u>", "both close_handshake complete"),
    ("c:X c> u:reset", "client close_unanswered half"),
    ("u:X u> c:fin", "upstream close_unanswered half"),
    ("c:ping=a c> c:X c>", "client upstream_unresponsive half"),
    ("u:ping=a u> u:X u>", "upstream client_unresponsive half"),
];

fn everywhere(close: &str, label: &str, class: impl Fn(&str) -> Class) {
    let rows = ENDS.map(|(script, end)| {
        let initiator = end.split(' ').next().unwrap();
        (script.replace('X', close), format!("{label} {end} {}", class(initiator)))
    });
    check(verdict, &CodeRules::default(), &rows.each_ref().map(|(script, expected)| (&**script, &**expected)));
}

#[test]
fn each_code_has_its_class_whoever_sent_it_and_whatever_became_of_it() {
    for (class, codes) in TABLE {
        for code in *codes {
            let label = match code {
                3000 | 3003 | 3008 | 1000..=1015 => code.to_string(),
                3001..=3999 => format!("3xxx={code}"),
                _ => format!("4xxx={code}"),
            };
            everywhere(&format!("close={code}"), &label, |_| *class);
        }
    }
}

#[test]
fn a_close_without_a_code_is_1005_and_clean() {
    everywhere("close", "1005", |_| Class::Clean);
}

#[test]
fn going_away_is_clean_for_a_client_and_planned_for_an_upstream() {
    everywhere("close=1001", "1001", |initiator| if initiator == "upstream" { Class::Planned } else { Class::Clean });
}

#[test]
fn an_illegal_code_keeps_its_number_under_the_label_invalid() {
    for code in ILLEGAL {
        everywhere(&format!("close={code}"), &format!("invalid={code}"), |_| Class::Protocol);
    }
}

#[test]
fn a_malformed_close_is_invalid_with_the_number_it_has() {
    everywhere("close=byte", "invalid=null", |_| Class::Protocol);
    everywhere("close=utf8", "invalid=1000", |_| Class::Protocol);
    everywhere("close=long", "invalid=1000", |_| Class::Protocol);
}

#[test]
fn a_malformed_answer_does_not_spoil_the_first_close() {
    check(
        verdict,
        &CodeRules::default(),
        &[
            ("c:close=1000 c> u:close=byte", "1000 client close_handshake complete clean"),
            ("c:close=1000 c> u:close=1005", "1000 client close_handshake complete clean"),
        ],
    );
}

#[test]
fn an_override_of_the_configuration_wins_over_the_table_but_not_over_our_own_causes() {
    let mut rules = CodeRules::default();
    rules.set_class("4400-4499".parse().unwrap(), Class::Policy);
    rules.set_class("4403".parse().unwrap(), Class::Abnormal);
    rules.set_class(CodeMatch::Invalid, Class::Overload);
    rules.set_class("1006".parse().unwrap(), Class::Clean);
    rules.set_class("1001".parse().unwrap(), Class::Application);
    check(
        verdict,
        &rules,
        &[
            ("c:close=4400", "4xxx=4400 client close_unanswered half policy"),
            ("c:close=4403", "4403 client close_unanswered half abnormal"),
            ("c:close=4500", "4xxx=4500 client close_unanswered half application"),
            ("u:close=1001", "1001 upstream close_unanswered half application"),
            ("c:fin", "1006 client client_eof none clean"),
            // 1006 in a Close is not the derived one.
            ("c:close=1006", "invalid=1006 client close_unanswered half overload"),
            ("c:close=byte", "invalid=null client close_unanswered half overload"),
            ("drain own=1001>c", "1001 proxy drain none planned"),
            ("proxy_error", "1006 proxy proxy_error none abnormal"),
            ("c:blind c:fin", "unknown client client_eof unknown unknown"),
        ],
    );
}

#[test]
fn records_of_the_three_bad_classes_are_warnings() {
    let warn = Class::ALL.iter().filter(|class| class.level() == "warn").collect::<Vec<_>>();
    assert_eq!(warn, [&Class::Overload, &Class::Abnormal, &Class::Unknown]);
    assert!(Class::ALL.iter().all(|class| matches!(class.level(), "info" | "warn")));
}

#[test]
fn a_code_has_a_name_unless_it_is_invalid_or_unknown() {
    for (script, name) in [
        ("c:close=1000", "Normal Closure"),
        ("c:close", "No Status Rcvd"),
        ("c:reset", "Abnormal Closure"),
        ("c:close=byte", "Invalid"),
        ("c:close=1006", "Invalid"),
        ("c:blind c:fin", "Unknown"),
    ] {
        assert_eq!(record(script).code_name(), name, "{script}");
    }
}
