//! Properties of every log: neither order nor cuts matter, and harmless days add up to a harmless day.

use fastrand::Rng;

use super::incidents::close;
use super::lines::line;
use super::plays::{HARMLESS, INCIDENTS};
use super::recipe::Recipe;
use super::stage::Stage;
use crate::close::Outcome;
use crate::diagnosis::{BadLine, Engine, Finding, Observation, Report};
use crate::wire::Peer;

fn engine(log: &[Observation<'_>]) -> Engine {
    let mut engine = Engine::default();
    for seen in log {
        engine.add(seen);
    }
    engine
}

/// As of a log that is far longer than the room for its rows.
fn sampled(log: &[Observation<'_>]) -> Report {
    let mut engine = Engine::with_room(400);
    for seen in log {
        engine.add(seen);
    }
    engine.report()
}

fn report(log: &[Observation<'_>]) -> serde_json::Value {
    serde_json::to_value(engine(log).report()).unwrap()
}

/// A few plays of each kind, another selection for each seed.
fn some_plays(seed: u64) -> Vec<Vec<Observation<'static>>> {
    let all: Vec<Recipe> = INCIDENTS.concat().into_iter().chain(HARMLESS.iter().copied()).collect();
    let mut rng = Rng::with_seed(seed);
    (0..6).map(|_| (all[rng.usize(..all.len())].1)(rng.u64(..1000)).stage.log()).collect()
}

#[test]
fn findings_do_not_depend_on_order() {
    for mut log in some_plays(1) {
        let expected = report(&log);
        Rng::with_seed(7).shuffle(&mut log);
        assert_eq!(report(&log), expected);
    }
}

#[test]
fn findings_do_not_depend_on_how_a_log_is_cut() {
    for log in some_plays(2) {
        let expected = report(&log);
        let mut engines = vec![Engine::default(); 4];
        let mut rng = Rng::with_seed(3);
        let mut whole = Engine::default();
        for seen in &log {
            let engine = &mut engines[rng.usize(..4)];
            engine.add(seen);
            if rng.u8(..10) == 0 {
                engine.hand_over(&mut whole);
            }
        }
        for engine in engines {
            whole.merge(engine);
        }
        assert_eq!(serde_json::to_value(whole.report()).unwrap(), expected);
    }
}

#[test]
fn beyond_the_room_cuts_do_not_matter_either_and_counts_are_those_of_a_sample() {
    const ROOM: usize = 600;
    let mut compared = 0;
    for log in some_plays(6) {
        let mut whole = Engine::with_room(ROOM);
        let mut parts = vec![Engine::with_room(ROOM); 4];
        for (at, seen) in log.iter().enumerate() {
            whole.add(seen);
            parts[at * 7 % 4].add(seen);
        }
        let mut merged = Engine::with_room(ROOM);
        for part in parts {
            merged.merge(part);
        }
        let (sampled, merged) = (whole.report().findings, merged.report().findings);
        let text = |findings: &[Finding]| serde_json::to_string(findings).unwrap();
        assert_eq!(text(&merged), text(&sampled));
        let exact = engine(&log).report().findings;
        for found in &sampled {
            let Some(same) = exact.iter().find(|other| other.mechanism == found.mechanism) else { continue };
            let (one, other) = (found.sessions + found.handshakes, same.sessions + same.handshakes);
            let apart = (one as f64 - other as f64).abs();
            // Four standard errors of a share of the rows that a stratum keeps.
            assert!(apart <= 0.2 * other as f64 + 10.0, "{}: {one} of {other}", found.mechanism.as_str());
            compared += 1;
        }
    }
    assert!(compared >= 2, "{compared}");
}

/// Rows of a sample stand for many records, and are no surer than as many rows: what falls together by chance is no stretch.
#[test]
fn a_sample_of_a_harmless_day_blames_nobody() {
    for seed in 0..20 {
        let mut stage = Stage::new(seed, |setting| (setting.sessions, setting.hours) = (6000, 24.0));
        for _ in 0..60 {
            let (at, client) = (stage.rng.f64() * stage.length(), stage.rng.usize(..stage.clients.len()));
            stage.fail(at, client, Outcome::Refused, Some(503));
        }
        let log = stage.log();
        for report in [engine(&log).report(), sampled(&log)] {
            let found: Vec<&str> = report.findings.iter().map(|found| found.sentence.as_str()).collect();
            assert_eq!(found, [""; 0], "seed {seed}");
        }
    }
}

/// A sentence has the number of records, not of the rows that stand for them.
#[test]
fn notes_of_a_sample_count_records() {
    let number = |report: Report| -> f64 {
        let note = report.notes.into_iter().find(|note| note.mechanism == "announced_restart").unwrap();
        note.sentence.split(' ').find_map(|word| word.parse().ok()).unwrap()
    };
    let mut stage = Stage::new(1, |setting| (setting.sessions, setting.hours, setting.life) = (3000, 3.0, 1800.0));
    for at in stage.open_at(stage.length() * 0.5) {
        let life = stage.length() * 0.5 - stage.sessions[at].opened;
        stage.end(at, life, close(Peer::Upstream, 1001));
    }
    let log = stage.log();
    let (exact, sampled) = (number(engine(&log).report()), number(sampled(&log)));
    assert!((sampled - exact).abs() <= 0.1 * exact && exact > 200.0, "{sampled} of {exact}");
}

#[test]
fn two_harmless_days_are_a_harmless_day() {
    let mut rng = Rng::with_seed(4);
    for _ in 0..10 {
        let mut log = vec![];
        for _ in 0..2 {
            log.extend((HARMLESS[rng.usize(..HARMLESS.len())].1)(rng.u64(..1000)).stage.log());
        }
        let report = report(&log);
        assert_eq!(report["findings"], serde_json::json!([]));
    }
}

#[test]
fn a_line_says_the_same_as_the_record() {
    for log in some_plays(5) {
        let lines: Vec<String> = log.iter().map(line).collect();
        let read: Vec<Observation<'_>> = lines.iter().map(|line| Observation::of_line(line).unwrap()).collect();
        let (expected, found) = (report(&log), report(&read));
        assert_eq!(found["findings"].as_array().unwrap().len(), expected["findings"].as_array().unwrap().len());
        for (expected, found) in
            expected["findings"].as_array().unwrap().iter().zip(found["findings"].as_array().unwrap())
        {
            for key in ["mechanism", "culprit", "or", "route", "sessions", "handshakes", "common"] {
                assert_eq!(found[key], expected[key], "{key}");
            }
        }
    }
}

#[test]
fn a_line_that_is_no_record_says_why() {
    let bad = |line| Observation::of_line(line).unwrap_err();
    assert!(matches!(bad("level=info msg=hello"), BadLine::NotJson(_)));
    assert!(matches!(bad("{\"event\":\"websocket.closed\""), BadLine::NotJson(_)));
    assert_eq!(bad("{}"), BadLine::Foreign);
    assert_eq!(bad(r#"{"event":"something.else"}"#), BadLine::Foreign);
    assert_eq!(bad(r#"{"event":"websocket.closed"}"#), BadLine::NoTime);
    assert_eq!(bad(r#"{"event":"websocket.closed","time":"yesterday"}"#), BadLine::NoTime);
    assert_eq!(bad(r#"{"event":"websocket.closed","schema":2,"time":"2026-11-20T08:00:00Z"}"#), BadLine::Schema(2));
}

#[test]
fn a_record_without_any_of_the_newer_facts_is_read() {
    let line = r#"{"event":"websocket.closed","time":"2026-11-20T08:00:00Z","duration_ms":5.0,"cause":"client_eof","client":{"violations":{}},"upstream":null}"#;
    assert!(Observation::of_line(line).is_ok());
}
