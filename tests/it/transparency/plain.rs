//! Plain HTTP passes through too.

use closewatch::shutdown::Phase;

use crate::rig::{RawPeer, Rig, payload};

/// A request, as an upstream gets it: head, and `content-length` bytes.
async fn request(upstream: &mut RawPeer, length: usize) -> (String, Vec<u8>) {
    (upstream.receive_head().await, upstream.receive(length).await)
}

#[tokio::test]
async fn requests_and_answers_pass_over_connections_that_are_kept() {
    let rig = Rig::new();
    let mut client = rig.connect().await;
    client.send(b"GET /a?b=c HTTP/1.1\r\nHost: chat.test\r\nX-Odd-CASE: 1\r\n\r\n").await;
    let mut upstream = rig.accept().await;
    for round in 0..3 {
        if round > 0 {
            client.send(b"GET /a?b=c HTTP/1.1\r\nHost: chat.test\r\nX-Odd-CASE: 1\r\n\r\n").await;
        }
        let (head, _) = request(&mut upstream, 0).await;
        assert!(head.starts_with("GET /a?b=c HTTP/1.1\r\nHost: chat.test\r\nX-Odd-CASE: 1\r\n"), "{head:?}");
        assert!(head.contains("x-forwarded-for: 127.0.0.1\r\n"), "{head:?}");
        upstream.send(b"HTTP/1.1 200 Fine\r\nX-Odd-ANSWER: 2\r\nContent-Length: 5\r\n\r\nhello").await;
        assert_eq!(client.receive_head().await, "HTTP/1.1 200 Fine\r\nX-Odd-ANSWER: 2\r\nContent-Length: 5\r\n\r\n");
        client.expect(b"hello").await;
    }
    assert_eq!(rig.seen().statuses, [200, 200, 200]);
    drop(client);
    rig.done().await;
}

#[tokio::test]
async fn bodies_are_streamed_both_ways() {
    let rig = Rig::new();
    let mut client = rig.connect().await;
    client.send(b"POST /up HTTP/1.1\r\nHost: chat.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n").await;
    let mut upstream = rig.accept().await;
    let head = upstream.receive_head().await;
    assert!(head.to_ascii_lowercase().contains("transfer-encoding: chunked\r\n"), "{head:?}");
    // The first part arrives while the second is not sent yet.
    upstream.expect(b"5\r\nfirst\r\n").await;
    client.send(b"6\r\nsecond\r\n0\r\n\r\n").await;
    upstream.expect(b"6\r\nsecond\r\n0\r\n\r\n").await;
    upstream.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n").await;
    client.receive_head().await;
    client.expect(b"3\r\none\r\n").await;
    upstream.send(b"3\r\ntwo\r\n0\r\n\r\n").await;
    client.expect(b"3\r\ntwo\r\n0\r\n\r\n").await;
    drop(client);
    rig.done().await;
}

