//! Commands of closewatch, run as they stand, but for addresses: tests listen on port 0.

use rustix::process::Signal;
use tokio::process::Command;

use super::reader::root;
use crate::instance::{BINARY, Child, Output, Running, Workspace};
use crate::rig::{Valid, authority};

/// A folder with the files that commands name.
pub(super) fn workspace() -> Workspace {
    let workspace = Workspace::new();
    std::fs::create_dir(workspace.path("config")).unwrap();
    std::fs::copy(root().join("config/example.toml"), workspace.path("config/example.toml")).unwrap();
    let issued = authority().issue(&["chat.test"], Valid::Now);
    std::fs::write(workspace.path("chain.pem"), issued.cert).unwrap();
    std::fs::write(workspace.path("key.pem"), issued.key).unwrap();
    let log = std::fs::read(root().join("tests/data/closes.golden")).unwrap();
    let log = ruzstd::encoding::compress_to_vec(log.as_slice(), ruzstd::encoding::CompressionLevel::Fastest);
    std::fs::write(workspace.path("close-1.jsonl.zst"), log).unwrap();
    workspace
}

pub(super) async fn run(place: &str, line: &str) {
    let (variables, words): (Vec<_>, Vec<_>) =
        line.split_whitespace().partition(|word| word.starts_with("OTEL_") && word.contains('='));
    let variables = variables.iter().filter_map(|word| word.split_once('='));
    assert_eq!(words[0], "closewatch", "{place}");
    let arguments: Vec<_> = words[1..]
        .iter()
        // The expansion of a shell in that folder.
        .map(|word| word.replace("close-*.jsonl.zst", "close-1.jsonl.zst").replace("0.0.0.0:8080", "127.0.0.1:0"))
        .collect();
    let mut arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let workspace = workspace();
    let mut command = Command::new(BINARY);
    command.env_clear().envs(variables).current_dir(workspace.path("."));
    match arguments[0] {
        "report" => {
            let mut child = Child::run(&mut command, &arguments, Output::Read);
            assert_eq!(child.exit_code().await, Some(0), "{place}");
        }
        "tail" => tail(command, &arguments).await,
        run => {
            assert!(run.starts_with("--"), "{place}: nobody here knows how closewatch {run} ends");
            for flag in ["--listen", "--admin"] {
                if !arguments.contains(&flag) {
                    arguments.extend([flag, "127.0.0.1:0"]);
                }
            }
            let mut child = Child::run(&mut command, &arguments, Output::Read);
            child.logs(&["listening", "listener=\"proxy\""]).await;
            child.signal(Signal::TERM);
            let log = child.rest_of_log().await;
            assert_eq!(child.exit_code().await, Some(0), "{place}: {log}");
        }
    }
}

/// It prints the end that its filters are for, that of a client which is cut off.
async fn tail(mut command: Command, arguments: &[&str]) {
    let mut running = Running::start().await;
    let (mut client, mut upstream) = running.session().await;
    client.reset();
    upstream.expect_reset().await;
    running.record().await;
    let admin = format!("http://{}", running.admin);
    let mut child = Child::run(&mut command, &[arguments, &["--admin", &admin]].concat(), Output::Read);
    let line = child.line().await.unwrap();
    assert!(line.contains("abnormal") && line.contains("1006"), "{line}");
    child.signal(Signal::INT);
    assert_eq!(child.exit_code().await, Some(0));
}
