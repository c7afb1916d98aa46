//! Signals that come before anybody expects them, and the one for a file that has grown too large.

use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;

use crate::instance::{Child, Output, Running, Workspace, until};

const CONFIG: &[u8] = b"upstream = \"http://127.0.0.1:9\"\nlisten = \"127.0.0.1:0\"\nadmin.listen = \"off\"\n";

/// A child that waits for its configuration, and the pipe that it reads it from.
struct Starting {
    child: Child,
    path: std::path::PathBuf,
    _workspace: Workspace,
}

impl Starting {
    fn new() -> Self {
        Self::with("--config")
    }

    /// Started as `closewatch WORD FILE`.
    fn with(word: &str) -> Self {
        let workspace = Workspace::new();
        let path = workspace.path("closewatch.toml");
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        let child = Child::start(&[word, path.to_str().unwrap()], Output::Read);
        Self { child, path, _workspace: workspace }
    }

    /// The writing end, once the child has opened the other.
    async fn asked(&self) -> pipe::Sender {
        let mut found = None;
        until("the configuration to be read", async || {
            // Fails as long as nobody reads.
            found = pipe::OpenOptions::new().open_sender(&self.path).ok();
            found.is_some()
        })
        .await;
        found.unwrap()
    }
}

#[tokio::test]
async fn a_signal_during_the_start_is_obeyed_after_it() {
    for signal in [Signal::TERM, Signal::INT, Signal::QUIT, Signal::USR2] {
        let mut starting = Starting::new();
        let mut config = starting.asked().await;
        starting.child.signal(signal);
        config.write_all(CONFIG).await.unwrap();
        drop(config);
        starting.child.logs(&["drain begins"]).await;
        assert_eq!(starting.child.exit_code().await, Some(0), "{signal:?}");
    }
}

#[tokio::test]
async fn a_hangup_during_the_start_reloads_after_it() {
    let mut starting = Starting::new();
    let mut config = starting.asked().await;
    starting.child.signal(Signal::HUP);
    config.write_all(CONFIG).await.unwrap();
    drop(config);
    starting.child.logs(&["listening", "listener=\"proxy\""]).await;
    let mut config = starting.asked().await;
    config.write_all(CONFIG).await.unwrap();
    drop(config);
    starting.child.logs(&["configuration reloaded"]).await;
}

#[tokio::test]
async fn a_command_that_is_no_instance_dies_of_its_signals() {
    let mut starting = Starting::with("check");
    // Held to the end: a file that is over would be judged, and perhaps before the signal comes.
    let _file = starting.asked().await;
    starting.child.signal(Signal::TERM);
    assert_eq!(starting.child.exit_code().await, None);
}

#[tokio::test]
async fn a_close_log_at_the_limit_of_a_files_size_loses_records_and_counts_them() {
    let workspace = Workspace::new();
    let path = workspace.path("closes.jsonl");
    let mut running = Running::with("", &["--close-log", path.to_str().unwrap()], Output::Read).await;
    let limit = Rlimit { current: Some(100), maximum: None };
    prlimit(Pid::from_raw(running.child.pid), Resource::Fsize, limit).unwrap();
    // The first line is torn, and to be finished when there is room again; the second is lost.
    drop(running.sessions(2).await);
    until("the record to be counted as lost", async || {
        running.scrape().await.sum("closewatch_records_dropped_total", &[("sink", "log")]) == 1
    })
    .await;
    running.child.signal(Signal::TERM);
    assert_eq!(running.child.exit_code().await, Some(0));
}
