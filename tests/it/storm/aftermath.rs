//! The storm, and what is left behind it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use tokio::task::JoinSet;

use super::ends::{Script, Verdict};
use super::peers;
use crate::instance::{Metrics, Output, Running, get, until};

const SESSIONS: usize = 5000;
const AT_A_TIME: usize = 200;

/// The first of them, in which everything that is kept reaches its size: the latest records, buffers, the allocator's pools.
const WARM_UP: usize = 1500;

/// What the rest may leave behind in memory, for the allocator's moods: a kilobyte a session, half of what it would be if
/// the tasks of the sessions were not freed.
const GROWTH: u64 = (SESSIONS - WARM_UP) as u64 * 1024;

fn verdict(record: &Value) -> Verdict {
    let text = |field: &str| record[field].as_str().unwrap().to_owned();
    let number = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("{value} in {record}"));
    Verdict {
        code: number(&record["code"]),
        class: text("class"),
        initiator: text("initiator"),
        cause: text("cause"),
        handshake: text("handshake"),
        messages: ["client", "upstream"].map(|peer| number(&record[peer]["text_messages"])),
        client_saw: number(&record["client"]["saw"]["code"]),
        upstream_saw: number(&record["upstream"]["saw"]["code"]),
    }
}

/// Plays `scripts`, [`AT_A_TIME`] of them at once, and gives the records by path.
async fn play(running: &mut Running, scripts: &[Script]) -> BTreeMap<String, Value> {
    let (mut waiting, mut clients) = (scripts.iter(), JoinSet::new());
    let mut records = BTreeMap::new();
    loop {
        while clients.len() < AT_A_TIME
            && let Some(script) = waiting.next()
        {
            clients.spawn(peers::client(running.proxy, *script));
        }
        let Some(client) = clients.join_next().await else { break };
        client.unwrap().unwrap();
    }
    for _ in scripts {
        let record = running.record().await;
        assert_eq!(record["event"], "websocket.closed");
        let path = record["request"]["path"].as_str().unwrap().to_owned();
        if let Some(other) = records.insert(path, record) {
            panic!("two records of one session: {other}");
        }
    }
    records
}

/// How many descriptors a process has open.
fn descriptors(pid: i32) -> usize {
    std::fs::read_dir(Path::new("/proc").join(pid.to_string()).join("fd")).unwrap().count()
}

/// Bytes of anonymous memory that a process has in use.
fn memory(pid: i32) -> u64 {
    let status = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap() * 1024
}

#[tokio::test]
async fn a_storm_of_sessions_leaves_records_and_nothing_else() {
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let scripts: Arc<[Script]> = (0..SESSIONS).map(|number| Script::random(number, &mut random)).collect();
    let mut running = Running::with("", &[], Output::Read).await;
    let pid = running.child.pid;
    let idle = descriptors(pid);
    let listener =
        std::mem::replace(&mut running.upstream, tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap());
    let upstreams = tokio::spawn(peers::upstreams(listener, Arc::clone(&scripts)));

    let (first, second) = scripts.split_at(WARM_UP);
    let mut records = play(&mut running, first).await;
    let warm = memory(pid);
    // In the thick of it, the books balance in every scrape.
    let scraping = tokio::spawn({
        let admin = running.admin;
        async move {
            loop {
                Metrics::parse(&get(admin, "/metrics").await.unwrap().body).assert_balanced();
            }
        }
    });
    records.append(&mut play(&mut running, second).await);
    scraping.abort();
    assert!(scraping.await.unwrap_err().is_cancelled(), "a scrape failed");

    assert_eq!(records.len(), SESSIONS);
    let mut wrong = Vec::new();
    for script in scripts.iter() {
        let record = &records[&format!("/{}", script.number)];
        let (given, expected) = (verdict(record), script.verdict());
        if given != expected {
            wrong.push(format!("{script:?}\n  expected {expected:?}\n  was      {given:?}\n  of {record}"));
        }
    }
    let shown = wrong.iter().take(3).cloned().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "seed {seed}: {} of {SESSIONS} are wrong:\n{shown}", wrong.len());

    let metrics = running.scrape().await;
    for (name, expected) in [("sessions_opened_total", SESSIONS), ("closes_total", SESSIONS), ("sessions_active", 0)] {
        let value = metrics.sum(&format!("closewatch_{name}"), &[]);
        assert_eq!(value, expected as u64, "{name}");
    }
    for gauge in ["closewatch_sessions_stalled", "closewatch_spilled_bytes", "closewatch_records_dropped_total"] {
        assert_eq!(metrics.sum(gauge, &[]), 0, "{gauge}");
    }
    until("every descriptor to be closed", async || descriptors(pid) == idle).await;
    let grown = memory(pid).saturating_sub(warm);
    assert!(grown < GROWTH, "grown by {grown} bytes to {}", warm + grown);
    assert!(!upstreams.is_finished());
}
