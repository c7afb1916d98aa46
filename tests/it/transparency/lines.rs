//! Plain requests and answers pass line by line, until one of them needs more than that.

use std::time::Duration;

use closewatch::close::Outcome;
use closewatch::shutdown::Phase;

use crate::rig::{Legs, REQUEST, Rig, payload};

const ASKED: &[u8] = b"GET /a HTTP/1.1\r\nhost: chat.test\r\nX-b:1\r\nX-A:  2 \r\nx-B: 3\r\n\r\n";
const PASSED: &str = "GET /a HTTP/1.1\r\nhost: chat.test\r\nX-b:1\r\nX-A:  2 \r\nx-B: 3\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 Sch\xc3\xb6n\r\nX-b:1\r\nX-A:  2 \r\nx-B: 3\r\nContent-Length: 2\r\n\r\nhi";

const EARLY: &[u8] = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";

/// A proxy with the fast paths, also where the tests run without them: heads are compared as they were written.
fn by_lines() -> Rig {
    Rig::with(|config| config.relay.verbatim = true)
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
        let body = payload(4 * 1024 * 1024);
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
    let (mut client, mut upstream) = rig.asked(ASKED).await;
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
            let (mut client, mut upstream) = rig.asked(ASKED).await;
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
    let (client, mut upstream) = rig.asked(ASKED).await;
    // All of it fits into the buffers on the way, the client's own not counted.
    let body = payload(48 * 1024);
    upstream.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes()).await;
    upstream.send(&body).await;
    upstream.expect_end().await;
    drop(client);
    rig.done().await;
}

#[tokio::test]
async fn requests_that_are_sent_ahead_are_answered_in_their_order() {
    let rig = by_lines();
    let (mut client, mut upstream) = rig.asked(ASKED).await;
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
    client.send(&[odd.as_bytes(), ASKED, odd.as_bytes(), post.as_bytes()].concat()).await;
    let mut upstream = rig.accept().await;
    let odd = &odd[..odd.len() - 2];
    for (asked, body) in [(odd, ""), (PASSED, ""), (odd, ""), ("POST /c HTTP/1.1\r\n", "hi")] {
        let head = upstream.receive_head().await;
        assert!(head.starts_with(asked), "{head:?}");
        upstream.expect(body.as_bytes()).await;
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
        upstream.send(answer).await;
        client.expect(answer).await;
    }
    assert!(rig.was_never_dialled(), "a second time");
    drop(client);
    rig.done().await;
}

