//! The cost of a record's hint: it stands between the end of a session and its record, and may take a microsecond.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use closewatch::close::{
    Address, CloseRecord, CloseSink, CodeRules, CompactDuration, End, Event, Ledger, Live, Request, RouteFacts, Session,
};
use closewatch::config::{Diagnosis, LogTarget};
use closewatch::diagnosis::{Active, Mechanism, Observation, Watch, hint};
use closewatch::export::{ExportOptions, Exporter, LogOptions};
use closewatch::wire::{Frame, Opcode, Peer};
use criterion::{BatchSize, Criterion};
use jiff::{SignedDuration, Timestamp};
use ulid::Ulid;

fn session(number: u8) -> Arc<Session> {
    let agent = ["Firefox", "Chrome", "Safari"][usize::from(number) % 3];
    Arc::new(Session {
        id: Ulid::from_parts(1, number.into()),
        route: Arc::new(RouteFacts {
            name: "default".into(),
            upstream: "http://127.0.0.1:9000".into(),
            rules: CodeRules::default(),
        }),
        opened_at: Timestamp::now() - SignedDuration::from_secs(600 - i64::from(number)),
        handshake: CompactDuration::ZERO,
        client: Address::Ip(([10, 0, number, 1], 40_000).into()),
        upstream: Address::Ip(([127, 0, 0, 1], 9000).into()),
        client_tls: None,
        upstream_tls: None,
        request: Request { user_agent: Some(agent.into()), ..Request::default() },
        trace: None,
        live: Live::default(),
    })
}

/// A session whose client's leg is reset after a minute of silence.
fn cut(number: u8) -> CloseRecord {
    let mut ledger = Ledger::new();
    let talk = Duration::from_millis(1000 + u64::from(number) * 577);
    ledger.on(Event::Read { from: Peer::Client, bytes: 130, active: true }, talk);
    ledger.on(Event::Ended { peer: Peer::Client, how: End::Reset }, talk + Duration::from_mins(1));
    ledger.on(Event::Ended { peer: Peer::Upstream, how: End::Local }, talk + Duration::from_mins(1));
    CloseRecord::file(session(number), ledger, talk + Duration::from_secs(61), Timestamp::now())
}

/// A session that is closed with a reason.
fn closed(reason: &str) -> CloseRecord {
    let mut ledger = Ledger::new();
    let body = [&1011_u16.to_be_bytes(), reason.as_bytes()].concat();
    let frame = Frame {
        opcode: Opcode::Close,
        completes: None,
        len: body.len() as u64,
        payload: &body,
        after_close: false,
        end: 2 + body.len() as u64,
    };
    let at = Duration::from_secs(5);
    ledger.on(Event::Frame { from: Peer::Upstream, frame: &frame }, at);
    ledger.on(Event::Ended { peer: Peer::Upstream, how: End::Fin }, at);
    CloseRecord::file(session(1), ledger, at, Timestamp::now())
}

/// The finding of a minute's idle cut, as it goes on.
fn active() -> Vec<Active> {
    let mut watch = Watch::new([Duration::from_mins(15), Duration::from_hours(24)], 10_000);
    for record in (0..60).map(cut) {
        watch.add(&Observation::of_close(&record, ""));
    }
    watch.look(Timestamp::now().as_duration().as_secs_f64(), true);
    let active = watch.active();
    assert_eq!(active.len(), 1, "{active:?}");
    active
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_millis(1500))
        .configure_from_args();
    let active = active();
    let (reset, said) = (cut(70), closed("keepalive ping timeout; no pong received in 20 seconds from this peer"));
    assert_eq!(hint(&reset, &active), Some(Mechanism::IdleCut));

    let mut group = criterion.benchmark_group("hint");
    group.bench_function("a reset, nothing found", |bencher| bencher.iter(|| hint(black_box(&reset), &[])));
    group.bench_function("a reset, one finding", |bencher| bencher.iter(|| hint(black_box(&reset), &active)));
    group.bench_function("a Close with a long reason", |bencher| bencher.iter(|| hint(black_box(&said), &[])));
    group.finish();

    // All of the filing, with and without diagnosis: the difference is the hint and the queue.
    let mut group = criterion.benchmark_group("filing");
    for enabled in [false, true] {
        let exporter = Exporter::start(ExportOptions {
            log: LogOptions { target: LogTarget::Off, ..LogOptions::default() },
            diagnosis: Diagnosis { enabled, ..Diagnosis::default() },
            ..ExportOptions::default()
        });
        let exporter = exporter.expect("no file is opened");
        let route = exporter.route("default");
        let name = if enabled { "with diagnosis" } else { "without diagnosis" };
        group.bench_function(name, |bencher| {
            bencher.iter_batched(|| reset.clone(), |record| route.closed(record), BatchSize::SmallInput);
        });
    }
    group.finish();
    criterion.final_summary();
}
