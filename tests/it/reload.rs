//! SIGHUP: a configuration is taken whole, or refused whole, while sessions live.

use closewatch::wire::Peer;
use tokio::net::TcpListener;

use crate::handshakes::answer::Answer;
use crate::instance::{Output, Running, until};
use crate::rig::{REQUEST, RawPeer, SWITCH, close, text};

const TAKEN: &str = "configuration reloaded";
const REFUSED: &str = "the new configuration is refused";

const PAGE: &[u8] = b"GET /page HTTP/1.1\r\nHost: a.test\r\n\r\n";
const NOTHING: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

/// One route that takes everything.
fn route(name: &str) -> String {
    format!("[[routes]]\nname = \"{name}\"\nupstream = \"{{upstream}}\"\n")
}

async fn start(config: &str) -> Running {
    Running::with(config, &[], Output::Read).await
}

impl Running {
    async fn reload_success(&self) -> u64 {
        self.scrape().await.sum("closewatch_config_reload_success", &[])
    }

    /// The status that an upgrade is answered with, without an upstream.
    async fn refusal(&self) -> u16 {
        let mut client = self.connect().await;
        client.send(REQUEST.as_bytes()).await;
        Answer::to(&mut client).await.status
    }
}

#[tokio::test]
async fn a_session_ends_under_the_route_it_began_with() {
    let mut running = start(&route("before")).await;
    let mut sessions = running.sessions(1).await;
    let started = running.scrape().await.sum("closewatch_config_last_reload_timestamp_seconds", &[]);
    running.reload(&format!("{}classes = {{ 4401 = \"policy\" }}\n", route("after")));
    running.child.logs(&[TAKEN, "after"]).await;
    let metrics = running.scrape().await;
    assert!(metrics.sum("closewatch_config_last_reload_timestamp_seconds", &[]) >= started);
    let ends = |route, code| [("route", route), ("code", code), ("initiator", "client"), ("cause", "close_handshake")];
    assert_eq!(metrics.sum("closewatch_closes_total", &ends("after", "1006")[..2]), 0, "expected from the start");

    let (mut client, mut upstream) = sessions.pop().unwrap();
    // Unhurt, both ways.
    client.say(&text("still here")).await;
    upstream.hear(&text("still here")).await;
    let (mut new_client, mut new_upstream) = running.session().await;
    for (client, upstream, route, class) in
        [(&mut client, &mut upstream, "before", "application"), (&mut new_client, &mut new_upstream, "after", "policy")]
    {
        client.say(&close(4401, "")).await;
        upstream.hear(&close(4401, "")).await;
        upstream.say(&close(4401, "")).await;
        client.hear(&close(4401, "")).await;
        upstream.fin().await;
        client.fin().await;
        let record = running.record().await;
        assert_eq!((&record["route"], &record["class"]), (&route.into(), &class.into()), "{record}");
    }
    let metrics = running.scrape().await;
    assert_eq!(metrics.sum("closewatch_closes_total", &ends("before", "4xxx")), 1, "a route that is gone still counts");
    assert_eq!(metrics.sum("closewatch_closes_total", &ends("after", "4401")), 1);
}

#[tokio::test]
async fn a_bad_file_is_refused_whole_with_all_that_is_wrong() {
    let mut running = start(&route("good")).await;
    running.reload("listen = \"nowhere\"\nworkers = -1\n[[routes]]\nname = \"bad\"\n[limits]\nsessions = 1\n");
    for words in [["closewatch.toml:1", "listen"], ["closewatch.toml:2", "workers"], ["closewatch.toml:3", "upstream"]]
    {
        running.child.logs(&["ERROR", words[0], words[1]]).await;
    }
    running.child.logs(&[REFUSED, "mistakes=3"]).await;
    assert_eq!(running.reload_success().await, 0);
    // Nothing of it is in force, not even its good part.
    let sessions = running.sessions(2).await;
    assert_eq!(running.scrape().await.sum("closewatch_sessions_active", &[("route", "good")]), 2);

    running.reload(&route("good"));
    running.child.logs(&[TAKEN]).await;
    assert_eq!(running.reload_success().await, 1);
    drop(sessions);
    for _ in 0..2 {
        assert_eq!(running.record().await["route"], "good");
    }
}

#[tokio::test]
async fn a_file_that_is_gone_is_refused() {
    let mut running = start(&route("good")).await;
    running.remove_configuration();
    running.child.logs(&["ERROR", "cannot be read", "No such file"]).await;
    running.child.logs(&[REFUSED]).await;
    assert_eq!(running.reload_success().await, 0);
    running.sessions(1).await;
}

#[tokio::test]
async fn what_only_a_restart_can_change_is_said() {
    let mut running = start(&route("one")).await;
    running.reload(&format!("workers = 7\n[log]\npath = \"redacted\"\n{}", route("one")));
    running.child.logs(&["WARN", "only a restart", "key=\"workers\"", "running=0", "given=7"]).await;
    running.child.logs(&["WARN", "only a restart", "key=\"log.path\"", "full", "redacted"]).await;
    running.child.logs(&[TAKEN]).await;
    // It is no mistake: the rest is in force.
    assert_eq!(running.reload_success().await, 1);
    running.sessions(1).await;
}

