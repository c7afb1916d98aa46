//! Upstreams that answer something other than a right 101, or nothing.

use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use closewatch::close::Outcome;
use closewatch::config::Upstream;
use closewatch::wire::Peer;
use socket2::{Domain, Socket, Type};

use super::answer::{Answer, fails};
use crate::rig::{Legs, REQUEST, RawPeer, Rig, SWITCH};

/// The lines of a head, in an order of their own.
fn sorted(head: &str) -> Vec<&str> {
    let mut lines: Vec<_> = head.lines().collect();
    lines.sort_unstable();
    lines
}

fn upstream_at(address: SocketAddr) -> Upstream {
    format!("http://{address}").parse().unwrap()
}

#[tokio::test]
async fn a_refusal_reaches_the_client_whole() {
    let mut rig = Rig::new();
    let refusals = [
        (
            403,
            "HTTP/1.1 403 Not With That Face\r\nX-Why: because\r\nset-COOKIE: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 10\r\n",
            "forbidden\n",
        ),
        (401, "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Length: 0\r\n", ""),
        (503, "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 120\r\nContent-Length: 4\r\n", "busy"),
        (200, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n", "hello"),
        (302, "HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n", ""),
        (799, "HTTP/1.1 799 Odd\r\nContent-Length: 0\r\n", ""),
    ];
    for (status, head, body) in refusals {
        let (mut client, mut upstream) = rig.asked(REQUEST).await;
        upstream.send(format!("{head}\r\n{body}").as_bytes()).await;
        client.fin().await;
        let answer = Answer::to(&mut client).await;
        // The reason phrase, names and values are the upstream's.
        assert_eq!(answer.head.lines().next(), head.lines().next());
        assert_eq!(sorted(&answer.head), sorted(head));
        assert_eq!(answer.body, body);
        fails(&mut rig, "default", Outcome::Refused, Some(status)).await;
        upstream.expect_fin().await;
    }
    rig.done_with_upgrades().await;
}

#[tokio::test]
async fn the_body_of_a_refusal_is_not_waited_for() {
    let mut rig = Rig::new();
    let (mut client, mut upstream) = rig.asked(REQUEST).await;
    upstream.send(b"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nout\r\n").await;
    client.receive_head().await;
    client.expect(b"3\r\nout\r\n").await;
    upstream.send(b"1\r\n!\r\n0\r\n\r\n").await;
    client.expect(b"1\r\n!\r\n0\r\n\r\n").await;
    client.fin().await;
    client.expect_fin().await;
    fails(&mut rig, "default", Outcome::Refused, Some(403)).await;
    rig.done_with_upgrades().await;
}

#[tokio::test]
async fn an_upstream_that_hangs_up_is_a_bad_gateway() {
    let mut rig = Rig::new();
    for (what, said, reset) in [
        ("without a word", &b""[..], false),
        ("in the middle of its head", b"HTTP/1.1 101 Switching Pro", false),
        ("with a reset", b"", true),
        ("with a reset in the middle of its head", b"HTTP/1.1 1", true),
    ] {
        let (mut client, mut upstream) = rig.asked(REQUEST).await;
        upstream.send(said).await;
        if reset {
            upstream.reset();
        } else {
            drop(upstream);
        }
        let answer = Answer::to(&mut client).await;
        assert_eq!(answer.status, 502, "{what}");
        fails(&mut rig, "default", Outcome::UpstreamClosed, Some(502)).await;
    }
    rig.done_with_upgrades().await;
}

#[tokio::test]
async fn an_answer_that_is_none_is_a_bad_response() {
    let mut rig = Rig::with(|config| config.limits.header_bytes = 16 * 1024);
    let bomb = SWITCH.replace("\r\n\r\n", &format!("\r\nX-Bomb: {}\r\n\r\n", "x".repeat(20_000)));
    let switch = |from: &str, to: &str| {
        let switch = SWITCH.replace(from, to);
        assert_ne!(switch, SWITCH, "{from:?} is not in it");
        switch
    };
    let accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
    for (what, said) in [
        ("garbage", "220 mail.test ESMTP ready\r\n".to_owned()),
        ("a bomb", bomb),
        ("the wrong key", switch("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "bm90IHJpZ2h0")),
        ("the key in the wrong case", switch("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "S3PPLMBITXAQ9KYGZZHZRBK+XOO=")),
        ("no key", switch(accept, "")),
        ("two keys", switch(accept, &accept.repeat(2))),
        ("no Upgrade", switch("Upgrade: websocket\r\n", "")),
        ("another protocol", switch("Upgrade: websocket\r\n", "Upgrade: h2c\r\n")),
        ("no Connection", switch("Connection: Upgrade\r\n", "")),
    ] {
        let (mut client, mut upstream) = rig.asked(REQUEST).await;
        upstream.send(said.as_bytes()).await;
        let answer = Answer::to(&mut client).await;
        assert_eq!(answer.status, 502, "{what}");
        let record = fails(&mut rig, "default", Outcome::BadResponse, Some(502)).await;
        assert!(record.detail.is_some(), "{what}: {record:?}");
    }
    rig.done_with_upgrades().await;
}

#[tokio::test]
async fn an_upstream_that_speaks_first_does_not_speak_http() {
    let mut rig = Rig::new();
    let mut client = rig.connect().await;
    client.send(REQUEST.as_bytes()).await;
    let mut upstream = rig.accept().await;
    // It may be read before the request was written, or behind it.
    upstream.send(b"220 mail.test ESMTP ready\r\n").await;
    assert_eq!(Answer::to(&mut client).await.status, 502);
    fails(&mut rig, "default", Outcome::BadResponse, Some(502)).await;
    rig.done_with_upgrades().await;
}

#[tokio::test]
async fn an_upstream_that_does_not_answer_is_a_gateway_timeout() {
    let mut rig = Rig::with(|config| config.timeouts.handshake = Duration::from_millis(200));
    for (what, said) in [("nothing", &b""[..]), ("half a head", b"HTTP/1.1 101 Switching Protocols\r\nUpgr")] {
        let (mut client, mut upstream) = rig.asked(REQUEST).await;
        upstream.send(said).await;
        assert_eq!(Answer::to(&mut client).await.status, 504, "{what}");
        fails(&mut rig, "default", Outcome::UpstreamTimeout, Some(504)).await;
        // It is not left with a request that nobody waits for any more.
        upstream.expect_fin().await;
    }
    rig.done_with_upgrades().await;
}

#[tokio::test]
async fn nobody_at_the_upstream_s_address_is_a_bad_gateway() {
    // Bound and not listening: the port is nobody else's meanwhile.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    for (upstream, named) in [
        (upstream_at(address), address.to_string()),
        ("unix:/nowhere/at.all".parse().unwrap(), "/nowhere/at.all".into()),
    ] {
        let mut rig = Rig::with(|config| config.routes[0].upstream = upstream);
        let mut client = rig.connect().await;
        client.send(REQUEST.as_bytes()).await;
        assert_eq!(Answer::to(&mut client).await.status, 502);
        let record = fails(&mut rig, "default", Outcome::DialFailed, Some(502)).await;
        let detail = record.detail.unwrap();
        assert!(detail.as_str().contains(&named), "{named} is not in {detail:?}");
        rig.done_with_upgrades().await;
    }
}

#[tokio::test]
async fn a_dial_without_an_answer_is_a_gateway_timeout() {
    let hole = BlackHole::new();
    let mut rig = Rig::with(|config| {
        config.routes[0].upstream = upstream_at(hole.address);
        config.timeouts.dial = Duration::from_millis(200);
    });
    let mut client = rig.connect().await;
    client.send(REQUEST.as_bytes()).await;
    assert_eq!(Answer::to(&mut client).await.status, 504);
    fails(&mut rig, "default", Outcome::DialTimeout, Some(504)).await;
    rig.done_with_upgrades().await;
}

#[tokio::test]
async fn a_name_leads_to_whichever_of_its_addresses_answers_and_an_address_of_either_family_to_itself() {
    let named = tokio::net::lookup_host(("localhost", 0)).await.unwrap().map(|address| ("localhost", address));
    let addresses = [("127.0.0.1", ([127, 0, 0, 1], 0).into()), ("[::1]", (Ipv6Addr::LOCALHOST, 0).into())];
    for (host, listens) in addresses.into_iter().chain(named) {
        let listener = tokio::net::TcpListener::bind(listens).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut rig = Rig::with_tls(Legs::default(), |config| {
            config.routes[0].upstream = format!("http://{host}:{}", address.port()).parse().unwrap();
        });
        for request in [REQUEST, "GET /page HTTP/1.1\r\nHost: chat.test\r\n\r\n"] {
            let mut client = rig.connect().await;
            client.send(request.as_bytes()).await;
            let accepted = rig.within("the proxy to dial", listener.accept()).await.unwrap().0;
            let mut upstream = RawPeer::of(Peer::Upstream, accepted);
            upstream.receive_head().await;
            upstream.send(b"HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").await;
            assert!(client.receive_head().await.starts_with("HTTP/1.1 401 "), "{host}, {request}");
        }
        fails(&mut rig, "default", Outcome::Refused, Some(401)).await;
        rig.done_with_upgrades().await;
    }
}

/// A listening socket whose queue is full: the kernel ignores whoever else wants to connect.
pub(super) struct BlackHole {
    pub(super) address: SocketAddr,
    _listener: TcpListener,
    _queued: TcpStream,
}

impl BlackHole {
    pub(super) fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        // Room for one.
        socket.listen(0).unwrap();
        let listener = TcpListener::from(socket);
        let address = listener.local_addr().unwrap();
        Self { address, _queued: TcpStream::connect(address).unwrap(), _listener: listener }
    }
}
