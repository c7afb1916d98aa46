//! `closewatch report`: close logs in, findings out.

mod contract;
mod exported;
mod inputs;
mod must_show;

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use crate::schema::conforms;

/// Runs `report` with `input` on standard input.
fn report(arguments: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_closewatch"));
    command.arg("report").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that refuses its arguments reads nothing.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn json(arguments: &[&str], input: &[u8]) -> Value {
    let output = report(&[&["--json"], arguments].concat(), input);
    assert!(output.status.success(), "{output:?}");
    let report = serde_json::from_slice(&output.stdout).unwrap();
    let schema: Value = serde_json::from_str(include_str!("../../../docs/report.schema.json")).unwrap();
    assert_eq!(conforms(&report, &schema), Ok(()));
    report
}

/// A line of the close log: a session that opened `at` seconds after eight, and ended so.
fn line(number: u32, at: u32, life: f64, idle: f64, ends: &str) -> String {
    let ended = format!("2026-11-20T{:02}:{:02}:{:02}Z", 8 + at / 3600, at / 60 % 60, at % 60);
    let (class, code, cause) = match ends {
        "client_reset" => ("abnormal", 1006, "client_reset"),
        _ => ("clean", 1000, "close_handshake"),
    };
    format!(
        "{{\"schema\":1,\"event\":\"websocket.closed\",\"time\":\"{ended}\",\"instance\":\"pod-7\",\"session\":\"S{number}\",\
         \"route\":\"chat\",\"class\":\"{class}\",\"code\":{code},\"initiator\":\"client\",\"cause\":\"{cause}\",\"reason\":\"\",\
         \"ended_at\":\"{ended}\",\"duration_ms\":{},\"idle_ms\":{},\"client\":{{\"address\":\"198.51.100.{}:4711\",\
         \"last_frame_at_ms\":{}}},\"upstream\":{{\"address\":\"10.0.0.9:9000\"}},\
         \"request\":{{\"path\":\"/chat\",\"user_agent\":\"app/1.{}\"}}}}\n",
        life * 1000.0,
        idle * 1000.0,
        number % 200,
        (life - idle) * 1000.0,
        number % 3,
    )
}

/// A day on which a box cuts after 55 s of silence.
fn a_cut_at_55_s() -> String {
    let mut log = String::new();
    for number in 0..120 {
        let at = 100 + number * 37;
        let life = 60.0 + f64::from(number * 7919 % 500);
        log += &if number % 3 == 0 {
            line(number, at, life, 55.0 + f64::from(number % 5) * 0.01, "client_reset")
        } else {
            line(number, at, life, f64::from(number * 31 % 400) * 0.1, "clean")
        };
    }
    log
}

fn a_quiet_day() -> String {
    (0..120).map(|number| line(number, 10 + number * 11, 60.0 + f64::from(number), 3.0, "clean")).collect()
}

#[test]
fn a_cut_is_named_with_its_limit() {
    let report = json(&[], a_cut_at_55_s().as_bytes());
    let findings = report["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "{report:#}");
    let finding = &findings[0];
    assert_eq!(
        (finding["mechanism"].as_str(), finding["culprit"].as_str()),
        (Some("idle_cut"), Some("middlebox_front"))
    );
    assert_eq!((finding["limit_s"].as_f64(), finding["sessions"].as_u64()), (Some(55.0), Some(40)));
    assert_eq!(finding["route"], "chat");
}

#[test]
fn a_quiet_day_has_no_finding() {
    let report = json(&[], a_quiet_day().as_bytes());
    assert_eq!(report["findings"], serde_json::json!([]));
    assert_eq!(report["records"], 120);
}

#[test]
fn a_client_without_back_off_is_one_and_the_end_that_nothing_followed_is_told() {
    // Six sessions of one client, each half a second behind the one before.
    let visits: String =
        (0..6).map(|visit| line(199 + 600 * visit, 100 + visit * 3, 2.5, 0.1, "client_reset")).collect();
    let log = visits + &a_quiet_day();
    let report = json(&[], log.as_bytes());
    let reconnects = report["reconnects"].as_array().unwrap();
    let abnormal = reconnects.iter().find(|row| row["class"] == "abnormal").unwrap();
    let expected = serde_json::json!({
        "class": "abnormal", "ended": 6, "came_back": 5, "never_returned": 1, "median_s": 0.5,
    });
    assert_eq!(abnormal, &expected);
    assert_eq!(report["back_off"]["without"], 1, "{report:#}");
    let text = String::from_utf8(report_text(&log)).unwrap();
    assert!(text.contains(" clients came back without back-off."), "{text}");
}

fn report_text(log: &str) -> Vec<u8> {
    report(&[], log.as_bytes()).stdout
}

#[test]
fn packed_files_say_the_same_and_cuts_do_not_matter() {
    let log = a_cut_at_55_s();
    let folder = std::env::temp_dir().join(format!("closewatch-report-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (first, second) = log.split_at(log[..log.len() / 2].rfind('\n').unwrap() + 1);
    let mut packed = GzEncoder::new(vec![], Compression::fast());
    packed.write_all(first.as_bytes()).unwrap();
    let (one, two) = (folder.join("1.jsonl.gz"), folder.join("2.jsonl.zst"));
    std::fs::write(&one, packed.finish().unwrap()).unwrap();
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    std::fs::write(&two, ruzstd::encoding::compress_to_vec(second.as_bytes(), level)).unwrap();
    let found = json(&[two.to_str().unwrap(), one.to_str().unwrap()], b"");
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(found, json(&[], log.as_bytes()));
}

#[test]
fn other_lines_are_counted_by_kind_and_named() {
    let mut log = String::from("listening on 0.0.0.0:8080\n{\"event\":\"other\"}\n\n");
    let _ = writeln!(log, "pod-7  | {}", a_quiet_day().lines().next().unwrap());
    let docker = serde_json::json!({"log": a_quiet_day().lines().nth(1).unwrap(), "stream": "stdout"});
    let _ = writeln!(log, "{docker}");
    let output = report(&["--json"], log.as_bytes());
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((found["records"].as_u64(), found["unread_lines"].as_u64()), (Some(2), Some(2)));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("1 line is no record: not JSON\n  -:1: "), "{errors}");
    assert!(errors.contains("1 line is no record: other JSON\n  -:2: "), "{errors}");
}

#[test]
fn filters_leave_out_what_they_say() {
    let log = a_cut_at_55_s();
    let count = |arguments: &[&str]| json(arguments, log.as_bytes())["records"].as_u64().unwrap();
    assert_eq!(count(&["--route", "chat"]), 120);
    assert_eq!(count(&["--route", "other"]), 0);
    assert_eq!(count(&["--instance", "pod-8"]), 0);
    assert_eq!(count(&["--where", "class=abnormal"]), 40);
    assert_eq!(count(&["--where", "class=abnormal", "--where", "request.user_agent=app/1.1"]), 0);
    assert_eq!(count(&["--until", "2026-11-20T08:30:00Z"]), 46);
    assert_eq!(count(&["--since", "2026-11-20T08:30:00Z"]), 74);
    assert_eq!(count(&["--since", "1h"]), 0);
}

#[test]
fn exit_codes_tell_usage_files_and_findings_apart() {
    let code = |arguments: &[&str], input: &str| report(arguments, input.as_bytes()).status.code();
    assert_eq!(code(&[], &a_cut_at_55_s()), Some(0));
    assert_eq!(code(&["--fail-on-findings"], &a_cut_at_55_s()), Some(1));
    assert_eq!(code(&["--fail-on-findings"], &a_quiet_day()), Some(0));
    assert_eq!(code(&["--since", "yesterday"], ""), Some(64));
    assert_eq!(code(&["--since", "1h", "--until", "2h"], ""), Some(64));
    assert_eq!(code(&["--where", "class"], ""), Some(64));
    assert_eq!(code(&["/nowhere/at-all.jsonl"], ""), Some(1));
}

#[test]
fn addresses_hosts_and_instances_can_be_hidden() {
    let log = a_cut_at_55_s();
    for arguments in [&["--anonymise"][..], &["--anonymise", "--json"], &["--anonymise", "--format", "markdown"]] {
        let text = String::from_utf8(report(arguments, log.as_bytes()).stdout).unwrap();
        assert!(text.contains("idle_cut"), "{text}");
        for secret in ["198.51.100", "10.0.0.9", "pod-7"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

#[test]
fn text_of_peers_reaches_no_terminal_as_it_is() {
    let log = a_cut_at_55_s().replace("app/1.", "\\u001b[2J\\u202eapp/1.").replace("10.0.0.9", "\\u001b[31m");
    for arguments in [&[][..], &["--json"], &["--format", "markdown"]] {
        let text = String::from_utf8(report(arguments, log.as_bytes()).stdout).unwrap();
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
    }
}

#[test]
fn text_of_peers_is_no_markup_in_a_ticket() {
    let agent = "<img src=x>![a](http://198.51.100.1/b)|`c`";
    let cut: String = a_cut_at_55_s()
        .lines()
        .map(|line| {
            let line = if line.contains("client_reset") { line.replace("app/1.0", agent) } else { line.to_owned() };
            line.replace("10.0.0.9:9000", "<b>|:9000") + "\n"
        })
        .collect();
    let text = String::from_utf8(report(&["--format", "markdown"], cut.as_bytes()).stdout).unwrap();
    assert!(text.contains("user agent \\<img src=x\\>!\\[a\\]"), "{text}");
    assert!(text.contains("| \\<b\\>\\|:9000 |"), "{text}");
    // Without its escaped characters the text has no markup in it.
    for line in text.lines().filter(|line| line.contains("img") || line.contains(":9000")) {
        let bare: String = line.split('\\').map(|part| part.get(1..).unwrap_or("")).collect();
        assert!(!bare.contains(['<', '[', '`', '>', ']']), "{line}");
    }
}

#[test]
fn one_of_something_is_no_plural() {
    let log = format!("hello\n{}", a_quiet_day().lines().next().unwrap());
    let text = String::from_utf8(report_text(&log)).unwrap();
    let head = "1 session ended, 0 handshakes failed, 2026-11-20 08:00:10 UTC. 1 line is no record.";
    assert!(text.starts_with(head), "{text}");
    assert!(text.contains("only 1 record,"), "{text}");
}

#[test]
fn the_text_fits_a_terminal_and_says_findings_first() {
    let text = String::from_utf8(report(&[], a_cut_at_55_s().as_bytes()).stdout).unwrap();
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    let at = |words: &str| text.find(words).unwrap_or_else(|| panic!("{words} is not in {text}"));
    assert!(at("Findings: 1") < at("Endings") && at("55 s of silence") < at("Silence before the end"));
    assert!(text.contains("< limit at 55 s"), "{text}");
    for words in [
        "1. idle_cut by middlebox_front (or network_client_side), 95 % sure",
        "To do: Raise the idle timeout of the box in front of closewatch,",
        "When: 2026-11-20 08:01:40 to 09:",
        "sessions that ended at the limit: 40;",
        "More: closewatch explain idle_cut, or docs/findings.md#idle_cut",
    ] {
        assert!(text.contains(words), "{words} is not in {text}");
    }
}
