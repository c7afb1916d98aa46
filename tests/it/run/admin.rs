//! The operator's addresses while sessions live.

use serde_json::Value;

use crate::instance::{Output, Running, get};
use crate::rig::{RawPeer, text};

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
