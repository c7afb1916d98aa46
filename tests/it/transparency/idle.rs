//! Connections that are kept behind an answer, with nothing on them.

use std::time::Duration;

use closewatch::config::Config;
use closewatch::wire::Peer;
use tokio::time::Instant;

use crate::rig::{REQUEST, RawPeer, Rig};

const ASKED: &str = "GET /a HTTP/1.1\r\nHost: chat.test\r\n\r\n";
/// hyper passes it on.
const POSTED: &str = "POST /a HTTP/1.1\r\nHost: chat.test\r\nContent-Length: 0\r\n\r\n";
const REFUSAL: &str = "HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno";

/// A client behind its answer, and its upstream. But for a request that was posted, both pass line by line.
async fn answered(asked: &str, change: impl FnOnce(&mut Config)) -> (Rig, RawPeer, RawPeer) {
    let mut rig = Rig::with(|config| {
        config.relay.verbatim = true;
        change(config);
    });
    let (mut client, mut upstream) = rig.asked(asked).await;
    upstream.send(REFUSAL.as_bytes()).await;
    if asked == POSTED {
        assert!(client.receive_head().await.starts_with("HTTP/1.1 401 "));
        client.expect(b"no").await;
    } else {
        client.expect(REFUSAL.as_bytes()).await;
    }
    if asked == REQUEST {
        rig.handshake().await;
    }
    (rig, client, upstream)
}

/// Pulls the cable of `dead`, and waits until the other connection is ended as well.
async fn is_found(asked: &str, dead: Peer) {
    let (rig, client, mut upstream) =
        answered(asked, |config| config.timeouts.dead_peer = Some(Duration::from_secs(2))).await;
    match dead {
        Peer::Client => {
            client.vanish();
            upstream.expect_fin().await;
        }
        Peer::Upstream => {
            upstream.vanish();
            rig.until("it to be counted no more", |seen| seen.upstream_connections == 0).await;
            drop(client);
        }
    }
    rig.done().await;
}

#[tokio::test]
async fn a_peer_whose_host_is_gone_is_found_by_keepalive() {
    tokio::join!(
        is_found(REQUEST, Peer::Client),
        is_found(REQUEST, Peer::Upstream),
        is_found(ASKED, Peer::Client),
        is_found(ASKED, Peer::Upstream),
        is_found(POSTED, Peer::Client),
        is_found(POSTED, Peer::Upstream),
    );
}

/// Keepalive is set when a connection is a second old.
#[tokio::test]
async fn a_client_is_kept_for_as_long_as_it_may_be_idle_and_no_longer() {
    const LIMIT: Duration = Duration::from_millis(1500);
    for asked in [REQUEST, ASKED] {
        let began = Instant::now();
        let (rig, mut client, mut upstream) = answered(asked, |config| config.timeouts.keep_alive = LIMIT).await;
        let quiet = Instant::now();
        client.expect_fin().await;
        upstream.expect_fin().await;
        assert!(began.elapsed() >= LIMIT, "{:?}", began.elapsed());
        assert!(quiet.elapsed() < LIMIT + Duration::from_secs(1), "{:?}", quiet.elapsed());
        drop(client);
        rig.done().await;
    }
}
