//! Coming up, or saying why not.

use std::net::TcpListener;

use crate::instance::{Child, Output, Running, Workspace};

#[tokio::test]
async fn help_and_version_are_answers() {
    for (arguments, expected) in [
        (&["--help"][..], "--upstream <URL>"),
        (&["-h"], "--close-log <PATH>"),
        (&["--version"], env!("CARGO_PKG_VERSION")),
        (&["drain", "--help"], "--wait"),
        (&["demo", "--help"], "--rounds <N>"),
        (&["check", "--help"], "<FILE>"),
    ] {
        let mut child = Child::start(arguments, Output::Read);
        assert_eq!(child.exit_code().await, Some(0), "{arguments:?}");
        let mut found = false;
        while let Some(line) = child.line().await {
            found |= line.contains(expected);
        }
        assert!(found, "{arguments:?} does not say {expected}");
        assert_eq!(child.rest_of_log().await, "", "{arguments:?}");
    }
}

#[tokio::test]
async fn bad_usage_and_bad_configuration_are_64_and_say_what_is_wrong() {
    let workspace = Workspace::new();
    let file = workspace.path("bad.toml");
    std::fs::write(&file, "upstream = \"http://127.0.0.1:9\"\n[timeouts]\ndrain = \"soon\"\n").unwrap();
    let file = file.to_str().unwrap();
    for (arguments, expected) in [
        (&["--upstraem", "http://127.0.0.1:9"][..], "--upstream"),
        (&["dran"], "drain"),
        (&[], "--upstream"),
        (&["--upstream", "http://127.0.0.1:9", "--listen", "here"], "--listen"),
        (&["--upstream", "http://127.0.0.1:9", "--workers", "many"], "--workers"),
        (&["--config", file], "bad.toml:3: timeouts.drain"),
        (&["check", file], "bad.toml:3: timeouts.drain"),
        (&["drain", "--timeout", "1s"], "--wait"),
    ] {
        let mut child = Child::start(arguments, Output::Read);
        assert_eq!(child.exit_code().await, Some(64), "{arguments:?}");
        let log = child.rest_of_log().await;
        assert!(log.contains(expected), "{arguments:?} does not name {expected}: {log}");
        assert_eq!(child.line().await, None, "{arguments:?}");
    }
}

#[tokio::test]
async fn an_address_that_is_taken_is_named_with_its_key() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (flag, key) in [("--listen", "listen"), ("--admin", "admin.listen"), ("--metrics", "metrics.listen")] {
        let free = "127.0.0.1:0";
        let mut arguments = vec!["--upstream", "http://127.0.0.1:9", flag, &address];
        for other in ["--listen", "--admin"].iter().filter(|other| **other != flag) {
            arguments.extend([other, free]);
        }
        let mut child = Child::start(&arguments, Output::Read);
        assert_eq!(child.exit_code().await, Some(1), "{flag}");
        let log = child.rest_of_log().await;
        let last = log.lines().last().unwrap_or_default();
        assert!(last.contains(&address) && last.contains(&format!("({key})")), "{flag}: {log}");
        assert!(last.contains("in use") && last.contains("ss -ltnp"), "{log}");
        assert!(!log.contains("effective config"), "nothing runs with it: {log}");
    }
}

#[tokio::test]
async fn a_close_log_that_cannot_be_opened_is_named() {
    let workspace = Workspace::new();
    let path = workspace.path("no/such/folder/closes.jsonl");
    let path = path.to_str().unwrap();
    let free = "127.0.0.1:0";
    let arguments = ["--upstream", "http://127.0.0.1:9", "--listen", free, "--admin", free, "--close-log", path];
    let mut child = Child::start(&arguments, Output::Read);
    assert_eq!(child.exit_code().await, Some(1));
    let log = child.rest_of_log().await;
    let last = log.lines().last().unwrap_or_default();
    assert!(last.contains(path) && last.contains("log.closes"), "{log}");
}

#[tokio::test]
async fn the_effective_configuration_is_in_the_log() {
    let workspace = Workspace::new();
    let file = workspace.path("closewatch.toml");
    std::fs::write(&file, "upstream = \"http://127.0.0.1:9\"\nlisten = \"127.0.0.1:0\"\n[timeouts]\ndrain = \"7s\"\n")
        .unwrap();
    let arguments = ["--config", file.to_str().unwrap(), "--workers", "3", "--admin", "off", "--close-log", "off"];
    let mut child = Child::start(&arguments, Output::Read);
    let line = child.logs(&["effective config "]).await;
    let (_, config) = line.split_once("effective config ").unwrap();
    let config: serde_json::Value = serde_json::from_str(config).unwrap();
    assert_eq!(config["timeouts"]["drain"], "7s", "from the file");
    assert_eq!(config["workers"], 3, "from a flag");
    assert_eq!(config["timeouts"]["linger"], "5s", "a default");
    assert_eq!(config["admin"]["listen"], "off");
    child.logs(&["listening", "listener=\"proxy\""]).await;
}

#[tokio::test]
async fn the_admin_address_beyond_this_host_is_warned_of() {
    let arguments = ["--upstream", "http://127.0.0.1:9", "--listen", "127.0.0.1:0", "--admin", "0.0.0.0:0"];
    let mut child = Child::start(&arguments, Output::Read);
    child.logs(&["WARN", "admin"]).await;
    child.logs(&["listening", "listener=\"proxy\""]).await;
    // On this host only, there is nothing to warn of.
    let mut running = Running::start().await;
    running.child.signal(rustix::process::Signal::TERM);
    assert_eq!(running.child.exit_code().await, Some(0));
    let log = running.child.rest_of_log().await;
    assert!(!log.contains("WARN"), "{log}");
}

#[tokio::test]
async fn a_misspelt_variable_is_bad_usage_and_another_unknown_one_is_warned_of() {
    let arguments = ["--upstream", "http://127.0.0.1:9", "--listen", "127.0.0.1:0", "--admin", "off"];
    let mut child = Child::start_in(&[("CLOSEWATCH_CLOSELOG", "off")], &arguments, Output::Read);
    assert_eq!(child.exit_code().await, Some(64));
    let log = child.rest_of_log().await;
    assert!(log.contains("CLOSEWATCH_CLOSELOG") && log.contains("did you mean CLOSEWATCH_CLOSE_LOG?"), "{log}");

    let mut child = Child::start_in(&[("CLOSEWATCH_VERSION", "1"), ("CLOSEWATCH_PORT", "1")], &arguments, Output::Read);
    child.logs(&["WARN", "CLOSEWATCH_VERSION", "unknown variable"]).await;
    child.logs(&["listening", "listener=\"proxy\""]).await;
}
