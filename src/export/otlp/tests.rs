//! Tests of the spans and log records that are made of a record, and of the choice of records that become spans.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use opentelemetry::logs::{AnyValue, LoggerProvider as _};
use opentelemetry::trace::{SpanId, SpanKind, Status};
use opentelemetry::{Key, Value};
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::SpanData;

use super::context::{of_span, of_span_id, of_trace_id};
use super::tracer::Tracer;
use super::{attributes, collector, logs, spans};
use crate::close;
use crate::close::{
    Address, CloseCode, CloseRecord, CodeRules, CompactDuration, End, Event, HandshakeRecord, HandshakeTrace,
    HttpVersion, Ledger, Live, Outcome, Propagation, Request, RequestHeaders, RouteFacts, Session, TlsVersion,
    TraceSpan,
};
use crate::config::{Otel, OtelPropagator, OtelSampler};
use crate::export::{self, JsonStyle};
use crate::wire::{Frame, Opcode, Peer};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const UNSAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

fn headers(given: &[(&str, &str)]) -> HashMap<String, String> {
    given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

impl<S: BuildHasher> RequestHeaders for HashMap<String, String, S> {
    fn value(&self, name: &str) -> Option<&str> {
        self.get(name).map(String::as_str)
    }
}

/// A span that there is nothing to say of.
fn span() -> TraceSpan {
    TraceSpan { trace_id: close::TraceId([1; 16]), span_id: close::SpanId([2; 8]), sampled: true, state: "".into() }
}

fn tracer(change: impl FnOnce(&mut Otel)) -> Tracer {
    let mut otel = Otel::default();
    change(&mut otel);
    Tracer::new(&otel)
}

fn sent(propagation: &Propagation) -> HashMap<&'static str, &str> {
    propagation.headers.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

/// A session that opened at noon, and what happened to it at 90.5 s: a Close with this code by the upstream, answered, or an
/// end of its transport.
fn record(trace: Option<Arc<HandshakeTrace>>, end: Result<u16, End>) -> CloseRecord {
    let session = Session {
        id: ulid::Ulid(7),
        route: Arc::new(RouteFacts {
            name: "chat".into(),
            upstream: "http://127.0.0.1:9000".into(),
            rules: CodeRules::default(),
        }),
        opened_at: "2026-11-20T12:00:00Z".parse().unwrap(),
        handshake: CompactDuration::ZERO,
        client: Address::Ip("10.1.2.3:55555".parse().unwrap()),
        upstream: Address::Ip("127.0.0.1:9000".parse().unwrap()),
        client_tls: Some(TlsVersion::Tls13),
        upstream_tls: None,
        request: request(),
        trace,
        live: Live::default(),
    };
    let mut ledger = Ledger::new();
    let at = Duration::from_millis(90_500);
    match end {
        Ok(code) => {
            for from in [Peer::Upstream, Peer::Client] {
                let payload = [&CloseCode(code).0.to_be_bytes()[..], b"over\x1b"].concat();
                let frame = Frame {
                    opcode: Opcode::Close,
                    completes: None,
                    len: payload.len() as u64,
                    payload: &payload,
                    after_close: false,
                    end: 9,
                };
                ledger.on(Event::Frame { from, frame: &frame }, at);
                ledger.on(Event::Read { from, bytes: 9, active: false }, at);
                ledger.on(Event::Written { from, total: 9 }, at);
            }
        }
        Err(how) => drop(ledger.on(Event::Ended { peer: Peer::Upstream, how }, at)),
    }
    let filed = Duration::from_millis(90_600);
    let time = session.opened_at + filed;
    CloseRecord::file(Arc::new(session), ledger, filed, time)
}

fn request() -> Request {
    Request {
        method: "GET".into(),
        path: "/chat?token=1".into(),
        host: Some("chat.example:8443".into()),
        http_version: HttpVersion::Http11,
        user_agent: Some("app/1".into()),
        ..Request::default()
    }
}

fn failed(trace: Arc<HandshakeTrace>, outcome: Outcome, status: Option<u16>) -> HandshakeRecord {
    HandshakeRecord {
        outcome,
        status,
        request: request(),
        client: Address::Ip("10.1.2.3:55555".parse().unwrap()),
        client_tls: None,
        duration: Duration::from_millis(30),
        time: "2026-11-20T12:00:00Z".parse().unwrap(),
        tls_error: None,
        detail: None,
        trace: Some(trace),
    }
}

fn attributes(span: &SpanData) -> HashMap<&str, String> {
    span.attributes.iter().map(|pair| (pair.key.as_str(), pair.value.to_string())).collect()
}

fn noon() -> SystemTime {
    "2026-11-20T12:00:00Z".parse::<jiff::Timestamp>().unwrap().into()
}

fn session_span(tracer: &Tracer, record: &mut CloseRecord) -> Option<SpanData> {
    record.span = tracer.session(record);
    spans::session(record, &JsonStyle::default(), &collector::scope())
}

#[test]
fn the_span_of_a_session_is_the_child_of_its_handshake_and_has_its_true_times() {
    let tracer = tracer(|_| {});
    let trace = tracer.handshake(&headers(&[("traceparent", PARENT)])).trace;
    let mut record = record(Some(Arc::clone(&trace)), Err(End::Reset));
    let span = session_span(&tracer, &mut record).unwrap();
    assert_eq!(span.name, "websocket.session chat");
    assert_eq!(span.span_kind, SpanKind::Internal);
    assert_eq!(span.span_context.trace_id().to_string(), TRACE);
    assert_eq!((span.parent_span_id, span.parent_span_is_remote), (of_span_id(trace.span.span_id), false));
    assert!(span.links.is_empty());
    assert_eq!(span.start_time, noon());
    assert_eq!(span.end_time, noon() + Duration::from_millis(90_500));
    assert_eq!(span.status, Status::error("upstream_reset"));
    let attributes = attributes(&span);
    for (key, value) in [
        ("closewatch.session", "00000000000000000000000007"),
        ("http.route", "chat"),
        ("url.path", "/chat"),
        ("url.query", "token=1"),
        ("server.address", "chat.example"),
        ("server.port", "8443"),
        ("client.address", "10.1.2.3"),
        ("network.peer.port", "55555"),
        ("network.protocol.version", "1.1"),
        ("tls.protocol.name", "tls"),
        ("tls.protocol.version", "1.3"),
        ("closewatch.client.tls_version", "1.3"),
        ("closewatch.upstream.tls_version", "none"),
        ("user_agent.original", "app/1"),
        ("closewatch.upstream", "http://127.0.0.1:9000"),
        ("websocket.close.code", "1006"),
        ("closewatch.class", "abnormal"),
        ("closewatch.cause", "upstream_reset"),
        ("closewatch.initiator", "upstream"),
        ("closewatch.handshake", "none"),
        ("closewatch.idle", "90.5"),
        ("closewatch.client.saw_code", "1006"),
        ("closewatch.upstream.end", "reset"),
        ("error.type", "1006"),
    ] {
        assert_eq!(attributes.get(key).map(String::as_str), Some(value), "{key} in {attributes:?}");
    }
    assert!(!attributes.contains_key("websocket.close.reason"), "there was none");
}

#[test]
fn only_an_abnormal_end_is_an_error() {
    let tracer = tracer(|_| {});
    let trace = tracer.handshake(&headers(&[])).trace;
    for (code, status, kind) in [
        (1000, Status::Unset, None),
        (1001, Status::Unset, None),
        (1008, Status::Unset, None),
        (1002, Status::Unset, None),
        (1013, Status::Unset, None),
        (4000, Status::Unset, None),
        (1011, Status::error("close_handshake"), Some("1011")),
    ] {
        let span = session_span(&tracer, &mut record(Some(Arc::clone(&trace)), Ok(code))).unwrap();
        let attributes = attributes(&span);
        assert_eq!(span.status, status, "{code}");
        assert_eq!(attributes.get("error.type").map(String::as_str), kind, "{code}");
        assert_eq!(attributes["websocket.close.code"], code.to_string());
        assert_eq!(attributes["websocket.close.reason"], "over\\u{1b}", "no text steers a terminal");
    }
}

#[test]
fn an_abnormal_end_in_a_trace_that_is_not_sampled_begins_one_and_links_to_it() {
    let tracer = tracer(|_| {});
    let trace = tracer.handshake(&headers(&[("traceparent", UNSAMPLED)])).trace;
    assert!(!trace.span.sampled);
    let span = session_span(&tracer, &mut record(Some(Arc::clone(&trace)), Err(End::Fin))).unwrap();
    assert_ne!(span.span_context.trace_id(), of_trace_id(trace.span.trace_id));
    assert!(span.span_context.is_sampled());
    assert_eq!(span.parent_span_id, SpanId::INVALID);
    assert_eq!(span.links.iter().map(|link| &link.span_context).collect::<Vec<_>>(), [&of_span(&trace.span)]);
    for (end, kept) in [(Ok(1000), false), (Ok(1012), false), (Ok(1013), true), (Ok(1011), true)] {
        let span = tracer.session(&record(Some(Arc::clone(&trace)), end));
        assert_eq!(span.is_some(), kept, "{end:?}");
    }
}

#[test]
fn the_clean_are_sampled_and_the_abnormal_kept_whole() {
    let tracer = tracer(|otel| otel.sample_clean = 0.25);
    let mut kept = [0, 0];
    for _ in 0..2000 {
        let trace = tracer.handshake(&headers(&[])).trace;
        for (count, end) in kept.iter_mut().zip([Ok(1000), Err(End::Reset)]) {
            *count += usize::from(tracer.session(&record(Some(Arc::clone(&trace)), end)).is_some());
        }
    }
    let [clean, abnormal] = kept;
    // 500 expected, 19 the standard deviation.
    assert!((400..600).contains(&clean), "{clean} of 2000");
    assert_eq!(abnormal, 2000);
}

#[test]
fn a_session_that_opened_without_traces_has_no_span() {
    assert_eq!(tracer(|_| {}).session(&record(None, Err(End::Reset))), None);
}

#[test]
fn samplers_decide_by_parent_or_by_themselves() {
    use OtelSampler::{
        AlwaysOff, AlwaysOn, ParentBasedAlwaysOff, ParentBasedAlwaysOn, ParentBasedTraceIdRatio, TraceIdRatio,
    };
    for (sampler, [none, yes, no]) in [
        (ParentBasedAlwaysOn, [true, true, false]),
        (ParentBasedAlwaysOff, [false, true, false]),
        (ParentBasedTraceIdRatio, [false, true, false]),
        (AlwaysOn, [true, true, true]),
        (AlwaysOff, [false, false, false]),
        (TraceIdRatio, [false, false, false]),
    ] {
        let tracer = tracer(|otel| {
            otel.sampler = sampler;
            otel.sampler_ratio = 0.0;
        });
        for (given, sampled) in
            [(vec![], none), (vec![("traceparent", PARENT)], yes), (vec![("traceparent", UNSAMPLED)], no)]
        {
            let span = &tracer.handshake(&headers(&given)).trace.span;
            assert_eq!(span.sampled, sampled, "{sampler:?} {given:?}");
        }
    }
}

#[test]
fn a_trace_goes_on_and_a_state_that_is_not_its_own_does_not() {
    let tracer = tracer(|_| {});
    let state = ("tracestate", "a=1,b=2");
    let on = tracer.handshake(&headers(&[("traceparent", PARENT), state]));
    let span = &on.trace.span;
    assert_eq!(on.trace.parent.unwrap().to_string(), "b7ad6b7169203331");
    assert_eq!(sent(&on), HashMap::from([("traceparent", &*format!("00-{TRACE}-{}-01", span.span_id))]));
    assert_eq!(&*span.state, "a=1,b=2");

    for given in [
        &[state][..],
        &[("traceparent", "00-00000000000000000000000000000000-b7ad6b7169203331-01"), state],
        &[("traceparent", "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), state],
        &[("traceparent", "nonsense"), state],
    ] {
        let anew = tracer.handshake(&headers(given));
        assert_eq!(anew.trace.parent, None, "{given:?}");
        assert_ne!(anew.trace.span.trace_id.to_string(), TRACE);
        assert_eq!(sent(&anew)["tracestate"], "", "{given:?}");
    }
    let long = format!("a={},b={},c={}", "x".repeat(200), "x".repeat(200), "x".repeat(200));
    let on = tracer.handshake(&headers(&[("traceparent", PARENT), ("tracestate", &long)]));
    assert_eq!((on.trace.span.state.to_string(), sent(&on).len()), (String::new(), 1), "it goes on, and is not kept");
    let unreadable = tracer.handshake(&headers(&[("traceparent", PARENT), ("tracestate", "no state")]));
    assert_eq!(sent(&unreadable)["tracestate"], "");
}

#[test]
fn b3_is_read_and_sent_in_either_form() {
    let (trace, span) = (TRACE, "b7ad6b7169203331");
    let one = format!("{trace}-{span}-1");
    let debug = format!("{trace}-{span}-d-05e3ac9a4f6e3b90");
    let short = format!("{}-{span}-1", &trace[16..]);
    for (given, sampled) in [(&one, true), (&debug, true), (&short, true), (&format!("{trace}-{span}-0"), false)] {
        let tracer = tracer(|otel| otel.propagators = vec![OtelPropagator::B3]);
        let on = tracer.handshake(&headers(&[("b3", given)]));
        let own = &on.trace.span;
        assert_eq!((on.trace.parent.is_some(), own.sampled), (true, sampled), "{given}");
        assert!(own.trace_id.to_string().ends_with(&trace[16..]));
        let told = format!("{}-{}-{}", own.trace_id, own.span_id, u8::from(sampled));
        assert_eq!(sent(&on), HashMap::from([("b3", told.as_str())]));
    }
    for given in ["0", "", "x-y-1", &format!("{trace}-{}-1", "0".repeat(16)), &format!("{}-{span}-1", &trace[1..])] {
        let tracer = tracer(|otel| otel.propagators = vec![OtelPropagator::B3]);
        assert_eq!(tracer.handshake(&headers(&[("b3", given)])).trace.parent, None, "{given}");
    }

    let tracer = tracer(|otel| otel.propagators = vec![OtelPropagator::B3Multi, OtelPropagator::TraceContext]);
    let several = [("x-b3-traceid", trace), ("x-b3-spanid", span), ("x-b3-sampled", "1"), ("x-b3-parentspanid", span)];
    let on = tracer.handshake(&headers(&several));
    let own = on.trace.span.span_id.to_string();
    let parent = format!("00-{trace}-{own}-01");
    let expected = [
        ("x-b3-traceid", trace),
        ("x-b3-spanid", &own),
        ("x-b3-sampled", "1"),
        ("x-b3-parentspanid", ""),
        ("x-b3-flags", ""),
        ("traceparent", &parent),
    ];
    assert_eq!(sent(&on), HashMap::from(expected));
    // The first that is there counts.
    assert_eq!(tracer.handshake(&headers(&[("traceparent", PARENT)])).trace.span.trace_id.to_string(), TRACE);
}

#[test]
fn the_span_of_a_handshake_follows_the_conventions_of_http() {
    let trace = tracer(|_| {}).handshake(&headers(&[("traceparent", PARENT)])).trace;
    for (outcome, status, error) in [
        (Outcome::Upgraded, Some(101), None),
        (Outcome::Refused, Some(401), None),
        (Outcome::Refused, Some(503), Some("503")),
        (Outcome::DialTimeout, Some(504), Some("dial_timeout")),
        (Outcome::Draining, Some(503), None),
        (Outcome::ClientGone, None, None),
    ] {
        let record = failed(Arc::clone(&trace), outcome, status);
        let span = spans::handshake("chat", &record, &JsonStyle::default(), &collector::scope()).unwrap();
        assert_eq!((&*span.name, &span.span_kind), ("GET chat", &SpanKind::Server));
        assert_eq!(
            (span.parent_span_id.to_string(), span.parent_span_is_remote),
            ("b7ad6b7169203331".to_owned(), true)
        );
        assert_eq!((span.start_time, span.end_time), (noon() - Duration::from_millis(30), noon()));
        let attributes = attributes(&span);
        assert_eq!(attributes.get("error.type").map(String::as_str), error, "{outcome}");
        assert_eq!(span.status != Status::Unset, error.is_some(), "{outcome}");
        assert_eq!(attributes["http.request.method"], "GET");
        assert_eq!(attributes["closewatch.outcome"], outcome.as_str());
        let code = attributes.get("http.response.status_code");
        assert_eq!(code.map(String::as_str), status.map(|status| status.to_string()).as_deref());
    }
    let mut odd = failed(trace, Outcome::BadRequest, Some(400));
    odd.request.method = "BREW".into();
    let span = spans::handshake("chat", &odd, &JsonStyle::default(), &collector::scope()).unwrap();
    assert_eq!((&*span.name, &*attributes(&span)["http.request.method"]), ("HTTP chat", "_OTHER"));
}

#[test]
fn a_log_record_is_an_event_of_the_sessions_span() {
    let logger = SdkLoggerProvider::builder().build().logger_with_scope(collector::scope());
    let tracer = tracer(|_| {});
    let trace = tracer.handshake(&headers(&[])).trace;
    let mut closed = record(Some(Arc::clone(&trace)), Err(End::Reset));
    closed.span = tracer.session(&closed);
    closed.hint = Some("idle_cut");
    let span = closed.span.clone().unwrap();
    let (time, style) = (closed.time, JsonStyle::default());
    let made = spans::session(&closed, &style, &collector::scope()).unwrap();
    let log = logs::record(&export::Event::Closed(closed), &style, &logger);
    assert_eq!(log.event_name(), Some("websocket.closed"));
    assert_eq!((log.severity_text(), log.timestamp()), (Some("WARN"), Some(time.into())));
    assert_eq!(log.body(), Some(&AnyValue::from("1006 by upstream: upstream_reset")));
    let context = log.trace_context().unwrap();
    assert_eq!((context.trace_id, context.span_id), (of_trace_id(span.trace_id), of_span_id(span.span_id)));
    let code = (Key::new("websocket.close.code"), AnyValue::Int(1006));
    assert!(log.attributes_iter().any(|attribute| *attribute == code));

    // Both bear the hint.
    assert_eq!(attributes(&made).get("closewatch.hint").map(String::as_str), Some("idle_cut"));
    let hint = (Key::new("closewatch.hint"), AnyValue::from("idle_cut"));
    assert!(log.attributes_iter().any(|attribute| *attribute == hint));

    // Without a span of its own it is found by its handshake's.
    let log = logs::record(&export::Event::Closed(record(Some(Arc::clone(&trace)), Ok(1000))), &style, &logger);
    assert_eq!(log.severity_text(), Some("INFO"));
    assert_eq!(log.trace_context().map(|context| context.span_id), Some(of_span_id(trace.span.span_id)));

    let failed = failed(trace, Outcome::DialFailed, Some(502));
    let log = logs::record(&export::Event::HandshakeFailed { route: "chat".into(), record: failed }, &style, &logger);
    assert_eq!((log.event_name(), log.severity_text()), (Some("websocket.handshake_failed"), Some("WARN")));
}

#[test]
fn every_value_is_of_a_kind_that_a_log_record_has() {
    let mut record = record(None, Ok(1000));
    record.span = Some(span());
    for pair in attributes::Attributes::of_session(&record, &JsonStyle::default()).0 {
        let plain = matches!(pair.value, Value::Bool(_) | Value::I64(_) | Value::F64(_) | Value::String(_));
        assert!(plain, "{pair:?}");
    }
}

#[test]
fn the_client_is_the_one_that_trusted_proxies_name() {
    let trace = tracer(|_| {}).handshake(&headers(&[("traceparent", PARENT)])).trace;
    let mut behind = failed(trace, Outcome::Upgraded, Some(101));
    let socket = |record: &HandshakeRecord| {
        let span = spans::handshake("chat", record, &JsonStyle::default(), &collector::scope()).unwrap();
        let attributes = attributes(&span);
        ["client.address", "network.peer.address"].map(|key| attributes.get(key).cloned().unwrap_or_default())
    };
    let [client, peer] = socket(&behind);
    assert_eq!(client, peer);
    behind.request.real_address = Some(Box::new(Address::Ip("[::ffff:203.0.113.7]:4711".parse().unwrap())));
    assert_eq!(socket(&behind), ["203.0.113.7".to_owned(), peer]);
}
