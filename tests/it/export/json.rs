//! The close log's lines, against the contract and against hostile text.

use closewatch::close::{Address, CloseRecord, Outcome, is_unprintable};
use closewatch::config::LogPath;
use closewatch::diagnosis::Observation;
use closewatch::export::JsonStyle;

use super::golden::assert_golden;
use super::records::{self, Script};
use crate::schema::read_line;

fn line(style: &JsonStyle, record: &CloseRecord) -> String {
    let mut out = Vec::new();
    style.write_closed(record, &mut out);
    String::from_utf8(out).unwrap()
}

fn value(style: &JsonStyle, record: &CloseRecord) -> serde_json::Value {
    read_line(&line(style, record))
}

#[test]
fn diagnosis_reads_the_same_from_a_line_as_from_the_record() {
    let style = JsonStyle { instance: Some("pod-7".into()), ..JsonStyle::default() };
    for record in [
        records::reset_by_upstream(),
        records::boom(),
        records::left_the_page(),
        records::refused_login(),
        records::disagreed(),
        records::drained(),
    ] {
        let line = line(&style, &record);
        let of_line = format!("{:.5?}", Observation::of_line(&line).unwrap());
        assert_eq!(of_line, format!("{:.5?}", Observation::of_close(&record, "pod-7")), "{line}");
    }
    let record = records::handshake(Outcome::DialFailed, Some(502));
    let mut out = Vec::new();
    style.write_handshake_failed("chat", &record, &mut out);
    let line = String::from_utf8(out).unwrap();
    let of_line = format!("{:.4?}", Observation::of_line(&line).unwrap());
    assert_eq!(of_line, format!("{:.4?}", Observation::of_handshake("chat", &record, "pod-7")));
}

#[test]
fn records_are_spelt_as_the_contract_has_them() {
    let style = JsonStyle { instance: Some("pod-7".into()), ..JsonStyle::default() };
    let mut lines = String::new();
    for record in [records::reset_by_upstream(), records::boom(), records::hostile(), records::drained()] {
        lines += &line(&style, &record);
    }
    let mut failed = records::handshake(Outcome::DialFailed, Some(502));
    failed.detail = Some("connection refused".into());
    failed.client = Address::Unix("".into());
    let mut out = Vec::new();
    style.write_handshake_failed("chat", &failed, &mut out);
    lines += str::from_utf8(&out).unwrap();
    assert_golden("tests/data/closes.golden", &lines);
}

#[test]
fn the_first_example_has_the_values_of_the_contract() {
    let value = value(&JsonStyle::default(), &records::reset_by_upstream());
    for (pointer, expected) in [
        ("/schema", "1"),
        ("/level", "\"warn\""),
        ("/time", "\"2026-11-20T12:01:12.400000Z\""),
        ("/code", "1006"),
        ("/code_name", "\"Abnormal Closure\""),
        ("/class", "\"abnormal\""),
        ("/initiator", "\"upstream\""),
        ("/cause", "\"upstream_reset\""),
        ("/handshake", "\"none\""),
        ("/reason", "\"\""),
        ("/duration_ms", "72345.678"),
        ("/filed_ms", "72346.1"),
        ("/idle_ms", "60001.2"),
        ("/close_handshake_ms", "null"),
        ("/client/saw", r#"{"code":1006,"clean":false,"certain":true}"#),
        ("/client/end", "\"local\""),
        ("/client/end_at_ms", "72345.9"),
        ("/client/text_messages", "4"),
        ("/client/frames", "6"),
        ("/client/bytes", "812"),
        ("/client/pongs", "2"),
        ("/client/last_frame_at_ms", "12344.4"),
        ("/client/ping_rtt_ms", "31.2"),
        ("/client/ping_rtt_max_ms", "40.0"),
        ("/client/tcp", r#"{"rtt_ms":3.1,"retransmits":0}"#),
        ("/upstream/end", "\"reset\""),
        ("/upstream/name", "\"http://127.0.0.1:9000\""),
    ] {
        let expected: serde_json::Value = serde_json::from_str(expected).unwrap();
        assert_eq!(value.pointer(pointer), Some(&expected), "{pointer}");
    }
}

#[test]
fn the_second_example_keeps_what_each_side_saw() {
    let value = value(&JsonStyle::default(), &records::boom());
    assert_eq!(
        (&value["code"], &value["cause"], &value["handshake"]),
        (&1011.into(), &"close_unanswered".into(), &"half".into())
    );
    assert_eq!((&value["client"]["saw"]["code"], &value["upstream"]["saw"]["code"]), (&1011.into(), &1006.into()));
    assert_eq!(value["reason"], "boom");
    assert_eq!(value["upstream"]["close"], serde_json::json!({"code": 1011, "reason": "boom", "at_ms": 250.5}));
    assert_eq!(value["upstream"]["end"], "reset");
}

#[test]
fn hostile_text_is_one_line_that_steers_nothing() {
    let line = line(&JsonStyle::default(), &records::hostile());
    let line = line.strip_suffix('\n').unwrap();
    assert!(!line.chars().any(is_unprintable), "{line}");
    let value: serde_json::Value = serde_json::from_str(line).unwrap();
    assert!(value["reason"].as_str().unwrap().contains("gone\u{202e}txt\n"), "escaped, not changed");
    assert_eq!(value["request"]["host"].as_str().unwrap().len(), 256);
    assert_eq!((&value["code"], &value["code_name"]), (&1006.into(), &"Invalid".into()), "read, so not derived");
    assert_eq!(value["client"]["violations"], serde_json::json!({"close_body": 1}));
}

#[test]
fn reasons_can_be_left_out() {
    let style = JsonStyle { reason: false, ..JsonStyle::default() };
    let text = line(&style, &records::boom());
    assert!(!text.contains("boom"), "{text}");
    let value = value(&style, &records::boom());
    assert!(value["reason"].is_null() && value["upstream"]["close"]["reason"].is_null());
}

#[test]
fn paths_can_be_redacted() {
    let style = JsonStyle { path: LogPath::Redacted, ..JsonStyle::default() };
    let secret = "s".repeat(40);
    let record = Script::new().request(|request| request.path = format!("/ws/{secret}/room").as_str().into()).file(1.0);
    assert_eq!(value(&style, &record)["request"]["path"], "/ws/:redacted/room");
    assert!(line(&JsonStyle::default(), &record).contains(&secret), "the default leaves paths as they are");
}
