//! One instance after the other, on the same listening sockets, in the middle of a storm.

use rustix::process::Signal;
use serde_json::Value;
use tokio::task::JoinHandle;

use super::play::{Storm, clients, judge};
use crate::instance::{Child, Metrics, Output, Running, Workspace, get, until};

const SESSIONS: usize = 1500;
/// Takes over in turn.
const INSTANCES: usize = 4;

/// All records of an instance, once it has ended, in order and by itself.
fn records(mut child: Child) -> JoinHandle<Vec<Value>> {
    tokio::spawn(async move {
        let mut records = Vec::new();
        while let Some(line) = child.line().await {
            records.push(serde_json::from_str(&line).unwrap());
        }
        assert_eq!(child.exit_code().await, Some(0));
        records
    })
}

#[tokio::test]
async fn instances_take_over_from_each_other_and_lose_nobody() {
    let workspace = Workspace::new();
    let socket = workspace.path("restart.sock");
    let config = format!("[restart]\nsocket = {socket:?}\n[timeouts]\ndrain = \"10m\"\n");
    let storm = Storm::through(Running::with(&config, &[], Output::Read).await).await;
    let (proxy, admin, seed) = (storm.running.proxy, storm.running.admin, storm.seed);
    let file = workspace.path("next.toml");
    std::fs::write(&file, config).unwrap();
    let upstream = format!("http://{}", storm.upstream);

    let storming = tokio::spawn(clients(proxy, seed, 0..SESSIONS));
    let Storm { running: Running { child: mut running, .. }, upstreams: _upstreams, .. } = storm;
    let opened = async || {
        Metrics::parse(&get(admin, "/metrics").await.unwrap().body).sum("closewatch_sessions_opened_total", &[])
    };
    let mut ended = Vec::new();
    for _ in 1..INSTANCES {
        until("sessions of this instance", async || opened().await > 50).await;
        let own =
            [("--listen", proxy), ("--admin", admin)].map(|(flag, address)| [flag.to_owned(), address.to_string()]);
        let mut arguments: Vec<&str> = own.iter().flatten().map(String::as_str).collect();
        arguments.extend(["--config", file.to_str().unwrap(), "--upstream", &upstream]);
        let mut next = Child::start(&arguments, Output::Read);
        next.logs(&["took over"]).await;
        running.logs(&["drain begins"]).await;
        // The operator has the new one.
        assert_eq!(get(admin, "/readyz").await.unwrap().status, 200);
        ended.push(records(std::mem::replace(&mut running, next)));
    }
    storming.await.unwrap().unwrap();
    running.signal(Signal::TERM);
    ended.push(records(running));
    let mut all = Vec::new();
    for records in ended {
        let records = records.await.unwrap();
        assert!(!records.is_empty(), "an instance had no session");
        all.extend(records);
    }
    judge(seed, 0..SESSIONS, all);
}
