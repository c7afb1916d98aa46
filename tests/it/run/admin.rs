//! The operator's addresses while sessions live.

use serde_json::Value;

use crate::instance::{Output, Running, get, until};
use crate::rig::{RawPeer, binary, text};

#[tokio::test]
async fn the_operator_sees_what_is_up_and_what_has_ended() {
    let mut running = Running::start().await;
    assert_eq!(running.get("/livez").await.status, 200);
    assert_eq!(running.get("/readyz").await.status, 200);
    let mut sessions = running.sessions(3).await;
    let (client, upstream) = &mut sessions[0];
    client.say(&text("hello")).await;
    upstream.hear(&text("hello")).await;

    let live: Value = serde_json::from_str(&running.get("/sessions").await.body).unwrap();
    assert_eq!(live["count"], 3);
    assert_eq!(live["sessions"].as_array().unwrap().len(), 3);
    let bytes: u64 =
        live["sessions"].as_array().unwrap().iter().filter_map(|it| it["bytes_from_client"].as_u64()).sum();
    let messages: u64 =
        live["sessions"].as_array().unwrap().iter().filter_map(|it| it["messages_from_client"].as_u64()).sum();
    assert_eq!(messages, 1, "{live}");
    assert_eq!(bytes, 11, "two of header, four of mask, five of text: {live}");
    // Counters move while sessions live.
    let metrics = running.scrape().await;
    for (name, expected) in [("sessions_active", 3), ("sessions_opened_total", 3), ("closes_total", 0)] {
        let value = metrics.sum(&format!("closewatch_{name}"), &[("route", "default")]);
        assert_eq!(value, expected, "{name}");
    }
    let sent = [("direction", "from_client"), ("kind", "text")];
    assert_eq!(metrics.sum("closewatch_messages_total", &sent), 1);

    let (mut client, mut upstream) = sessions.remove(0);
    client.reset();
    upstream.expect_reset().await;
    let record = running.record().await;
    assert_eq!(record["cause"], "client_reset");
    let closes = running.get("/closes?class=abnormal").await.body;
    assert_eq!(serde_json::from_str::<Value>(&closes).unwrap()["session"], record["session"], "the same line");
    let metrics = running.scrape().await;
    let cause = [("code", "1006"), ("initiator", "client"), ("cause", "client_reset")];
    assert_eq!(metrics.sum("closewatch_closes_total", &cause), 1);
    assert_eq!(metrics.sum("closewatch_sessions_active", &[]), 2);
    let live: Value = serde_json::from_str(&running.get("/sessions").await.body).unwrap();
    assert_eq!(live["count"], 2);
}

#[tokio::test]
async fn the_second_address_shows_metrics_and_health_only() {
    let running = Running::start().await;
    for (path, admin, metrics) in [
        ("/metrics", 200, 200),
        ("/livez", 200, 200),
        ("/readyz", 200, 200),
        ("/closes", 200, 404),
        ("/sessions", 200, 404),
    ] {
        assert_eq!(running.get(path).await.status, admin, "{path}");
        assert_eq!(get(running.metrics, path).await.unwrap().status, metrics, "{path}");
    }
}

#[tokio::test]
async fn a_configured_name_is_answered_at_the_admin_address_and_no_other() {
    let running = Running::with("admin.names = [\"closewatch.example.com\"]\n", &[], Output::Read).await;
    for (host, status) in [
        ("closewatch.example.com", "200"),
        ("Closewatch.Example.com:9464", "200"),
        ("localhost", "200"),
        ("other.example.com", "403"),
    ] {
        let stream = tokio::net::TcpStream::connect(running.admin).await.unwrap();
        let mut operator = RawPeer::of(closewatch::wire::Peer::Client, stream);
        operator.send(format!("GET /livez HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).await;
        let head = operator.receive_head().await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{host}: {head}");
    }
}

/// The text of `/metrics`, as a scraper gets it that takes gzip.
async fn compressed_metrics(running: &Running) -> (String, String) {
    let stream = tokio::net::TcpStream::connect(running.metrics).await.unwrap();
    let mut scraper = RawPeer::of(closewatch::wire::Peer::Client, stream);
    scraper.send(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip;q=1.0\r\n\r\n").await;
    let head = scraper.receive_head().await.to_lowercase();
    let length = head.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap().parse().unwrap();
    let body = scraper.receive(length).await;
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&*body), &mut text).unwrap();
    assert!(body.len() * 4 < text.len(), "{} of {}", body.len(), text.len());
    (head, text)
}

#[tokio::test]
async fn metrics_are_compressed_for_a_scraper_that_takes_it() {
    let running = Running::start().await;
    let (head, text) = compressed_metrics(&running).await;
    assert!(
        head.contains("\r\ncontent-encoding: gzip\r\n") && head.contains("\r\nvary: accept, accept-encoding\r\n"),
        "{head}"
    );
    assert!(text.contains("closewatch_sessions_active{route=\"default\"} 0\n"), "{text}");
}

#[tokio::test]
async fn probes_and_scrapes_do_not_wait_behind_connections_that_are_silent_or_slow() {
    let running = Running::start().await;
    for address in [running.admin, running.metrics] {
        let mut open = Vec::new();
        for number in 0..100 {
            let stream = tokio::net::TcpStream::connect(address).await.unwrap();
            let mut other = RawPeer::of(closewatch::wire::Peer::Client, stream);
            if number % 2 == 0 {
                // Asks more than it reads, and reads nothing.
                other.send(&b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(40)).await;
            }
            open.push(other);
        }
        for path in ["/livez", "/readyz", "/metrics"] {
            assert_eq!(get(address, path).await.unwrap().status, 200, "{path} at {address}");
        }
    }
}

#[tokio::test]
async fn a_live_session_says_which_side_takes_nothing_and_for_how_long() {
    let running = Running::start().await;
    let mut sessions = running.sessions(1).await;
    let (client, upstream) = &mut sessions[0];
    let live = async || {
        let body: Value = serde_json::from_str(&running.get("/sessions").await.body).unwrap();
        body["sessions"][0].clone()
    };
    assert_eq!((&live().await["stalled_now"], &live().await["client_stalled_ms"]), (&false.into(), &0.0.into()));
    let message = upstream.bytes_of(&binary(&vec![1; 60_000]));
    let stalled = until("the client to be stalled", async || live().await["stalled_now"] == true);
    let sent = upstream.send_until(&message, stalled).await;
    until("the stall to be measured", async || live().await["client_stalled_ms"].as_f64() > Some(0.0)).await;
    assert_eq!(live().await["upstream_stalled_ms"], 0.0);
    // It reads again.
    client.receive(sent).await;
    until("the stall to be over", async || live().await["stalled_now"] == false).await;
    assert!(live().await["client_stalled_ms"].as_f64() > Some(0.0), "it is remembered");
}
