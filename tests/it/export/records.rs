//! Records made as the data plane makes them: from events.

use std::sync::Arc;
use std::time::Duration;

use closewatch::close::{
    Address, Cause, CloseCode, CloseRecord, CodeRules, End, Event, HandshakeRecord, HttpVersion, Ledger, Live, Outcome,
    Request, RouteFacts, Session, TcpFacts, Text, TlsVersion,
};
use closewatch::wire::{CloseBody, Frame, MAX_CONTROL_PAYLOAD, MessageKind, Opcode, Peer};
use jiff::Timestamp;
use ulid::Ulid;

/// A session as a script of what happens to it. Times are milliseconds since its opening.
pub(crate) struct Script {
    session: Session,
    ledger: Ledger,
    /// Bytes read from each peer.
    read: [u64; 2],
}

impl Script {
    pub(super) fn new() -> Self {
        Self::of(session(1))
    }

    pub(crate) fn of(session: Session) -> Self {
        Self { session, ledger: Ledger::new(), read: [0; 2] }
    }

    pub(super) fn request(mut self, change: impl FnOnce(&mut Request)) -> Self {
        change(&mut self.session.request);
        self
    }

    pub(super) fn event(mut self, event: Event<'_>, at: f64) -> Self {
        self.ledger.on(event, ms(at));
        self
    }

    /// `bytes` of `from` are read and written on, without the end of a frame in them.
    pub(super) fn read(self, from: Peer, bytes: usize, at: f64) -> Self {
        let written = self.unwritten(from, bytes, at);
        let total = written.read[from.index()];
        written.event(Event::Written { from, total }, at)
    }

    /// `bytes` of `from` are read, and stay where they are.
    pub(super) fn unwritten(mut self, from: Peer, bytes: usize, at: f64) -> Self {
        self.read[from.index()] += bytes as u64;
        self.event(Event::Read { from, bytes, active: true }, at)
    }

    /// A frame is read and written on.
    pub(super) fn frame(self, from: Peer, opcode: Opcode, payload: &[u8], at: f64) -> Self {
        let written = self.unwritten_frame(from, opcode, payload, at);
        let total = written.read[from.index()];
        written.event(Event::Written { from, total }, at)
    }

    /// A frame is read, and stays where it is.
    pub(super) fn unwritten_frame(mut self, from: Peer, opcode: Opcode, payload: &[u8], at: f64) -> Self {
        let bytes = 2 + payload.len() + if from == Peer::Client { 4 } else { 0 };
        self.read[from.index()] += bytes as u64;
        let frame = Frame {
            opcode,
            completes: match opcode {
                Opcode::Text => Some(MessageKind::Text),
                Opcode::Binary => Some(MessageKind::Binary),
                Opcode::Continuation | Opcode::Close | Opcode::Ping | Opcode::Pong | Opcode::Reserved(_) => None,
            },
            len: payload.len() as u64,
            payload: if opcode.is_control() { &payload[..payload.len().min(MAX_CONTROL_PAYLOAD)] } else { b"" },
            after_close: false,
            end: self.read[from.index()],
        };
        self.ledger.on(Event::Frame { from, frame: &frame }, ms(at));
        if opcode == Opcode::Close
            && let Some(violation) = CloseBody::parse(frame.payload, frame.len).fault
        {
            self.ledger.on(Event::Violation { from, violation }, ms(at));
        }
        self.event(Event::Read { from, bytes, active: opcode != Opcode::Close }, at)
    }

    pub(super) fn close(self, from: Peer, code: u16, reason: &str, at: f64) -> Self {
        self.frame(from, Opcode::Close, &[&code.to_be_bytes(), reason.as_bytes()].concat(), at)
    }

    pub(crate) fn ended(self, peer: Peer, how: End, at: f64) -> Self {
        self.event(Event::Ended { peer, how }, at)
    }

    pub(crate) fn file(self, at: f64) -> CloseRecord {
        let time = self.session.opened_at + ms(at);
        CloseRecord::file(Arc::new(self.session), self.ledger, ms(at), time)
    }
}

pub(super) fn ms(millis: f64) -> Duration {
    let duration = Duration::from_secs_f64(millis / 1000.0);
    // To the microsecond, as the record has it.
    Duration::from_micros((duration + Duration::from_nanos(500)).as_micros() as u64)
}

pub(super) fn opened_at() -> Timestamp {
    "2026-11-20T12:00:00.0539Z".parse().unwrap()
}

/// The `number`th session.
pub(crate) fn session(number: u128) -> Session {
    Session {
        id: Ulid::from_parts(opened_at().as_millisecond().unsigned_abs(), number),
        route: Arc::new(RouteFacts {
            name: "chat".into(),
            upstream: "http://127.0.0.1:9000".into(),
            rules: CodeRules::default(),
        }),
        opened_at: opened_at(),
        handshake: ms(3.2).into(),
        client: Address::Ip("10.1.2.3:55555".parse().unwrap()),
        upstream: Address::Ip("127.0.0.1:9000".parse().unwrap()),
        client_tls: Some(TlsVersion::Tls13),
        upstream_tls: None,
        request: request("/chat"),
        trace: None,
        live: Live::default(),
    }
}

fn request(path: &str) -> Request {
    Request {
        method: "GET".into(),
        path: path.into(),
        host: Some("chat.example".into()),
        http_version: HttpVersion::Http11,
        user_agent: Some("Mozilla/5.0".into()),
        origin: Some("https://chat.example".into()),
        ..Request::default()
    }
}

