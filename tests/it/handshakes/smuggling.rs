//! Requests that two readers could read differently, and headers that would hide something from one of them.

use closewatch::close::Outcome;

use super::answer::{Answer, fails};
use crate::rig::{REQUEST, Rig, SWITCH};

/// Bytes behind a request that are meant to pass for another one.
const SMUGGLED: &str = "GET /admin HTTP/1.1\r\nHost: chat.test\r\n\r\n";

/// Heads of plain requests that are refused, each with what is wrong with it; a body may stand behind them.
fn refused() -> Vec<(&'static str, String)> {
    let post = |lines: &str| format!("POST /page HTTP/1.1\r\nHost: chat.test\r\n{lines}\r\n\r\n");
    vec![
        ("a length, then chunks", post("Content-Length: 40\r\nTransfer-Encoding: chunked") + "0\r\n\r\n"),
        ("chunks, then a length", post("Transfer-Encoding: chunked\r\nContent-Length: 40") + "0\r\n\r\n"),
        ("a length and chunks in odd cases", post("tRANSFER-eNCODING: Chunked\r\ncONTENT-lENGTH: 0") + "0\r\n\r\n"),
        ("two lengths that differ", post("Content-Length: 5\r\nContent-Length: 6") + "hello"),
        ("a list of lengths", post("Content-Length: 5, 5") + "hello"),
        ("a signed length", post("Content-Length: +5") + "hello"),
        ("a negative length", post("Content-Length: -5")),
        ("a hexadecimal length", post("Content-Length: 0x5") + "hello"),
        ("an empty length", post("Content-Length:")),
        ("a length beyond all numbers", post("Content-Length: 99999999999999999999999")),
        ("an unknown coding", post("Transfer-Encoding: xchunked") + "0\r\n\r\n"),
        ("a coding behind the chunks", post("Transfer-Encoding: chunked, identity") + "0\r\n\r\n"),
        ("a coding in a second line", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity") + "0\r\n\r\n"),
        ("a coding behind a vertical tab", post("Transfer-Encoding: \x0bchunked") + "0\r\n\r\n"),
        ("chunks in HTTP/1.0", post("Transfer-Encoding: chunked").replace("1.1", "1.0") + "0\r\n\r\n"),
        ("a space before the colon", post("Content-Length : 5") + "hello"),
        ("a header without a name", post(": value")),
        ("a header without a colon", post("Content-Length 5")),
        ("a folded header", post("X-Folded: a\r\n b")),
        ("a folded first header", "GET /page HTTP/1.1\r\n Host: chat.test\r\n\r\n".to_owned()),
        ("a bare CR in a value", post("X-Bare: a\rContent-Length: 5")),
        ("a bare CR for a line end", post("X-Bare: a\rX-Other: b\r")),
        ("a bare LF for a line end", post("X-Bare: a\nX-Other: b")),
        ("a bare LF behind the first line", "GET /page HTTP/1.1\nHost: chat.test\r\n\r\n".to_owned()),
        ("bare LFs only", "GET /page HTTP/1.1\nHost: chat.test\n\n".to_owned()),
        ("a NUL in a value", post("X-Nul: a\0b")),
        ("a NUL in a name", post("X-N\0ul: a")),
        ("a tab in the target", "GET /pa\tge HTTP/1.1\r\nHost: chat.test\r\n\r\n".to_owned()),
        ("two spaces in the first line", "GET  /page HTTP/1.1\r\nHost: chat.test\r\n\r\n".to_owned()),
        ("no version", "GET /page\r\nHost: chat.test\r\n\r\n".to_owned()),
        ("HTTP/2 as a version", "GET /page HTTP/2.0\r\nHost: chat.test\r\n\r\n".to_owned()),
        ("two hosts", "GET /page HTTP/1.1\r\nHost: chat.test\r\nHost: chat.test\r\n\r\n".to_owned()),
        ("a target without a path", "GET page HTTP/1.1\r\nHost: chat.test\r\n\r\n".to_owned()),
        ("a tunnel", "CONNECT chat.test:443 HTTP/1.1\r\nHost: chat.test\r\n\r\n".to_owned()),
    ]
}

#[tokio::test]
async fn what_can_be_read_in_two_ways_is_refused_and_nothing_behind_it_is_read() {
    let rig = Rig::new();
    let rows = refused();
    for (what, request) in &rows {
        let mut client = rig.connect().await;
        client.send(format!("{request}{SMUGGLED}").as_bytes()).await;
        let answer = Answer::to(&mut client).await;
        assert_eq!((answer.status, answer.header("connection")), (400, Some("close")), "{what}: {answer:?}");
        assert!(!answer.body.contains("HTTP/1.1"), "{what}: a second answer in {answer:?}");
        assert!(rig.was_never_dialled(), "{what}");
    }
    rig.done().await;
}

#[tokio::test]
async fn it_is_refused_in_whatever_pieces_it_comes() {
    let rig = Rig::new();
    let heads = refused();
    for (what, request) in heads.iter().filter(|(what, _)| what.contains("chunks") || what.contains("LF")) {
        for size in [1, 7, 50] {
            let mut client = rig.connect().await;
            for piece in request.as_bytes().chunks(size) {
                client.send_at_once(piece);
                tokio::task::yield_now().await;
            }
            assert_eq!(Answer::to(&mut client).await.status, 400, "{what} in pieces of {size}");
        }
    }
    assert!(rig.was_never_dialled());
    rig.done().await;
}

#[tokio::test]
async fn a_kept_connection_is_watched_as_closely() {
    let rig = Rig::new();
    let (mut client, mut upstream) = rig.asked(b"GET /page HTTP/1.1\r\nHost: chat.test\r\n\r\n").await;
    upstream.send(b"HTTP/1.1 204 No Content\r\n\r\n").await;
    client.receive_head().await;
    let lengths = "Content-Length: 40\r\nTransfer-Encoding: chunked";
    client.send(format!("POST / HTTP/1.1\r\nHost: a.test\r\n{lengths}\r\n\r\n0\r\n\r\n{SMUGGLED}").as_bytes()).await;
    assert_eq!(Answer::to(&mut client).await.status, 400);
    assert!(rig.was_never_dialled());
    rig.done().await;
}

/// Behind a request that passes line by line it is refused. hyper does not look for where the second begins before the first
/// is answered: there, the request is made unambiguous instead.
#[tokio::test]
async fn of_two_lengths_of_a_pipelined_request_one_is_dropped_and_nothing_follows() {
    let lengths =
        ["Transfer-Encoding: chunked\r\nContent-Length: 40", "Content-Length: 40\r\nTransfer-Encoding: chunked"];
    for (by_lines, lengths) in [true, false].into_iter().flat_map(|by_lines| lengths.map(|it| (by_lines, it))) {
        let rig = Rig::with(|config| config.relay.verbatim = by_lines);
        let mut client = rig.connect().await;
        let second = format!("POST /two HTTP/1.1\r\nHost: a.test\r\n{lengths}\r\n\r\n0\r\n\r\n");
        client.send(format!("GET /one HTTP/1.1\r\nHost: a.test\r\n\r\n{second}{SMUGGLED}").as_bytes()).await;
        let mut upstream = rig.accept().await;
        assert!(upstream.receive_head().await.starts_with("GET /one "));
        upstream.send(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").await;
        upstream.fin().await;
        client.receive_head().await;
        if by_lines {
            let answer = Answer::to(&mut client).await;
            assert_eq!((answer.status, answer.header("connection")), (400, Some("close")));
            assert!(rig.was_never_dialled(), "for what can be read in two ways");
            rig.done().await;
            continue;
        }
        let mut upstream = rig.accept().await;
        let head = upstream.receive_head().await.to_lowercase();
        assert!(!head.contains("content-length") && head.contains("transfer-encoding: chunked"), "{head}");
        upstream.expect(b"0\r\n\r\n").await;
        upstream.send(b"HTTP/1.1 204 No Content\r\n\r\n").await;
        let answer = Answer::to(&mut client).await;
        assert_eq!((answer.status, answer.header("connection")), (204, Some("close")));
        drop(upstream);
        assert!(rig.was_never_dialled(), "for what stood behind the request");
        rig.done().await;
    }
}

#[tokio::test]
async fn an_upgrade_with_a_bare_lf_is_refused_as_one() {
    let mut rig = Rig::new();
    for request in [REQUEST.replacen("\r\n", "\n", 1), REQUEST.replace("\r\n", "\n"), format!("\n{REQUEST}")] {
        let mut client = rig.connect().await;
        client.send(request.as_bytes()).await;
        assert_eq!(Answer::to(&mut client).await.status, 400, "{request:?}");
        fails(&mut rig, "default", Outcome::BadRequest, Some(400)).await;
    }
    assert!(rig.was_never_dialled());
    rig.done().await;
}

#[tokio::test]
async fn an_upgrade_may_not_call_the_upstreams_headers_the_connections() {
    for verbatim in [true, false] {
        let mut rig = Rig::with(|config| config.relay.verbatim = verbatim);
        for named in ["Host", "authorization", "X-Forwarded-For", "Sec-WebSocket-Key", "COOKIE"] {
            let mut client = rig.connect().await;
            let request = REQUEST.replace("Connection: Upgrade", &format!("Connection: Upgrade, {named}"));
            client.send(request.as_bytes()).await;
            assert_eq!(Answer::to(&mut client).await.status, 400, "{named}");
            fails(&mut rig, "default", Outcome::BadRequest, Some(400)).await;
        }
        assert!(rig.was_never_dialled());
        rig.done().await;
    }
}

#[tokio::test]
async fn a_plain_request_cannot_take_the_upstreams_headers_away() {
    let rig = Rig::new();
    let mut client = rig.connect().await;
    client
        .send(
            b"GET /page HTTP/1.1\r\nHost: chat.test\r\nAuthorization: Basic eA==\r\nCookie: a=b\r\nX-Own: mine\r\n\
              Connection: close, Host, Authorization, Cookie, X-Forwarded-For, X-Forwarded-Host, X-Own\r\n\r\n",
        )
        .await;
    let mut upstream = rig.accept().await;
    let head = upstream.receive_head().await.to_lowercase();
    for line in ["host: chat.test", "authorization: basic ea==", "cookie: a=b", "x-forwarded-for: 127.0.0.1"] {
        assert!(head.contains(&format!("\r\n{line}\r\n")), "{line} in {head}");
    }
    // Its own extension is its own.
    assert!(!head.contains("x-own") && !head.contains("\r\nconnection:"), "{head}");
    upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(Answer::to(&mut client).await.status, 200);
    rig.done().await;
}

#[tokio::test]
async fn of_several_protocols_only_websocket_is_switched_to() {
    let mut rig = Rig::new();
    for tokens in ["websocket, h2c", "h2c, WebSocket", "foo/1, websocket"] {
        let request = REQUEST.replace("Upgrade: websocket", &format!("Upgrade: {tokens}"));
        let (mut client, mut upstream) = rig.session_with(&request, SWITCH).await;
        client.reset();
        upstream.expect_reset().await;
        rig.record().await;
        assert_eq!(rig.handshake().await.1.outcome, Outcome::Upgraded, "{tokens}");

        let (mut client, mut upstream) = rig.asked(&request).await;
        upstream.send(SWITCH.replace("websocket", "h2c").as_bytes()).await;
        assert_eq!(Answer::to(&mut client).await.status, 502, "{tokens}");
        let (_, record) = rig.handshake().await;
        assert_eq!(record.outcome, Outcome::BadResponse, "{tokens}");
    }
    rig.done_with_upgrades().await;
}

/// An upstream's answer cannot smuggle either: hyper alone reads it, and refuses it.
#[tokio::test]
async fn an_answer_that_can_be_read_in_two_ways_is_not_passed_on() {
    let rig = Rig::new();
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, x\r\nContent-Length: 2 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nX-Bare: a\rSet-Cookie: b=c\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n",
    ] {
        let (mut client, mut upstream) =
            rig.asked(b"GET /page HTTP/1.1\r\nHost: chat.test\r\nConnection: close\r\n\r\n").await;
        upstream.send(answer.as_bytes()).await;
        upstream.fin().await;
        assert_eq!(Answer::to(&mut client).await.status, 502, "{answer:?}");
    }
    rig.done().await;
}

#[tokio::test]
async fn of_two_lengths_of_an_answer_the_chunks_count() {
    let rig = Rig::new();
    let (mut client, mut upstream) =
        rig.asked(b"GET /page HTTP/1.1\r\nHost: chat.test\r\nConnection: close\r\n\r\n").await;
    let lengths = "Content-Length: 1\r\nTransfer-Encoding: chunked";
    upstream.send(format!("HTTP/1.1 200 OK\r\n{lengths}\r\n\r\n2\r\nok\r\n0\r\n\r\n").as_bytes()).await;
    let answer = Answer::to(&mut client).await;
    assert_eq!((answer.status, answer.header("content-length")), (200, None));
    assert_eq!(answer.body, "2\r\nok\r\n0\r\n\r\n");
    rig.done().await;
}

/// Servers of RFC 2616 say that a body is in no coding. It ends with the connection.
#[tokio::test]
async fn an_answer_that_says_that_it_is_in_no_coding_passes() {
    let rig = Rig::new();
    let (mut client, mut upstream) =
        rig.asked(b"GET /page HTTP/1.1\r\nHost: chat.test\r\nConnection: close\r\n\r\n").await;
    upstream.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Identity\r\nContent-Length: 1\r\n\r\nok").await;
    upstream.fin().await;
    let answer = Answer::to(&mut client).await;
    assert_eq!((answer.status, answer.header("content-length"), &*answer.body), (200, None, "2\r\nok\r\n0\r\n\r\n"));
    rig.done().await;
}
