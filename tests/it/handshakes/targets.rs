//! Targets that a URI type refuses, and that real clients send: they reach the upstream as they were written.

use closewatch::close::Outcome;
use closewatch::config::Config;

use super::answer::{Answer, fails};
use crate::rig::{REQUEST, Rig, SWITCH};

/// Characters that browsers and other clients are seen to leave as they are, and the rest of visible ASCII.
const TARGETS: [&str; 5] =
    ["/chat?filter={\"room\":1}", "/chat?a=<b>", "/chat/`x`", "/chat?q=a|b^c\\d[0]", "/chat?x=1#frag"];

/// The way that takes such targets; through hyper alone they are bad requests, as `docs/limits.md` says.
fn verbatim(config: &mut Config) {
    config.relay.verbatim = true;
}

fn request(target: &str) -> String {
    REQUEST.replace("/chat", target)
}

#[tokio::test]
async fn a_target_reaches_the_upstream_as_the_client_wrote_it() {
    for target in TARGETS {
        let mut rig = Rig::with(|config| {
            verbatim(config);
            config.log.query = true;
        });
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
        let mut rig = Rig::with(verbatim);
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
    let mut rig = Rig::with(|config| {
        verbatim(config);
        config.routes[0].path = "/elsewhere".into();
    });
    let mut client = rig.connect().await;
    client.send(request(TARGETS[0]).as_bytes()).await;
    assert_eq!(Answer::to(&mut client).await.status, 404);
    fails(&mut rig, "none", Outcome::NoRoute, Some(404)).await;
    rig.done_with_upgrades().await;
}
