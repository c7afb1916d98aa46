//! The live diagnosis, through the exporter: findings, their series, and the hints of records.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use closewatch::admin::admin_router;
use closewatch::close::{Address, CloseRecord, CloseSink, CodeRules, End, Outcome, RequestHeaders, RouteSink};
use closewatch::config::{Diagnosis, LogTarget, Silent, Visitor};
use closewatch::diagnosis::Mechanism;
use closewatch::export::{Event, ExportOptions, Exporter, LogOptions};
use closewatch::wire::{Opcode, Peer};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::admin::Rig;
use super::metrics::{exposition, value};
use super::records::{self, Script};
use crate::schema::conforms;

const SOON: Duration = Duration::from_mins(1);
const IDLE_CUT: &str = r#"closewatch_findings{culprit="middlebox_front",mechanism="idle_cut",route="chat"}"#;
const IDLE_LIMIT: &str =
    r#"closewatch_finding_limit_seconds{culprit="middlebox_front",mechanism="idle_cut",route="chat"}"#;
const LOST: &str = r#"closewatch_sessions_lost_total{route="chat"}"#;
const HINTS: &str = r#"closewatch_hints_total{hint="idle_cut",route="chat"}"#;

fn exporter(diagnosis: Diagnosis) -> Exporter {
    let log = LogOptions { target: LogTarget::Off, ..LogOptions::default() };
    Exporter::start(ExportOptions { log, diagnosis, ..ExportOptions::default() }).unwrap()
}

/// A session that opened `ago` seconds before now, of the `number`th client.
fn script(number: u32, ago: f64) -> Script {
    let mut session = records::session(u128::from(number));
    // Whole milliseconds, so that a line of the log has all of it.
    let now = Timestamp::from_millisecond(Timestamp::now().as_millisecond()).unwrap();
    session.opened_at = now - SignedDuration::from_millis((ago * 1000.0) as i64);
    session.client = Address::Ip(([10, 1, (number / 200) as u8, (number % 200) as u8 + 1], 40_000).into());
    session.request.user_agent = Some(["Firefox", "Chrome", "Safari", "Edge"][number as usize % 4].into());
    Script::of(session)
}

/// It talks for some time, is silent for a minute, and its client's leg is reset.
fn cut(number: u32) -> CloseRecord {
    let talk = 1000.0 + f64::from(number * 7919 % 120_000);
    let end = talk + 60_000.0 + f64::from(number % 10) * 10.0;
    script(number, 600.0 - f64::from(number))
        .frame(Peer::Client, Opcode::Text, b"hello", 500.0)
        .frame(Peer::Upstream, Opcode::Text, b"hello", talk)
        .ended(Peer::Client, End::Reset, end)
        .ended(Peer::Upstream, End::Local, end + 1.0)
        .file(end + 1.0)
}

/// It talks, and its client leaves by the book.
fn done(number: u32) -> CloseRecord {
    let life = 2000.0 + f64::from(number * 6151 % 200_000);
    script(number, 600.0 - f64::from(number))
        .frame(Peer::Upstream, Opcode::Text, b"hello", life - 900.0)
        .close(Peer::Client, 1000, "", life)
        .close(Peer::Upstream, 1000, "", life + 1.0)
        .ended(Peer::Upstream, End::Fin, life + 2.0)
        .ended(Peer::Client, End::Fin, life + 3.0)
        .file(life + 3.0)
}

fn file(exporter: &Exporter, records: impl Iterator<Item = CloseRecord>) {
    let route = exporter.route("chat");
    for record in records {
        route.opened(&record.session);
        route.closed(record);
    }
}

fn settle(exporter: &Exporter) {
    assert!(exporter.diagnosis().unwrap().settle(SOON), "a look takes no minute");
}

/// The answer of `/diagnosis`: of each window a report, with the length of the window.
fn reports(exporter: &Exporter) -> Value {
    let mut json = vec![];
    exporter.diagnosis().unwrap().write(&mut json);
    let reports: Value = serde_json::from_slice(&json).unwrap();
    let schema: Value = serde_json::from_str(include_str!("../../../docs/report.schema.json")).unwrap();
    for window in reports["windows"].as_array().unwrap() {
        let mut report = window.clone();
        assert!(report.as_object_mut().unwrap().remove("window_s").is_some_and(|length| length.is_number()));
        assert_eq!(conforms(&report, &schema), Ok(()));
    }
    reports
}

