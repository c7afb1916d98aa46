//! Clients that still get in during a drain, and those that still get an answer.

use std::io;

use rustix::process::Signal;
use tokio::net::TcpStream;

use crate::instance::{Output, Running, get, until};
use crate::rig::{RawPeer, close, text};

const PAGE: &[u8] = b"GET /page HTTP/1.1\r\nHost: chat.test\r\n\r\n";
const NO_CONTENT: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

/// Puts a request to `running`, and answers it: what the client is told about its connection.
async fn answered(running: &Running, client: &mut RawPeer) -> String {
    client.send(PAGE).await;
    let mut upstream = running.accept().await;
    upstream.receive_head().await;
    upstream.send(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").await;
    client.receive_head().await.to_lowercase()
}

#[tokio::test]
async fn while_it_is_only_unready_it_says_so_and_takes_everybody() {
    let mut running = Running::with("timeouts.unready = \"10m\"\n", &[], Output::Read).await;
    assert_eq!(running.get("/readyz").await.status, 200);
    let mut kept = running.connect().await;
    answered(&running, &mut kept).await;

    running.child.signal(Signal::TERM);
    running.child.logs(&["drain begins"]).await;
    for address in [running.admin, running.metrics] {
        let answer = get(address, "/readyz").await.unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (503, "unready\n"));
        assert_eq!(get(address, "/livez").await.unwrap().status, 200);
    }
    assert_eq!(running.scrape().await.sum("closewatch_draining", &[]), 1);
    let (mut client, mut upstream) = running.session().await;
    client.say(&text("hello")).await;
    upstream.hear(&text("hello")).await;
    // A client that is answered now need not be surprised by the end: it is told to come back on a new connection.
    assert!(answered(&running, &mut kept).await.contains("\r\nconnection: close\r\n"));
    kept.expect_fin().await;

    client.reset();
    upstream.expect_reset().await;
    assert_eq!(running.record().await["cause"], "client_reset");
    // The wait is for those who still come: that nobody is there does not end it. A second signal does.
    running.child.signal(Signal::TERM);
    assert_eq!(running.child.exit_code().await, Some(1));
}

#[tokio::test]
async fn once_it_drains_it_takes_nobody_and_lets_go_of_those_it_answers() {
    let mut running = Running::with("timeouts.drain = \"10m\"\n", &[], Output::Read).await;
    let (mut client, mut upstream) = running.session().await;
    let mut idle = running.connect().await;
    assert!(!answered(&running, &mut idle).await.contains("connection: close"));
    let mut busy = running.connect().await;
    busy.send(PAGE).await;
    let mut plain = running.accept().await;
    plain.receive_head().await;

    running.child.signal(Signal::TERM);
    until("the drain proper", async || running.get("/readyz").await.body == "draining\n").await;
    idle.expect_fin().await;
    plain.send(NO_CONTENT).await;
    assert!(busy.receive_head().await.to_lowercase().contains("\r\nconnection: close\r\n"));
    busy.expect_fin().await;
    until("the listener to be gone", async || {
        TcpStream::connect(running.proxy).await.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    })
    .await;
    client.say(&text("still here")).await;
    upstream.hear(&text("still here")).await;
    client.reset();
    upstream.expect_reset().await;
    assert_eq!(running.record().await["cause"], "client_reset");
    // Nothing is left to wait for, not even the one that was only answered.
    assert_eq!(running.child.exit_code().await, Some(0));
}

#[tokio::test]
async fn the_last_scrape_sees_the_last_session() {
    let config = "timeouts.drain = \"0\"\ntimeouts.final_scrape = \"10m\"\n";
    let mut running = Running::with(config, &[], Output::Read).await;
    let (mut client, mut upstream) = running.session().await;
    running.child.signal(Signal::TERM);
    for peer in [&mut client, &mut upstream] {
        peer.hear_own_close(1001, "").await;
        peer.say(&close(1001, "")).await;
    }
    for peer in [&mut client, &mut upstream] {
        peer.expect_fin().await;
        peer.fin().await;
    }
    assert_eq!(running.record().await["cause"], "drain");
    let metrics = running.scrape().await;
    assert_eq!(metrics.sum("closewatch_sessions_active", &[]), 0);
    let drained = [("cause", "drain"), ("class", "planned"), ("code", "1001"), ("initiator", "proxy")];
    assert_eq!(metrics.sum("closewatch_closes_total", &drained), 1);
    assert_eq!(get(running.metrics, "/metrics").await.unwrap().status, 200);
    // An operator who cannot wait for the scrape says so.
    running.child.signal(Signal::TERM);
    assert_eq!(running.child.exit_code().await, Some(1));
}
