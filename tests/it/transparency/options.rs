//! Options of HTTP that pass through as they are meant: 426, `Expect`, `OPTIONS *`, and as many header lines as are allowed.

use std::fmt::Write as _;
use std::time::Duration;

use closewatch::close::Outcome;
use tokio::time::Instant;

use crate::rig::{REQUEST, RawPeer, Rig, SWITCH};

const MUST_UPGRADE: &[u8] =
    b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade, Keep-Alive\r\n\
    Keep-Alive: timeout=5\r\nContent-Length: 0\r\n\r\n";

#[tokio::test]
async fn a_426_says_what_to_upgrade_to() {
    for request in ["GET /chat HTTP/1.1\r\nHost: chat.test\r\n\r\n", REQUEST] {
        let mut rig = Rig::new();
        let (mut client, mut upstream) = rig.asked(request).await;
        upstream.send(MUST_UPGRADE).await;
        let head = client.receive_head().await.to_ascii_lowercase();
        assert!(head.contains("\r\nupgrade: websocket\r\n"), "{head}");
        let connection: Vec<_> = head.lines().filter_map(|line| line.strip_prefix("connection: ")).collect();
        assert!(connection.iter().any(|value| value.split(", ").any(|option| option == "upgrade")), "{head}");
        assert!(!head.contains("connection: close") || !head.contains("keep-alive"), "{head}");
        if request == REQUEST {
            assert_eq!(rig.handshake().await.1.outcome, Outcome::Refused);
        }
        drop(client);
        rig.done_with_upgrades().await;
    }
}

/// A client that waits to be asked for the body of its request, and the upstream that was given the head.
async fn expecting() -> (Rig, RawPeer, RawPeer) {
    let rig = Rig::new();
    let mut client = rig.connect().await;
    let head = "POST /up HTTP/1.1\r\nHost: chat.test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n";
    client.send(head.as_bytes()).await;
    let mut upstream = rig.accept().await;
    let asked = upstream.receive_head().await;
    assert!(asked.contains("Expect: 100-continue\r\n"), "{asked}");
    (rig, client, upstream)
}

#[tokio::test]
async fn a_body_that_waits_to_be_asked_for_waits_for_the_upstreams_word() {
    let (rig, mut client, mut upstream) = expecting().await;
    upstream.send(b"HTTP/1.1 100 Continue\r\n\r\n").await;
    assert_eq!(client.receive_head().await, "HTTP/1.1 100 Continue\r\n\r\n");
    client.send(b"body").await;
    upstream.expect(b"body").await;
    upstream.send(b"HTTP/1.1 204 No Content\r\n\r\n").await;
    assert_eq!(client.receive_head().await, "HTTP/1.1 204 No Content\r\n\r\n");
    drop(client);
    rig.done().await;
}

#[tokio::test]
async fn a_body_that_the_upstream_refuses_is_never_asked_for() {
    let (rig, mut client, mut upstream) = expecting().await;
    upstream.send(b"HTTP/1.1 417 Too Much\r\nContent-Length: 0\r\n\r\n").await;
    let answer = client.receive_head().await;
    assert!(answer.starts_with("HTTP/1.1 417 Too Much\r\n"), "{answer}");
    // Whether the body comes all the same is not known.
    assert!(answer.to_lowercase().contains("\r\nconnection: close\r\n"), "{answer}");
    client.expect_fin().await;
    drop(client);
    rig.done().await;
}

#[tokio::test]
async fn an_upstream_that_does_not_know_the_expectation_is_given_the_body_all_the_same() {
    let (rig, mut client, mut upstream) = expecting().await;
    let began = Instant::now();
    assert_eq!(client.receive_head().await, "HTTP/1.1 100 Continue\r\n\r\n");
    assert!(began.elapsed() > Duration::from_millis(500), "{:?}", began.elapsed());
    client.send(b"body").await;
    upstream.expect(b"body").await;
    upstream.send(b"HTTP/1.1 204 No Content\r\n\r\n").await;
    client.receive_head().await;
    drop(client);
    rig.done().await;
}

