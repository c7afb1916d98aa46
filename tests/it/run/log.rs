//! The close log, as an operator handles it: rotated, filtered, and lost.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use closewatch::wire::Peer;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::instance::{BINARY, Child, Output, Running, Workspace, until};
use crate::rig::{REQUEST, RawPeer, part, text};

/// A session that the client resets, once its path has been seen by the upstream.
async fn one_session(running: &Running, path: &str) {
    let mut client = running.connect().await;
    client.send(REQUEST.replace("/chat", path).as_bytes()).await;
    let mut upstream = running.accept().await;
    upstream.receive_head().await;
    upstream.send(crate::rig::SWITCH.as_bytes()).await;
    client.receive_head().await;
    client.reset();
    upstream.expect_reset().await;
}

/// The paths of the records in a file, all of whose lines are whole.
fn paths(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "torn: {text}");
    let path =
        |line: &str| serde_json::from_str::<Value>(line).unwrap()["request"]["path"].as_str().unwrap().to_owned();
    text.lines().map(path).collect()
}

#[tokio::test]
async fn a_rotated_log_loses_nothing_and_tears_nothing() {
    let workspace = Workspace::new();
    let (file, rotated) = (workspace.path("closes.jsonl"), workspace.path("closes.jsonl.1"));
    let arguments = ["--close-log", file.to_str().unwrap()];
    let mut running = Running::within(workspace, "", &arguments, Output::Read).await;
    let session = async |number: usize| one_session(&running, &format!("/{number}")).await;
    for number in 0..10 {
        session(number).await;
    }
    until("the first to be written", async || {
        std::fs::read_to_string(&file).is_ok_and(|log| log.matches('\n').count() == 10)
    })
    .await;
    std::fs::rename(&file, &rotated).unwrap();
    // Until it is told, the log goes on in the file that it has.
    for number in 10..20 {
        session(number).await;
    }
    running.child.signal(Signal::USR1);
    for number in 20..30 {
        session(number).await;
    }
    until("the log to be opened anew", async || file.exists()).await;
    for number in 30..40 {
        session(number).await;
    }
    running.child.signal(Signal::TERM);
    assert_eq!(running.child.exit_code().await, Some(0));

    let (old, new) = (paths(&rotated), paths(&file));
    assert!(old.len() >= 10 && new.len() >= 10, "{old:?} {new:?}");
    let all: BTreeSet<_> = old.iter().chain(&new).cloned().collect();
    assert_eq!((old.len() + new.len(), all.len()), (40, 40), "each once: {old:?} {new:?}");
    assert_eq!(running.child.line().await, None, "nothing on standard output");
}

#[tokio::test]
async fn only_what_somebody_may_have_to_look_at_is_logged_if_asked() {
    let mut running = Running::with("log.only = \"warn\"\n", &[], Output::Read).await;
    let (mut client, mut upstream) = running.session().await;
    part(&mut client, &mut upstream, "").await;
    one_session(&running, "/cut").await;
    let record = running.record().await;
    assert_eq!((&record["class"], &record["request"]["path"]), (&"abnormal".into(), &"/cut".into()));
    // It is the log's filter, not the views'.
    until("both in the view", async || running.get("/closes").await.body.lines().count() == 2).await;
    running.child.signal(Signal::TERM);
    assert_eq!(running.child.exit_code().await, Some(0));
    assert_eq!(running.child.line().await, None);
}

/// They leave no record: without the line nobody could tell why.
#[tokio::test]
async fn a_plain_request_that_gets_no_answer_is_in_the_own_log_with_its_cause_but_not_each_of_a_flood() {
    let mut child = Child::start(
        &["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--upstream", "unix:/nowhere/at.all"],
        Output::Read,
    );
    let line = child.logs(&["listening", "proxy"]).await;
    let address = line.rsplit_once("address=").unwrap().1.trim();
    for _ in 0..3 {
        let mut client = RawPeer::of(Peer::Client, TcpStream::connect(address).await.unwrap());
        client.send(b"GET / HTTP/1.1\r\nHost: chat.test\r\n\r\n").await;
        assert!(client.receive_head().await.starts_with("HTTP/1.1 502 "));
    }
    child.signal(Signal::TERM);
    let log = child.rest_of_log().await;
    let told: Vec<_> = log.lines().filter(|line| line.contains("a plain request has no answer")).collect();
    let [line] = *told else { panic!("{log}") };
    for word in ["WARN", "status=502", "untold=0", "cannot connect to /nowhere/at.all", "No such file or directory"] {
        assert!(line.contains(word), "{word}: {line}");
    }
}

