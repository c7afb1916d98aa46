//! The cost of a line of the close log: by the writer of `src/export/json`, and by serde_json from a description of the same
//! record. Both lines are compared before they are timed.

use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use closewatch::close::{
    Address, CloseRecord, CodeRules, CompactDuration, End, Event, HttpVersion, Ledger, Live, Request, RouteFacts,
    Session, Text,
};
use closewatch::export::{JsonStyle, to_json};
use closewatch::wire::{Frame, MessageKind, Opcode, Peer};
use criterion::{Criterion, Throughput};
use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, Serializer};
use ulid::Ulid;

/// The fields of a record, in their order, for `derive(Serialize)`.
#[derive(Serialize)]
struct Line<'a> {
    schema: u32,
    event: &'static str,
    level: &'static str,
    time: Time,
    instance: Option<&'a str>,
    session: String,
    route: &'a str,
    class: closewatch::close::Class,
    code: Option<closewatch::close::CloseCode>,
    code_name: &'static str,
    initiator: closewatch::close::Initiator,
    cause: closewatch::close::Cause,
    handshake: closewatch::close::Handshake,
    reason: &'a str,
    opened_at: Time,
    ended_at: Time,
    duration_ms: Millis,
    filed_ms: Millis,
    idle_ms: Millis,
    close_handshake_ms: Option<Millis>,
    handshake_ms: Millis,
    client: Seen<'a>,
    upstream: Seen<'a>,
    request: Asked<'a>,
    hint: Option<()>,
    trace_id: Option<()>,
    span_id: Option<()>,
    handshake_trace_id: Option<()>,
}

/// `real_address` is the client's alone, `name` the upstream's.
#[derive(Serialize)]
struct Seen<'a> {
    address: &'a Address,
    #[expect(clippy::option_option, reason = "not there, null, or an address")]
    #[serde(skip_serializing_if = "Option::is_none")]
    real_address: Option<Option<&'a Address>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    close: Option<Close<'a>>,
    end: End,
    end_at_ms: Option<Millis>,
    saw: Sight,
    text_messages: u64,
    binary_messages: u64,
    frames: u64,
    bytes: u64,
    pings: u64,
    pongs: u64,
    silence_before_last_ms: Option<Millis>,
    longest_silence_ms: Option<Millis>,
    last_frame_at_ms: Option<Millis>,
    last_message_at_ms: Option<Millis>,
    last_pong_at_ms: Option<Millis>,
    ping_rtt_ms: Option<Millis>,
    ping_rtt_max_ms: Option<Millis>,
    unanswered_pings: u32,
    unsolicited_pongs: u64,
    violations: std::collections::BTreeMap<&'static str, u32>,
    frames_after_close: u64,
    since_answered_ping_ms: Option<Millis>,
    blind: bool,
    stalled_ms: Millis,
    stalled_at_end_ms: Millis,
    undelivered_bytes: u64,
    tcp: Option<Tcp>,
    reset_after_fin: bool,
    tls_alert: Option<closewatch::close::TlsAlert>,
    tls_version: Option<closewatch::close::TlsVersion>,
}

#[derive(Serialize)]
struct Close<'a> {
    code: Option<closewatch::close::CloseCode>,
    reason: &'a str,
    at_ms: Millis,
}

#[derive(Serialize)]
struct Sight {
    code: Option<closewatch::close::CloseCode>,
    clean: bool,
    certain: bool,
}

#[derive(Serialize)]
struct Tcp {
    rtt_ms: Millis,
    retransmits: u32,
}

#[derive(Serialize)]
struct Asked<'a> {
    method: &'a str,
    path: &'a Text,
    host: Option<&'a Text>,
    http_version: HttpVersion,
    user_agent: Option<&'a Text>,
    origin: Option<&'a Text>,
    subprotocol: Option<&'a Text>,
    extensions: Option<&'a Text>,
    request_id: Option<&'a Text>,
    forwarded_for: Option<&'a Text>,
    subprotocols_offered: u16,
}

/// RFC 3339 with six decimals.
struct Time(Timestamp);

/// Milliseconds with up to three decimals.
struct Millis(Duration);

