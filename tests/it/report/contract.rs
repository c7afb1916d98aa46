//! The JSON that scripts rely on, field by field; `docs/report.schema.json` has the types.

use serde_json::{Value, json};

use super::json as report;
use super::must_show::{an_hour, moment, session};

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

/// A handshake that found no upstream.
fn failed(number: u32, at: f64) -> String {
    let time = moment(at);
    let line = json!({
        "schema": 1, "event": "websocket.handshake_failed", "time": time, "instance": "pod-1", "route": "chat",
        "outcome": "dial_failed", "status": 502, "duration_ms": 3.0,
        "client": {"address": format!("198.51.{}.7:4711", number % 40)},
        "request": {"path": "/chat", "user_agent": "app/1.1"},
    });
    format!("{line}\n")
}

/// A backend falls over under forty sessions of two instances, and turns away those that come back; one lives on.
fn a_crash() -> String {
    let reset = json!({
        "class": "abnormal", "code": 1006, "initiator": "upstream", "cause": "upstream_reset", "client/end": "local", "upstream/end": "reset",
    });
    let ends = (100..140).map(|number| {
        let life = 60.0 + f64::from(number * 53 % 900);
        let ended =
            session(number, 2000.0 + f64::from(number - 100) * 0.001, life, 1.0 + f64::from(number * 7 % 20), &reset);
        if number % 2 == 0 { ended } else { ended.replace("pod-1", "pod-2") }
    });
    let refused = (0..30).map(|number| failed(number, 2001.0 + f64::from(number)));
    [an_hour()].into_iter().chain(ends).chain(refused).collect()
}

#[test]
fn a_report_has_the_fields_that_were_promised() {
    let found = report(&[], a_crash().as_bytes());
    for key in [
        "schema",
        "from",
        "to",
        "records",
        "handshakes",
        "unread_lines",
        "findings",
        "notes",
        "endings",
        "lifetimes",
        "idle",
        "clients",
        "upstreams",
    ] {
        assert!(found.get(key).is_some_and(|value| !value.is_null()), "{key}: {found:#}");
    }
    let [finding] = &found["findings"].as_array().unwrap()[..] else { panic!("{found:#}") };
    assert_eq!(
        keys(finding),
        [
            "action",
            "common",
            "confidence",
            "consequences",
            "culprit",
            "evidence",
            "examples",
            "first_at",
            "handshakes",
            "last_at",
            "limit_s",
            "mechanism",
            "or",
            "route",
            "runbook",
            "sentence",
            "sessions",
            "share",
        ]
    );
    assert_eq!((&finding["mechanism"], &finding["limit_s"]), (&json!("crash"), &Value::Null), "{finding:#}");
    assert_eq!(finding["consequences"], json!(["handshakes_refused"]));
    for each in finding["evidence"].as_array().unwrap() {
        assert_eq!(keys(each), ["fact", "value"]);
        assert!(each["value"].as_f64().unwrap().is_sign_positive(), "{each}");
    }
    assert!(finding["runbook"].as_str().unwrap().ends_with("/docs/findings.md#crash"));
}

#[test]
fn examples_are_sessions_of_as_many_instances_as_there_are() {
    let log = a_crash();
    let found = report(&[], log.as_bytes());
    let examples = found["findings"][0]["examples"].as_array().unwrap();
    assert_eq!(examples.len(), 5);
    let instance = |id: &Value| {
        let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut of_id = lines.filter(|line| line["session"] == *id);
        of_id.next().unwrap_or_else(|| panic!("{id} is in no line"))["instance"].clone()
    };
    let mut instances: Vec<String> = examples.iter().map(|id| instance(id).to_string()).collect();
    instances.sort();
    instances.dedup();
    assert_eq!(instances.len(), 2, "{examples:?}");
}

#[test]
fn others_that_are_not_excluded_are_named_and_what_the_victims_share() {
    let cut = json!({"class": "abnormal", "code": 1006, "cause": "client_reset", "client/end": "reset", "upstream/end": "local"});
    let cuts = (100..124).map(|number| {
        let life = 120.0 + f64::from(number * 37 % 400);
        session(number, 900.0 + f64::from(number - 100) * 113.0, life, 47.0 + f64::from(number % 5) * 0.02, &cut)
            .replace("app/1.0", "old/0.9")
            .replace("app/1.1", "old/0.9")
            .replace("app/1.2", "old/0.9")
    });
    let log: String = [an_hour()].into_iter().chain(cuts).collect();
    let found = report(&[], log.as_bytes());
    let finding = &found["findings"][0];
    assert_eq!(finding["or"], json!(["network_client_side"]), "{finding:#}");
    assert_eq!(finding["common"], json!({"user_agent": "old/0.9"}), "{finding:#}");
    assert!(finding["sentence"].as_str().unwrap().ends_with("; in common: user agent old/0.9."), "{finding:#}");
    // In the text too, with how sure it is.
    let text = String::from_utf8(super::report_text(&log)).unwrap();
    assert!(text.contains("1. idle_cut by middlebox_front (or network_client_side), 95 % sure"), "{text}");
}
