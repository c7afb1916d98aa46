//! Too much of everything: descriptors, slow peers, outputs that take nothing, hostile text. Sessions go on, and it is counted.

use std::time::Duration;

use closewatch::wire::Peer;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tokio::net::TcpStream;

use crate::handshakes::answer::Answer;
use crate::instance::{Output, Running, until};
use crate::rig::{REQUEST, RawPeer, SWITCH, binary, close, text};

/// One message there, and one back.
async fn talk(client: &mut RawPeer, upstream: &mut RawPeer) {
    client.say(&text("there")).await;
    upstream.hear(&text("there")).await;
    upstream.say(&text("and back")).await;
    client.hear(&text("and back")).await;
}

/// Lets the child have `most` descriptors, the hard limit apart; gives how many it could have before.
fn limit_descriptors(running: &Running, most: Option<u64>) -> Option<u64> {
    let hard = rustix::process::getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit { current: most, maximum: hard };
    prlimit(Pid::from_raw(running.child.pid), Resource::Nofile, limit).unwrap().current
}

#[tokio::test]
async fn without_descriptors_accepting_rests_and_sessions_go_on() {
    // One worker: of several any may have taken the last descriptors, and not the first client.
    let mut running = Running::with("", &["--workers", "1"], Output::Read).await;
    let idle = running.child.descriptors() as u64;
    let mut sessions = running.sessions(3).await;
    // Both legs of each session, and four connections more.
    let before = limit_descriptors(&running, Some(idle + 6 + 4));
    let mut waiting = Vec::new();
    for _ in 0..20 {
        waiting.push(running.connect().await);
    }
    running.child.logs(&["WARN", "cannot accept connections for now"]).await;
    // From now on there is none whatever may be closed: the end of a scrape, say, that has just been answered.
    limit_descriptors(&running, Some(0));
    for (client, upstream) in &mut sessions {
        talk(client, upstream).await;
        // A large frame, which would go through a pipe, passes without one.
        let large = binary(&vec![7; 1_000_000]);
        tokio::join!(upstream.say(&large), client.hear(&large));
    }
    // There is none to dial with either: of those that were accepted, an upgrade is refused.
    let mut refused = waiting.remove(0);
    refused.send(REQUEST.as_bytes()).await;
    assert_eq!(Answer::to(&mut refused).await.status, 502);
    assert_eq!(running.record().await["outcome"], "dial_failed");
    // A session that ends has its record.
    let (mut client, mut upstream) = sessions.pop().unwrap();
    client.reset();
    upstream.expect_reset().await;
    assert_eq!(running.record().await["cause"], "client_reset");

    limit_descriptors(&running, before);
    // Those that waited were not lost.
    let mut last = waiting.pop().unwrap();
    last.send(REQUEST.as_bytes()).await;
    let mut upstream = running.accept().await;
    upstream.receive_head().await;
    upstream.send(SWITCH.as_bytes()).await;
    last.receive_head().await;
    talk(&mut last, &mut upstream).await;
    let metrics = running.scrape().await;
    // One connection found none, and was asked for again until it was taken: that is one, however often it was asked for.
    assert_eq!(metrics.sum("closewatch_connections_rejected_total", &[("reason", "descriptors")]), 1);
    assert_eq!(metrics.sum("closewatch_connections_rejected_total", &[("reason", "resources")]), 0);
    for (client, upstream) in &mut sessions {
        talk(client, upstream).await;
    }
}

#[tokio::test]
async fn a_connection_that_waits_for_a_descriptor_is_counted_once_whoever_asks_for_one() {
    const CLIENTS: u64 = 4;
    let mut running = Running::with("", &["--workers", "4"], Output::Read).await;
    for _ in 0..CLIENTS {
        // Every worker asks for it, again and again.
        let before = limit_descriptors(&running, Some(0));
        let mut client = running.connect().await;
        running.child.logs(&["WARN", "cannot accept connections for now"]).await;
        limit_descriptors(&running, before);
        client.send(REQUEST.as_bytes()).await;
        running.accept().await.receive_head().await;
    }
    let metrics = running.scrape().await;
    assert_eq!(metrics.sum("closewatch_connections_rejected_total", &[("reason", "descriptors")]), CLIENTS);
}

