//! Targets that a URI type refuses, and that real clients send: they reach the upstream as they were written.

use closewatch::close::Outcome;
use closewatch::config::Forwarded;

use super::answer::{Answer, fails};
use crate::rig::{REQUEST, Rig, SWITCH};

/// Characters that browsers and other clients are seen to leave as they are, and the rest of visible ASCII.
const TARGETS: [&str; 5] =
    ["/chat?filter={\"room\":1}", "/chat?a=<b>", "/chat/`x`", "/chat?q=a|b^c\\d[0]", "/chat?x=1#frag"];

fn request(target: &str) -> String {
    REQUEST.replace("/chat", target)
}

#[tokio::test]
async fn a_target_reaches_the_upstream_as_the_client_wrote_it() {
    for target in TARGETS {
        let mut rig = Rig::with(|config| config.log.query = true);
        let mut client = rig.connect().await;
        client.send(request(target).as_bytes()).await;
        let mut upstream = rig.accept().await;
        let head = upstream.receive_head().await;
        assert!(head.starts_with(&format!("GET {target} HTTP/1.1\r\n")), "{head}");
        upstream.send(SWITCH.as_bytes()).await;
        client.receive_head().await;
        client.reset();
        upstream.expect_reset().await;
        assert_eq!(rig.record().await.session.request.path.as_str(), target);
        rig.done_with_upgrades().await;
    }
}

#[tokio::test]
async fn a_refusal_of_such_a_target_reaches_the_client_as_the_upstream_said_it() {
    for target in TARGETS {
        let mut rig = Rig::new();
        let mut client = rig.connect().await;
        client.send(request(target).as_bytes()).await;
        let mut upstream = rig.accept().await;
        let head = upstream.receive_head().await;
        assert!(head.starts_with(&format!("GET {target} HTTP/1.1\r\n")), "{head}");
        upstream.send(b"HTTP/1.1 401 Log in first\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno").await;
        upstream.fin().await;
        let answer = Answer::to(&mut client).await;
        assert_eq!((answer.status, &*answer.body), (401, "no"), "{target}: {answer:?}");
        assert!(answer.head.starts_with("HTTP/1.1 401 Log in first\r\n"), "{answer:?}");
        let record = fails(&mut rig, "default", Outcome::Refused, Some(401)).await;
        assert_eq!(record.request.path.as_str(), target.split('?').next().unwrap());
        rig.done_with_upgrades().await;
    }
}

#[tokio::test]
async fn such_a_target_that_no_route_takes_is_not_found() {
    let mut rig = Rig::with(|config| config.routes[0].path = "/elsewhere".into());
    let mut client = rig.connect().await;
    client.send(request(TARGETS[0]).as_bytes()).await;
    assert_eq!(Answer::to(&mut client).await.status, 404);
    fails(&mut rig, "none", Outcome::NoRoute, Some(404)).await;
    rig.done_with_upgrades().await;
}

/// A request for such a target, with a body behind its head.
fn plain(target: &str) -> String {
    format!("POST {target} HTTP/1.1\r\nHost: chat.test\r\nContent-Length: 5\r\nX-Odd: \"<>`#\r\n\r\n\"<`>#")
}

const NOTHING: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

#[tokio::test]
async fn requests_reach_the_upstream_as_the_client_wrote_them_also_over_kept_connections_and_in_pieces() {
    for size in [1, 20, 1000] {
        let rig = Rig::with(|config| config.forwarded = Forwarded::default());
        let mut client = rig.connect().await;
        let mut upstream = None;
        for target in TARGETS {
            let request = plain(target);
            for piece in request.as_bytes().chunks(size) {
                client.send(piece).await;
            }
            let upstream = match &mut upstream {
                None => upstream.insert(rig.accept().await),
                Some(upstream) => upstream,
            };
            upstream.expect(request.as_bytes()).await;
            upstream.send(NOTHING).await;
            client.expect(NOTHING).await;
        }
        assert!(rig.was_never_dialled(), "a second time");
        drop(client);
        rig.done_with_upgrades().await;
    }
}

/// An upgrade that is no connection's first request goes through hyper.
#[tokio::test]
async fn such_targets_of_upgrades_and_requests_share_a_connection() {
    let mut rig = Rig::new();
    let mut client = rig.connect().await;
    client.send(plain(TARGETS[1]).as_bytes()).await;
    let mut upstream = rig.accept().await;
    upstream.receive_head().await;
    upstream.expect(b"\"<`>#").await;
    upstream.send(NOTHING).await;
    client.expect(NOTHING).await;
    client.send(request(TARGETS[0]).as_bytes()).await;
    let head = upstream.receive_head().await;
    assert!(head.starts_with(&format!("GET {} HTTP/1.1\r\n", TARGETS[0])), "{head}");
    upstream.send(SWITCH.as_bytes()).await;
    client.receive_head().await;
    client.reset();
    upstream.expect_reset().await;
    rig.record().await;
    rig.done_with_upgrades().await;
}

#[tokio::test]
async fn a_request_for_such_a_target_is_asked_for_a_second_time_as_it_was_the_first() {
    let rig = Rig::new();
    let mut client = rig.connect().await;
    let get = "GET /chat?filter={\"room\":1} HTTP/1.1\r\nHost: chat.test\r\n\r\n";
    client.send(get.as_bytes()).await;
    let mut upstream = rig.accept().await;
    upstream.receive_head().await;
    upstream.send(NOTHING).await;
    client.expect(NOTHING).await;
    client.send(get.as_bytes()).await;
    upstream.receive_head().await;
    drop(upstream);
    let mut next = rig.accept().await;
    let head = next.receive_head().await;
    assert!(head.starts_with("GET /chat?filter={\"room\":1} HTTP/1.1\r\n"), "{head}");
    next.send(NOTHING).await;
    client.expect(NOTHING).await;
    drop(client);
    rig.done_with_upgrades().await;
}

/// The route is chosen by what the client wrote, not by what hyper is shown for it.
#[tokio::test]
async fn the_route_of_such_a_target_is_that_of_its_own_path() {
    let rig = Rig::with(|config| config.routes[0].path = "/a!".into());
    for target in ["/a<", "/a#"] {
        let mut client = rig.connect().await;
        client.send(format!("GET {target} HTTP/1.1\r\nHost: chat.test\r\nConnection: close\r\n\r\n").as_bytes()).await;
        assert_eq!(Answer::to(&mut client).await.status, 404, "{target}");
    }
    rig.done_with_upgrades().await;
}

/// Where a request ends that was sent before the one before it was answered, hyper alone knows.
#[tokio::test]
async fn such_a_target_of_a_request_that_was_sent_ahead_is_refused_and_the_answer_before_it_is_not() {
    let mut rig = Rig::new();
    let mut client = rig.connect().await;
    client.send([plain("/first"), plain(TARGETS[0])].concat().as_bytes()).await;
    let mut upstream = rig.accept().await;
    upstream.receive_head().await;
    upstream.expect(b"\"<`>#").await;
    upstream.send(NOTHING).await;
    client.expect(NOTHING).await;
    assert_eq!(Answer::to(&mut client).await.status, 400);
    // hyper throws the head away before it finds that out.
    let record = fails(&mut rig, "none", Outcome::BadRequest, Some(400)).await;
    assert_eq!(record.detail.unwrap().as_str(), "invalid URI");
    rig.done_with_upgrades().await;
}
