//! Reports of real libraries about ends that no server stack makes on request: the upstream is scripted, the client is real.

use std::net::SocketAddr;

use closewatch::wire::Peer;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::stacks::{Client, Closewatch, Stack};
use crate::rig::{RawPeer, close, text};

/// An upstream's answer to a client, and the client itself, directly or through closewatch.
struct Meeting {
    listener: TcpListener,
    client: Client,
}

// === impl Meeting ===

impl Meeting {
    async fn of(stack: Stack) -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap(), client: Client::start(stack, None) }
    }

    fn upstream(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// The upstream of a session that the client has asked for, behind its 101.
    async fn switched(&mut self, at: SocketAddr, action: &[&str]) -> RawPeer {
        self.client.begin(at, "/sight", action);
        let mut upstream = RawPeer::of(Peer::Upstream, self.listener.accept().await.unwrap().0);
        let head = upstream.receive_head().await;
        let key = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim())
        });
        let accept = derive_accept_key(key.unwrap().as_bytes());
        let switch = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade";
        upstream.send(format!("{switch}\r\nSec-WebSocket-Accept: {accept}\r\n\r\n").as_bytes()).await;
        upstream
    }

    /// The same once both have greeted each other, as all peers do.
    async fn greeted(&mut self, at: SocketAddr, action: &[&str]) -> RawPeer {
        let mut upstream = self.switched(at, action).await;
        take_frame(&mut upstream).await;
        upstream.say(&text("hello")).await;
        upstream
    }
}

/// Reads one short frame of a client.
async fn take_frame(upstream: &mut RawPeer) {
    let head = upstream.receive(2).await;
    upstream.receive(4 + usize::from(head[1] & 0x7f)).await;
}

/// Plays a session directly, and again through closewatch: the library must report `code` both times. Gives the last report, and
/// the record.
async fn play(stack: Stack, action: &[&str], code: u16, end: impl AsyncFn(&mut RawPeer)) -> (Value, Value) {
    let mut meeting = Meeting::of(stack).await;
    let closewatch = Closewatch::start(meeting.upstream(), None);
    let mut reports = Vec::new();
    for at in [meeting.upstream(), closewatch.address] {
        let mut upstream = meeting.greeted(at, action).await;
        end(&mut upstream).await;
        let mut report = meeting.client.report();
        assert_eq!(report["code"], code, "{stack:?} at {at}: {report}");
        // Chance, directly too: the reset comes before or behind the library's own end of the connection.
        report["error"].take();
        reports.push(report);
    }
    assert_eq!(reports[0], reports[1], "{stack:?}: closewatch changes what the library reports");
    let record = closewatch.record();
    assert_eq!(record["client"]["saw"]["code"], code, "{stack:?}: {record}");
    (reports.remove(1), record)
}

const ALL: [Stack; 3] = [Stack::Node, Stack::Python, Stack::Browser];

#[tokio::test]
async fn a_reset_behind_both_closes_leaves_the_code_and_is_not_clean() {
    for stack in ALL {
        // The client closes first, and has its answer.
        let answered = async |upstream: &mut RawPeer| {
            take_frame(upstream).await;
            upstream.say(&close(1000, "")).await;
            upstream.reset();
        };
        let first = play(stack, &["close", "1000"], 1000, answered).await;
        // The upstream closes first, and the client answers.
        let answering = async |upstream: &mut RawPeer| {
            take_frame(upstream).await;
            upstream.say(&close(4000, "bye")).await;
            take_frame(upstream).await;
            upstream.reset();
        };
        let second = play(stack, &["wait"], 4000, answering).await;
        for (report, record) in [first, second] {
            let saw = &record["client"]["saw"];
            assert_eq!((&saw["clean"], &saw["certain"]), (&false.into(), &true.into()), "{record}");
            // The browser's `wasClean`; the others call it clean.
            assert_eq!(report["clean"], stack != Stack::Browser, "{report}");
            assert_eq!(record["handshake"], "complete");
        }
    }
}

#[tokio::test]
async fn a_client_that_has_half_closed_reports_the_close_that_comes_behind_its_fin() {
    // A page cannot half-close. Safari does by itself.
    for stack in [Stack::Node, Stack::Python] {
        let late = async |upstream: &mut RawPeer| {
            upstream.expect_fin().await;
            upstream.say(&close(4000, "late")).await;
            upstream.fin().await;
        };
        let (_, record) = play(stack, &["half-close"], 4000, late).await;
        assert_eq!(record["client"]["saw"]["certain"], false, "its kernel alone has shown it: {record}");
        assert_eq!((&record["code"], &record["cause"]), (&1006.into(), &"client_eof".into()), "{record}");
    }
}

#[tokio::test]
async fn without_a_close_every_library_reports_1006() {
    for stack in ALL {
        for resets in [false, true] {
            let leave = async |upstream: &mut RawPeer| {
                take_frame(upstream).await;
                if resets { upstream.reset() } else { upstream.fin().await }
            };
            let (report, record) = play(stack, &["wait"], 1006, leave).await;
            let saw = &record["client"]["saw"];
            assert_eq!((&saw["clean"], &saw["certain"]), (&false.into(), &true.into()), "{record}");
            assert_eq!(report["clean"], false, "{report}");
        }
    }
}

/// The client offers a subprotocol and gets none: it fails the connection, and never reads the Close that follows. A record that
/// claims that Close for certain is wrong.
#[tokio::test]
async fn a_client_that_failed_the_handshake_has_not_shown_that_it_read_the_close_behind_it() {
    for stack in [Stack::Node, Stack::Browser] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let closewatch = Closewatch::start(listener.local_addr().unwrap(), None);
        let mut meeting = Meeting { listener, client: Client::that_offers(stack, "chat") };
        let mut upstream = meeting.switched(closewatch.address, &["wait"]).await;
        upstream.say(&close(4406, "no subprotocol")).await;
        upstream.receive_all().await;
        drop(upstream);
        let report = meeting.client.report();
        assert_eq!(report["event"], "failed", "{report}");
        // The browser tells its page more.
        let told = report["error"].as_str().unwrap();
        assert!(stack != Stack::Browser || told.contains("\"code\":1006"), "{report}");
        let record = closewatch.record();
        let saw = &record["client"]["saw"];
        assert!(saw["code"] == 1006 || saw["certain"] == false, "{record}");
        assert_eq!(record["upstream"]["violations"]["subprotocol"], 1, "{record}");
    }
}