#[tokio::test]
async fn trailers_of_an_answer_reach_a_client_that_takes_them_and_those_of_a_request_the_upstream() {
    for (takes, expected) in [("TE: trailers\r\n", "x-sum: 1\r\n"), ("", "")] {
        let rig = Rig::new();
        let mut client = rig.connect().await;
        let head = format!(
            "POST / HTTP/1.1\r\nHost: chat.test\r\n{takes}Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        client.send(format!("{head}3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n").as_bytes()).await;
        let mut upstream = rig.accept().await;
        upstream.receive_head().await;
        upstream.expect(b"3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n").await;
        let answer = "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n";
        upstream.send(format!("{answer}3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n").as_bytes()).await;
        client.receive_head().await;
        client.expect(format!("3\r\nabc\r\n0\r\n{expected}\r\n").as_bytes()).await;
        drop(client);
        rig.done().await;
    }
}

#[tokio::test]
async fn the_body_of_a_get_passes_though_none_is_usual() {
    let rig = Rig::new();
    for head in ["Content-Length: 2\r\n\r\nhi", "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"] {
        let mut client = rig.connect().await;
        client.send(format!("GET /search HTTP/1.1\r\nHost: chat.test\r\n{head}").as_bytes()).await;
        let mut upstream = rig.accept().await;
        assert!(upstream.receive_head().await.starts_with("GET /search HTTP/1.1\r\n"));
        let (_, body) = head.split_once("\r\n\r\n").unwrap();
        upstream.expect(body.as_bytes()).await;
        upstream.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").await;
        client.receive_head().await;
    }
    rig.done().await;
}

#[tokio::test]
async fn no_tunnel_is_opened_and_nothing_behind_a_bad_request_is_read() {
    let behind = "GET /behind HTTP/1.1\r\nHost: chat.test\r\n\r\n";
    let rig = Rig::new();
    for target in ["chat.test:443", "/chat.test:443"] {
        let mut client = rig.connect().await;
        client.send(format!("CONNECT {target} HTTP/1.1\r\nHost: chat.test\r\n\r\n{behind}").as_bytes()).await;
        let head = client.receive_head().await;
        assert!(head.starts_with("HTTP/1.1 400 ") && head.contains("connection: close\r\n"), "{head}");
        client.expect(b"closewatch: no tunnels are opened here\n").await;
        client.expect_fin().await;
    }
    assert!(rig.was_never_dialled());
    rig.done().await;
}

#[tokio::test]
async fn what_concerns_one_connection_only_is_not_passed_on() {
    let rig = Rig::new();
    let mut client = rig.connect().await;
    client
        .send(
            b"GET / HTTP/1.1\r\nHost: chat.test\r\nConnection: X-Hop, Upgrade\r\nUpgrade: h2c\r\nX-Hop: 1\r\n\
              Keep-Alive: 5\r\nProxy-Connection: x\r\nTE: gzip\r\nX-End: 1\r\n\r\n",
        )
        .await;
    let mut upstream = rig.accept().await;
    let head = upstream.receive_head().await.to_ascii_lowercase();
    for gone in ["x-hop", "upgrade", "keep-alive", "proxy-connection", "te:"] {
        assert!(!head.contains(gone), "{gone} is in {head:?}");
    }
    assert!(head.contains("x-end: 1\r\n"), "{head:?}");
    upstream
        .send(b"HTTP/1.1 200 OK\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nX-End: 1\r\nContent-Length: 0\r\n\r\n")
        .await;
    let head = client.receive_head().await.to_ascii_lowercase();
    assert!(!head.contains("x-hop") && !head.contains("connection"), "{head:?}");
    assert!(head.contains("x-end: 1\r\n"), "{head:?}");
    // The client's connection is its own: the upstream's end does not end it.
    client.send(b"GET /again HTTP/1.1\r\nHost: chat.test\r\n\r\n").await;
    let mut upstream = rig.accept().await;
    assert!(upstream.receive_head().await.starts_with("GET /again "));
    drop(client);
    rig.done().await;
}

#[tokio::test]
async fn an_upstream_that_is_not_there_is_502() {
    let rig = Rig::with(|config| config.routes[0].upstream = "unix:/nowhere/at.all".parse().unwrap());
    let mut client = rig.connect().await;
    client.send(b"GET / HTTP/1.1\r\nHost: chat.test\r\n\r\n").await;
    assert!(client.receive_head().await.starts_with("HTTP/1.1 502 "));
    assert_eq!(rig.seen().statuses, [502]);
    drop(client);
    rig.done().await;
}

#[tokio::test]
async fn a_connection_can_serve_requests_and_then_become_a_session() {
    let mut rig = Rig::new();
    let mut client = rig.connect().await;
    client.send(b"GET / HTTP/1.1\r\nHost: chat.test\r\n\r\n").await;
    let mut first = rig.accept().await;
    first.receive_head().await;
    first.send(b"HTTP/1.1 204 No Content\r\n\r\n").await;
    client.receive_head().await;
    client.send(crate::rig::REQUEST.as_bytes()).await;
    first.receive_head().await;
    first.send(crate::rig::SWITCH.as_bytes()).await;
    client.receive_head().await;
    client.reset();
    first.expect_reset().await;
    rig.record().await;
    drop(client);
    rig.done().await;
}

/// A large answer that the client takes slowly, behind which the connection ends.
#[tokio::test]
async fn the_last_answer_on_a_connection_arrives_whole_at_a_slow_reader() {
    let rig = Rig::with_small_buffers(|_| {});
    let (mut client, mut upstream) = rig.asked(b"GET / HTTP/1.1\r\nHost: chat.test\r\nConnection: close\r\n\r\n").await;
    let body = payload(8 * 1024 * 1024);
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    tokio::join!(
        async {
            upstream.send(head.as_bytes()).await;
            upstream.send(&body).await;
        },
        async {
            client.receive_head().await;
            client.expect(&body).await;
            client.expect_fin().await;
        }
    );
    drop(client);
    rig.done().await;
}

/// The same, where the answer comes before the request is over.
#[tokio::test]
async fn an_early_answer_arrives_whole_at_a_slow_reader() {
    let rig = Rig::with_small_buffers(|_| {});
    let (mut client, mut upstream) =
        rig.asked(b"POST / HTTP/1.1\r\nHost: chat.test\r\nContent-Length: 10\r\nConnection: close\r\n\r\n12345").await;
    upstream.expect(b"12345").await;
    let body = payload(8 * 1024 * 1024);
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    tokio::join!(
        async {
            upstream.send(head.as_bytes()).await;
            upstream.send(&body).await;
        },
        async {
            client.receive_head().await;
            client.send(b"67890").await;
            client.expect(&body).await;
            client.expect_fin().await;
        }
    );
    drop(client);
    rig.done().await;
}

/// The same, where the request is never over.
#[tokio::test]
async fn an_answer_to_half_a_request_arrives_whole_at_a_slow_reader() {
    let rig = Rig::with_small_buffers(|_| {});
    let (mut client, mut upstream) =
        rig.asked(b"POST / HTTP/1.1\r\nHost: chat.test\r\nContent-Length: 100000\r\n\r\n12345").await;
    upstream.expect(b"12345").await;
    let body = payload(2 * 1024 * 1024);
    let head = format!("HTTP/1.1 413 Too Much\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    tokio::join!(
        async {
            upstream.send(head.as_bytes()).await;
            upstream.send(&body).await;
            drop(upstream);
        },
        async {
            client.receive_head().await;
            // Slowly: closewatch has come to the end of the answer long before.
            for piece in body.chunks(8 * 1024) {
                client.expect(piece).await;
                tokio::task::yield_now().await;
            }
        }
    );
    drop(client);
    rig.done().await;
}

/// Over a kept connection: there a request that gets no answer may be sent again.
#[tokio::test]
async fn a_malformed_body_is_the_fault_of_its_client_and_not_of_the_upstream() {
    for body in ["5\r\nhello\r\nzz\r\n", "5\r\nhelloXX0\r\n\r\n"] {
        let rig = Rig::new();
        let mut client = rig.connect().await;
        for method in ["POST", "GET"] {
            client.send(b"PUT /kept HTTP/1.1\r\nHost: chat.test\r\nContent-Length: 2\r\n\r\nok").await;
            let mut kept = rig.accept().await;
            request(&mut kept, 2).await;
            kept.send(b"HTTP/1.1 204 No Content\r\n\r\n").await;
            client.receive_head().await;
            client
                .send(
                    format!("{method} / HTTP/1.1\r\nHost: chat.test\r\nTransfer-Encoding: chunked\r\n\r\n{body}")
                        .as_bytes(),
                )
                .await;
            let head = client.receive_head().await;
            assert!(head.starts_with("HTTP/1.1 400 "), "{method} {body:?}: {head}");
            client = rig.connect().await;
        }
        assert_eq!(rig.seen().statuses, [204, 400, 204, 400]);
        drop(client);
        rig.done().await;
    }
}

/// hyper undoes the chunks and would not say what is left: the upstream would take it for plain.
#[tokio::test]
async fn a_request_in_another_coding_than_chunks_is_refused() {
    for coding in ["gzip, chunked", "gzip\r\nTransfer-Encoding: chunked", "chunked, chunked"] {
        let rig = Rig::new();
        let mut client = rig.connect().await;
        let head = format!("POST / HTTP/1.1\r\nHost: chat.test\r\nTransfer-Encoding: {coding}\r\n\r\n");
        client.send(format!("{head}2\r\n\x1f\x0b\r\n0\r\n\r\n").as_bytes()).await;
        let head = client.receive_head().await;
        assert!(head.starts_with("HTTP/1.1 501 "), "{coding:?}: {head}");
        assert!(rig.was_never_dialled(), "{coding:?}");
        drop(client);
        rig.done().await;
    }
}

#[tokio::test]
async fn kept_connections_are_closed_by_a_drain_behind_the_answer() {
    let rig = Rig::new();
    let mut idle = rig.connect().await;
    let mut client = rig.connect().await;
    let mut upstreams = Vec::new();
    for client in [&mut idle, &mut client] {
        client.send(b"GET / HTTP/1.1\r\nHost: chat.test\r\n\r\n").await;
        let mut upstream = rig.accept().await;
        upstream.receive_head().await;
        upstreams.push(upstream);
    }
    let [mut first, mut second] = <[_; 2]>::try_from(upstreams).unwrap_or_else(|_| unreachable!());
    first.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1").await;
    idle.receive_head().await;
    idle.expect(b"1").await;
    rig.advance(Phase::Draining);
    idle.expect_fin().await;
    second.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2").await;
    let head = client.receive_head().await.to_ascii_lowercase();
    assert!(head.contains("connection: close\r\n"), "{head:?}");
    client.expect(b"2").await;
    client.expect_fin().await;
    drop((idle, client));
    rig.done().await;
}
