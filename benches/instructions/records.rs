//! The cost of a record: its hint, its filing, and its line in the close log.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use closewatch::close::{
    Address, CloseRecord, CloseSink, CodeRules, CompactDuration, End, Event, HttpVersion, Ledger, Live, Request,
    RouteFacts, RouteSink, Session, Text,
};
use closewatch::config::LogTarget;
use closewatch::diagnosis::hint;
use closewatch::export::{ExportOptions, Exporter, JsonStyle, LogOptions};
use closewatch::wire::{Frame, Opcode, Peer};
use jiff::{SignedDuration, Timestamp};
use ulid::Ulid;

/// A record, and the hint that is sought for it while nothing is found.
pub(crate) struct Hints(CloseRecord);

/// A route, and the record that is filed with it: metrics, ring, live view, the queues of the log and of the diagnosis.
pub(crate) struct Filing {
    route: Arc<dyn RouteSink>,
    record: CloseRecord,
}

/// A record, and the buffer for its line.
pub(crate) struct Lines {
    style: JsonStyle,
    record: CloseRecord,
    line: Vec<u8>,
}

/// A browser's session.
pub(crate) fn session(number: u8) -> Arc<Session> {
    let text = |text: &str| Some(Text::from(text));
    Arc::new(Session {
        id: Ulid::from_parts(1_764_374_400_000, number.into()),
        route: Arc::new(RouteFacts {
            name: "chat".into(),
            upstream: "http://127.0.0.1:9000".into(),
            rules: CodeRules::default(),
        }),
        opened_at: Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 365 * 50),
        handshake: CompactDuration::from(Duration::from_micros(3_200)),
        client: Address::Ip(([203, 0, 113, number], 55_555).into()),
        upstream: Address::Ip(([127, 0, 0, 1], 9000).into()),
        client_tls: None,
        upstream_tls: None,
        request: Request {
            method: "GET".into(),
            path: "/chat/rooms/42".into(),
            host: text("chat.example"),
            http_version: HttpVersion::Http11,
            user_agent: text("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"),
            origin: text("https://chat.example"),
            ..Request::default()
        },
        trace: None,
        live: Live::default(),
    })
}

/// A session that both peers close in order.
fn closed() -> CloseRecord {
    let mut ledger = Ledger::new();
    let at = |step: u64| Duration::from_micros(1_234_567 * step);
    let payload = [&1000_u16.to_be_bytes()[..], b"logged out"].concat();
    for from in Peer::ALL {
        let len = payload.len() as u64;
        let opcode = Opcode::Close;
        let frame = Frame { opcode, completes: None, len, payload: &payload, after_close: false, end: 20 };
        ledger.on(Event::Frame { from, frame: &frame }, at(1));
        ledger.on(Event::Read { from, bytes: 20, active: false }, at(1));
        ledger.on(Event::Written { from, total: 20 }, at(1));
    }
    for peer in Peer::ALL {
        ledger.on(Event::Ended { peer, how: End::Fin }, at(2));
    }
    CloseRecord::file(session(1), ledger, at(2), Timestamp::UNIX_EPOCH)
}

/// A session whose client's leg is reset after a minute of silence: of these, diagnosis has something to say.
fn cut() -> CloseRecord {
    let mut ledger = Ledger::new();
    let talk = Duration::from_secs(12);
    ledger.on(Event::Read { from: Peer::Client, bytes: 130, active: true }, talk);
    ledger.on(Event::Ended { peer: Peer::Client, how: End::Reset }, talk + Duration::from_mins(1));
    ledger.on(Event::Ended { peer: Peer::Upstream, how: End::Local }, talk + Duration::from_mins(1));
    CloseRecord::file(session(1), ledger, talk + Duration::from_secs(61), Timestamp::UNIX_EPOCH)
}

// === impl Hints ===

impl Hints {
    pub(crate) fn new() -> Self {
        Self(cut())
    }

    pub(crate) fn give(&mut self) {
        black_box(hint(black_box(&self.0), &[]));
    }
}

// === impl Filing ===

impl Filing {
    pub(crate) fn new() -> Self {
        let log = LogOptions { target: LogTarget::File("/dev/null".into()), ..LogOptions::default() };
        let exporter = Exporter::start(ExportOptions { log, ..ExportOptions::default() });
        let route = exporter.expect("anybody may write to /dev/null").route("chat");
        Self { route, record: closed() }
    }

    /// The copy of the record is counted with it.
    pub(crate) fn file(&mut self) {
        self.route.closed(self.record.clone());
    }
}

// === impl Lines ===

impl Lines {
    pub(crate) fn new() -> Self {
        Self { style: JsonStyle::default(), record: closed(), line: Vec::new() }
    }

    pub(crate) fn write(&mut self) {
        self.line.clear();
        self.style.write_closed(black_box(&self.record), &mut self.line);
        assert!(black_box(&self.line).starts_with(b"{"));
    }
}
