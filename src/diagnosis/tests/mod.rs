//! Plays: seeded days with and without an incident, and what must be found in them.

mod ends;
mod held_out;
mod incidents;
mod lines;
mod live;
mod plays;
mod precedence;
mod properties;
mod recipe;
mod sockets;
mod stage;
mod texts;
mod third;
mod tls;

use std::fmt::Write as _;

use super::{Engine, Finding};
use plays::{HARMLESS, INCIDENTS};
use recipe::{Expected, Play, Recipe};

/// Seeds of each play, unless the environment says another number.
const SEEDS: u64 = 1;
/// Of all incidents so many must be named right.
const NAMED: f64 = 0.95;

fn findings(play: &Play) -> Vec<Finding> {
    let mut engine = Engine::default();
    for seen in play.stage.log() {
        engine.add(&seen);
    }
    let report = engine.report();
    texts::read_well(&report);
    report.findings
}

/// Whether a finding says what it must: the mechanism, the culprit (or one that is not excluded), and the limit to 6 %.
fn is(found: &Finding, expected: &Expected) -> bool {
    let limit = match (found.limit_s, expected.limit) {
        (Some(found), Some(limit)) => (found - limit).abs() <= 0.06 * limit + 0.5,
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    found.mechanism == expected.mechanism
        && (found.culprit == expected.culprit || found.or.contains(&expected.culprit))
        && limit
}

fn right(found: &[Finding], expected: &[Expected]) -> bool {
    found.len() == expected.len() && expected.iter().all(|expected| found.iter().any(|found| is(found, expected)))
}

/// Plays all of these; gives the share that came out right, and the table.
fn played(recipes: &[Recipe]) -> (f64, String) {
    let seeds = std::env::var("CLOSEWATCH_PLAY_SEEDS").map_or(SEEDS, |seeds| seeds.parse().expect("a number of seeds"));
    let mut table = String::new();
    let (mut good, mut all) = (0_u64, 0_u64);
    for (name, build) in recipes {
        let mut wrong = String::new();
        let mut hits = 0;
        for seed in 0..seeds {
            let play = build(seed * 7919 + 17);
            if let Ok(folder) = std::env::var("CLOSEWATCH_PLAY_LOGS") {
                let log: String = play.stage.log().iter().map(|seen| lines::line(seen) + "\n").collect();
                std::fs::write(format!("{folder}/{} {seed}.jsonl", name.replace('/', " ")), log).unwrap();
            }
            let found = findings(&play);
            if right(&found, &play.expected) {
                hits += 1;
            } else {
                let expected = play.expected.iter().map(|expected| (expected.mechanism.as_str(), expected.limit));
                let _ = write!(wrong, "\n      seed {seed}, expected {:?}", expected.collect::<Vec<_>>());
                for finding in found {
                    let common = serde_json::to_string(&finding.common).unwrap();
                    let _ = write!(
                        wrong,
                        "\n        {} {:?} {:?} {:?} sessions {} handshakes {} confidence {} {common}",
                        finding.mechanism.as_str(),
                        finding.culprit,
                        finding.or,
                        finding.limit_s,
                        finding.sessions,
                        finding.handshakes,
                        finding.confidence
                    );
                }
            }
        }
        good += hits;
        all += seeds;
        let _ = writeln!(table, "{hits}/{seeds}  {name}{wrong}");
    }
    (good as f64 / all as f64, table)
}

#[test]
fn incidents_are_named() {
    let (share, table) = played(&INCIDENTS.concat());
    println!("{table}\n{share}");
    assert!(share >= NAMED, "{share}");
}

#[test]
fn harmless_days_are_not_blamed() {
    let (share, table) = played(HARMLESS);
    println!("{table}\n{share}");
    assert!(share >= 1.0, "{share}");
}
