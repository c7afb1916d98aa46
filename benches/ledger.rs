//! The cost of keeping account of a session: time per event, and for all of a short session with its verdict.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use closewatch::close::{
    Address, CloseRecord, CodeRules, CompactDuration, End, Event, Ledger, Live, Request, RouteFacts, Session,
};
use closewatch::wire::{Frame, MessageKind, Opcode, Peer};
use criterion::{Criterion, Throughput};
use jiff::Timestamp;
use ulid::Ulid;

/// Bytes of every frame here, all alike.
const FRAME: u64 = 130;

fn frame(opcode: Opcode, payload: &[u8], end: u64) -> Frame<'_> {
    let completes = (opcode == Opcode::Text).then_some(MessageKind::Text);
    Frame { opcode, completes, len: payload.len() as u64, payload, after_close: false, end }
}

fn session() -> Arc<Session> {
    let address = Address::Ip(([127, 0, 0, 1], 9000).into());
    Arc::new(Session {
        id: Ulid::from_parts(1, 1),
        route: Arc::new(RouteFacts {
            name: "default".into(),
            upstream: "http://127.0.0.1:9000".into(),
            rules: CodeRules::default(),
        }),
        opened_at: Timestamp::UNIX_EPOCH,
        handshake: CompactDuration::ZERO,
        client: address.clone(),
        upstream: address,
        client_tls: None,
        upstream_tls: None,
        request: Request::default(),
        trace: None,
        live: Live::default(),
    })
}

/// A message that is read from `from` and written on.
fn message(ledger: &mut Ledger, from: Peer, opcode: Opcode, payload: &[u8], total: u64, at: Duration) {
    ledger.on(Event::Frame { from, frame: &frame(opcode, payload, total) }, at);
    ledger.on(Event::Read { from, bytes: FRAME as usize, active: opcode != Opcode::Close }, at);
    ledger.on(Event::Written { from, total }, at);
}

/// One message each way, a closing handshake, two FINs, the record.
fn whole_session(session: &Arc<Session>) -> CloseRecord {
    let mut ledger = Ledger::new();
    let at = Duration::from_millis;
    for (step, opcode, payload) in [(1, Opcode::Text, &b"hello"[..]), (2, Opcode::Close, &[0x03, 0xe8])] {
        for from in Peer::ALL {
            message(&mut ledger, from, opcode, black_box(payload), step * FRAME, at(step));
        }
    }
    for peer in Peer::ALL {
        ledger.on(Event::Ended { peer, how: End::Fin }, at(3));
    }
    CloseRecord::file(Arc::clone(session), ledger, at(3), Timestamp::UNIX_EPOCH)
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_millis(1500))
        .configure_from_args();

    let mut group = criterion.benchmark_group("ledger");
    let now = Duration::from_millis(1);

    // The cost of a message: three events.
    group.throughput(Throughput::Elements(3));
    group.bench_function("message read and written on", |bencher| {
        let mut ledger = Ledger::new();
        let mut total = 0;
        bencher.iter(|| {
            total += FRAME;
            message(&mut ledger, Peer::Client, Opcode::Text, &[], black_box(total), black_box(now));
        });
    });
    group.throughput(Throughput::Elements(1));
    group.bench_function("frame alone", |bencher| {
        let mut ledger = Ledger::new();
        let text = frame(Opcode::Text, &[], FRAME);
        bencher.iter(|| ledger.on(Event::Frame { from: Peer::Client, frame: black_box(&text) }, black_box(now)));
    });
    group.throughput(Throughput::Elements(6));
    group.bench_function("ping and its pong", |bencher| {
        let mut ledger = Ledger::new();
        let mut total = 0;
        bencher.iter(|| {
            total += FRAME;
            let payload = total.to_be_bytes();
            message(&mut ledger, Peer::Upstream, Opcode::Ping, &payload, total, now);
            message(&mut ledger, Peer::Client, Opcode::Pong, &payload, total, now);
        });
    });
    group.throughput(Throughput::Elements(1));
    group.bench_function("short session, from opening to record", |bencher| {
        let session = session();
        bencher.iter(|| whole_session(&session));
    });
    group.finish();
    criterion.final_summary();
}
