//! Facts of the record that no ending shows by itself.

use std::time::Duration;

use closewatch::close::PeerFacts;
use closewatch::shutdown::Phase;

use crate::rig::{REQUEST, Rig, SWITCH, close};

/// The same head, with these lines at its end.
fn with_lines(head: &str, lines: &str) -> String {
    format!("{}{lines}\r\n", head.strip_suffix("\r\n").unwrap())
}

fn violations(facts: &PeerFacts) -> Vec<(&'static str, u32)> {
    facts.violations.iter().map(|(kind, count)| (kind.as_str(), count)).collect()
}

#[tokio::test]
async fn a_101_that_contradicts_its_request_is_the_upstreams_violation() {
    let offer = "Sec-WebSocket-Protocol: graphql-transport-ws, token-3f9a\r\n\
        Sec-WebSocket-Extensions: permessage-deflate\r\n";
    for (selection, expected) in [
        ("", vec![("subprotocol", 1)]),
        ("Sec-WebSocket-Protocol: graphql-transport-ws\r\n", vec![]),
        ("Sec-WebSocket-Protocol: graphql-ws\r\n", vec![("subprotocol", 1)]),
        (
            "Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=12\r\n",
            vec![("subprotocol", 1), ("extension", 1)],
        ),
    ] {
        for verbatim in [true, false] {
            let mut rig = Rig::with(|config| config.relay.verbatim = verbatim);
            let heads = (with_lines(REQUEST, offer), with_lines(SWITCH, selection));
            let (mut client, mut upstream) = rig.session_with(&heads.0, &heads.1).await;
            // As browsers do: without a Close.
            client.fin().await;
            upstream.expect_fin().await;
            upstream.fin().await;
            client.expect_fin().await;
            let record = rig.record().await;
            assert_eq!(record.verdict.cause.as_str(), "client_eof");
            assert_eq!(violations(&record.facts.upstream), expected, "{selection:?} {verbatim}");
            assert_eq!(violations(&record.facts.client), [], "{selection:?} {verbatim}");
            assert_eq!(record.session.request.subprotocols_offered, 2);
            rig.done().await;
        }
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_when_the_upstream_gives_up_was_stalled_at_the_end() {
    let mut rig = Rig::with_small_buffers(|config| config.timeouts.half_closed = Some(Duration::from_millis(100)));
    let (client, mut upstream) = rig.session().await;
    rig.stall(&mut upstream).await;
    upstream.reset();
    let record = rig.record().await;
    assert_eq!(record.verdict.cause.as_str(), "upstream_reset");
    let ended = record.verdict.ended;
    let client_facts = &record.facts.client;
    assert!(client_facts.stalled_at(ended) > Duration::ZERO, "{client_facts:?}");
    assert!(client_facts.stalled_at(ended) <= client_facts.stalled, "{client_facts:?}");
    assert_eq!(record.facts.upstream.stalled_at(ended), Duration::ZERO);
    drop(client);
    rig.done().await;
}

#[tokio::test]
async fn the_answers_to_closewatchs_own_close_are_not_missed_by_anybody() {
    let mut rig = Rig::new();
    let (mut client, mut upstream) = rig.session().await;
    rig.advance(Phase::Closing);
    for peer in [&mut client, &mut upstream] {
        peer.hear_own_close(1001, "").await;
        peer.say(&close(1001, "")).await;
    }
    client.expect_fin().await;
    client.fin().await;
    upstream.expect_fin().await;
    upstream.fin().await;
    let facts = rig.record().await.facts;
    assert_eq!((facts.client.undelivered_bytes, facts.upstream.undelivered_bytes), (0, 0));
    rig.done().await;
}

#[tokio::test]
async fn a_hop_in_front_that_nobody_trusts_is_on_record() {
    for (lines, expected) in [
        ("X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-For: 10.0.0.2\r\n", Some("203.0.113.7, 10.0.0.2")),
        ("Forwarded: for=203.0.113.7;proto=https\r\n", Some("for=203.0.113.7;proto=https")),
        ("", None),
    ] {
        for verbatim in [true, false] {
            let mut rig = Rig::with(|config| config.relay.verbatim = verbatim);
            let (client, mut upstream) = rig.session_with(&with_lines(REQUEST, lines), SWITCH).await;
            drop(client);
            upstream.expect_end().await;
            drop(upstream);
            let record = rig.record().await;
            let said = record.session.request.forwarded_for.as_ref().map(|text| text.as_str());
            assert_eq!(said, expected, "{lines:?} {verbatim}");
            assert_eq!(record.session.request.real_address, None);
            // An id begins with the time of the opening.
            assert_eq!(
                i128::from(record.session.id.timestamp_ms()),
                i128::from(record.session.opened_at.as_millisecond())
            );
            assert!(record.session.handshake.get() > Duration::ZERO);
            rig.done().await;
        }
    }
}
