//! The exposition as a whole.

use std::collections::HashSet;
use std::sync::Arc;

use closewatch::close::{CloseRecord, CloseSink, CodeRules, NO_ROUTE, Outcome, Rejection, RouteSink};
use closewatch::config::LogTarget;
use closewatch::export::{Event, ExportOptions, Exporter, GONE_ROUTES, LogOptions, Sink};
use closewatch::wire::{MessageKind, Peer};

use super::diagnosis::is_late;
use super::golden::assert_golden;
use super::records::{self, ms};

/// An exporter that writes no log.
pub(super) fn silent() -> Exporter {
    let log = LogOptions { target: LogTarget::Off, ..LogOptions::default() };
    Exporter::start(ExportOptions { log, ..ExportOptions::default() }).unwrap()
}

pub(super) fn exposition(exporter: &Exporter) -> String {
    String::from_utf8(exporter.metrics().encode()).unwrap()
}

/// The value of the one series that begins with `series`.
pub(super) fn value(exporter: &Exporter, series: &str) -> Option<f64> {
    let text = exposition(exporter);
    let mut values = text.lines().filter_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok());
    let value = values.next();
    assert_eq!(values.next(), None, "{series}");
    value
}

fn open_and_close(route: &Arc<dyn RouteSink>, record: CloseRecord) {
    route.opened(&record.session);
    route.closed(record);
}

#[test]
fn the_exposition_of_a_fixed_sequence_is_the_golden_one() {
    let exporter = silent();
    exporter.metrics().config_taken("2026-11-20T12:00:00Z".parse().unwrap());
    exporter.declare_route("chat", &CodeRules::default());
    let chat = exporter.route("chat");
    for record in [
        records::reset_by_upstream(),
        records::boom(),
        records::left_the_page(),
        records::hostile(),
        records::blind(),
        records::drained(),
    ] {
        open_and_close(&chat, record);
    }
    chat.opened(&Arc::new(records::session(7)));
    chat.handshake(&records::handshake(Outcome::Upgraded, Some(101)));
    chat.handshake(&records::handshake(Outcome::Refused, Some(403)));
    chat.handshake(&records::handshake(Outcome::Refused, Some(799)));
    chat.handshake(&records::handshake(Outcome::ClientGone, None));
    exporter.route(NO_ROUTE).handshake(&records::handshake(Outcome::NoRoute, Some(404)));
    chat.bytes(Peer::Client, 812);
    chat.bytes(Peer::Upstream, 100_000);
    chat.messages(Peer::Client, MessageKind::Text, 4);
    chat.messages(Peer::Upstream, MessageKind::Binary, 1);
    chat.ping_rtt(Peer::Client, ms(31.25));
    chat.stalled(2);
    chat.stalled(-1);
    chat.spilled(4096);
    chat.http_response(204);
    exporter.rejected(Rejection::Descriptors);
    let until = jiff::Timestamp::from_second(1_800_000_000).unwrap();
    exporter.metrics().certificates_taken(&[("chain.pem".into(), until)]);
    exporter.metrics().draining();
    exporter.metrics().records_dropped(Sink::Log).inc();

    exporter.metrics().admin_url("https://closewatch.example.com");
    exporter.metrics().stream_refused();

    // The series of a finding are there once there is one; diagnosis counts when it comes to it.
    let text: String =
        exposition(&exporter).lines().filter(|line| !is_late(line)).flat_map(|line| [line, "\n"]).collect();
    let text = text + &super::diagnosis::series_of_diagnosis();
    assert!(text.contains("\nprocess_open_fds ") && text.contains("\nclosewatch_build_info{version=\""));
    let stable = |line: &&str| !line.contains("process_") && !line.starts_with("closewatch_build_info{");
    let text: String = text.lines().filter(stable).flat_map(|line| [line, "\n"]).collect();
    assert_golden("tests/data/metrics.golden", &text);
}

#[test]
fn opened_is_closed_plus_active_in_every_scrape() {
    let exporter = silent();
    let route = exporter.route("chat");
    for number in 1..=10 {
        route.opened(&Arc::new(records::session(number)));
    }
    for record in [records::boom(), records::blind(), records::drained()] {
        route.closed(record);
    }
    assert_eq!(value(&exporter, "closewatch_sessions_opened_total{route=\"chat\"}"), Some(10.0));
    assert_eq!(value(&exporter, "closewatch_sessions_active{route=\"chat\"}"), Some(7.0));
}

#[test]
fn a_route_begins_with_some_420_series_at_zero() {
    let exporter = silent();
    let before = exposition(&exporter).lines().count();
    let mut rules = CodeRules::default();
    for code in 4000..=4999 {
        rules.name_code(code);
    }
    exporter.declare_route("chat", &rules);
    let text = exposition(&exporter);
    let series: Vec<_> = text.lines().filter(|line| line.contains("route=\"chat\"")).collect();
    assert!(text.lines().count() > before);
    assert!((400..=460).contains(&series.len()), "{}", series.len());
    assert!(series.iter().all(|line| line.ends_with(" 0")), "{series:#?}");
}

/// Families that say something only while it is so: a finding, a configured URL, a certificate.
const ONLY_THEN: [&str; 4] = [
    "closewatch_findings",
    "closewatch_finding_limit_seconds",
    "closewatch_admin_info",
    "closewatch_tls_certificate_expiry_timestamp_seconds",
];