fn play_idle_cut(exporter: &Exporter) {
    exporter.declare_route("chat", &CodeRules::default());
    // A route that nobody uses any more gets no series.
    let _used = exporter.route("chat");
    file(exporter, (0..40).map(cut).chain((40..120).map(done)));
    settle(exporter);
}

/// Families that only the thread of diagnosis moves, and only once there is something to say.
const LATE: [&str; 4] = [
    "closewatch_findings",
    "closewatch_finding_limit_seconds",
    "closewatch_reconnect_seconds",
    "closewatch_never_returned_total",
];

/// Whether a line of the exposition is of a family that diagnosis moves when it comes to it.
pub(super) fn is_late(line: &str) -> bool {
    LATE.iter().any(|family| line.contains(family))
}

/// The lines of these families while there is a finding.
pub(crate) fn series_of_diagnosis() -> String {
    let exporter = exporter(Diagnosis::default());
    play_idle_cut(&exporter);
    let text = exposition(&exporter);
    text.lines().filter(|line| is_late(line)).flat_map(|line| [line, "\n"]).collect()
}

/// The hints of the last records.
fn hints(exporter: &Exporter, last: usize) -> Vec<Option<&'static str>> {
    let events = exporter.recent().latest(last, |_| true);
    let hint = |event: &Arc<Event>| match &**event {
        Event::Closed(record) => record.hint,
        Event::HandshakeFailed { .. } => None,
    };
    events.iter().map(hint).collect()
}

#[test]
fn an_idle_cut_is_found_while_it_goes_on_and_names_the_records_behind_it() {
    let exporter = exporter(Diagnosis::default());
    play_idle_cut(&exporter);
    // Its own thread may look between two of them, and then the last ones of those that were cut bear the hint already.
    let first = hints(&exporter, 120);
    let known = first[..40].iter().filter(|hint| **hint == Some("idle_cut")).count();
    assert!(known < 40 && first[..10] == [None; 10], "too few were filed for a finding: {first:?}");
    assert_eq!(first[40..], [None; 80], "none of those that left by the book");

    for window in reports(&exporter)["windows"].as_array().unwrap() {
        let findings = window["findings"].as_array().unwrap();
        assert_eq!(findings.len(), 1, "{window:#}");
        assert_eq!(findings[0]["mechanism"], "idle_cut");
        assert_eq!(findings[0]["culprit"], "middlebox_front");
        assert!((findings[0]["limit_s"].as_f64().unwrap() - 60.0).abs() < 1.0, "{window:#}");
    }
    assert_eq!(value(&exporter, IDLE_CUT), Some(1.0));
    assert!((value(&exporter, IDLE_LIMIT).unwrap() - 60.0).abs() < 1.0);
    let count = |known: usize| Some(f64::from(u32::try_from(known).unwrap()));
    assert_eq!(value(&exporter, LOST), count(known), "as long as nobody knows better, their clients ended them");

    file(&exporter, (200..300).map(|number| if number % 2 == 0 { cut(number) } else { done(number) }));
    let hints = hints(&exporter, 100);
    let named = |at: usize| hints.iter().skip(at).step_by(2).filter(|hint| **hint == Some("idle_cut")).count();
    assert!(named(0) >= 45, "{hints:?}");
    assert_eq!(named(1), 0, "{hints:?}");
    assert_eq!(value(&exporter, HINTS), count(known + named(0)));
    assert_eq!(value(&exporter, LOST), value(&exporter, HINTS), "a box ended them, whoever seems to have begun it");
}

/// Sessions of one client that follow each other, by how each ends, how long it lasts and how long the next one waits.
fn visits(route: &Arc<dyn RouteSink>, number: u32, mut ago: f64, visitor: u32, ends: &[(Option<u16>, f64, f64)]) {
    let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
    for (place, (code, lasts, waits)) in ends.iter().enumerate() {
        let mut session = records::session(u128::from(number) << 8 | place as u128);
        session.opened_at = now - SignedDuration::from_millis((ago * 1000.0) as i64);
        session.client = Address::Ip(([10, 2, 0, number as u8], 40_000 + place as u16).into());
        session.request.visitor = NonZeroU32::new(visitor);
        let (script, end) = (Script::of(session), lasts * 1000.0);
        let script = match code {
            Some(code) => script.close(Peer::Upstream, *code, "", end).close(Peer::Client, *code, "", end + 1.0),
            None => script,
        };
        let record = script.ended(Peer::Upstream, End::Reset, end + 2.0).file(end + 3.0);
        route.opened(&record.session);
        route.closed(record);
        ago -= lasts + waits;
    }
}

