//! A client's requests go over upstream connections that no other client's go over: a backend may tie a user to one.

use std::time::Duration;

use closewatch::close::Outcome;
use rustix::process::Signal;

use crate::handshakes::answer::{Answer, fails};
use crate::instance::{Output, Running};
use crate::rig::{Legs, REQUEST, RawPeer, Rig, SWITCH, text};

const PAGE: &str = "GET /page HTTP/1.1\r\nHost: chat.test\r\n\r\n";

/// The rounds of NTLM, as IIS and HTTP.sys do them: what the client sends in `Authorization`, and what it is answered. From
/// the last on, the connection is the user's.
const ROUNDS: [(&str, &str); 3] = [
    ("", "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n"),
    (
        "Authorization: NTLM TlRMTVNTUAAB\r\n",
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: NTLM TlRMTVNTUAAC\r\nContent-Length: 0\r\n\r\n",
    ),
    ("Authorization: NTLM TlRMTVNTUAAD\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nalice"),
];

fn with_line(request: &str, line: &str) -> String {
    request.replace("\r\n\r\n", &format!("\r\n{line}\r\n"))
}

/// Lets `client` ask for the page, and `upstream` answer it; the client is given exactly that.
async fn ask(client: &mut RawPeer, upstream: &mut RawPeer, request: &str, answer: &str) {
    client.send(request.as_bytes()).await;
    upstream.receive_head().await;
    upstream.send(answer.as_bytes()).await;
    client.expect(answer.as_bytes()).await;
}

/// The rounds on one connection, up to `alice`.
async fn authenticate(rig: &Rig, client: &mut RawPeer) -> RawPeer {
    client.send(PAGE.as_bytes()).await;
    let mut upstream = rig.accept().await;
    upstream.receive_head().await;
    upstream.send(ROUNDS[0].1.as_bytes()).await;
    client.expect(ROUNDS[0].1.as_bytes()).await;
    for (line, answer) in &ROUNDS[1..] {
        ask(client, &mut upstream, &with_line(PAGE, line), answer).await;
    }
    upstream
}

#[tokio::test]
async fn a_stranger_behind_an_authenticated_client_is_a_stranger() {
    let rig = Rig::new();
    let mut alice = rig.connect().await;
    let mut hers = authenticate(&rig, &mut alice).await;
    ask(&mut alice, &mut hers, PAGE, ROUNDS[2].1).await;

    // While she is there and idle, and when she is gone.
    for gone in [false, true] {
        if gone {
            alice.fin().await;
            hers.expect_fin().await;
        }
        let mut stranger = rig.connect().await;
        stranger.send(PAGE.as_bytes()).await;
        let mut other = rig.accept().await;
        other.receive_head().await;
        other.send(ROUNDS[0].1.as_bytes()).await;
        stranger.expect(ROUNDS[0].1.as_bytes()).await;
        stranger.fin().await;
        other.expect_fin().await;
    }
    drop(alice);
    rig.done().await;
}

#[tokio::test]
async fn an_upgrade_that_is_refused_is_asked_again_on_the_same_connections() {
    for verbatim in [true, false] {
        let mut rig = Rig::with(|config| config.relay.verbatim = verbatim);
        let (mut client, mut upstream) = rig.asked(REQUEST).await;
        upstream.send(ROUNDS[0].1.as_bytes()).await;
        client.expect(ROUNDS[0].1.as_bytes()).await;
        fails(&mut rig, "default", Outcome::Refused, Some(401)).await;
        ask(&mut client, &mut upstream, &with_line(REQUEST, ROUNDS[1].0), ROUNDS[1].1).await;
        fails(&mut rig, "default", Outcome::Refused, Some(401)).await;

        client.send(with_line(REQUEST, ROUNDS[2].0).as_bytes()).await;
        let head = upstream.receive_head().await;
        assert!(head.contains(ROUNDS[2].0), "{head}");
        upstream.send(SWITCH.as_bytes()).await;
        client.receive_head().await;
        client.say(&text("hello")).await;
        upstream.hear(&text("hello")).await;
        assert_eq!(rig.seen().upstream_connections, 0, "it is the session's now");
        client.reset();
        upstream.expect_reset().await;
        assert_eq!(rig.handshake().await.1.outcome, Outcome::Upgraded);
        rig.record().await;
        assert!(rig.was_never_dialled(), "a second time");
        rig.done().await;
    }
}

