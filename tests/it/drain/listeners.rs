//! Who still gets in on the way out, and who still gets an answer.

use std::io;

use rustix::process::Signal;
use tokio::net::TcpStream;

use crate::instance::{Output, Running, get, until};
use crate::rig::{RawPeer, text};

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
async fn until_it_drains_it_is_unready_and_takes_everybody() {
    let config = "timeouts.unready = \"2s\"\ntimeouts.drain = \"10m\"\n";
    let mut running = Running::with(config, &[], Output::Read).await;
    assert_eq!(running.get("/readyz").await.status, 200);
    let mut kept = running.connect().await;
    assert!(!answered(&running, &mut kept).await.contains("connection: close"));

    running.child.signal(Signal::TERM);
    running.child.logs(&["drain begins"]).await;
    for address in [running.admin, running.metrics] {
        let answer = get(address, "/readyz").await.unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (503, "unready\n"));
        assert_eq!(get(address, "/livez").await.unwrap().status, 200);
    }
    let (mut client, mut upstream) = running.session().await;
    client.say(&text("hello")).await;
    upstream.hear(&text("hello")).await;

    // Then it takes nobody any more. Whoever is being answered is told that no further request is welcome.
    let mut busy = running.connect().await;
    busy.send(PAGE).await;
    let mut plain = running.accept().await;
    plain.receive_head().await;
    until("the drain proper", async || running.get("/readyz").await.body == "draining\n").await;
    kept.expect_fin().await;
    plain.send(NO_CONTENT).await;
    assert!(busy.receive_head().await.to_lowercase().contains("\r\nconnection: close\r\n"));
    busy.expect_fin().await;
    until("the listener to be gone", async || {
        TcpStream::connect(running.proxy).await.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    })
    .await;
    client.say(&text("still here")).await;
    upstream.hear(&text("still here")).await;
    let metrics = running.scrape().await;
    assert_eq!(metrics.sum("closewatch_draining", &[]), 1);
    client.reset();
    upstream.expect_reset().await;
    assert_eq!(running.record().await["cause"], "client_reset");
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
        peer.say(&crate::rig::close(1001, "")).await;
        peer.fin().await;
        peer.expect_fin().await;
    }
    assert_eq!(running.record().await["cause"], "drain");
    let metrics = running.scrape().await;
    assert_eq!(metrics.sum("closewatch_sessions_active", &[]), 0);
    let drained = [("cause", "drain"), ("class", "planned"), ("code", "1001"), ("initiator", "proxy")];
    assert_eq!(metrics.sum("closewatch_closes_total", &drained), 1);
    assert_eq!(get(running.metrics, "/metrics").await.unwrap().status, 200);
    // Who cannot wait for the scrape says so.
    running.child.signal(Signal::TERM);
    assert_eq!(running.child.exit_code().await, Some(1));
}
