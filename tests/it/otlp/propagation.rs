//! The trace headers that the upstream is given, and the spans that are kept of a trace that is not sampled.

use super::receiver::Receiver;
use crate::instance::Running;
use crate::rig::{REQUEST, close};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CLIENTS_SPAN: &str = "b7ad6b7169203331";

/// The request with these lines behind its first.
fn request(lines: &str) -> String {
    REQUEST.replacen("\r\n", &format!("\r\n{lines}"), 1)
}

/// The values of a header.
fn values<'h>(head: &'h str, name: &str) -> Vec<&'h str> {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
}

#[tokio::test]
async fn without_an_endpoint_the_headers_of_a_trace_pass_untouched() {
    let request = request(&format!("TraceParent: 00-{TRACE}-{CLIENTS_SPAN}-01\r\ntracestate: a=1\r\nb3: 0\r\n"));
    for verbatim in ["on", "off"] {
        let mut running = Running::in_environment(&[], &format!("[relay]\nverbatim = \"{verbatim}\"\n")).await;
        let (mut client, _upstream, head) = running.session_with(&request).await;
        assert!(head.eq_ignore_ascii_case(&request), "{head}");
        client.reset();
        let record = running.record().await;
        for field in ["trace_id", "span_id", "handshake_trace_id"] {
            assert!(record[field].is_null(), "{record}");
        }
    }
}

#[tokio::test]
async fn the_upstream_is_told_of_the_handshakes_span() {
    for verbatim in ["on", "off"] {
        let receiver = Receiver::start();
        let config = format!("{}[relay]\nverbatim = \"{verbatim}\"\n", receiver.config("http/protobuf"));
        let mut running = Running::in_environment(&[], &config).await;
        let parent = format!("TraceParent: 00-{TRACE}-{CLIENTS_SPAN}-01\r\n");
        let (mut client, _upstream, head) =
            running.session_with(&request(&format!("{parent}tracestate: a=1\r\n"))).await;
        client.reset();
        running.record().await;
        let spans = receiver.spans(2);
        let handshake = spans.iter().find(|span| span.text("name") == "GET default").unwrap();
        assert_eq!(handshake.text("parentSpanId"), CLIENTS_SPAN);
        assert_eq!(handshake.text("traceId"), TRACE);
        assert_eq!(values(&head, "traceparent"), [format!("00-{TRACE}-{}-01", handshake.text("spanId"))], "{head}");
        assert_eq!(values(&head, "tracestate"), ["a=1"], "{head}");
        if verbatim == "on" {
            let told = format!("TraceParent: 00-{TRACE}-{}-01\r\n", handshake.text("spanId"));
            let expected = request(&format!("{told}tracestate: a=1\r\n"));
            assert!(head.eq_ignore_ascii_case(&expected), "in its place, and nothing else: {head}");
        }

        // Of a client that has no trace, one begins; a state without a parent is of none.
        let (mut client, _upstream, head) = running.session_with(&request("tracestate: a=1\r\n")).await;
        client.reset();
        let record = running.record().await;
        let told = values(&head, "traceparent");
        assert!(told[0].starts_with(&format!("00-{}-", record["trace_id"].as_str().unwrap())), "{head}");
        assert_eq!((told.len(), values(&head, "tracestate").len()), (1, 0), "{head}");
    }
}

#[tokio::test]
async fn of_a_trace_that_is_not_sampled_only_what_ends_abnormally_is_kept() {
    let receiver = Receiver::start();
    let endpoint = receiver.endpoint("http/protobuf");
    let environment = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_PROPAGATORS", "b3,tracecontext"),
        ("OTEL_SERVICE_NAME", "edge"),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test"),
    ];
    let mut running = Running::in_environment(&environment, "").await;
    let request = request(&format!("b3: {TRACE}-{CLIENTS_SPAN}-0\r\n"));

    let (mut client, mut upstream, head) = running.session_with(&request).await;
    let told = values(&head, "b3")[0];
    assert!(told.starts_with(TRACE) && told.ends_with("-0"), "{head}");
    assert!(values(&head, "traceparent")[0].ends_with("-00"), "{head}");
    client.say(&close(1000, "")).await;
    upstream.hear(&close(1000, "")).await;
    upstream.say(&close(1000, "")).await;
    client.hear(&close(1000, "")).await;
    upstream.fin().await;
    client.fin().await;
    let clean = running.record().await;
    assert_eq!((&clean["trace_id"], &clean["span_id"]), (&serde_json::Value::Null, &serde_json::Value::Null));
    assert_eq!(clean["handshake_trace_id"], TRACE);

    let (mut client, _upstream, head) = running.session_with(&request).await;
    client.reset();
    let abnormal = running.record().await;
    assert_eq!(abnormal["handshake_trace_id"], TRACE);
    assert_ne!(abnormal["trace_id"], TRACE);
    let sent = receiver.next();
    assert_eq!(sent["span"]["traceId"], abnormal["trace_id"]);
    assert_eq!(sent["span"]["spanId"], abnormal["span_id"]);
    let link = &sent["span"]["links"][0];
    assert_eq!(link["traceId"], TRACE);
    assert_eq!(link["spanId"], values(&head, "b3")[0].split('-').nth(1).unwrap());
    assert_eq!(sent["resource"]["service.name"], "edge");
    assert_eq!(sent["resource"]["deployment.environment.name"], "test");
    assert_eq!(sent["resource"]["service.version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(sent["scope"], "closewatch");
}