#[tokio::test]
async fn an_upgrade_and_a_request_share_the_connection_of_their_client() {
    let mut rig = Rig::new();
    let (mut client, mut upstream) = rig.asked(REQUEST).await;
    upstream.send(ROUNDS[0].1.as_bytes()).await;
    client.expect(ROUNDS[0].1.as_bytes()).await;
    fails(&mut rig, "default", Outcome::Refused, Some(401)).await;
    ask(&mut client, &mut upstream, PAGE, ROUNDS[2].1).await;
    ask(&mut client, &mut upstream, REQUEST, ROUNDS[0].1).await;
    fails(&mut rig, "default", Outcome::Refused, Some(401)).await;
    client.fin().await;
    upstream.expect_fin().await;
    rig.done().await;
}

#[tokio::test]
async fn bytes_behind_a_second_upgrade_end_both_connections_with_its_refusal() {
    let mut rig = Rig::new();
    for request in [PAGE, REQUEST] {
        let (mut client, mut upstream) = rig.asked(request).await;
        upstream.send(ROUNDS[0].1.as_bytes()).await;
        client.expect(ROUNDS[0].1.as_bytes()).await;
        if request == REQUEST {
            fails(&mut rig, "default", Outcome::Refused, Some(401)).await;
        }
        client.send(format!("{REQUEST}GET /admin HTTP/1.1\r\nHost: chat.test\r\n\r\n").as_bytes()).await;
        upstream.receive_head().await;
        upstream.send(ROUNDS[0].1.as_bytes()).await;
        assert_eq!(Answer::to(&mut client).await.header("connection"), Some("close"));
        fails(&mut rig, "default", Outcome::Refused, Some(401)).await;
        upstream.expect_fin().await;
        assert!(rig.was_never_dialled(), "for the request behind it");
    }
    rig.done().await;
}

/// A client whose upstream connection is kept, and that connection.
async fn kept(rig: &Rig) -> (RawPeer, RawPeer) {
    let (mut client, mut upstream) = rig.asked(PAGE).await;
    upstream.send(b"HTTP/1.1 204 No Content\r\n\r\n").await;
    client.receive_head().await;
    (client, upstream)
}

#[tokio::test]
async fn a_kept_connection_that_ends_without_an_answer_is_replaced_if_nothing_can_be_done_twice() {
    for method in ["GET", "HEAD", "OPTIONS"] {
        let rig = Rig::new();
        let (mut client, mut upstream) = kept(&rig).await;
        client.send(PAGE.replace("GET", method).as_bytes()).await;
        upstream.receive_head().await;
        drop(upstream);
        let mut next = rig.accept().await;
        assert!(next.receive_head().await.starts_with(&format!("{method} /page ")));
        next.send(b"HTTP/1.1 204 No Content\r\n\r\n").await;
        assert!(client.receive_head().await.starts_with("HTTP/1.1 204 "), "{method}");
        // Once: a new connection that does the same is an answer.
        client.send(PAGE.replace("GET", method).as_bytes()).await;
        next.receive_head().await;
        drop(next);
        let mut last = rig.accept().await;
        last.receive_head().await;
        drop(last);
        assert!(client.receive_head().await.starts_with("HTTP/1.1 502 "), "{method}");
        assert!(rig.was_never_dialled(), "a third time");
        drop(client);
        rig.done().await;
    }
}