#[tokio::test]
async fn probes_and_scrapes_are_answered_when_sessions_have_taken_every_descriptor() {
    let running = Running::with("", &["--workers", "1"], Output::Read).await;
    let _sessions = running.sessions(3).await;
    limit_descriptors(&running, Some(running.child.descriptors() as u64));
    let mut waiting = Vec::new();
    for _ in 0..20 {
        waiting.push(running.connect().await);
    }
    for _ in 0..20 {
        for path in ["/livez", "/readyz", "/metrics"] {
            assert_eq!(running.get(path).await.status, 200, "{path}");
        }
    }
    // Now is when somebody looks at them.
    let metrics = running.scrape().await;
    let [open, most] = ["process_open_fds", "process_max_fds"].map(|name| metrics.sum(name, &[]));
    assert!(open >= most, "{open} of {most}");
}

#[tokio::test]
async fn a_slow_reader_slows_nobody_else() {
    let running = Running::with("workers = 1\n", &[], Output::Read).await;
    let (mut slow, mut sender) = running.session().await;
    let (mut client, mut upstream) = running.session().await;
    let message = sender.bytes_of(&binary(&vec![7; 60_000]));
    let stalled = async {
        until("the session to stall", async || {
            let metrics = running.scrape().await;
            let sum = |name| metrics.sum(name, &[]);
            sum("closewatch_sessions_stalled") == 1 && sum("closewatch_spilled_bytes") > 0
        })
        .await;
    };
    let sent = sender.send_until(&message, stalled).await;
    // On the same thread.
    for _ in 0..500 {
        talk(&mut client, &mut upstream).await;
    }
    let metrics = running.scrape().await;
    assert_eq!(metrics.sum("closewatch_sessions_stalled", &[]), 1, "it was stalled all the while");
    assert!(metrics.sum("closewatch_spilled_bytes", &[]) <= 64 * 1024);

    let expected: Vec<u8> = message.iter().copied().cycle().take(sent).collect();
    slow.expect(&expected).await;
    until("nothing to wait any more", async || {
        let metrics = running.scrape().await;
        metrics.sum("closewatch_sessions_stalled", &[]) == 0 && metrics.sum("closewatch_spilled_bytes", &[]) == 0
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_read_is_counted_and_flows_on() {
    let mut running = Running::start().await;
    let (mut client, mut upstream) = running.session().await;
    // A length beyond 2^63.
    let impossible = [0x82, 0x7f, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3];
    upstream.send(&impossible).await;
    client.expect(&impossible).await;
    client.reset();
    upstream.expect_reset().await;
    let record = running.record().await;
    assert_eq!((&record["class"], &record["upstream"]["blind"]), (&"unknown".into(), &true.into()));
    let metrics = running.scrape().await;
    assert_eq!(metrics.sum("closewatch_blind_sessions_total", &[("direction", "from_upstream")]), 1);
    assert_eq!(metrics.sum("closewatch_blind_sessions_total", &[("direction", "from_client")]), 0);
}

#[tokio::test]
async fn sessions_flow_on_when_the_disk_is_full() {
    let mut running = Running::with("timeouts.drain = \"0\"\n", &["--close-log", "/dev/full"], Output::Read).await;
    let mut sessions = running.sessions(10).await;
    let (mut client, mut upstream) = sessions.pop().unwrap();
    for (mut client, mut upstream) in sessions {
        talk(&mut client, &mut upstream).await;
        client.reset();
        upstream.expect_reset().await;
    }
    let dropped = async || running.scrape().await.sum("closewatch_records_dropped_total", &[("sink", "log")]);
    until("the losses to be counted", async || dropped().await >= 9).await;
    assert_eq!(dropped().await, 9, "each once");
    talk(&mut client, &mut upstream).await;
    // The record itself is not lost: the views have it.
    assert_eq!(running.get("/closes").await.body.lines().count(), 9);
    running.child.logs(&["WARN", "the close log cannot be written", "No space left"]).await;
    running.child.signal(rustix::process::Signal::TERM);
    client.hear_own_close(1001, "").await;
    client.say(&close(1001, "")).await;
    upstream.receive_all().await;
    drop((client, upstream));
    assert_eq!(running.child.exit_code().await, Some(0));
}

/// Characters that steer a terminal, a log viewer, or a reader of lines.
const HOSTILE: &str = "\u{1b}[31m\u{202e}evil\u{2066}\u{85}\u{2028}{\"event\":\"forged\"}\\\" %0d%0a";

#[tokio::test]
async fn hostile_text_forges_no_line_and_steers_no_terminal() {
    let mut running = Running::with("", &["--log-level", "trace"], Output::Read).await;
    let plain: String = HOSTILE.chars().filter(|character| !character.is_control()).collect();
    let request = REQUEST.replace("/chat", "/%0d%0a%1b%5b31m/%E2%80%AE").replace(
        "Host: chat.test\r\n",
        &format!("Host: chat.test\r\nUser-Agent: {plain}\r\nOrigin: {plain}\r\nX-Request-Id: {plain}\r\n"),
    );
    let mut client = running.connect().await;
    client.send(request.as_bytes()).await;
    let mut upstream = running.accept().await;
    upstream.receive_head().await;
    let switch = SWITCH.replace("\r\n\r\n", &format!("\r\nSec-WebSocket-Protocol: {plain}\r\n\r\n"));
    upstream.send(switch.as_bytes()).await;
    client.receive_head().await;
    upstream.say(&close(4999, &format!("{HOSTILE}\r\n{{\"event\":\"forged\"}}\n"))).await;
    upstream.reset();
    client.receive_all().await;

    // The same in a request that fails, and in one that is none.
    let mut refused = running.connect().await;
    refused.send(request.replace("Version: 13", "Version: 13\r\nSec-WebSocket-Version: 8").as_bytes()).await;
    refused.receive_all().await;
    let mut rubbish = RawPeer::of(Peer::Client, TcpStream::connect(running.proxy).await.unwrap());
    rubbish.send(format!("{HOSTILE}\r\n\r\n").as_bytes()).await;
    rubbish.receive_all().await;

    let mut events = Vec::new();
    for _ in 0..3 {
        let line = running.child.line().await.unwrap();
        assert!(!line.chars().any(closewatch::close::is_unprintable), "{line:?}");
        let record: serde_json::Value = serde_json::from_str(&line).unwrap();
        events.push(record["event"].as_str().unwrap().to_owned());
        if record["event"] == "websocket.closed" {
            assert!(record["reason"].as_str().unwrap().starts_with(HOSTILE), "escaped, not changed");
            assert_eq!(record["request"]["user_agent"], *plain);
        }
    }
    events.sort();
    assert_eq!(events, ["websocket.closed", "websocket.handshake_failed", "websocket.handshake_failed"]);
    for path in ["/closes", "/sessions", "/metrics"] {
        let body = running.get(path).await.body;
        let steers = |line: &str| line.chars().any(closewatch::close::is_unprintable);
        assert!(!body.lines().any(steers), "{path}: {body}");
        assert!(path == "/closes" || !body.contains("evil"), "{path}: {body}");
    }
    running.child.signal(rustix::process::Signal::TERM);
    assert_eq!(running.child.exit_code().await, Some(0));
    assert_eq!(running.child.line().await, None, "no line more");
    let log = running.child.rest_of_log().await;
    assert!(!log.lines().any(|line| line.chars().any(closewatch::close::is_unprintable)), "{log:?}");
    assert!(log.lines().all(|line| line.starts_with(|first: char| first.is_ascii_digit())), "{log}");
}

/// Clients that come and go without a word, as port scanners do, cost nothing that lasts.
#[tokio::test]
async fn a_crowd_that_says_nothing_is_let_go() {
    let running = Running::with("timeouts.head = \"200ms\"\nlimits.connections = 50\n", &[], Output::Read).await;
    let before = running.child.descriptors();
    let mut crowd = Vec::new();
    for _ in 0..200 {
        crowd.push(running.connect().await);
    }
    until("those beyond the limit to be turned away", async || {
        running.scrape().await.sum("closewatch_connections_rejected_total", &[("reason", "connections")]) >= 100
    })
    .await;
    for mut silent in crowd {
        tokio::time::timeout(Duration::from_secs(10), silent.receive_all()).await.unwrap();
    }
    until("all descriptors to be back", async || running.child.descriptors() <= before).await;
    let (mut client, mut upstream) = running.session().await;
    talk(&mut client, &mut upstream).await;
}
