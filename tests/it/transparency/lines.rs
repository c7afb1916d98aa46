//! Plain requests and answers pass line by line, until one of them needs more than that.

use std::time::Duration;

use closewatch::shutdown::Phase;

use crate::rig::{Legs, Rig};

const ASKED: &[u8] = b"GET /a HTTP/1.1\r\nhost: chat.test\r\nX-b:1\r\nX-A:  2 \r\nx-B: 3\r\n\r\n";
const PASSED: &str = "GET /a HTTP/1.1\r\nhost: chat.test\r\nX-b:1\r\nX-A:  2 \r\nx-B: 3\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 Sch\xc3\xb6n\r\nX-b:1\r\nX-A:  2 \r\nx-B: 3\r\nContent-Length: 2\r\n\r\nhi";

/// A proxy with the fast paths, also where the tests run without them: heads are compared as they were written.
fn by_lines() -> Rig {
    Rig::with(|config| config.relay.verbatim = true)
}

/// A body of so many bytes, none like the one before it.
fn body(len: u32) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8).collect()
}

#[tokio::test]
async fn heads_pass_as_they_were_written_until_an_answer_needs_more_and_the_connections_stay() {
    let rig = by_lines();
    let mut client = rig.connect().await;
    client.send(ASKED).await;
    let mut upstream = rig.accept().await;
    for round in 0..3 {
        if round > 0 {
            client.send(ASKED).await;
        }
        assert!(upstream.receive_head().await.starts_with(PASSED));
        upstream.send(ANSWER).await;
        client.expect(ANSWER).await;
    }
    // The head of an answer in pieces, and one of unknown length.
    for (pieces, expected) in [
        (
            &["HTTP/1.1 404 No\r\nContent-", "Length: 1\r\n\r", "\nx"][..],
            "HTTP/1.1 404 No\r\nContent-Length: 1\r\n\r\nx",
        ),
        (
            &["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n0\r\n\r\n"],
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        ),
        (&["HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n", "x"], "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"),
    ] {
        client.send(ASKED).await;
        upstream.receive_head().await;
        for piece in pieces {
            upstream.send(piece.as_bytes()).await;
        }
        client.expect(expected.as_bytes()).await;
    }
    // hyper has gone on, and over the same connections.
    client.send(b"POST / HTTP/1.1\r\nHost: chat.test\r\nContent-Length: 2\r\n\r\nhi").await;
    upstream.receive_head().await;
    upstream.expect(b"hi").await;
    upstream.send(b"HTTP/1.1 204 No Content\r\n\r\n").await;
    client.expect(b"HTTP/1.1 204 No Content\r\n\r\n").await;
    assert_eq!(rig.seen().statuses, [200, 200, 200, 404, 200, 200, 204]);
    assert!(rig.was_never_dialled(), "a second time");
    drop(client);
    rig.done().await;
}