#[tokio::test]
async fn a_request_that_may_be_done_twice_is_sent_once_and_the_log_says_so() {
    let mut running = Running::with("workers = 2\n", &[], Output::Read).await;
    for (request, body) in [
        ("POST /page HTTP/1.1\r\nHost: chat.test\r\nContent-Length: 0\r\n\r\n", ""),
        ("GET /page HTTP/1.1\r\nHost: chat.test\r\nContent-Length: 2\r\n\r\n", "hi"),
    ] {
        let mut client = running.connect().await;
        client.send(PAGE.as_bytes()).await;
        let mut upstream = running.accept().await;
        upstream.receive_head().await;
        upstream.send(b"HTTP/1.1 204 No Content\r\n\r\n").await;
        client.receive_head().await;
        client.send(format!("{request}{body}").as_bytes()).await;
        upstream.receive_head().await;
        upstream.expect(body.as_bytes()).await;
        drop(upstream);
        assert!(client.receive_head().await.starts_with("HTTP/1.1 502 "), "{request}");
        running.child.logs(&["WARN", "is not sent a second time", "ended its kept connection without an answer"]).await;
    }
}

#[tokio::test]
async fn part_of_an_answer_is_not_asked_for_again() {
    let rig = Rig::new();
    let (mut client, mut upstream) = kept(&rig).await;
    client.send(PAGE.as_bytes()).await;
    upstream.receive_head().await;
    upstream.send(b"HTTP/1.1 2").await;
    drop(upstream);
    assert!(client.receive_head().await.starts_with("HTTP/1.1 502 "));
    assert!(rig.was_never_dialled(), "a second time");
    drop(client);
    rig.done().await;
}

#[tokio::test]
async fn a_kept_connection_that_has_ended_meanwhile_is_replaced_for_every_method() {
    let rig = Rig::new();
    let (mut client, mut upstream) = kept(&rig).await;
    upstream.fin().await;
    upstream.expect_fin().await;
    rig.until("it to be counted no more", |seen| seen.upstream_connections == 0).await;
    client.send(b"POST /page HTTP/1.1\r\nHost: chat.test\r\nContent-Length: 2\r\n\r\nhi").await;
    let mut next = rig.accept().await;
    next.receive_head().await;
    next.expect(b"hi").await;
    next.send(b"HTTP/1.1 204 No Content\r\n\r\n").await;
    assert!(client.receive_head().await.starts_with("HTTP/1.1 204 "));
    drop(client);
    rig.done().await;
}

/// The client stays, with requests of another route.
#[tokio::test]
async fn a_connection_is_kept_no_longer_than_it_may_be_idle() {
    let rig = Rig::with(|config| {
        config.timeouts.keep_alive = Duration::from_millis(500);
        let mut other = config.routes[0].clone();
        other.name = "other".to_owned();
        other.path = "/other".parse().unwrap();
        config.routes.push(other);
    });
    let (mut client, mut idle) = kept(&rig).await;
    let other = PAGE.replace("/page", "/other");
    client.send(other.as_bytes()).await;
    let mut busy = rig.accept().await;
    busy.receive_head().await;
    busy.send(b"HTTP/1.1 204 No Content\r\n\r\n").await;
    client.receive_head().await;
    tokio::select! {
        () = idle.expect_fin() => {}
        () = async {
            loop {
                ask(&mut client, &mut busy, &other, "HTTP/1.1 204 No Content\r\n\r\n").await;
            }
        } => {}
    }
    assert_eq!(rig.seen().upstream_connections, 1);
    drop(client);
    rig.done().await;
}

