//! The meaning of a signal, and of a second one.

use std::time::Duration;

use rustix::process::Signal;
use tokio::time::Instant;

use crate::instance::{Child, Output, Running};
use crate::rig::{close, part, text};

/// `closewatch drain` with these arguments, for this instance.
fn drain(running: &Running, arguments: &[&str]) -> Child {
    let pid = running.child.pid.to_string();
    Child::start(&[&["drain", "--pid", &pid], arguments].concat(), Output::Read)
}

#[tokio::test]
async fn sessions_that_end_by_themselves_in_time_keep_their_own_cause() {
    let mut running = Running::with("timeouts.drain = \"10m\"\n", &[], Output::Read).await;
    let mut sessions = running.sessions(3).await;
    running.child.signal(Signal::TERM);
    running.child.logs(&["drain begins", "live=3"]).await;
    for (client, upstream) in &mut sessions {
        upstream.say(&text("go on")).await;
        client.hear(&text("go on")).await;
        part(client, upstream, "").await;
        let record = running.record().await;
        assert_eq!((&record["cause"], &record["initiator"]), (&"close_handshake".into(), &"client".into()), "{record}");
    }
    // Nothing is left to wait for.
    assert_eq!(running.child.exit_code().await, Some(0));
    assert_eq!(running.child.line().await, None);
}

#[tokio::test]
async fn a_second_signal_files_every_session_at_once() {
    let mut running = Running::with("timeouts.drain = \"10m\"\n", &[], Output::Read).await;
    let _sessions = running.sessions(200).await;
    running.child.signal(Signal::TERM);
    running.child.logs(&["drain begins", "live=200"]).await;
    running.child.signal(Signal::TERM);
    for _ in 0..200 {
        let record = running.record().await;
        assert_eq!((&record["cause"], &record["initiator"]), (&"drain".into(), &"proxy".into()), "{record}");
        assert_eq!(record["class"], "planned");
    }
    assert_eq!(running.child.exit_code().await, Some(1));
    assert_eq!(running.child.line().await, None, "200 records and no more");
}

#[tokio::test]
async fn an_interrupt_and_a_quit_are_signals_like_the_other() {
    for signal in [Signal::INT, Signal::QUIT] {
        let mut running = Running::start().await;
        running.child.signal(signal);
        running.child.logs(&["drain begins"]).await;
        assert_eq!(running.child.exit_code().await, Some(0), "{signal:?}");
    }
}

#[tokio::test]
async fn closewatch_drain_waits_until_the_instance_has_drained() {
    let mut running = Running::with("timeouts.drain = \"10m\"\n", &[], Output::Read).await;
    let (mut client, mut upstream) = running.session().await;
    let mut waiting = drain(&running, &["--wait"]);
    running.child.logs(&["drain begins", "live=1"]).await;
    // A limit to the waiting is none to the drain.
    let mut impatient = drain(&running, &["--wait", "--timeout", "50ms"]);
    assert_eq!(impatient.exit_code().await, Some(1));
    assert!(impatient.rest_of_log().await.contains("has not drained within"));
    part(&mut client, &mut upstream, "").await;
    assert_eq!(waiting.exit_code().await, Some(0));
    assert_eq!(running.child.exit_code().await, Some(0));
    assert_eq!(running.record().await["cause"], "close_handshake");

    let mut late = drain(&running, &[]);
    assert_eq!(late.exit_code().await, Some(1));
    assert!(late.rest_of_log().await.contains("is gone"));
}

#[tokio::test]
async fn the_first_termination_behind_closewatch_drain_is_not_a_second_signal() {
    let mut running = Running::with("timeouts.drain = \"10m\"\n", &[], Output::Read).await;
    let (mut client, mut upstream) = running.session().await;
    let mut asked = drain(&running, &[]);
    assert_eq!(asked.exit_code().await, Some(0), "it does not wait unless asked to");
    running.child.logs(&["drain begins"]).await;
    running.child.signal(Signal::TERM);
    // Answered by the thread that obeys signals, and behind this one.
    for _ in 0..2 {
        assert_eq!(running.get("/readyz").await.status, 503);
    }
    part(&mut client, &mut upstream, "").await;
    assert_eq!(running.record().await["cause"], "close_handshake");
    assert_eq!(running.child.exit_code().await, Some(0));
}

#[tokio::test]
async fn what_is_no_instance_is_not_signalled() {
    let workspace = crate::instance::Workspace::new();
    let own = std::process::id().to_string();
    let mut child = Child::start(&["drain", "--pid", &own], Output::Read);
    assert_eq!(child.exit_code().await, Some(1));
    assert!(child.rest_of_log().await.contains("is not an instance of closewatch"));
    // An executable of its own has no instance but its own.
    let copy = workspace.path("closewatch");
    std::fs::copy(env!("CARGO_BIN_EXE_closewatch"), &copy).unwrap();
    let output = tokio::process::Command::new(&copy).arg("drain").output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no instance is running"), "{output:?}");
}

#[tokio::test]
async fn without_a_code_no_close_is_sent() {
    let config = "drain.code = 0\ntimeouts.drain = \"0\"\n";
    let mut running = Running::with(config, &[], Output::Read).await;
    let (mut client, mut upstream) = running.session().await;
    running.child.signal(Signal::TERM);
    for peer in [&mut client, &mut upstream] {
        peer.expect_fin().await;
        peer.fin().await;
    }
    let record = running.record().await;
    assert_eq!(
        (&record["code"], &record["cause"], &record["class"]),
        (&1006.into(), &"drain".into(), &"planned".into())
    );
    assert_eq!(running.child.exit_code().await, Some(0));
}

#[tokio::test]
async fn jitter_spreads_the_closes() {
    const JITTER: Duration = Duration::from_secs(2);
    let config = "timeouts.drain = \"0\"\ntimeouts.drain_jitter = \"2s\"\n";
    let mut running = Running::with(config, &[], Output::Read).await;
    let sessions = running.sessions(40).await;
    running.child.signal(Signal::TERM);
    running.child.logs(&["drain begins"]).await;
    let began = Instant::now();
    let mut ends = tokio::task::JoinSet::new();
    for (mut client, mut upstream) in sessions {
        ends.spawn(async move {
            client.hear_own_close(1001, "").await;
            let told = began.elapsed();
            client.say(&close(1001, "")).await;
            upstream.hear_own_close(1001, "").await;
            upstream.say(&close(1001, "")).await;
            client.expect_fin().await;
            upstream.expect_fin().await;
            told
        });
    }
    let mut times = Vec::new();
    while let Some(told) = ends.join_next().await {
        times.push(told.unwrap());
    }
    let (first, last) = (times.iter().min().unwrap(), times.iter().max().unwrap());
    // All forty within a quarter of the time, by chance: once in 4^38 runs.
    assert!(last.saturating_sub(*first) > JITTER / 4, "{times:?}");
    assert_eq!(running.child.exit_code().await, Some(0));
}