// === impl Time, Millis ===

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:.6}", self.0))
    }
}

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[expect(clippy::cast_precision_loss, reason = "exact for 285 years")]
        serializer.serialize_f64(self.0.as_micros() as f64 / 1000.0)
    }
}

// === impl Line ===

impl<'a> Line<'a> {
    fn of(record: &'a CloseRecord, instance: Option<&'a str>) -> Self {
        let (session, verdict) = (&*record.session, &record.verdict);
        let ended = SignedDuration::try_from(verdict.ended).expect("it is short");
        Self {
            schema: 1,
            event: "websocket.closed",
            level: verdict.level(),
            time: Time(record.time),
            instance,
            session: session.id.to_string(),
            route: &session.route.name,
            class: verdict.class,
            code: verdict.code,
            code_name: record.code_name(),
            initiator: verdict.initiator,
            cause: verdict.cause,
            handshake: verdict.handshake,
            reason: record.reason(),
            opened_at: Time(session.opened_at),
            ended_at: Time(session.opened_at + ended),
            duration_ms: Millis(verdict.ended),
            filed_ms: Millis(record.filed),
            idle_ms: Millis(record.idle()),
            close_handshake_ms: verdict.close_handshake.map(Millis),
            handshake_ms: Millis(session.handshake.get()),
            client: Seen::of(record, Peer::Client),
            upstream: Seen::of(record, Peer::Upstream),
            request: Asked::of(&session.request),
            hint: None,
            trace_id: None,
            span_id: None,
            handshake_trace_id: None,
        }
    }
}

impl<'a> Seen<'a> {
    fn of(record: &'a CloseRecord, peer: Peer) -> Self {
        let (session, ended) = (&*record.session, record.verdict.ended);
        let (facts, saw) = record.of(peer);
        let (address, real_address, name) = match peer {
            Peer::Client => (&session.client, Some(session.request.real_address.as_deref()), None),
            Peer::Upstream => (&session.upstream, None, Some(&*session.route.upstream)),
        };
        Self {
            address,
            real_address,
            name,
            close: facts.close.as_ref().map(|close| Close {
                code: close.code,
                reason: close.reason.as_str(),
                at_ms: Millis(close.at),
            }),
            end: facts.end(),
            end_at_ms: facts.end.map(|end| Millis(end.at)),
            saw: Sight { code: saw.code, clean: saw.clean, certain: saw.certain },
            text_messages: facts.text_messages,
            binary_messages: facts.binary_messages,
            frames: facts.frames,
            bytes: facts.bytes,
            pings: facts.pings,
            pongs: facts.pongs,
            silence_before_last_ms: facts.silence_before_last.map(Millis),
            longest_silence_ms: facts.longest_silence.map(Millis),
            last_frame_at_ms: facts.last_frame.map(Millis),
            last_message_at_ms: facts.last_message.map(Millis),
            last_pong_at_ms: facts.last_pong.map(Millis),
            ping_rtt_ms: facts.ping_rtt.map(Millis),
            ping_rtt_max_ms: facts.ping_rtt_max.map(Millis),
            unanswered_pings: facts.unanswered_pings,
            unsolicited_pongs: facts.unsolicited_pongs,
            violations: facts.violations.iter().map(|(kind, count)| (kind.as_str(), count)).collect(),
            frames_after_close: facts.frames_after_close,
            since_answered_ping_ms: facts.last_answered_ping.map(|at| Millis(ended.saturating_sub(at))),
            blind: facts.blind.is_some(),
            stalled_ms: Millis(facts.stalled),
            stalled_at_end_ms: Millis(facts.stalled_at(ended)),
            undelivered_bytes: facts.undelivered_bytes,
            tcp: facts.tcp.map(|tcp| Tcp { rtt_ms: Millis(tcp.rtt), retransmits: tcp.retransmits }),
            reset_after_fin: facts.reset_after_fin,
            tls_alert: facts.tls_alert,
            tls_version: record.session.tls(peer),
        }
    }
}

impl<'a> Asked<'a> {
    fn of(request: &'a Request) -> Self {
        Self {
            method: request.method.as_str(),
            path: &request.path,
            host: request.host.as_ref(),
            http_version: request.http_version,
            user_agent: request.user_agent.as_ref(),
            origin: request.origin.as_ref(),
            subprotocol: request.subprotocol.as_deref(),
            extensions: request.extensions.as_deref(),
            request_id: request.request_id.as_deref(),
            forwarded_for: request.forwarded_for.as_deref(),
            subprotocols_offered: request.subprotocols_offered,
        }
    }
}