#[tokio::test]
async fn a_reload_leaves_a_connection_to_an_upstream_that_is_dialled_as_before_with_tls_and_without() {
    for tls in [false, true] {
        let mut config = None;
        let rig = Rig::with_tls(Legs { client: false, upstream: tls }, |rigs| config = Some(rigs.clone()));
        let mut config = config.unwrap();
        let (mut client, mut before) = kept(&rig).await;
        rig.data_plane().reload(config.clone());
        ask(&mut client, &mut before, PAGE, "HTTP/1.1 204 No Content\r\n\r\n").await;

        config.timeouts.dial *= 2;
        rig.data_plane().reload(config);
        client.send(PAGE.as_bytes()).await;
        let mut after = rig.accept().await;
        after.receive_head().await;
        before.expect_fin().await;
        after.send(b"HTTP/1.1 204 No Content\r\n\r\n").await;
        client.receive_head().await;
        drop(client);
        rig.done().await;
    }
}

#[tokio::test]
async fn upstream_connections_have_a_limit_of_their_own_and_are_counted() {
    let mut rig = Rig::with(|config| config.limits.upstream_connections = Some(1));
    let (mut first, mut upstream) = kept(&rig).await;
    assert_eq!(rig.seen().upstream_connections, 1);
    let mut second = rig.connect().await;
    second.send(PAGE.as_bytes()).await;
    let head = second.receive_head().await.to_lowercase();
    assert!(head.starts_with("http/1.1 503 ") && head.contains("retry-after: 1\r\n"), "{head}");
    second.expect(b"closewatch: too many connections to upstreams\n").await;
    // An upgrade needs none of them; a refused one is only kept if there is one for it.
    let mut third = rig.connect().await;
    third.send(REQUEST.as_bytes()).await;
    let mut refusing = rig.accept().await;
    refusing.receive_head().await;
    refusing.send(ROUNDS[0].1.as_bytes()).await;
    assert_eq!(Answer::to(&mut third).await.header("connection"), Some("close"));
    fails(&mut rig, "default", Outcome::Refused, Some(401)).await;
    refusing.expect_fin().await;

    first.fin().await;
    upstream.expect_fin().await;
    rig.until("its place to be free", |seen| seen.upstream_connections == 0).await;
    second.send(PAGE.as_bytes()).await;
    let mut next = rig.accept().await;
    next.receive_head().await;
    next.send(b"HTTP/1.1 204 No Content\r\n\r\n").await;
    assert!(second.receive_head().await.starts_with("HTTP/1.1 204 "));
    drop((first, second));
    rig.done().await;
}

/// Every worker has clients with an answer on its way when the drain begins.
#[tokio::test]
async fn a_drain_of_several_workers_cuts_no_answer() {
    let mut running = Running::with("workers = 3\ntimeouts.drain = \"10m\"\n", &[], Output::Read).await;
    let mut asked = Vec::new();
    for _ in 0..12 {
        let mut client = running.connect().await;
        // A connection that is kept when the drain begins, and in use.
        client.send(PAGE.as_bytes()).await;
        let mut upstream = running.accept().await;
        upstream.receive_head().await;
        upstream.send(b"HTTP/1.1 204 No Content\r\n\r\n").await;
        client.receive_head().await;
        client.send(PAGE.as_bytes()).await;
        upstream.receive_head().await;
        upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\nhalf").await;
        client.receive_head().await;
        client.expect(b"half").await;
        asked.push((client, upstream));
    }
    let idle = {
        let mut client = running.connect().await;
        client.send(PAGE.as_bytes()).await;
        let mut upstream = running.accept().await;
        upstream.receive_head().await;
        upstream.send(b"HTTP/1.1 204 No Content\r\n\r\n").await;
        client.receive_head().await;
        (client, upstream)
    };
    running.child.signal(Signal::TERM);
    let (mut client, mut upstream) = idle;
    client.expect_fin().await;
    client.fin().await;
    upstream.expect_fin().await;
    let rest = vec![b'x'; 200_000 - 4];
    for (client, upstream) in &mut asked {
        tokio::join!(upstream.send(&rest), client.expect(&rest));
        client.expect_fin().await;
        client.fin().await;
        upstream.expect_fin().await;
    }
    assert_eq!(running.child.exit_code().await, Some(0));
}