const PROCESSING: &str = "HTTP/1.1 102 Processing\r\n\r\n";
const HINTS: &str = "HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\nlink: </b.css>\r\n\r\n";

/// RFC 9110 §15.2: a proxy has to forward them.
#[tokio::test]
async fn answers_before_the_answer_pass_at_once_and_in_their_order() {
    let get = "GET / HTTP/1.1\r\nHost: chat.test\r\n\r\n";
    let post = "POST / HTTP/1.1\r\nHost: chat.test\r\nContent-Length: 2\r\n\r\nhi";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (request, answer) in [
        (get, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        (get, chunked),
        (post, "HTTP/1.1 204 No Content\r\n\r\n"),
        (REQUEST, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"),
        (REQUEST, SWITCH),
    ] {
        let rig = Rig::new();
        let (mut client, mut upstream) = rig.asked(request).await;
        upstream.expect(&request.as_bytes()[request.find("hi").unwrap_or(request.len())..]).await;
        upstream.send(PROCESSING.as_bytes()).await;
        client.expect(PROCESSING.as_bytes()).await;
        upstream.send([HINTS, PROCESSING].concat().as_bytes()).await;
        client.expect([HINTS, PROCESSING].concat().as_bytes()).await;
        // The last of them in one piece with the answer.
        upstream.send([HINTS, answer].concat().as_bytes()).await;
        client.expect(HINTS.as_bytes()).await;
        assert_eq!(client.receive_head().await.to_lowercase(), answer.to_lowercase());
    }
}

#[tokio::test]
async fn a_client_of_http_1_0_gets_the_answer_alone() {
    let rig = Rig::new();
    let (mut client, mut upstream) = rig.asked(b"GET / HTTP/1.0\r\nHost: chat.test\r\n\r\n").await;
    upstream.send([PROCESSING, HINTS, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"].concat().as_bytes()).await;
    assert!(client.receive_head().await.starts_with("HTTP/1.0 200 OK\r\n"));
    drop(client);
    rig.done().await;
}

/// A kept connection that ends without an answer is replaced; behind an answer before the answer the request was taken.
#[tokio::test]
async fn a_request_that_had_an_answer_before_the_answer_is_not_sent_again() {
    let rig = Rig::new();
    let mut client = rig.connect().await;
    let get = b"GET / HTTP/1.1\r\nHost: chat.test\r\n\r\n";
    client.send(get).await;
    let mut upstream = rig.accept().await;
    upstream.receive_head().await;
    upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    client.receive_head().await;
    client.send(get).await;
    upstream.receive_head().await;
    upstream.send(PROCESSING.as_bytes()).await;
    drop(upstream);
    client.expect(PROCESSING.as_bytes()).await;
    assert!(client.receive_head().await.starts_with("HTTP/1.1 502 "));
    assert!(rig.was_never_dialled(), "a second time");
    drop(client);
    rig.done().await;
}

/// An upstream can send any number of them, and a client need not read them.
#[tokio::test]
async fn answers_before_the_answer_that_a_client_does_not_take_are_not_hoarded() {
    let hints = [HINTS.as_bytes(); 64].concat();
    for request in
        ["GET / HTTP/1.1\r\nHost: chat.test\r\n\r\n", "PUT / HTTP/1.1\r\nHost: chat.test\r\nContent-Length: 0\r\n\r\n"]
    {
        let rig = Rig::with_small_buffers(|_| {});
        let (mut client, mut upstream) = rig.asked(request).await;
        let flood = async {
            for _ in 0..100 {
                upstream.send(&hints).await;
            }
            upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").await;
        };
        let take = async {
            let mut early = 0;
            loop {
                let head = client.receive_head().await;
                if !head.starts_with("HTTP/1.1 103 ") {
                    break (early, head);
                }
                assert_eq!(head, HINTS);
                early += 1;
            }
        };
        let ((), (early, head)) = tokio::join!(flood, take);
        assert!(early > 0 && head.starts_with("HTTP/1.1 200 OK\r\n"), "{early} {head}");
        client.expect(b"hi").await;
        drop(client);
        rig.done().await;
    }
}

#[tokio::test]
async fn a_request_for_the_server_itself_goes_to_the_only_route() {
    let rig = Rig::new();
    let mut client = rig.connect().await;
    client.send(b"OPTIONS * HTTP/1.1\r\nHost: chat.test\r\n\r\n").await;
    let mut upstream = rig.accept().await;
    let head = upstream.receive_head().await;
    assert!(head.starts_with("OPTIONS * HTTP/1.1\r\n"), "{head}");
    upstream.send(b"HTTP/1.1 200 OK\r\nAllow: GET\r\nContent-Length: 0\r\n\r\n").await;
    assert!(client.receive_head().await.contains("Allow: GET\r\n"));
    drop(client);
    rig.done().await;
}

#[tokio::test]
async fn a_request_for_the_server_itself_goes_to_nobody_if_there_are_several() {
    let rig = Rig::with(|config| {
        let mut other = config.routes[0].clone();
        other.name = "other".to_owned();
        other.path = "/other".to_owned();
        config.routes.push(other);
    });
    let mut client = rig.connect().await;
    client.send(b"OPTIONS * HTTP/1.1\r\nHost: chat.test\r\n\r\n").await;
    assert!(client.receive_head().await.starts_with("HTTP/1.1 404 "));
    assert!(rig.was_never_dialled());
    drop(client);
    rig.done().await;
}

fn lines(count: usize) -> String {
    (0..count).fold(String::new(), |mut lines, number| {
        write!(lines, "X-{number}: 1\r\n").unwrap();
        lines
    })
}

#[tokio::test]
async fn as_many_header_lines_pass_as_are_allowed_on_both_sides() {
    let many = lines(150);
    let rig = Rig::with(|config| config.limits.header_lines = 200);
    let mut client = rig.connect().await;
    client.send(format!("GET / HTTP/1.1\r\nHost: chat.test\r\n{many}\r\n").as_bytes()).await;
    let mut upstream = rig.accept().await;
    assert!(upstream.receive_head().await.contains("X-149: 1\r\n"));
    upstream.send(format!("HTTP/1.1 200 OK\r\n{many}Content-Length: 0\r\n\r\n").as_bytes()).await;
    assert!(client.receive_head().await.contains("X-149: 1\r\n"));
    drop(client);
    rig.done().await;

    let mut rig = Rig::with(|config| config.limits.header_lines = 200);
    let request = REQUEST.replacen("\r\n\r\n", &format!("\r\n{many}\r\n"), 1);
    let (mut client, mut upstream) = rig.session_with(&request, SWITCH).await;
    client.reset();
    upstream.expect_reset().await;
    rig.record().await;
    rig.done().await;
}

#[tokio::test]
async fn more_header_lines_than_are_allowed_are_refused_by_the_name_of_the_limit() {
    let many = lines(150);
    let mut rig = Rig::new();
    let mut client = rig.connect().await;
    client.send(REQUEST.replacen("\r\n\r\n", &format!("\r\n{many}\r\n"), 1).as_bytes()).await;
    assert!(client.receive_head().await.starts_with("HTTP/1.1 431 "));
    let (_, record) = rig.handshake().await;
    let detail = record.detail.unwrap();
    assert!(detail.as_str().contains("limits.header_lines (100)"), "{}", detail.as_str());
    drop(client);

    let (mut client, mut upstream) = rig.asked(REQUEST).await;
    upstream.send(SWITCH.replacen("\r\n\r\n", &format!("\r\n{many}\r\n"), 1).as_bytes()).await;
    assert!(client.receive_head().await.starts_with("HTTP/1.1 502 "));
    let (_, record) = rig.handshake().await;
    let detail = record.detail.unwrap();
    assert!(detail.as_str().contains("limits.header_lines"), "{}", detail.as_str());
    drop(client);
    rig.done_with_upgrades().await;
}