#[test]
fn what_alerts_and_panels_read_is_there_from_the_start() {
    let exporter = silent();
    exporter.declare_route("chat", &CodeRules::default());
    let text = exposition(&exporter);
    let families: HashSet<_> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut read = HashSet::new();
    for folder in ["dashboards", "deploy/prometheus"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|kind| kind == "json" || kind == "yml") {
                let content = std::fs::read_to_string(path).unwrap();
                // Recorded names have a colon.
                let words = content.split(|next: char| !next.is_ascii_alphanumeric() && !"_:".contains(next));
                read.extend(words.filter(|word| word.starts_with("closewatch_") && !word.contains(':')).map(|word| {
                    let histogram = ["_bucket", "_count", "_sum"].iter().find_map(|part| word.strip_suffix(part));
                    histogram.unwrap_or(word).to_owned()
                }));
            }
        }
    }
    assert!(read.len() > 20, "{read:?}");
    let missing: Vec<_> =
        read.iter().filter(|name| !families.contains(&***name) && !ONLY_THEN.contains(&&***name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_length_of_the_first_end_can_be_seen_to_be_counted() {
    let exporter = silent();
    exporter.declare_route("chat", &CodeRules::default());
    let count = |class| {
        value(&exporter, &format!("closewatch_session_duration_seconds_count{{class=\"{class}\",route=\"chat\"}}"))
    };
    for class in ["clean", "planned", "policy", "protocol", "overload", "abnormal"] {
        assert_eq!(count(class), Some(0.0), "{class}");
    }
}

#[test]
fn the_first_1006_can_be_seen_to_increase() {
    let exporter = silent();
    exporter.declare_route("chat", &CodeRules::default());
    let series = "closewatch_closes_total{cause=\"upstream_reset\",class=\"abnormal\",code=\"1006\",\
                  initiator=\"upstream\",route=\"chat\"}";
    assert_eq!(value(&exporter, series), Some(0.0));
    exporter.route("chat").closed(records::reset_by_upstream());
    assert_eq!(value(&exporter, series), Some(1.0));
}

#[test]
fn a_route_declared_again_goes_on_counting() {
    let exporter = silent();
    exporter.declare_route("chat", &CodeRules::default());
    let before = exporter.route("chat");
    before.bytes(Peer::Client, 1);
    exporter.declare_route("chat", &CodeRules::default());
    exporter.route("chat").bytes(Peer::Client, 1);
    before.bytes(Peer::Client, 1);
    let series = "closewatch_frame_bytes_total{direction=\"from_client\",route=\"chat\"}";
    assert_eq!(value(&exporter, series), Some(3.0));
}

#[test]
fn a_refused_configuration_shows_and_the_time_of_the_last_good_one_stays() {
    let exporter = silent();
    exporter.metrics().config_taken("1970-01-01T00:01:00Z".parse().unwrap());
    exporter.metrics().config_refused();
    assert_eq!(value(&exporter, "closewatch_config_reload_success"), Some(0.0));
    assert_eq!(value(&exporter, "closewatch_config_last_reload_timestamp_seconds"), Some(60.0));
}

#[test]
fn the_feed_and_the_latest_entries_have_what_the_log_has() {
    let log = LogOptions { target: LogTarget::Off, ..LogOptions::default() };
    let exporter = Exporter::start(ExportOptions { log, recent: 2, ..ExportOptions::default() }).unwrap();
    let mut feed = exporter.subscribe();
    let route = exporter.route("chat");
    route.handshake(&records::handshake(Outcome::Upgraded, Some(101)));
    for record in [records::boom(), records::blind(), records::drained()] {
        route.closed(record);
    }
    route.handshake(&records::handshake(Outcome::Refused, Some(403)));
    let name = |event: &Event| match event {
        Event::Closed(record) => record.verdict.cause.as_str(),
        Event::HandshakeFailed { record, .. } => record.outcome.as_str(),
    };
    let told: Vec<_> = std::iter::from_fn(|| feed.try_recv().ok()).map(|event| name(&event)).collect();
    assert_eq!(told, ["close_unanswered", "unknown", "drain", "refused"]);
    let latest: Vec<_> = exporter.recent().latest(10, |_| true).iter().map(|event| name(event)).collect();
    assert_eq!(latest, ["drain", "refused"]);
    assert_eq!(exporter.recent().latest(1, |event| name(event) == "drain").len(), 1);
}

#[test]
fn reloads_with_ever_new_routes_do_not_grow_the_metrics_without_bound() {
    let exporter = silent();
    let rules = CodeRules::default();
    // A session of a route that is long gone still moves its series.
    exporter.declare_route("held", &rules);
    let held = exporter.route("held");
    for number in 0..3 * GONE_ROUTES {
        let name = format!("route-{number}");
        exporter.declare_route(&name, &rules);
        exporter.route(&name).http_response(200);
        exporter.keep_routes([name.as_str(), "stays"]);
    }
    exporter.declare_route("stays", &rules);
    held.http_response(200);
    let text = String::from_utf8(exporter.metrics().encode()).unwrap();
    let routes: HashSet<_> = text.lines().filter_map(|line| line.split("route=\"").nth(1)?.split('"').next()).collect();
    // With the one that is configured, the one that is held, and the one that stays.
    assert!(routes.len() <= GONE_ROUTES + 3, "{}", routes.len());
    let newest = format!("route-{}", 3 * GONE_ROUTES - 1);
    assert!(routes.contains("held") && routes.contains("stays") && routes.contains(&*newest), "{routes:?}");
    assert!(!routes.contains("route-0"));
}