#[tokio::test]
async fn live_sessions_count_towards_new_limits() {
    let mut running = start(&route("one")).await;
    let sessions = running.sessions(2).await;
    running.reload(&format!("[limits]\nsessions = 2\n{}", route("one")));
    running.child.logs(&[TAKEN]).await;
    assert_eq!(running.refusal().await, 503);
    assert_eq!(running.record().await["outcome"], "over_limit");
    running.reload(&route("one"));
    running.child.logs(&[TAKEN]).await;
    let more = running.sessions(1).await;
    drop((sessions, more));
    for _ in 0..3 {
        assert_eq!(running.record().await["event"], "websocket.closed");
    }
}

#[tokio::test]
async fn a_connection_that_is_kept_asks_under_the_new_configuration() {
    let mut running = start(&route("one")).await;
    let mut client = running.connect().await;
    let request = b"GET /page HTTP/1.1\r\nHost: a.test\r\n\r\n";
    client.send(request).await;
    let mut upstream = running.accept().await;
    upstream.receive_head().await;
    upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    client.receive_head().await;
    client.expect(b"ok").await;
    // Connected before the reload, and silent until after it.
    let mut silent = running.connect().await;
    running.reload(&format!("{}path = \"/only\"\n", route("one")));
    running.child.logs(&[TAKEN]).await;
    client.send(b"GET /page HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n").await;
    assert_eq!(Answer::to(&mut client).await.status, 404);
    silent.send(REQUEST.as_bytes()).await;
    assert_eq!(Answer::to(&mut silent).await.status, 404);
    assert_eq!(running.record().await["outcome"], "no_route");
}

/// A client with an upstream connection that is kept for it.
async fn kept(running: &Running) -> (RawPeer, RawPeer) {
    let mut client = running.connect().await;
    client.send(PAGE).await;
    let mut upstream = running.accept().await;
    upstream.receive_head().await;
    upstream.send(NOTHING).await;
    client.expect(NOTHING).await;
    (client, upstream)
}

#[tokio::test]
async fn a_kept_connection_to_an_upstream_that_the_route_has_left_is_not_used_again() {
    let mut running = start(&route("one")).await;
    let (mut client, mut before) = kept(&running).await;
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", elsewhere.local_addr().unwrap());
    running.reload(&route("one").replace("{upstream}", &url));
    running.child.logs(&[TAKEN]).await;
    client.send(PAGE).await;
    let mut now = RawPeer::of(Peer::Upstream, elsewhere.accept().await.unwrap().0);
    assert!(now.receive_head().await.starts_with("GET /page "));
    before.expect_fin().await;
    now.send(NOTHING).await;
    client.expect(NOTHING).await;
}

/// A user who is known to a backend by the connection does not have to prove again who that is.
#[tokio::test]
async fn a_kept_connection_to_an_upstream_that_stays_is_used_on_behind_a_reload() {
    let mut running = start(&route("one")).await;
    let (mut client, mut upstream) = kept(&running).await;
    running.reload(&format!("{}idle = \"5m\"\n", route("one")));
    running.child.logs(&[TAKEN]).await;
    client.send(PAGE).await;
    upstream.receive_head().await;
    upstream.send(NOTHING).await;
    client.expect(NOTHING).await;
}

/// A handshake that is on its way keeps what it was admitted under.
#[tokio::test]
async fn a_reload_in_the_middle_of_a_handshake_leaves_it_alone() {
    let mut running = start(&route("before")).await;
    let mut client = running.connect().await;
    client.send(REQUEST.as_bytes()).await;
    let mut upstream = running.accept().await;
    upstream.receive_head().await;
    running.reload(&format!("{}path = \"/only\"\n", route("after")));
    running.child.logs(&[TAKEN]).await;
    upstream.send(SWITCH.as_bytes()).await;
    client.receive_head().await;
    client.reset();
    assert_eq!(running.record().await["route"], "before");
}

#[tokio::test]
async fn reloads_under_traffic_lose_nothing() {
    const ROUNDS: usize = 30;
    let mut running = start(&route("even")).await;
    for round in 0..ROUNDS {
        let (mut client, mut upstream) = running.session().await;
        running.reload(&route(if round % 2 == 0 { "odd" } else { "even" }));
        client.say(&text("across")).await;
        upstream.hear(&text("across")).await;
        client.reset();
        upstream.expect_reset().await;
    }
    for _ in 0..ROUNDS {
        assert_eq!(running.record().await["cause"], "client_reset");
    }
    until("every session to be closed", async || {
        running.scrape().await.sum("closewatch_closes_total", &[]) == ROUNDS as u64
    })
    .await;
}
