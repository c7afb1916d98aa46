//! The spans of sessions that end in every way, beside the lines of the close log.

use std::collections::HashMap;

use closewatch::wire::Peer::{self, Client, Upstream};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::receiver::{PROTOCOLS, Receiver, Span};
use crate::instance::Running;
use crate::rig::{Frame, RawPeer, close, close_body, empty_close, ping, text};

/// The end of a session: a Close and its answer, or none; then the way in which the peer that began ends its transport.
struct Ending {
    by: Peer,
    first: Option<Frame>,
    answer: Option<Frame>,
    reset: bool,
}

fn endings() -> Vec<Ending> {
    let mut all = Vec::new();
    for by in Peer::ALL {
        for code in [1000, 1001, 1002, 1008, 1011, 1012, 1013, 1014, 3000, 4401, 999] {
            all.push(Ending { by, first: Some(close(code, "why")), answer: Some(close(code, "")), reset: false });
        }
        for first in [empty_close(), close_body(&[3])] {
            all.push(Ending { by, first: Some(first), answer: Some(close(1002, "")), reset: false });
        }
        all.push(Ending { by, first: Some(close(1011, "boom")), answer: None, reset: true });
        all.push(Ending { by, first: None, answer: None, reset: true });
        all.push(Ending { by, first: None, answer: None, reset: false });
    }
    all
}

/// Opens a session, lets both peers say something, and ends it. Gives its record.
async fn play(running: &mut Running, ending: &Ending) -> Value {
    let (mut client, mut upstream) = running.session().await;
    for (from, frame) in [(Client, text("hello")), (Upstream, ping(b"1"))] {
        let (from, to) = pair(from, &mut client, &mut upstream);
        from.say(&frame).await;
        to.hear(&frame).await;
    }
    let (first, second) = pair(ending.by, &mut client, &mut upstream);
    if let Some(frame) = &ending.first {
        first.say(frame).await;
        second.hear(frame).await;
    }
    if let Some(frame) = &ending.answer {
        second.say(frame).await;
        first.hear(frame).await;
    }
    if ending.reset {
        first.reset();
        second.expect_reset().await;
    } else {
        first.fin().await;
        second.expect_fin().await;
        second.fin().await;
    }
    running.record().await
}

fn pair<'p>(peer: Peer, client: &'p mut RawPeer, upstream: &'p mut RawPeer) -> (&'p mut RawPeer, &'p mut RawPeer) {
    match peer {
        Client => (client, upstream),
        Upstream => (upstream, client),
    }
}

fn micros(time: &Value) -> i64 {
    time.as_str().unwrap().parse::<Timestamp>().unwrap().as_microsecond()
}