fn reconnects(exporter: &Exporter, series: &str, labels: &str) -> Option<f64> {
    value(exporter, &format!(r#"closewatch_{series}{{{labels},route="chat"}}"#))
}

#[test]
fn clients_that_come_back_are_counted_by_the_end_before_and_by_their_patience() {
    let exporter = exporter(Diagnosis::default());
    exporter.declare_route("chat", &CodeRules::default());
    let chat = exporter.route("chat");
    assert_eq!(reconnects(&exporter, "hasty_reconnects_total", r#"kind="after_1012""#), Some(0.0));
    // A patient one, one that a restart turned out and that does not wait, and one without back-off.
    visits(&chat, 1, 900.0, 0, &[(None, 60.0, 20.0), (Some(1000), 60.0, 0.0)]);
    visits(&chat, 2, 900.0, 0, &[(Some(1012), 60.0, 2.0), (Some(1013), 60.0, 7.0), (Some(1000), 60.0, 0.0)]);
    visits(&chat, 3, 900.0, 0, &[(None, 2.0, 0.3); 6]);
    settle(&exporter);
    let of = |series: &str, class: &str| reconnects(&exporter, series, &format!(r#"class="{class}""#));
    assert_eq!(of("reconnect_seconds_count", "abnormal"), Some(6.0), "one of the first, five of the third");
    for (class, expected) in [("planned", 2.0), ("overload", 7.0)] {
        let sum = of("reconnect_seconds_sum", class).unwrap();
        assert!((sum - expected).abs() < 1e-3, "{class}: {sum}");
    }
    assert_eq!(of("reconnect_seconds_count", "clean"), Some(0.0), "a series is there before its first return");
    assert_eq!(of("never_returned_total", "clean"), Some(0.0), "an hour is not over");
    let hasty = |kind: &str| reconnects(&exporter, "hasty_reconnects_total", &format!(r#"kind="{kind}""#));
    assert_eq!(["no_back_off", "after_1012", "after_1013"].map(hasty), [Some(3.0), Some(1.0), Some(0.0)]);
}

#[test]
fn behind_one_address_a_cookie_tells_who_came_back() {
    let exporter = exporter(Diagnosis::default());
    let chat = exporter.route("chat");
    let (ada, bob) = (1, 2);
    visits(&chat, 1, 900.0, ada, &[(None, 60.0, 0.0)]);
    visits(&chat, 1, 830.0, bob, &[(None, 60.0, 0.0)]);
    settle(&exporter);
    let count = || reconnects(&exporter, "reconnect_seconds_count", r#"class="abnormal""#);
    assert_eq!(count(), Some(0.0), "another visitor of the same address");
    visits(&chat, 2, 700.0, ada, &[(None, 60.0, 0.0)]);
    settle(&exporter);
    assert_eq!(count(), Some(1.0), "the same visitor, of another address");
}

#[test]
fn what_is_named_in_the_configuration_is_hashed_and_nothing_else_is() {
    struct Headers;
    impl RequestHeaders for Headers {
        fn value(&self, name: &str) -> Option<&str> {
            (name == "x-device").then_some("4711")
        }
    }
    let named = Diagnosis { client: Some(Visitor::Header("x-device".to_owned())), ..Diagnosis::default() };
    assert!(exporter(named).visitor(&Headers).is_some());
    assert!(exporter(Diagnosis::default()).visitor(&Headers).is_none());
}

#[test]
fn an_upstream_that_falls_over_is_one_finding_with_its_refused_handshakes() {
    let exporter = exporter(Diagnosis::default());
    exporter.declare_route("chat", &CodeRules::default());
    // All of them are over 200 s ago, whenever they began.
    let fall = |number: u32| {
        let age = 20_000.0 + f64::from(number) * 900.0;
        script(number, 200.0 + age / 1000.0)
            .frame(Peer::Client, Opcode::Text, b"hello", 500.0 + f64::from(number * 37 % 15) * 1000.0)
            .ended(Peer::Upstream, End::Reset, age)
            .ended(Peer::Client, End::Local, age + 1.0)
            .file(age + 1.0)
    };
    file(&exporter, (0..40).map(fall).chain((40..120).map(done)));
    for number in 0..20 {
        let mut record = records::handshake(Outcome::DialFailed, Some(502));
        record.client = Address::Ip(([10, 1, 0, number + 1], 40_001).into());
        record.time = Timestamp::now() - SignedDuration::from_secs_f64(199.0 - f64::from(number));
        exporter.route("chat").handshake(&record);
    }
    settle(&exporter);
    let reports = reports(&exporter);
    let findings = reports["windows"][0]["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "{reports:#}");
    assert_eq!(findings[0]["mechanism"], "crash", "{reports:#}");
    assert_eq!(findings[0]["consequences"][0], "handshakes_refused");
    let series = r#"closewatch_findings{culprit="upstream",mechanism="crash",route="chat"}"#;
    assert_eq!(value(&exporter, series), Some(1.0));
}

#[test]
fn an_instance_without_traffic_finds_nothing() {
    let exporter = exporter(Diagnosis::default());
    exporter.declare_route("chat", &CodeRules::default());
    settle(&exporter);
    let reports = reports(&exporter);
    assert!(reports["at"].is_string());
    for (window, length) in reports["windows"].as_array().unwrap().iter().zip([900.0, 86_400.0]) {
        assert_eq!(window["window_s"], length);
        assert_eq!(window["findings"], Value::Array(vec![]));
    }
    assert!(!exposition(&exporter).contains("closewatch_findings{"));
    assert_eq!(value(&exporter, "closewatch_diagnosis_enabled"), Some(1.0));
    assert_eq!(value(&exporter, HINTS), Some(0.0));
}

#[test]
fn a_route_that_is_forgotten_gets_no_series_of_a_finding_that_goes_on() {
    let exporter = exporter(Diagnosis::default());
    play_idle_cut(&exporter);
    assert_eq!((value(&exporter, IDLE_CUT), value(&exporter, IDLE_LIMIT).is_some()), (Some(1.0), true));
    // A reload takes the route away. Its records stay in the windows.
    exporter.metrics().forget_route("chat");
    settle(&exporter);
    assert_eq!(reports(&exporter)["windows"][0]["findings"][0]["mechanism"], "idle_cut");
    let text = exposition(&exporter);
    assert!(!text.contains("closewatch_finding"), "{text}");
    // Another brings it back.
    exporter.declare_route("chat", &CodeRules::default());
    settle(&exporter);
    assert_eq!(value(&exporter, IDLE_CUT), Some(1.0));
}

#[test]
fn a_finding_that_is_known_is_silent_and_is_there_all_the_same() {
    let silent = Silent { route: Some("chat".to_owned()), mechanism: Mechanism::IdleCut, until: None };
    let known = Diagnosis { silent: vec![silent], ..Diagnosis::default() };
    let exporter = exporter(known);
    play_idle_cut(&exporter);
    assert_eq!(value(&exporter, IDLE_CUT), None);
    assert_eq!(reports(&exporter)["windows"][0]["findings"][0]["mechanism"], "idle_cut");
    file(&exporter, [cut(200)].into_iter());
    assert_eq!(hints(&exporter, 1), [Some("idle_cut")]);

    // A reload makes it known no longer, and known again.
    exporter.diagnosis().unwrap().reload(&Diagnosis::default());
    settle(&exporter);
    assert_eq!(value(&exporter, IDLE_CUT), Some(1.0));
}

#[tokio::test]
async fn the_admin_address_shows_both_windows() {
    let rig = Rig::new(admin_router).await;
    let answer = rig.get("/diagnosis").await;
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("content-type: application/json"), "{}", answer.head);
    let shown: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(shown["schema"], 1);
    assert_eq!(shown["windows"].as_array().unwrap().len(), 2);
}

#[test]
fn without_diagnosis_there_are_neither_series_nor_hints() {
    let exporter = exporter(Diagnosis { enabled: false, ..Diagnosis::default() });
    exporter.declare_route("chat", &CodeRules::default());
    file(&exporter, (0..40).map(cut).chain([records::boom()]));
    assert!(exporter.diagnosis().is_none());
    let text = exposition(&exporter);
    assert!(!text.contains("closewatch_findings") && !text.contains("closewatch_hints_total"), "{text}");
    assert_eq!(value(&exporter, "closewatch_diagnosis_enabled"), Some(0.0), "no finding says nothing then");
    assert!(hints(&exporter, 50).iter().all(Option::is_none));
}
