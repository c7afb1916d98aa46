//! Configuration and close log of the last release are still understood. `tests/data/0.1` has its files.

use rustix::process::Signal;
use serde_json::Value;

use crate::instance::{Child, Output, Running, Workspace};
use crate::rig::part;

const CONFIGURATION: &str = include_str!("../data/0.1/example.toml");
const CLOSE_LOG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/0.1/closes.jsonl");

/// The record of a session that both sides end with 1000.
async fn record(running: &mut Running) -> Value {
    let (mut client, mut upstream) = running.session().await;
    part(&mut client, &mut upstream, "").await;
    running.record().await
}

/// Asserts that `now` has every field that `then` has, with a value of the same type, or null in one of them.
fn assert_has_all(now: &Value, then: &Value, path: &str) {
    for (name, then) in then.as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        let now = now.get(name).unwrap_or_else(|| panic!("{path} is gone"));
        let same = std::mem::discriminant(now) == std::mem::discriminant(then);
        assert!(same || now.is_null() || then.is_null(), "{path} was {then}, and is {now}");
        // Acts of a peer, by name: not fields of ours.
        if !now.is_null() && name != "violations" {
            assert_has_all(now, then, &path);
        }
    }
}

#[tokio::test]
async fn its_example_configuration_runs_and_nothing_in_it_is_warned_of() {
    let mut running = Running::with(CONFIGURATION, &[], Output::Read).await;
    let now = record(&mut running).await;
    assert_eq!((&now["schema"], &now["code"]), (&Value::from(1), &Value::from(1000)));
    running.child.signal(Signal::TERM);
    let log = running.child.rest_of_log().await;
    assert_eq!(running.child.exit_code().await, Some(0), "{log}");
    let all = running.child.transcript();
    assert!(all.contains("effective config"), "{all}");
    assert!(!all.contains("WARN") && !all.contains("ERROR"), "{all}");
}

#[tokio::test]
async fn every_field_that_its_records_had_is_still_written_with_the_same_type() {
    let mut running = Running::with(CONFIGURATION, &[], Output::Read).await;
    let now = record(&mut running).await;
    let log = std::fs::read_to_string(CLOSE_LOG).unwrap();
    let records = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let closed: Vec<_> = records.filter(|record| record["event"] == now["event"]).collect();
    assert!(closed.len() > 1, "{CLOSE_LOG} has no records of closures");
    for then in &closed {
        assert_has_all(&now, then, "record");
    }
}

#[tokio::test]
async fn its_close_log_is_read_by_report_line_for_line() {
    let mut child = Child::start(&["report", "--json", CLOSE_LOG], Output::Read);
    let mut report = String::new();
    while let Some(line) = child.line().await {
        report += &line;
    }
    assert_eq!(child.exit_code().await, Some(0));
    assert_eq!(child.rest_of_log().await, "", "a line was not understood");
    let report: Value = serde_json::from_str(&report).unwrap();
    let lines = std::fs::read_to_string(CLOSE_LOG).unwrap().lines().count();
    let read = ["records", "handshakes"].map(|kind| report[kind].as_u64().unwrap());
    assert_eq!(read.iter().sum::<u64>(), lines as u64, "{report}");
}

#[tokio::test]
async fn a_key_under_its_former_name_holds_and_is_warned_of() {
    let said = "log.format: is called \"closes_format\" now";
    let config = "[log]\nformat = \"text\"\n";
    let mut running = Running::with(config, &[], Output::Read).await;
    assert!(running.child.transcript().contains(said), "{}", running.child.transcript());
    running.reload(config);
    running.child.logs(&[said]).await;

    let workspace = Workspace::new();
    let file = workspace.path("former.toml");
    std::fs::write(&file, format!("upstream = \"http://127.0.0.1:9\"\n{config}")).unwrap();
    let mut child = Child::start(&["check", file.to_str().unwrap()], Output::Read);
    assert_eq!(child.exit_code().await, Some(0));
    assert!(child.rest_of_log().await.contains(&format!("former.toml:3: {said}")));
}