/// The answer to a request for an odd target may be hyper's, and the next such request too.
#[tokio::test]
async fn odd_targets_pass_whoever_goes_on_with_their_answers() {
    let rig = by_lines();
    for first in [true, false] {
        let mut client = rig.connect().await;
        let odd = "GET /?a=\"<b>\" HTTP/1.1\r\nHost: chat.test\r\n\r\n";
        let mut upstream = None;
        let plain = if first { vec![] } else { vec![ASKED] };
        for asked in plain.into_iter().chain([odd.as_bytes(), odd.as_bytes()]) {
            client.send(asked).await;
            let upstream = match &mut upstream {
                None => upstream.insert(rig.accept().await),
                Some(upstream) => upstream,
            };
            let head = upstream.receive_head().await;
            assert!(head.as_bytes().starts_with(&asked[..asked.len() - 2]), "{head:?}");
            let answer: &[u8] =
                if asked == ASKED { ANSWER } else { b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" };
            upstream.send(answer).await;
            client.expect(answer).await;
        }
    }
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

/// The request with a line that makes it the last of its connection.
fn last(line: &str) -> Vec<u8> {
    [&ASKED[..ASKED.len() - 2], line.as_bytes(), b"\r\n\r\n"].concat()
}

#[tokio::test]
async fn a_client_that_asks_for_no_more_than_this_gets_its_answer_and_the_end() {
    let rig = by_lines();
    for (line, keep) in [
        ("Connection: close", "Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n"),
        ("CONNECTION:Close ", ""),
        ("Connection: keep-alive\r\nConnection: close", "Connection: close\r\n"),
    ] {
        let mut client = rig.connect().await;
        // Nobody reads what stands behind it as a request (RFC 9112 §9.6).
        let behind = b"GET /behind HTTP/1.1\r\nHost: chat.test\r\n\r\n";
        client.send(&[&last(line), &behind[..]].concat()).await;
        let mut upstream = rig.accept().await;
        let head = upstream.receive_head().await;
        assert!(head.starts_with(PASSED) && !head.to_lowercase().contains("connection"), "{head:?}");
        client.send(behind).await;
        // Which is not the last.
        upstream.send(EARLY).await;
        client.expect(EARLY).await;
        upstream.send(b"HTTP/1.1 200 OK\r\nX-b:1\r\nX-A: 2\r\n").await;
        upstream.send(format!("{keep}Content-Length: 2\r\n\r\nhi").as_bytes()).await;
        let head = client.receive_head().await;
        assert!(head.starts_with("HTTP/1.1 200 OK\r\nX-b:1\r\nX-A: 2\r\n") && !head.contains("imeout"), "{head:?}");
        let said: Vec<_> = head.lines().filter(|line| line.to_lowercase().starts_with("connection:")).collect();
        assert!(matches!(said[..], [said] if said.eq_ignore_ascii_case("connection: close")), "{head:?}");
        client.expect(b"hi").await;
        client.expect_fin().await;
        upstream.expect_end().await;
        assert!(rig.was_never_dialled(), "a second time");
    }
    assert_eq!(rig.seen().statuses, [200, 200, 200]);
    rig.until("its connections to be counted no more", |seen| seen.upstream_connections == 0).await;
    rig.done().await;
}

#[tokio::test]
async fn an_upstream_that_answers_no_more_than_this_ends_its_own_connection_alone() {
    let rig = by_lines();
    let mut client = rig.connect().await;
    for _ in 0..2 {
        client.send(ASKED).await;
        let mut upstream = rig.accept().await;
        upstream.receive_head().await;
        upstream.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi").await;
        client.expect(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").await;
        // Also if it forgets to.
        upstream.expect_end().await;
    }
    drop(client);
    rig.done().await;
}

/// As everywhere in plain HTTP: a client that hangs up does not wait for its answer.
#[tokio::test]
async fn a_client_that_hangs_up_behind_its_last_request_ends_it() {
    for verbatim in [true, false] {
        for resets in [true, false] {
            let rig = Rig::with(|config| config.relay.verbatim = verbatim);
            let mut client = rig.connect().await;
            client.send(&last("Connection: close")).await;
            let mut upstream = rig.accept().await;
            upstream.receive_head().await;
            if resets {
                client.reset();
            } else {
                client.fin().await;
            }
            upstream.expect_end().await;
            drop(client);
            rig.done().await;
        }
    }
}

#[tokio::test]
async fn a_last_request_that_a_drain_overtakes_is_answered() {
    let rig = Rig::new();
    let mut client = rig.connect().await;
    client.send(&last("Connection: close")).await;
    let mut upstream = rig.accept().await;
    upstream.receive_head().await;
    rig.advance(Phase::Draining);
    upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1").await;
    assert!(client.receive_head().await.to_ascii_lowercase().contains("connection: close\r\n"));
    client.expect(b"1").await;
    client.expect_fin().await;
    drop(client);
    rig.done().await;
}

#[tokio::test]
async fn a_refusal_passes_as_it_was_written_and_the_next_request_goes_over_its_connection() {
    const REFUSAL: &str =
        "HTTP/1.1 401 Go\r\nX-b:1\r\nWWW-Authenticate: NTLM\r\nX-A:  2 \r\nx-B: 3\r\nContent-Length: 2\r\n\r\nno";
    let mut rig = by_lines();
    let mut client = rig.connect().await;
    client.send(REQUEST.as_bytes()).await;
    let mut upstream = rig.accept().await;
    for round in 0..2 {
        upstream.receive_head().await;
        upstream.send(REFUSAL.as_bytes()).await;
        let expected = if round == 0 { REFUSAL.as_bytes().to_vec() } else { b"HTTP/1.1 401 ".to_vec() };
        client.expect(&expected).await;
        if round > 0 {
            client.receive_head().await;
            client.expect(b"no").await;
        }
        let (_, record) = rig.handshake().await;
        assert_eq!((record.outcome, record.status), (Outcome::Refused, Some(401)));
        client.send(if round == 0 { REQUEST.as_bytes() } else { ASKED }).await;
    }
    assert!(upstream.receive_head().await.starts_with("GET /a HTTP/1.1\r\n"));
    upstream.send(ANSWER).await;
    client.receive_head().await;
    client.expect(b"hi").await;
    assert!(rig.was_never_dialled(), "a second time");
    assert_eq!(rig.seen().statuses, [200]);
    drop(client);
    rig.until("its connections to be counted no more", |seen| seen.upstream_connections == 0).await;
    rig.done().await;
}

#[tokio::test]
async fn bytes_behind_a_refused_upgrade_are_no_request() {
    let mut rig = by_lines();
    let (mut client, mut upstream) = rig.asked(REQUEST).await;
    client.send(ASKED).await;
    upstream.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno").await;
    let head = client.receive_head().await.to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 403 ") && head.contains("connection: close\r\n"), "{head}");
    client.expect(b"no").await;
    client.expect_fin().await;
    rig.handshake().await;
    assert!(rig.was_never_dialled(), "for what was meant for a session");
    rig.done().await;
}
