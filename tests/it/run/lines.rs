//! The lines on standard output: every field, its type and its place.

use std::fmt;

use closewatch::wire::Peer;
use rustix::process::Signal;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use crate::instance::Running;
use crate::rig::{REQUEST, close, empty_close, part, ping, pong, text};

/// JSON with its keys in their order, and of everything else the kind.
#[derive(Debug, PartialEq)]
enum Tree {
    Object(Vec<(String, Tree)>),
    Leaf(&'static str),
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Kinds;
        impl<'de> Visitor<'de> for Kinds {
            type Value = Tree;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object, a string, a number, a boolean or null")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Tree::Object(fields))
            }

            fn visit_str<E>(self, _: &str) -> Result<Tree, E> {
                Ok(Tree::Leaf("string"))
            }

            fn visit_u64<E>(self, _: u64) -> Result<Tree, E> {
                Ok(Tree::Leaf("number"))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Tree, E> {
                Ok(Tree::Leaf("number"))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Tree, E> {
                Ok(Tree::Leaf("bool"))
            }

            fn visit_unit<E>(self) -> Result<Tree, E> {
                Ok(Tree::Leaf("null"))
            }
        }
        deserializer.deserialize_any(Kinds)
    }
}

/// A closure's fields: a name, then what it may be.
const CLOSED: &str = "schema:number event:string level:string time:string instance:string session:string route:string \
    class:string code:number code_name:string initiator:string cause:string handshake:string reason:string \
    opened_at:string ended_at:string duration_ms:number filed_ms:number idle_ms:number close_handshake_ms:number? \
    handshake_ms:number client:client upstream:upstream request:request hint:string? trace_id:string? span_id:string? handshake_trace_id:string?";
const CLIENT: &str = "address:string real_address:string?";
const UPSTREAM: &str = "address:string name:string";
const PEER: &str = "close:close? end:string end_at_ms:number? saw:saw text_messages:number binary_messages:number \
    frames:number bytes:number pings:number pongs:number silence_before_last_ms:number? longest_silence_ms:number? \
    last_frame_at_ms:number? last_message_at_ms:number? last_pong_at_ms:number? ping_rtt_ms:number? ping_rtt_max_ms:number? unanswered_pings:number unsolicited_pongs:number \
    violations:violations frames_after_close:number since_answered_ping_ms:number? blind:bool stalled_ms:number \
    stalled_at_end_ms:number undelivered_bytes:number tcp:tcp?";
const REQUEST_FIELDS: &str = "method:string path:string host:string? http_version:string user_agent:string? \
    origin:string? subprotocol:string? extensions:string? request_id:string? forwarded_for:string? subprotocols_offered:number";
const FAILED: &str = "schema:number event:string level:string time:string instance:string outcome:string status:number? \
    route:string request:request client:address duration_ms:number tls_error:string? detail:string?";

/// The fields of an object of this kind.
fn fields_of(kind: &str) -> String {
    match kind {
        "client" => format!("{CLIENT} {PEER}"),
        "upstream" => format!("{UPSTREAM} {PEER}"),
        "address" => CLIENT.to_owned(),
        "request" => REQUEST_FIELDS.to_owned(),
        "close" => "code:number? reason:string at_ms:number".to_owned(),
        "saw" => "code:number? clean:bool certain:bool".to_owned(),
        "tcp" => "rtt_ms:number retransmits:number".to_owned(),
        other => panic!("{other} is no kind of object"),
    }
}

/// Says where `tree` is not what `fields` asks for. Fields may follow that schema 1 does not know yet.
fn differences(tree: &Tree, fields: &str, place: &str, found: &mut Vec<String>) {
    let Tree::Object(given) = tree else {
        found.push(format!("{place} is {tree:?}"));
        return;
    };
    for (nth, field) in fields.split_whitespace().enumerate() {
        let (name, kind) = field.split_once(':').unwrap();
        let (kind, optional) = kind.strip_suffix('?').map_or((kind, false), |kind| (kind, true));
        let Some((_, value)) = given.get(nth).filter(|(given, _)| given == name) else {
            found.push(format!("{place}.{name} is not the field number {nth}"));
            continue;
        };
        match (kind, value) {
            (_, Tree::Leaf("null")) if optional => {}
            ("string" | "number" | "bool", Tree::Leaf(given)) if *given == kind => {}
            ("violations", Tree::Object(counts)) => {
                assert!(counts.iter().all(|(_, count)| *count == Tree::Leaf("number")), "{counts:?}");
            }
            ("string" | "number" | "bool", _) => found.push(format!("{place}.{name} is {value:?}")),
            (kind, value) => differences(value, &fields_of(kind), &format!("{place}.{name}"), found),
        }
    }
}

fn assert_fields(line: &str, fields: &str) {
    let mut found = Vec::new();
    differences(&serde_json::from_str(line).unwrap(), fields, "", &mut found);
    assert!(found.is_empty(), "{found:#?}\nin {line}");
}

#[tokio::test]
async fn every_closure_is_a_line_with_every_field_in_its_place() {
    let mut running = Running::start().await;
    let mut ends = Vec::new();

    let (mut client, mut upstream) = running.session().await;
    upstream.say(&ping(b"are you there")).await;
    client.hear(&ping(b"are you there")).await;
    client.say(&pong(b"are you there")).await;
    upstream.hear(&pong(b"are you there")).await;
    part(&mut client, &mut upstream, "done").await;
    ends.push((running.child.line().await.unwrap(), "clean", 1000, "client", "close_handshake", "complete", "done"));

    let (mut client, mut upstream) = running.session().await;
    upstream.say(&text("a message")).await;
    client.hear(&text("a message")).await;
    upstream.say(&close(1011, "b\u{f6}om \u{1b}[31m\n\"")).await;
    upstream.reset();
    client.receive_all().await;
    ends.push((
        running.child.line().await.unwrap(),
        "abnormal",
        1011,
        "upstream",
        "close_unanswered",
        "half",
        "b\u{f6}om \u{1b}[31m\n\"",
    ));

    let (mut client, mut upstream) = running.session().await;
    client.reset();
    upstream.expect_reset().await;
    ends.push((running.child.line().await.unwrap(), "abnormal", 1006, "client", "client_reset", "none", ""));

    let (mut client, mut upstream) = running.session().await;
    upstream.fin().await;
    client.expect_fin().await;
    client.fin().await;
    ends.push((running.child.line().await.unwrap(), "abnormal", 1006, "upstream", "upstream_eof", "none", ""));

    let (mut client, mut upstream) = running.session().await;
    // A reserved opcode.
    client.send(&[0x83, 0x80, 0, 0, 0, 0]).await;
    upstream.receive(6).await;
    client.say(&empty_close()).await;
    upstream.hear(&empty_close()).await;
    client.reset();
    upstream.expect_reset().await;
    ends.push((running.child.line().await.unwrap(), "clean", 1005, "client", "close_unanswered", "half", ""));

    for (line, class, code, initiator, cause, handshake, reason) in ends {
        assert_fields(&line, CLOSED);
        let record: serde_json::Value = serde_json::from_str(&line).unwrap();
        let is = |field: &str, expected: serde_json::Value| assert_eq!(record[field], expected, "{field} in {line}");
        is("schema", 1.into());
        is("event", "websocket.closed".into());
        let [client, upstream] = ["client", "upstream"].map(|peer| &record[peer]["saw"]);
        let disagree = client["code"] != upstream["code"] && client["certain"] == true && upstream["certain"] == true;
        is("level", if class == "abnormal" || disagree { "warn" } else { "info" }.into());
        is("route", "default".into());
        is("class", class.into());
        is("code", code.into());
        is("initiator", initiator.into());
        is("cause", cause.into());
        is("handshake", handshake.into());
        is("reason", reason.into());
        assert!(!line.chars().any(char::is_control), "a terminal would obey {line}");
        assert_eq!(record["request"]["path"], "/chat");
        assert_eq!(record["upstream"]["name"], format!("http://{}", running.upstream.local_addr().unwrap()));
        for peer in ["client", "upstream"] {
            let address = record[peer]["address"].as_str().unwrap();
            assert!(address.starts_with("127.0.0.1:"), "{peer} at {address}");
        }
        let opened: jiff::Timestamp = record["opened_at"].as_str().unwrap().parse().unwrap();
        let session: ulid::Ulid = record["session"].as_str().unwrap().parse().unwrap();
        assert_eq!(i64::try_from(session.timestamp_ms()).unwrap(), opened.as_millisecond(), "one instant: {line}");
        for time in ["time", "opened_at", "ended_at"] {
            let time = record[time].as_str().unwrap();
            assert!(time.ends_with('Z') && time.parse::<jiff::Timestamp>().is_ok(), "{time}");
        }
    }
    assert!(running.get("/livez").await.status == 200);
}

#[tokio::test]
async fn every_failed_upgrade_is_one_line_and_no_closure() {
    let mut running = Running::start().await;
    for (status, reply) in [(403, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"), (502, "")] {
        let mut client = running.connect().await;
        client.send(REQUEST.as_bytes()).await;
        let mut upstream = running.accept().await;
        upstream.receive_head().await;
        upstream.send(reply.as_bytes()).await;
        drop(upstream);
        assert!(client.receive_head().await.contains(&status.to_string()));
        let line = running.child.line().await.unwrap();
        assert_fields(&line, FAILED);
        let record: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&record["event"], &record["status"]), (&"websocket.handshake_failed".into(), &status.into()));
    }
    let mut client = running.connect().await;
    client.send(b"rubbish\r\n\r\n").await;
    client.receive_all().await;
    assert_fields(&running.child.line().await.unwrap(), FAILED);

    let metrics = running.scrape().await;
    assert_eq!(metrics.sum("closewatch_closes_total", &[]), 0);
    for (outcome, status) in [("refused", "403"), ("upstream_closed", "502"), ("bad_request", "400")] {
        let count = metrics.sum("closewatch_handshakes_total", &[("outcome", outcome), ("status", status)]);
        assert_eq!(count, 1, "{outcome}");
    }
    let measured = metrics.sum("closewatch_handshake_duration_seconds_count", &[]);
    assert_eq!(measured, 3, "the bad head too");
    running.child.signal(Signal::TERM);
    assert_eq!(running.child.exit_code().await, Some(0));
    assert_eq!(running.child.line().await, None, "one line each");
}

#[test]
fn the_tables_above_are_of_known_kinds() {
    for kind in ["client", "upstream", "address", "request", "close", "saw", "tcp"] {
        assert!(fields_of(kind).split_whitespace().all(|field| field.contains(':')), "{kind}");
    }
    assert_eq!(Peer::ALL.len(), 2, "two tables for peers");
}