/// The session's span says what the line says.
fn assert_tells(span: &Span, record: &Value, handshake: &Span) {
    let shown = || format!("\n{span:#?}\n{record:#}");
    assert_eq!(span.text("name"), "websocket.session default", "{}", shown());
    assert_eq!(span.0["kind"], "SPAN_KIND_INTERNAL", "{}", shown());
    assert_eq!(span.text("traceId"), record["trace_id"], "{}", shown());
    assert_eq!(span.text("traceId"), record["handshake_trace_id"], "{}", shown());
    assert_eq!(span.text("parentSpanId"), handshake.text("spanId"), "{}", shown());
    assert_eq!(span.micros("startTimeUnixNano"), micros(&record["opened_at"]), "{}", shown());
    // The line's end is cut to the microsecond, after the start was.
    let off = span.micros("endTimeUnixNano") - micros(&record["ended_at"]);
    assert!((-1..=1).contains(&off), "{off} {}", shown());
    for (attribute, field) in [
        ("closewatch.session", &record["session"]),
        ("http.route", &record["route"]),
        ("url.path", &record["request"]["path"]),
        ("websocket.close.code", &record["code"]),
        ("closewatch.class", &record["class"]),
        ("closewatch.cause", &record["cause"]),
        ("closewatch.initiator", &record["initiator"]),
        ("closewatch.handshake", &record["handshake"]),
        ("closewatch.client.saw_code", &record["client"]["saw"]["code"]),
        ("closewatch.client.saw_clean", &record["client"]["saw"]["clean"]),
        ("closewatch.client.end", &record["client"]["end"]),
        ("closewatch.client.bytes", &record["client"]["bytes"]),
        ("closewatch.upstream.saw_code", &record["upstream"]["saw"]["code"]),
        ("closewatch.upstream.saw_clean", &record["upstream"]["saw"]["clean"]),
        ("closewatch.upstream.end", &record["upstream"]["end"]),
        ("closewatch.upstream.close_code", &record["upstream"]["close"]["code"]),
    ] {
        assert_eq!(span.attribute(attribute), *field, "{attribute} {}", shown());
    }
    for peer in ["client", "upstream"] {
        let version = record[peer]["tls_version"].as_str().unwrap_or("none");
        assert_eq!(span.attribute(&format!("closewatch.{peer}.tls_version")), version, "{}", shown());
    }
    let reason = record["reason"].as_str().filter(|reason| !reason.is_empty());
    assert_eq!(span.attribute("websocket.close.reason"), json!(reason), "{}", shown());
    let abnormal = record["class"] == "abnormal";
    assert_eq!(span.is_error(), abnormal, "{}", shown());
    assert_eq!(!span.attribute("error.type").is_null(), abnormal, "{}", shown());
}

#[tokio::test]
async fn every_ending_is_a_span_that_says_what_the_line_says() {
    for protocol in PROTOCOLS {
        let receiver = Receiver::start();
        let mut running = Running::in_environment(&[], &receiver.config(protocol)).await;
        let mut records = Vec::new();
        for ending in endings() {
            records.push(play(&mut running, &ending).await);
        }
        let classes: std::collections::BTreeSet<_> = records.iter().map(|record| record["class"].to_string()).collect();
        assert_eq!(classes.len(), 7, "every class but unknown: {classes:?}");

        let spans = receiver.spans(2 * records.len());
        let by_id: HashMap<_, _> = spans.iter().map(|span| (span.text("spanId"), span)).collect();
        assert_eq!(by_id.len(), spans.len(), "each span once");
        for record in &records {
            let span = by_id[record["span_id"].as_str().unwrap()];
            let handshake = by_id[span.text("parentSpanId")];
            assert_tells(span, record, handshake);
            assert_eq!((handshake.text("name"), &handshake.0["kind"]), ("GET default", &json!("SPAN_KIND_SERVER")));
            assert_eq!(handshake.text("traceId"), span.text("traceId"));
            assert_eq!(handshake.attribute("http.response.status_code"), 101);
            assert_eq!(handshake.attribute("closewatch.outcome"), "upgraded");
            assert!(!handshake.is_error());
            let opened = micros(&record["opened_at"]);
            let (began, ended) = (handshake.micros("startTimeUnixNano"), handshake.micros("endTimeUnixNano"));
            assert!(began < ended && ended <= opened && opened - ended < 1_000_000, "{began} {ended} {opened}");
        }
    }
}

#[tokio::test]
async fn a_handshake_that_fails_is_a_span_of_its_own() {
    let receiver = Receiver::start();
    let mut running = Running::in_environment(&[], &receiver.config("grpc")).await;
    let mut client = running.connect().await;
    client.send(crate::rig::REQUEST.as_bytes()).await;
    let mut upstream = running.accept().await;
    upstream.receive_head().await;
    upstream.send(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n").await;
    client.receive_head().await;
    running.record().await;
    let span = receiver.spans(1).remove(0);
    assert_eq!(span.text("name"), "GET default");
    assert!(span.is_error(), "{span:?}");
    assert_eq!(span.attribute("error.type"), 503);
    assert_eq!(span.attribute("closewatch.outcome"), "refused");
}