/// A browser's session: some messages each way, a closing handshake, two FINs.
fn record() -> CloseRecord {
    let address = |text: &str| Address::Ip(text.parse::<SocketAddr>().expect("it is an address"));
    let text = |text: &str| Some(Text::from(text));
    let session = Session {
        id: Ulid::from_parts(1_764_374_400_000, 7),
        route: Arc::new(RouteFacts {
            name: "chat".into(),
            upstream: "http://127.0.0.1:9000".into(),
            rules: CodeRules::default(),
        }),
        opened_at: "2026-11-20T12:00:00.0539Z".parse().expect("it is a time"),
        handshake: CompactDuration::from(Duration::from_micros(3_200)),
        client: address("203.0.113.7:55555"),
        upstream: address("127.0.0.1:9000"),
        client_tls: None,
        upstream_tls: None,
        request: Request {
            method: "GET".into(),
            path: "/chat/rooms/42".into(),
            host: text("chat.example"),
            http_version: HttpVersion::Http11,
            user_agent: text("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"),
            origin: text("https://chat.example"),
            extensions: text("permessage-deflate").map(Box::new),
            ..Request::default()
        },
        trace: None,
        live: Live::default(),
    };
    let mut ledger = Ledger::new();
    let at = |step: u64| Duration::from_micros(1_234_567 * step);
    let mut ends = [0; 2];
    let close = [&1000_u16.to_be_bytes()[..], b"logged out"].concat();
    for (step, opcode, payload) in
        [(1, Opcode::Text, &b"hello"[..]), (2, Opcode::Binary, b"hi"), (3, Opcode::Close, &close)]
    {
        for from in Peer::ALL {
            let end = &mut ends[from.index()];
            *end += 20;
            let completes = match opcode {
                Opcode::Text => Some(MessageKind::Text),
                Opcode::Binary => Some(MessageKind::Binary),
                Opcode::Close | Opcode::Continuation | Opcode::Ping | Opcode::Pong | Opcode::Reserved(_) => None,
            };
            let frame = Frame { opcode, completes, len: payload.len() as u64, payload, after_close: false, end: *end };
            ledger.on(Event::Frame { from, frame: &frame }, at(step));
            ledger.on(Event::Read { from, bytes: 20, active: opcode != Opcode::Close }, at(step));
            ledger.on(Event::Written { from, total: *end }, at(step));
        }
    }
    for peer in Peer::ALL {
        ledger.on(Event::Ended { peer, how: End::Fin }, at(4));
    }
    let time = session.opened_at + SignedDuration::try_from(at(4)).expect("it is short");
    CloseRecord::file(Arc::new(session), ledger, at(4), time)
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_millis(1500))
        .configure_from_args();

    let record = record();
    let style = JsonStyle { instance: Some("pod-7".into()), ..JsonStyle::default() };
    let by_hand = |out: &mut Vec<u8>| style.write_closed(black_box(&record), out);
    let by_serde = |out: &mut Vec<u8>| {
        to_json(&Line::of(black_box(&record), style.instance.as_deref()), out);
        out.push(b'\n');
    };
    let (mut one, mut other) = (Vec::new(), Vec::new());
    by_hand(&mut one);
    by_serde(&mut other);
    assert_eq!(String::from_utf8(one.clone()), String::from_utf8(other), "both write the same line");

    let mut group = criterion.benchmark_group("json");
    group.throughput(Throughput::Bytes(one.len() as u64));
    // As the writer's thread does it: into a buffer that is used again.
    let mut out = Vec::with_capacity(2 * one.len());
    group.bench_function("a closure, by export/json", |bencher| {
        bencher.iter(|| {
            out.clear();
            by_hand(&mut out);
            out.len()
        });
    });
    group.bench_function("a closure, by serde_json", |bencher| {
        bencher.iter(|| {
            out.clear();
            by_serde(&mut out);
            out.len()
        });
    });
    group.finish();
    criterion.final_summary();
}