/// The first example of the contract: the upstream resets a session that was idle for a minute.
pub(super) fn reset_by_upstream() -> CloseRecord {
    use Peer::{Client, Upstream};
    let mut script =
        Script::new().frame(Upstream, Opcode::Ping, b"a", 1000.0).frame(Client, Opcode::Pong, b"a", 1040.0);
    for at in [2000.0, 3000.0, 4000.0, 5000.0] {
        script = script.frame(Client, Opcode::Text, b"a message of some length", at);
    }
    let rest = 812 - (4 * (6 + 24) + 2 * 7);
    let tcp = Some(TcpFacts { rtt: ms(3.1), retransmits: 0 });
    script
        .read(Client, rest, 6000.0)
        .frame(Upstream, Opcode::Ping, b"b", 12_313.2)
        .frame(Client, Opcode::Pong, b"b", 12_344.4)
        .frame(Upstream, Opcode::Binary, b"\x01\x02", 12_344.478)
        .ended(Upstream, End::Reset, 72_345.678)
        .event(Event::Kernel { peer: Client, unacknowledged: 0, tcp }, 72_345.9)
        .ended(Client, End::Local, 72_345.9)
        .file(72_346.1)
}

/// The second example: the upstream closes with 1011 "boom", then resets.
pub(super) fn boom() -> CloseRecord {
    Script::new()
        .frame(Peer::Client, Opcode::Text, b"hello", 10.0)
        .close(Peer::Upstream, 1011, "boom", 250.5)
        .ended(Peer::Upstream, End::Reset, 251.0)
        .ended(Peer::Client, End::Local, 252.0)
        .file(252.5)
}

/// A browser that leaves the page.
pub(super) fn left_the_page() -> CloseRecord {
    Script::new()
        .frame(Peer::Upstream, Opcode::Text, b"welcome", 5.0)
        .close(Peer::Client, 1001, "", 30_500.0)
        .close(Peer::Upstream, 1001, "", 30_503.0)
        .ended(Peer::Upstream, End::Fin, 30_503.5)
        .ended(Peer::Client, End::Fin, 30_504.0)
        .file(30_504.0)
}

/// A client whose login the upstream refuses, and which answers with the same code.
pub(super) fn refused_login() -> CloseRecord {
    Script::new()
        .close(Peer::Upstream, 4401, "expired", 90.0)
        .close(Peer::Client, 4401, "expired", 91.0)
        .ended(Peer::Client, End::Fin, 92.0)
        .ended(Peer::Upstream, End::Fin, 93.0)
        .file(93.0)
}

/// A client that closes with 1000 and is answered 1011.
pub(super) fn disagreed() -> CloseRecord {
    Script::new()
        .close(Peer::Client, 1000, "done", 500.0)
        .close(Peer::Upstream, 1011, "could not save", 510.0)
        .ended(Peer::Upstream, End::Fin, 511.0)
        .ended(Peer::Client, End::Fin, 512.0)
        .file(512.0)
}

/// A client that puts into every field what does most harm there.
pub(super) fn hostile() -> CloseRecord {
    let reason = format!("\u{1b}[2Jgone\u{202e}txt\n{{\"code\":1000}}\u{9b}\u{e0041}{}", "é".repeat(150));
    assert!(reason.len() > 300);
    let text = |text: &str| Some(Text::from(text));
    Script::new()
        .request(|request| {
            request.path = "/chat\r\nSet-Cookie: a=b\u{7f}".into();
            request.user_agent = text("\u{1b}]0;owned\u{7}");
            request.origin = text("\u{feff}null");
            request.host = text(&"h".repeat(1000));
            request.request_id = text("\"},{\"").map(Box::new);
        })
        .close(Peer::Client, 1006, &reason, 77.0)
        .unwritten(Peer::Upstream, 4096, 77.5)
        .ended(Peer::Client, End::Fin, 78.0)
        .ended(Peer::Upstream, End::Local, 79.0)
        .file(80.0)
}

/// A direction that could not be read, then the drain.
pub(super) fn blind() -> CloseRecord {
    Script::new()
        .event(Event::Blind { from: Peer::Upstream }, 100.0)
        .read(Peer::Upstream, 100_000, 200.0)
        .close(Peer::Client, 1000, "", 300.0)
        .ended(Peer::Client, End::Fin, 301.0)
        .ended(Peer::Upstream, End::Fin, 302.0)
        .file(302.0)
}

/// closewatch ends a session with a Close of its own.
pub(super) fn drained() -> CloseRecord {
    Script::new()
        .event(Event::Decided { cause: Cause::Drain }, 400_000.0)
        .event(Event::OwnClose { to: Peer::Client, code: CloseCode::GOING_AWAY, reason: "" }, 400_000.2)
        .event(Event::OwnClose { to: Peer::Upstream, code: CloseCode::GOING_AWAY, reason: "" }, 400_000.3)
        .close(Peer::Client, 1001, "", 400_020.0)
        .close(Peer::Upstream, 1001, "", 400_001.0)
        .ended(Peer::Client, End::Local, 400_021.0)
        .ended(Peer::Upstream, End::Local, 400_021.0)
        .file(400_021.0)
}

pub(super) fn handshake(outcome: Outcome, status: Option<u16>) -> HandshakeRecord {
    HandshakeRecord {
        outcome,
        status,
        request: request("/chat"),
        client: Address::Ip("10.1.2.3:55556".parse().unwrap()),
        client_tls: Some(TlsVersion::Tls12),
        duration: ms(12.345),
        time: opened_at(),
        tls_error: None,
        detail: None,
        trace: None,
    }
}
