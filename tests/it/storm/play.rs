//! Playing scripts through an instance, and what is to be seen of it from outside.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::ops::Range;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::WITHOUT_DIAGNOSIS;
use super::ends::{Script, Verdict};
use super::peers;
use crate::instance::{Output, PATIENCE, Running};

const AT_A_TIME: usize = 200;

/// An instance, and the upstream of all the sessions of a seed.
pub(super) struct Storm {
    pub(super) running: Running,
    pub(super) seed: u64,
    pub(super) upstream: SocketAddr,
    pub(super) upstreams: AbortOnDropHandle<()>,
}

impl Storm {
    pub(super) async fn begin() -> Self {
        Self::through(Running::with(WITHOUT_DIAGNOSIS, &[], Output::Read).await).await
    }

    pub(super) async fn through(mut running: Running) -> Self {
        let seed = fastrand::u64(..);
        let listener = std::mem::replace(&mut running.upstream, TcpListener::bind("127.0.0.1:0").await.unwrap());
        let upstream = listener.local_addr().unwrap();
        let upstreams = AbortOnDropHandle::new(tokio::spawn(peers::upstreams(listener, seed)));
        Self { running, seed, upstream, upstreams }
    }

    /// Plays the scripts with these numbers, [`AT_A_TIME`] of them at once: each leaves one record, and the right one.
    pub(super) async fn play(&mut self, numbers: Range<usize>) {
        if let Err(unhappy) = clients(self.running.proxy, self.seed, numbers.clone()).await {
            self.explain(&unhappy).await;
        }
        assert!(!self.upstreams.is_finished(), "the upstream failed");
        let mut records = Vec::new();
        for _ in numbers.clone() {
            records.push(self.running.record().await);
        }
        judge(self.seed, numbers, records);
    }

    /// Fails with all that there is to be known of a client's session.
    async fn explain(&mut self, Unhappy { script, error }: &Unhappy) -> ! {
        let path = format!("/{}", script.number);
        let record = async {
            loop {
                let record = self.running.record().await;
                if record["request"]["path"] == *path {
                    return record;
                }
            }
        };
        let record = timeout(PATIENCE / 2, record).await;
        let log = self.running.child.log_so_far();
        panic!("{error}: client of {script:?}, seed {}\n  its record {record:?}\n  the log\n{log}", self.seed);
    }

    /// Nothing is live, waits or was dropped, and all of `sessions` are in the books.
    pub(super) async fn assert_over(&self, sessions: usize) {
        let metrics = self.running.scrape().await;
        for (name, expected) in
            [("sessions_opened_total", sessions), ("closes_total", sessions), ("sessions_active", 0)]
        {
            assert_eq!(metrics.sum(&format!("closewatch_{name}"), &[]), expected as u64, "{name}");
        }
        for name in ["sessions_stalled", "spilled_bytes", "records_dropped_total", "blind_sessions_total"] {
            assert_eq!(metrics.sum(&format!("closewatch_{name}"), &[]), 0, "{name}");
        }
    }
}

/// A client to which something else happened than its script has.
#[derive(Debug)]
pub(super) struct Unhappy {
    script: Script,
    error: io::Error,
}

/// Plays the clients' parts of the scripts with these numbers, up to the first that cannot be played.
pub(super) async fn clients(proxy: SocketAddr, seed: u64, mut numbers: Range<usize>) -> Result<(), Unhappy> {
    let mut clients = JoinSet::new();
    loop {
        while clients.len() < AT_A_TIME
            && let Some(number) = numbers.next()
        {
            let script = Script::of(seed, number);
            let client = peers::client(proxy, script);
            clients.spawn(async move { client.await.map_err(|error| Unhappy { script, error }) });
        }
        let Some(client) = clients.join_next().await else { return Ok(()) };
        client.unwrap()?;
    }
}

/// Each of the scripts with these numbers has left one record, and the right one.
pub(super) fn judge(seed: u64, numbers: Range<usize>, records: Vec<Value>) {
    let mut by_path = BTreeMap::new();
    for record in records {
        assert_eq!(record["event"], "websocket.closed");
        let path = record["request"]["path"].as_str().unwrap().to_owned();
        if let Some(other) = by_path.insert(path, record) {
            panic!("two records of one session: {other}");
        }
    }
    assert_eq!(by_path.len(), numbers.len());
    let mut wrong = Vec::new();
    for script in numbers.map(|number| Script::of(seed, number)) {
        let record = &by_path[&format!("/{}", script.number)];
        let (given, expected) = (verdict(record), script.verdict());
        if given != expected {
            wrong.push(format!("{script:?}\n  expected {expected:?}\n  was      {given:?}\n  of {record}"));
        }
    }
    let shown = wrong.iter().take(3).cloned().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "seed {seed}: {} of {} are wrong:\n{shown}", wrong.len(), by_path.len());
}

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
