//! Nothing is lost in silence, and nobody waits: collectors that are down, slow, or gone for a while.

use std::collections::HashSet;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use closewatch::close::{CloseSink, End, RequestHeaders, RouteSink};
use closewatch::config::{LogTarget, Otel, OtelProtocol};
use closewatch::export::{ExportOptions, Exporter, LogOptions, Sink};
use closewatch::wire::Peer;
use rustix::process::Signal;
use tokio::time::Instant;

use super::receiver::{PROTOCOLS, Receiver, Span};
use crate::export::records::{Script, session};
use crate::instance::{Running, until};

/// A mass disconnect.
const SESSIONS: usize = 9000;

/// One over real sockets, of which every machine allows as many.
const AT_ONCE: usize = 200;

/// No headers: every trace begins here.
struct NoHeaders;

impl RequestHeaders for NoHeaders {
    fn value(&self, _: &str) -> Option<&str> {
        None
    }
}

/// An exporter of traces, and nothing else.
pub(super) fn exporter(endpoint: String, change: impl FnOnce(&mut Otel)) -> Exporter {
    let mut otel = Otel { endpoint: Some(endpoint), ..Otel::default() };
    change(&mut otel);
    let log = LogOptions { target: LogTarget::Off, ..LogOptions::default() };
    Exporter::start(ExportOptions { log, otel, ..ExportOptions::default() }).unwrap()
}

/// Ends `count` sessions at once.
pub(super) fn disconnect(exporter: &Exporter, count: usize) {
    let route: Arc<dyn RouteSink> = exporter.route("chat");
    let ends: Vec<_> = (0..count)
        .map(|number| {
            let trace = route.trace(&NoHeaders).map(|propagation| propagation.trace);
            let mut session = session(number as u128);
            session.trace = trace;
            Script::of(session).ended(Peer::Upstream, End::Reset, 5.0).file(6.0)
        })
        .collect();
    for record in ends {
        route.closed(record);
    }
}

pub(super) fn dropped(exporter: &Exporter) -> usize {
    usize::try_from(exporter.metrics().records_dropped(Sink::Otlp).get()).unwrap()
}

#[test]
fn a_mass_disconnect_loses_no_span() {
    for protocol in PROTOCOLS {
        let receiver = Receiver::start();
        let exporter = exporter(receiver.endpoint(protocol), |otel| otel.protocol = otel_protocol(protocol));
        disconnect(&exporter, SESSIONS);
        assert!(exporter.flush(Duration::from_secs(30)), "{} dropped", dropped(&exporter));
        assert_eq!(dropped(&exporter), 0);
        let spans = receiver.spans(SESSIONS);
        let different: HashSet<_> = spans.iter().map(Span::id).collect();
        assert_eq!(different.len(), SESSIONS, "each once");
    }
}

#[test]
fn what_does_not_fit_into_the_queue_is_counted() {
    let receiver = Receiver::start();
    let exporter = exporter(receiver.endpoint("grpc"), |otel| {
        otel.protocol = otel_protocol("grpc");
        otel.queue = 1000;
    });
    disconnect(&exporter, SESSIONS);
    assert!(exporter.flush(Duration::from_secs(30)));
    let dropped = dropped(&exporter);
    assert!(dropped > 0 && dropped <= SESSIONS - 1000, "{dropped}");
    receiver.spans(SESSIONS - dropped);
}

#[test]
fn a_collector_that_refuses_or_never_answers_holds_nobody_up() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    // Connections wait in its backlog for ever.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    for (address, protocol) in [closed, silent.local_addr().unwrap()]
        .into_iter()
        .flat_map(|address| PROTOCOLS.map(|protocol| (address, protocol)))
    {
        let exporter = exporter(format!("http://{address}"), |otel| otel.protocol = otel_protocol(protocol));
        disconnect(&exporter, SESSIONS);
        let began = Instant::now();
        assert!(!exporter.flush(Duration::from_millis(300)));
        let taken = began.elapsed();
        assert!(taken < Duration::from_secs(3), "{taken:?}, and that on a busy machine");
        assert_eq!(dropped(&exporter), SESSIONS, "{address} {protocol}");
    }
}

#[tokio::test]
async fn a_backend_that_dies_with_its_sessions_leaves_a_span_of_each() {
    for protocol in PROTOCOLS {
        let receiver = Receiver::start();
        let running = Running::in_environment(&[], &receiver.config(protocol)).await;
        let mut sessions = running.sessions(AT_ONCE).await;
        for (_, upstream) in &mut sessions {
            upstream.reset();
        }
        let ids: HashSet<_> = receiver.spans(2 * AT_ONCE).iter().map(Span::id).collect();
        assert_eq!(ids.len(), 2 * AT_ONCE, "each once");
        let scrape = running.scrape().await;
        assert_eq!(scrape.sum("closewatch_records_dropped_total", &[("sink", "otlp")]), 0);
    }
}

#[tokio::test]
async fn a_drain_does_not_wait_for_a_collector_that_never_answers() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = format!("[otel]\nendpoint = \"http://{}\"\ntimeout = \"500ms\"\n", silent.local_addr().unwrap());
    let mut running = Running::in_environment(&[], &config).await;
    for _ in 0..20 {
        let (mut client, mut upstream) = running.session().await;
        client.reset();
        upstream.expect_reset().await;
        running.record().await;
    }
    let is_counted = async || {
        let scrape = running.scrape().await;
        scrape.sum("closewatch_records_dropped_total", &[("sink", "otlp")]) == 40
    };
    until("every span to be given up", is_counted).await;
    running.child.signal(Signal::TERM);
    assert_eq!(running.child.exit_code().await, Some(0));
}

#[tokio::test]
async fn a_collector_that_is_killed_and_comes_back_under_load_misses_only_what_is_counted() {
    for protocol in PROTOCOLS {
        let mut receiver = Receiver::start();
        let ports = receiver.ports();
        // More than the receiver takes to come back on a busy machine.
        let config = format!("{}timeout = \"30s\"\n", receiver.config(protocol));
        let running = Running::in_environment(&[], &config).await;
        let mut sessions = 0;
        let mut end_some = async |count: usize| {
            for (mut client, mut upstream) in running.sessions(count).await {
                client.reset();
                upstream.expect_reset().await;
                sessions += 1;
            }
        };
        end_some(50).await;
        let mut ids: HashSet<_> = receiver.spans(100).iter().map(Span::id).collect();
        receiver.kill();
        end_some(50).await;
        ids.extend(receiver.rest().into_iter().map(|mut sent| Span(sent["span"].take()).id()));
        let receiver = Receiver::start_at(ports);
        end_some(50).await;
        // A batch that was being taken when it was killed may come twice; in the end every span must have come.
        while ids.len() < 2 * sessions {
            ids.insert(receiver.spans(1)[0].id());
        }
        let scrape = running.scrape().await;
        let dropped = scrape.sum("closewatch_records_dropped_total", &[("sink", "otlp")]);
        if dropped > 0 {
            running.child.fail(&format!("{dropped} dropped, though it was gone for less than otel.timeout"));
        }
    }
}

fn otel_protocol(name: &str) -> OtelProtocol {
    if name == "grpc" { OtelProtocol::Grpc } else { OtelProtocol::Http }
}
