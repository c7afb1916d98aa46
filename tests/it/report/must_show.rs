//! Four situations that took people two or three steps, or failed: one command names each in one sentence.

use serde_json::{Value, json};

use super::{json as report, report as run};

/// An instant `at` seconds after noon.
pub(super) fn moment(at: f64) -> jiff::Timestamp {
    jiff::Timestamp::from_microsecond(1_795_003_200_000_000 + (at * 1e6) as i64).unwrap()
}

/// A session that ended `at` seconds after noon: of 40 addresses and three programs. `end` overrides what an ordinary one has.
pub(super) fn session(number: u32, at: f64, life: f64, idle: f64, end: &Value) -> String {
    let ended = moment(at);
    let mut record = json!({
        "schema": 1, "event": "websocket.closed", "time": ended, "instance": "pod-1", "session": format!("S{number}"), "route": "chat",
        "class": "clean", "code": 1000, "initiator": "client", "cause": "close_handshake", "reason": "", "ended_at": ended,
        "duration_ms": life * 1e3, "idle_ms": idle * 1e3,
        "client": {
            "address": format!("198.51.{}.7:4711", number % 40), "end": "fin", "text_messages": 3, "frames": 4,
            "last_frame_at_ms": (life - idle) * 1e3, "last_message_at_ms": (life - idle) * 1e3,
        },
        "upstream": {
            "address": "10.0.0.9:9000", "end": "fin", "text_messages": 3, "frames": 4, "last_frame_at_ms": (life - idle) * 1e3 - 1.0,
            "last_message_at_ms": (life - idle) * 1e3 - 1.0,
        },
        "request": {"path": "/chat", "user_agent": format!("app/1.{}", number % 3)},
    });
    for (pointer, value) in end.as_object().unwrap() {
        let (parent, name) = pointer.rsplit_once('/').unwrap_or(("", pointer));
        let parent = if parent.is_empty() { String::new() } else { format!("/{parent}") };
        record.pointer_mut(&parent).unwrap()[name] = value.clone();
    }
    format!("{record}\n")
}

/// Sixty sessions of an hour that end as users end them.
pub(super) fn an_hour() -> String {
    (0..60)
        .map(|number| {
            let life = 80.0 + f64::from(number * 7919 % 600);
            session(number, 700.0 + f64::from(number) * 50.0, life, f64::from(number * 31 % 300) * 0.1, &json!({}))
        })
        .collect()
}

/// The one finding of a log, which the text says in the same one sentence.
fn finding(log: &str) -> Value {
    let mut found = report(&[], log.as_bytes());
    assert_eq!(found["findings"].as_array().unwrap().len(), 1, "{found:#}");
    let finding = found["findings"][0].take();
    let sentence = finding["sentence"].as_str().unwrap();
    assert!(sentence.ends_with('.') && !sentence.contains(". "), "not one sentence: {sentence}");
    let markdown = run(&["--format", "markdown"], log.as_bytes());
    assert!(String::from_utf8(markdown.stdout).unwrap().contains(sentence), "{sentence}");
    finding
}

fn says(finding: &Value, culprit: &str, mechanism: &str, limit: Option<f64>) {
    assert_eq!((&finding["culprit"], &finding["mechanism"]), (&json!(culprit), &json!(mechanism)), "{finding:#}");
    assert_eq!(finding["limit_s"].as_f64(), limit, "{finding:#}");
}

#[test]
fn a_balancer_in_front_that_cuts_at_an_unusual_limit() {
    let cut = json!({"class": "abnormal", "code": 1006, "cause": "client_reset", "client/end": "reset", "upstream/end": "local"});
    let cuts = (100..124).map(|number| {
        let life = 120.0 + f64::from(number * 37 % 400);
        session(number, 900.0 + f64::from(number - 100) * 113.0, life, 47.0 + f64::from(number % 5) * 0.02, &cut)
    });
    let log: String = [an_hour()].into_iter().chain(cuts).collect();
    let finding = finding(&log);
    says(&finding, "middlebox_front", "idle_cut", Some(47.0));
    assert!(finding["sentence"].as_str().unwrap().contains("47 s"), "{finding:#}");
}

#[test]
fn a_balancer_behind_that_cuts_at_an_unusual_limit() {
    let cut = json!({
        "class": "abnormal", "code": 1006, "initiator": "upstream", "cause": "upstream_reset", "client/end": "local", "upstream/end": "reset",
    });
    let cuts = (100..124).map(|number| {
        let life = 120.0 + f64::from(number * 37 % 400);
        session(number, 900.0 + f64::from(number - 100) * 113.0, life, 47.0 + f64::from(number % 5) * 0.02, &cut)
    });
    let log: String = [an_hour()].into_iter().chain(cuts).collect();
    says(&finding(&log), "middlebox_back", "idle_cut", Some(47.0));
}

#[test]
fn a_backend_that_is_killed_under_twenty_sessions() {
    let reset = json!({
        "class": "abnormal", "code": 1006, "initiator": "upstream", "cause": "upstream_reset", "client/end": "local", "upstream/end": "reset",
    });
    let ends = (100..120).map(|number| {
        let life = 60.0 + f64::from(number * 53 % 900);
        session(number, 2000.0 + f64::from(number - 100) * 0.001, life, 1.0 + f64::from(number * 7 % 20), &reset)
    });
    let log: String = [an_hour()].into_iter().chain(ends).collect();
    let finding = finding(&log);
    says(&finding, "upstream", "crash", None);
    assert_eq!(finding["sessions"], 20);
}

#[test]
fn a_client_that_closes_with_1000_and_is_answered_with_1011() {
    let answered = json!({
        "client/close": {"code": 1000, "reason": "done", "at_ms": 1.0}, "client/saw": {"code": 1011},
        "upstream/close": {"code": 1011, "reason": "", "at_ms": 2.0}, "upstream/saw": {"code": 1000},
    });
    let ends = (100..120).map(|number| {
        let life = 60.0 + f64::from(number * 53 % 900);
        session(number, 900.0 + f64::from(number - 100) * 131.0, life, 0.4, &answered)
    });
    let log: String = [an_hour()].into_iter().chain(ends).collect();
    says(&finding(&log), "upstream", "handler_error", None);
}