#[tokio::test]
async fn sessions_flow_on_when_standard_output_is_closed() {
    let mut running = Running::with("", &[], Output::Closed).await;
    for number in 0..5 {
        one_session(&running, &format!("/{number}")).await;
    }
    until("the losses to be counted", async || dropped(&running).await >= 5).await;
    assert_eq!(dropped(&running).await, 5);
    assert_flows(&running).await;
    running.child.signal(Signal::TERM);
    assert_eq!(running.child.exit_code().await, Some(0));
}

#[tokio::test]
async fn sessions_flow_on_when_nobody_reads_standard_output() {
    let running = Running::with("", &[], Output::Blocked).await;
    // A failed upgrade is the shortest way to a record. The pipe takes some, the queue some more.
    let mut clients = JoinSet::new();
    let mut begun = 0;
    while dropped(&running).await == 0 {
        begun += 2000;
        assert!(begun <= 30_000, "no end of room");
        for _ in 0..40 {
            let proxy = running.proxy;
            clients.spawn(async move {
                for _ in 0..50 {
                    let mut client = RawPeer::of(Peer::Client, TcpStream::connect(proxy).await.unwrap());
                    client.send(b"rubbish\r\n\r\n").await;
                    client.receive_head().await;
                    // Leaves no port behind that would have to wait.
                    client.reset();
                }
            });
        }
        while let Some(client) = clients.join_next().await {
            client.unwrap();
        }
    }
    assert_flows(&running).await;
}

#[tokio::test]
async fn sessions_flow_on_when_nobody_reads_standard_error() {
    let mut running = Running::with("", &["--log-level", "debug"], Output::Read).await;
    running.child.read_log(false);
    // A line for each: more than the pipe and the queue hold.
    for _ in 0..4000 {
        let mut client = running.connect().await;
        client.send(REQUEST.replace("Version: 13", "Version: 13\r\nSec-WebSocket-Version: 8").as_bytes()).await;
        client.receive_head().await;
        client.reset();
    }
    assert_flows(&running).await;
    // Signals are obeyed as well, though they are spoken of.
    running.reload("nonsense");
    until("the file to be refused", async || running.scrape().await.sum("closewatch_config_reload_success", &[]) == 0)
        .await;
    running.child.read_log(true);
    running.child.logs(&["WARN", "lines of this log were lost"]).await;
    running.child.signal(Signal::TERM);
    running.child.logs(&["drained"]).await;
    assert_eq!(running.child.exit_code().await, Some(0));
}

async fn dropped(running: &Running) -> u64 {
    running.scrape().await.sum("closewatch_records_dropped_total", &[("sink", "log")])
}

async fn assert_flows(running: &Running) {
    let (mut client, mut upstream) = running.session().await;
    client.say(&text("hello")).await;
    upstream.hear(&text("hello")).await;
    assert_eq!(running.scrape().await.sum("closewatch_sessions_active", &[]), 1);
}

#[tokio::test]
async fn one_pipe_carries_records_and_the_own_log_as_json_and_report_reads_it() {
    let workspace = Workspace::new();
    let file = workspace.path("both.jsonl");
    // As a shell does it: `2>&1`.
    let output = std::fs::File::create(&file).unwrap();
    let mut command = Command::new(BINARY);
    command.stdout(output.try_clone().unwrap()).stderr(output).env_clear();
    let free = "127.0.0.1:0";
    let own = ["--listen", free, "--admin", free, "--upstream", "http://127.0.0.1:9", "--log-format", "json"];
    let mut child = command.args(own).spawn().unwrap();
    let lines = || -> Vec<Value> {
        let text = std::fs::read_to_string(&file).unwrap();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
    };
    let proxy = async || {
        let lines = lines();
        let mut own = lines.iter().filter(|line| line["event"] == "closewatch.log" && line["message"] == "listening");
        own.find(|line| line["fields"]["listener"] == "proxy").map(|line| line["fields"]["address"].clone())
    };
    until("the proxy to listen", async || proxy().await.is_some()).await;
    let address = proxy().await.unwrap().as_str().unwrap().to_owned();
    // Nothing listens at the upstream: a failed handshake.
    let mut client = RawPeer::of(Peer::Client, TcpStream::connect(address).await.unwrap());
    client.send(REQUEST.as_bytes()).await;
    client.receive_head().await;
    until("the record", async || lines().iter().any(|line| line["event"] == "websocket.handshake_failed")).await;
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
    let all = lines();
    for line in all.iter().filter(|line| line["event"] == "closewatch.log") {
        let level = line["level"].as_str().unwrap();
        assert!(["error", "warn", "info"].contains(&level), "{line}");
        assert!(
            line["time"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok() && line["fields"].is_object(),
            "{line}"
        );
    }
    let report = Command::new(BINARY).args(["report", "--json"]).arg(&file).output().unwrap();
    let found: Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!((&found["handshakes"], &found["unread_lines"]), (&1.into(), &0.into()), "{found}");
    assert!(report.stderr.is_empty(), "{report:?}");
}
