//! Log records and metrics, for those who ask for them.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::receiver::{PROTOCOLS, Receiver};
use crate::instance::{PATIENCE, Running};
use crate::rig::REQUEST;

/// Everything that was sent, by kind, until `enough`.
fn sent(receiver: &Receiver, mut enough: impl FnMut(&[Value]) -> bool) -> Vec<Value> {
    let mut all = Vec::new();
    while !enough(&all) {
        all.push(receiver.next());
    }
    all
}

fn metrics<'s>(sent: &'s [Value], name: &str) -> Vec<&'s Value> {
    sent.iter().map(|sent| &sent["metric"]).filter(|metric| metric["name"] == name).collect()
}

#[tokio::test]
async fn logs_and_metrics_say_what_the_close_log_and_the_scrape_say() {
    for protocol in PROTOCOLS {
        let receiver = Receiver::start();
        let more = "logs = \"on\"\nmetrics = \"on\"\ninterval = \"1s\"\n";
        let mut running = Running::in_environment(&[], &format!("{}{more}", receiver.config(protocol))).await;
        let (mut client, mut upstream) = running.session().await;
        client.reset();
        upstream.expect_reset().await;
        let record = running.record().await;
        let _again = running.session().await;

        let has_closes = |sent: &[Value]| {
            metrics(sent, "closewatch.closes").iter().any(|metric| {
                let points = metric["sum"]["dataPoints"].as_array();
                points.is_some_and(|points| points.iter().any(|point| number(&point["asInt"]) == 1))
            })
        };
        // Every metric of the scrape, under its name there, but for histograms of what did not happen.
        let never = ["closewatch_close_handshake_seconds", "closewatch_ping_rtt_seconds"];
        let scrape = running.scrape().await;
        let names =
            scrape.families().iter().filter(|name| name.starts_with("closewatch_") && !never.contains(&&***name));
        let expected: BTreeSet<_> = names.cloned().collect();
        let has_all = |sent: &[Value]| {
            let names: BTreeSet<_> = sent.iter().filter_map(|sent| prometheus_name(&sent["metric"])).collect();
            expected.is_subset(&names)
        };
        let is_whole =
            |sent: &[Value]| sent.iter().any(|sent| sent["log"].is_object()) && has_closes(sent) && has_all(sent);
        let sent = sent(&receiver, is_whole);

        let log = sent.iter().find(|sent| sent["log"].is_object()).map(|sent| &sent["log"]).unwrap();
        assert_eq!(log["severityText"], "WARN");
        assert_eq!(log["attributes"]["closewatch.session"], record["session"]);
        assert_eq!(log["attributes"]["closewatch.cause"], "client_reset");
        assert_eq!(log["body"], "1006 by client: client_reset");
        assert_eq!(log["spanId"], record["span_id"], "{log:#}");

        let duration = *metrics(&sent, "closewatch.session_duration").last().unwrap();
        assert_eq!(duration["unit"], "s");
        let points = duration["exponentialHistogram"]["dataPoints"].as_array().unwrap();
        let point = points.iter().find(|point| point["attributes"]["class"] == "abnormal").unwrap();
        assert_eq!((number(&point["count"]), &point["attributes"]["route"]), (1, &json!("default")));
        let seconds = record["duration_ms"].as_f64().unwrap() / 1000.0;
        assert!((point["sum"].as_f64().unwrap() - seconds).abs() < 1e-5, "{point}");
        for name in ["closewatch.idle_before_close", "closewatch.handshake_duration"] {
            let metric = *metrics(&sent, name).last().unwrap_or_else(|| panic!("no {name}"));
            assert!(metric["exponentialHistogram"].is_object(), "{metric}");
        }
    }
}

/// The name that a collector gives a metric in Prometheus (OpenTelemetry, "Prometheus and OpenMetrics Compatibility").
fn prometheus_name(metric: &Value) -> Option<String> {
    let unit = match metric["unit"].as_str().unwrap_or_default() {
        "s" => "_seconds",
        "By" => "_bytes",
        _ => "",
    };
    let total = if metric["sum"]["isMonotonic"] == true { "_total" } else { "" };
    Some(format!("{}{unit}{total}", metric["name"].as_str()?.replace('.', "_")))
}

/// Integers come as text from one of the receiver's two ways in, in halves from the other.
fn number(value: &Value) -> i64 {
    let text = value.as_str().and_then(|text| text.parse().ok());
    text.or_else(|| value["low"].as_i64()).or_else(|| value.as_i64()).unwrap_or_default()
}

/// The receiver knows no names of events yet, so the bytes are looked at: field 12 of a `LogRecord`, as text.
#[tokio::test]
async fn a_log_record_has_the_name_of_its_event() {
    let collector = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/logs", collector.local_addr().unwrap());
    let mut running = Running::in_environment(&[], &format!("[otel]\nlogs = \"{url}\"\n")).await;
    let (mut client, mut upstream) = running.session().await;
    client.reset();
    upstream.expect_reset().await;
    running.record().await;
    let mut client = running.connect().await;
    client.send(REQUEST.as_bytes()).await;
    drop(running.accept().await);
    client.receive_head().await;
    running.record().await;
    let (mut stream, _) = timeout(PATIENCE, collector.accept()).await.unwrap().unwrap();
    let mut sent = Vec::new();
    let is_named = |sent: &[u8], name: &str| {
        let field = [&[12 << 3 | 2, u8::try_from(name.len()).unwrap()], name.as_bytes()].concat();
        sent.windows(field.len()).any(|window| window == field)
    };
    while !is_named(&sent, "websocket.closed") || !is_named(&sent, "websocket.handshake_failed") {
        let read = timeout(PATIENCE, stream.read_buf(&mut sent)).await.unwrap().unwrap();
        assert!(read > 0, "{}", String::from_utf8_lossy(&sent));
    }
    assert!(sent.starts_with(b"POST /v1/logs HTTP/1.1\r\n"));
}

#[tokio::test]
async fn neither_is_sent_if_nobody_asked() {
    let receiver = Receiver::start();
    let mut running = Running::in_environment(&[], &receiver.config("http/protobuf")).await;
    let (mut client, _upstream) = running.session().await;
    client.reset();
    running.record().await;
    running.child.signal(rustix::process::Signal::TERM);
    assert_eq!(running.child.exit_code().await, Some(0));
    // The drain has flushed: two spans, and then nothing but the receiver's own end.
    receiver.spans(2);
    assert!(receiver.finish().is_empty());
}