#[tokio::test]
async fn large_bodies_arrive_whole_at_a_slow_reader_and_the_connection_goes_on() {
    for tls in [false, true] {
        let rig = Rig::with_tls_and_small_buffers(Legs { client: tls, upstream: tls }, |_| {});
        let mut client = rig.connect().await;
        client.send(ASKED).await;
        let mut upstream = rig.accept().await;
        let body = body(4 * 1024 * 1024);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        for round in 0..2 {
            if round > 0 {
                client.send(ASKED).await;
            }
            upstream.receive_head().await;
            tokio::join!(
                async {
                    upstream.send(head.as_bytes()).await;
                    upstream.send(&body).await;
                },
                async {
                    assert_eq!(client.receive_head().await, head);
                    client.expect(&body).await;
                }
            );
        }
        assert!(rig.was_never_dialled(), "a second time");
        drop(client);
        rig.done().await;
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_ends_its_client_and_more_than_was_announced_reaches_nobody() {
    let rig = by_lines();
    let mut client = rig.connect().await;
    client.send(ASKED).await;
    let mut upstream = rig.accept().await;
    upstream.receive_head().await;
    upstream.send(&[ANSWER, b"HTTP/1.1 200 Mine\r\nContent-Length: 0\r\n\r\n"].concat()).await;
    client.expect(ANSWER).await;
    upstream.expect_end().await;
    client.send(ASKED).await;
    let mut upstream = rig.accept().await;
    upstream.receive_head().await;
    upstream.send(&ANSWER[..ANSWER.len() - 1]).await;
    drop(upstream);
    client.expect(&ANSWER[..ANSWER.len() - 1]).await;
    client.expect_end().await;
    rig.done().await;
}

#[tokio::test]
async fn a_client_that_goes_ends_its_request() {
    let rig = Rig::new();
    for resets in [true, false] {
        for part in [&b""[..], b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"] {
            let mut client = rig.connect().await;
            client.send(ASKED).await;
            let mut upstream = rig.accept().await;
            upstream.receive_head().await;
            upstream.send(part).await;
            client.expect(part).await;
            if resets {
                client.reset();
            } else {
                client.fin().await;
            }
            upstream.expect_end().await;
        }
    }
    rig.until("its connections to be counted no more", |seen| seen.upstream_connections == 0).await;
    rig.done().await;
}

#[tokio::test]
async fn a_client_that_does_not_take_the_end_of_its_answer_is_let_go() {
    let rig = Rig::with_small_buffers(|config| config.timeouts.keep_alive = Duration::from_millis(300));
    let mut client = rig.connect().await;
    client.send(ASKED).await;
    let mut upstream = rig.accept().await;
    upstream.receive_head().await;
    // All of it fits into the buffers on the way, the client's own not counted.
    let body = body(48 * 1024);
    upstream.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes()).await;
    upstream.send(&body).await;
    upstream.expect_end().await;
    drop(client);
    rig.done().await;
}

#[tokio::test]
async fn requests_that_are_sent_ahead_are_answered_in_their_order() {
    let rig = by_lines();
    let mut client = rig.connect().await;
    client.send(ASKED).await;
    let mut upstream = rig.accept().await;
    upstream.receive_head().await;
    for path in ["/b", "/c"] {
        client.send(format!("GET {path} HTTP/1.1\r\nHost: chat.test\r\n\r\n").as_bytes()).await;
    }
    upstream.send(ANSWER).await;
    client.expect(ANSWER).await;
    for path in ["/b", "/c"] {
        assert!(upstream.receive_head().await.starts_with(&format!("GET {path} HTTP/1.1\r\n")));
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{path}");
        upstream.send(answer.as_bytes()).await;
        client.expect(answer.as_bytes()).await;
    }
    drop(client);
    rig.done().await;
}

/// Targets that hyper cannot read are among them, and requests that hyper goes on with.
#[tokio::test]
async fn requests_that_come_in_one_piece_pass_as_they_were_written() {
    let rig = by_lines();
    let mut client = rig.connect().await;
    let odd = "GET /?filter={\"room\":<1>} HTTP/1.1\r\nX-b: 1\r\nX-a: 2\r\nHost: chat.test\r\nX-b: 3\r\n\r\n";
    let post = "POST /c HTTP/1.1\r\nHost: chat.test\r\nContent-Length: 2\r\n\r\nhi";
    client.send(&[ASKED, ASKED, odd.as_bytes(), post.as_bytes()].concat()).await;
    let mut upstream = rig.accept().await;
    for _ in 0..2 {
        assert!(upstream.receive_head().await.starts_with(PASSED));
        upstream.send(ANSWER).await;
        client.expect(ANSWER).await;
    }
    for (asked, body) in [("GET /?filter={\"room\":<1>} HTTP/1.1\r\n", ""), ("POST /c HTTP/1.1\r\n", "hi")] {
        assert!(upstream.receive_head().await.starts_with(asked));
        upstream.expect(body.as_bytes()).await;
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
        upstream.send(answer).await;
        client.expect(answer).await;
    }
    assert!(rig.was_never_dialled(), "a second time");
    drop(client);
    rig.done().await;
}

#[tokio::test]
async fn a_drain_that_begins_before_an_answer_lets_it_say_that_it_is_the_last() {
    let rig = Rig::new();
    let mut client = rig.connect().await;
    client.send(ASKED).await;
    let mut upstream = rig.accept().await;
    for round in 0..2 {
        if round > 0 {
            client.send(ASKED).await;
        }
        upstream.receive_head().await;
        if round > 0 {
            rig.advance(Phase::Unready);
        }
        upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1").await;
        let head = client.receive_head().await.to_ascii_lowercase();
        assert_eq!(head.contains("connection: close\r\n"), round > 0, "{head:?}");
        client.expect(b"1").await;
    }
    client.expect_fin().await;
    drop(client);
    rig.done().await;
}
