//! `closewatch tail` through the built binary, and the same lines from a run.

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::instance::{Child, Output, PATIENCE, Running};
use crate::rig::{close, part};

/// A session that the client resets.
async fn cut(running: &mut Running) -> Value {
    let (mut client, mut upstream) = running.session().await;
    client.reset();
    upstream.expect_reset().await;
    running.record().await
}

/// A session that ends as it should.
async fn done(running: &mut Running) -> Value {
    let (mut client, mut upstream) = running.session().await;
    part(&mut client, &mut upstream, "done").await;
    running.record().await
}

fn tail(admin: impl std::fmt::Display, arguments: &[&str], output: Output) -> Child {
    let admin = format!("http://{admin}");
    Child::start(&[&["tail", "--admin", &admin], arguments].concat(), output)
}

#[tokio::test]
async fn each_ending_that_a_filter_takes_is_a_line_and_the_end_is_a_summary() {
    let mut running = Running::start().await;
    cut(&mut running).await;
    let mut tail = tail(running.admin, &["--class", "abnormal,overload"], Output::Read);
    let before = tail.line().await.unwrap();
    done(&mut running).await;
    cut(&mut running).await;
    let after = tail.line().await.unwrap();
    for line in [&before, &after] {
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!(words[1..6], ["default", "abnormal", "1006", "client", "client_reset"], "{line}");
        assert!(!line.contains('\u{1b}'), "no colour in a pipe: {line:?}");
    }
    tail.signal(Signal::INT);
    assert_eq!(tail.exit_code().await, Some(0));
    let said = tail.rest_of_log().await;
    assert!(said.starts_with("2 sessions ended in ") && said.ends_with(": 2 abnormal\n"), "{said}");
}

#[tokio::test]
async fn json_is_the_close_log_from_the_latest_on() {
    let mut running = Running::start().await;
    cut(&mut running).await;
    let latest = cut(&mut running).await;
    let mut tail = tail(running.admin, &["--json", "-n", "1"], Output::Read);
    let line: Value = serde_json::from_str(&tail.line().await.unwrap()).unwrap();
    assert_eq!(line, latest);
    let next = done(&mut running).await;
    let line: Value = serde_json::from_str(&tail.line().await.unwrap()).unwrap();
    assert_eq!(line, next);
}

#[tokio::test]
async fn a_line_that_nobody_reads_is_the_end() {
    let mut running = Running::start().await;
    cut(&mut running).await;
    let mut tail = tail(running.admin, &[], Output::Closed);
    assert_eq!(tail.exit_code().await, Some(0));
}

#[tokio::test]
async fn what_cannot_be_followed_is_said_with_its_exit_code() {
    let running = Running::start().await;
    // Bound, so that nobody else listens there.
    let silent = TcpSocket::new_v4().unwrap();
    silent.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let silent = silent.local_addr().unwrap();
    for (admin, arguments, code, said) in [
        (silent.to_string(), &[][..], 1, format!("nothing answers at http://{silent}: Connection refused")),
        (running.metrics.to_string(), &[], 1, format!("http://{} answers 404 Not Found", running.metrics)),
        (running.admin.to_string(), &["--class", "bad"], 64, "class: \"bad\" is none of: clean".to_owned()),
        (running.admin.to_string(), &["--last", "many"], 64, "invalid value 'many'".to_owned()),
    ] {
        let mut tail = tail(&admin, arguments, Output::Read);
        assert_eq!(tail.exit_code().await, Some(code), "{said}");
        let log = tail.rest_of_log().await;
        assert!(log.contains(&said), "{log}");
        assert_eq!(tail.line().await, None);
    }
}

/// Takes a request, and answers it with events.
async fn answer(listener: &TcpListener, events: &str) -> (String, TcpStream) {
    let (mut stream, _) = timeout(PATIENCE, listener.accept()).await.expect("a connection").unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n{events}");
    stream.write_all(answer.as_bytes()).await.unwrap();
    (String::from_utf8(head).unwrap().to_ascii_lowercase(), stream)
}

fn event(id: &str, code: u16) -> String {
    let record = json!({
        "event": "websocket.closed", "time": "2026-11-20T12:01:12Z", "route": "chat", "class": "clean", "code": code,
        "code_name": "", "initiator": "client", "cause": "close_handshake", "duration_ms": 1, "reason": null,
        "client": { "saw": { "code": code } }, "upstream": { "saw": { "code": code } },
    });
    format!("id: {id}\ndata: {record}\n\n")
}

#[tokio::test]
async fn a_lost_connection_is_made_again_behind_the_last_line() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut tail =
        tail(listener.local_addr().unwrap(), &["--code", "1000", "--code", "4xxx", "--hint", "idle_cut"], Output::Read);
    let (asked, stream) = answer(&listener, &event("a-1", 1000)).await;
    assert!(asked.starts_with("get /closes/stream?code=1000&code=4xxx&hint=idle_cut&limit=10 http"), "{asked}");
    assert!(!asked.contains("last-event-id"), "{asked}");
    assert!(tail.line().await.unwrap().contains(" 1000 "));
    drop(stream);
    tail.logs(&["(the instance has ended the stream; trying again)"]).await;

    let events = format!("event: missed\ndata: {{\"missed\":7}}\n\n:\n\n{}", event("a-9", 1001));
    let (asked, _stream) = answer(&listener, &events).await;
    assert!(asked.contains("last-event-id: a-1\r\n"), "{asked}");
    tail.logs(&["(connected again)"]).await;
    tail.logs(&["(7 missed"]).await;
    assert!(tail.line().await.unwrap().contains(" 1001 "));
    tail.signal(Signal::TERM);
    assert_eq!(tail.exit_code().await, Some(0));
    assert!(tail.rest_of_log().await.contains("2 clean; 7 were missed"));
}

#[tokio::test]
async fn a_run_writes_the_same_lines_if_it_is_asked_for_text() {
    let mut running = Running::with("log.reason = \"off\"\n", &["--close-log-format", "text"], Output::Read).await;
    let (mut client, mut upstream) = running.session().await;
    upstream.say(&close(1011, "a secret")).await;
    upstream.reset();
    client.receive_all().await;
    let line = running.child.line().await.unwrap();
    let mut tail = tail(running.admin, &[], Output::Read);
    assert_eq!(tail.line().await.as_deref(), Some(&*line));
    assert!(line.contains("close_unanswered") && !line.contains("secret"), "{line}");
}
