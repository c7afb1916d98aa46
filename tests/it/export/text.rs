//! Lines for people.

use closewatch::close::{Cause, Class, Outcome, is_unprintable};
use closewatch::export::{Event, JsonStyle, Layout, Row};
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

use super::records;

fn layout(width: usize) -> Layout {
    Layout { width: Some(width), colour: false }
}

fn line(event: &Event) -> String {
    let mut line = Vec::new();
    JsonStyle::default().write(event, &mut line);
    String::from_utf8(line).unwrap()
}

fn every_event() -> Vec<Event> {
    let records = [
        records::reset_by_upstream(),
        records::boom(),
        records::left_the_page(),
        records::hostile(),
        records::blind(),
        records::drained(),
    ];
    let failed =
        |outcome, status| Event::HandshakeFailed { route: "chat".into(), record: records::handshake(outcome, status) };
    let failed = [failed(Outcome::Refused, Some(403)), failed(Outcome::ClientGone, None)];
    records.into_iter().map(Event::Closed).chain(failed).collect()
}

/// A line of the close log with these values.
fn closed(route: &str, class: &str, code: Option<u16>, cause: &str, saw: [Option<u16>; 2], reason: &str) -> String {
    json!({
        "event": "websocket.closed", "time": "2026-11-20T12:01:12.400000Z", "route": route, "class": class, "code": code,
        "code_name": "", "initiator": "upstream", "cause": cause, "duration_ms": 3_599_999.9, "reason": reason,
        "client": { "saw": { "code": saw[0] } }, "upstream": { "saw": { "code": saw[1] } },
    })
    .to_string()
}

#[test]
fn an_event_and_its_line_of_the_close_log_are_the_same_row() {
    for event in every_event() {
        let json = line(&event);
        let layout = Layout::PLAIN;
        let (made, read) = (Row::of(&event, &JsonStyle::default()), Row::parse(&json).unwrap());
        assert_eq!(layout.line(&made), layout.line(&read), "{json}");
    }
}

#[test]
fn no_line_is_wider_than_the_terminal_and_no_value_is_cut() {
    let reasons = ["", "boom", "keepalive ping timeout", &"語".repeat(40), "\u{1b}[2J\r\n12:00:00 forged"];
    let mut lines = 0;
    for width in [80, 100, 120] {
        assert!(layout(width).heading().width() <= width);
        for route in ["chat", "graphql-ws", &"r".repeat(64)] {
            for class in Class::ALL.iter().map(|class| class.as_str()) {
                for cause in Cause::ALL.iter().map(|cause| cause.as_str()) {
                    for (code, saw) in
                        [(Some(1011), [Some(1011), Some(1006)]), (Some(1000), [Some(1000); 2]), (None, [None; 2])]
                    {
                        for reason in reasons {
                            let json = closed(route, class, code, cause, saw, reason);
                            let text = layout(width).line(&Row::parse(&json).unwrap());
                            assert!(text.lines().all(|line| line.width() <= width), "{width}\n{text}");
                            let words: Vec<_> = text.split_whitespace().collect();
                            let code = code.map_or("unknown".to_owned(), |code| code.to_string());
                            let values = ["12:01:12", route, class, &code, "upstream", cause, "59m59s"];
                            assert_eq!(words[..7], values, "{width}\n{text}");
                            assert_eq!(words.contains(&"[1011/1006]"), saw[0] != saw[1], "{text}");
                            assert!(!text.replace('\n', "").chars().any(is_unprintable), "{text:?}");
                            lines += 1;
                        }
                    }
                }
            }
        }
    }
    assert!(lines > 3000);
}

#[test]
fn usual_lines_are_one_line_each_in_80_columns() {
    for (route, class, code, cause, saw, reason, expected) in [
        (
            "chat",
            "abnormal",
            1011,
            "close_unanswered",
            [1011, 1006],
            "unhandled exception",
            "12:01:12 chat    abnormal 1011 upstream  close_unanswered 59m59s [1011/1006] un…",
        ),
        (
            "graphql",
            "application",
            4408,
            "upstream_unresponsive",
            [4408, 4408],
            "Connection initialisation timeout",
            "12:01:12 graphql application 4408 upstream upstream_unresponsive 59m59s Connect…",
        ),
        (
            "chat",
            "clean",
            1000,
            "close_handshake",
            [1000, 1000],
            "done",
            "12:01:12 chat    clean    1000 upstream  close_handshake  59m59s done",
        ),
    ] {
        let json = closed(route, class, Some(code), cause, saw.map(Some), reason);
        assert_eq!(layout(80).line(&Row::parse(&json).unwrap()), expected);
    }
    assert_eq!(layout(80).heading(), "TIME     ROUTE   CLASS    CODE INITIATOR CAUSE            AFTER  [SAW] REASON");
}

#[test]
fn a_pipe_gets_all_of_it_with_the_date() {
    let reason = "x".repeat(123);
    let json = closed("chat", "abnormal", Some(1011), "upstream_reset", [Some(1011), None], &reason);
    let text = Layout::PLAIN.line(&Row::parse(&json).unwrap());
    assert!(
        text.starts_with("2026-11-20T12:01:12Z  chat  ") && text.ends_with(&format!("[1011/?] {reason}")),
        "{text}"
    );
}

#[test]
fn a_colour_ends_with_its_line() {
    let coloured = Layout { width: Some(80), colour: true };
    let json = closed(&"r".repeat(64), "abnormal", Some(1006), "upstream_reset", [Some(1006); 2], "");
    let text = coloured.line(&Row::parse(&json).unwrap());
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.lines().all(|line| line.starts_with("\u{1b}[31m") && line.ends_with("\u{1b}[0m")), "{text:?}");
}

#[test]
fn durations_are_short_at_every_length() {
    for (millis, expected) in [
        (0.0, "0ms"),
        (999.9, "999ms"),
        (1_000.0, "1.0s"),
        (59_999.0, "59.9s"),
        (185_000.0, "3m05s"),
        (7_620_000.0, "2h07m"),
        (273_600_000.0, "3d04h"),
    ] {
        let json = closed("chat", "clean", Some(1000), "close_handshake", [Some(1000); 2], "");
        let mut json: Value = serde_json::from_str(&json).unwrap();
        json["duration_ms"] = millis.into();
        let text = layout(80).line(&Row::parse(&json.to_string()).unwrap());
        assert_eq!(text.split_whitespace().last(), Some(expected));
    }
}

#[test]
fn what_is_no_record_is_refused() {
    let wrong_class = closed("chat", "dirty", Some(1000), "close_handshake", [Some(1000); 2], "");
    for text in ["", "{}", r#"{"event":"websocket.opened"}"#, &wrong_class] {
        assert!(Row::parse(text).is_err(), "{text}");
    }
}
