//! The same sessions as closewatch wrote them, as it exported them (OTLP's JSON, as a collector's file exporter writes it), and as
//! ClickHouse gives them from the table of `deploy/clickhouse`: tests/data/exported.

use jiff::Timestamp;
use serde_json::Value;

use super::json;

const CLOSES: &str = "tests/data/exported/close.jsonl";
const OTLP: &str = "tests/data/exported/otlp.jsonl";
const TABLE: &str = "tests/data/exported/table.jsonl";

#[test]
fn an_export_says_what_the_close_log_says() {
    let closes = json(&[CLOSES], b"");
    assert!(closes["records"].as_u64().unwrap() >= 40 && closes["handshakes"].as_u64().unwrap() >= 5);
    assert!(!closes["findings"].as_array().unwrap().is_empty());
    for export in [OTLP, TABLE] {
        let (mut exported, mut wanted) = (json(&[export], b""), closes.clone());
        let times = [&mut wanted, &mut exported].map(|report| {
            // A log record's times are of nanoseconds, those of a line of microseconds.
            for table in ["lifetimes", "idle"] {
                report[table]["quantiles"].take();
            }
            times(report)
        });
        assert_eq!(exported, wanted, "{export}");
        for (one, other) in times[0].iter().zip(&times[1]) {
            // A log record has the time of day at which it was made, and how long before that the session had ended.
            assert!(one.duration_since(*other).as_millis().abs() < 5, "{export}: {one} {other}");
        }
    }
}

/// Takes the instants out of a report.
fn times(report: &mut Value) -> Vec<Timestamp> {
    let take = |value: &mut Value| value.take().as_str().unwrap().parse().unwrap();
    let mut times = vec![take(&mut report["from"]), take(&mut report["to"])];
    for finding in report["findings"].as_array_mut().unwrap() {
        times.extend([take(&mut finding["first_at"]), take(&mut finding["last_at"])]);
    }
    times
}

#[test]
fn an_export_can_be_filtered() {
    let count = |file: &str, condition: &str| json(&["--where", condition, file], b"")["records"].as_u64().unwrap();
    for condition in ["class=abnormal", "cause=client_reset", "client.end=reset", "hint=keepalive_timeout"] {
        let wanted = count(CLOSES, condition);
        assert!(wanted > 0, "{condition}");
        for export in [OTLP, TABLE] {
            assert_eq!(count(export, condition), wanted, "{condition} in {export}");
        }
    }
}
