//! Tests of the close, on scripts: one line says what happened in a session, one line what is to be made of it.

mod any_events;
mod classes;
mod facts;
mod live;
mod model;
mod pings;
mod record;
mod saw;
mod text;
mod verdicts;

use std::time::Duration;

use super::invariants::{STEP, file};
use super::{Cause, CloseCode, CloseRecord, CodeLabel, CodeRules, End, Event, Ledger, Saw, TcpFacts};
use crate::wire::{Frame, Observe, Peer, ReservedBits, Tap, Violation};

/// A session that is being played.
///
/// Its script is words; each takes a millisecond. `c` is the client, `u` the upstream:
///
/// - `c:text` `c:binary` `c:begin` (the first frame of a message) `c:end` (its last) `c:ping=x` `c:pong=x` `c:odd` (a
///   reserved opcode) `c:blind` `c:close` (empty) `c:close=1000` `c:close=1000,bye` `c:close=byte` `c:close=utf8`
///   `c:close=long`; with `&` between them they come in one slice
/// - `c>` what the client sent is written on to the upstream
/// - `c:fin` `c:reset` `c:timeout` `c:tls_truncated` its transport ends; `c:local` closewatch ends it; `c:open` nothing
/// - `own=1001,bye>c` closewatch's Close is written to the client; `rst>c` its leg is reset; `unacked=4>c` it has not
///   acknowledged 4 bytes; `stall>c` it did not take bytes for 10 ms; `stuck>c` the same, and never did again
/// - `drain` `idle_timeout` `proxy_error` closewatch decides to end the session
/// - `+500` half a second goes by
struct Play {
    taps: [Tap; 2],
    ledger: Ledger,
    now: Duration,
}

/// Hands on what a tap sees, as the data plane does.
struct Tell<'a> {
    ledger: &'a mut Ledger,
    from: Peer,
    at: Duration,
}

// === impl Play ===

impl Play {
    fn of(script: &str) -> Self {
        let taps = Peer::ALL.map(|peer| Tap::new(peer, ReservedBits::None));
        let mut play = Self { taps, ledger: Ledger::new(), now: STEP };
        for word in script.split_whitespace() {
            play.word(word);
        }
        play
    }

    fn word(&mut self, word: &str) {
        if let Some(millis) = word.strip_prefix('+') {
            self.now += Duration::from_millis(millis.parse().unwrap());
            return;
        }
        if let Some(from) = word.strip_suffix('>') {
            let from = peer(from);
            self.on(Event::Written { from, total: self.taps[from.index()].seen() });
        } else if let Some((from, what)) = word.split_once(':') {
            self.peer_does(peer(from), what);
        } else if let Some((what, to)) = word.split_once('>') {
            let peer = peer(to);
            self.on(match what.split_once('=') {
                Some(("own", own)) => {
                    let (code, reason) = own.split_once(',').unwrap_or((own, ""));
                    Event::OwnClose { to: peer, code: CloseCode(code.parse().unwrap()), reason }
                }
                Some(("unacked", bytes)) => {
                    let tcp = Some(TcpFacts { rtt: STEP, retransmits: 7 });
                    Event::Kernel { peer, unacknowledged: bytes.parse().unwrap(), tcp }
                }
                None if what == "rst" => Event::Reset { peer },
                None if what == "stall" => Event::Stalled { peer, time: 10 * STEP, relieved: true },
                None if what == "stuck" => Event::Stalled { peer, time: 10 * STEP, relieved: false },
                _ => panic!("no such word: {word}"),
            });
        } else {
            self.on(Event::Decided { cause: word.parse::<Cause>().unwrap() });
        }
        self.now += STEP;
    }

    fn peer_does(&mut self, from: Peer, what: &str) {
        if let Ok(how) = what.parse::<End>() {
            return self.on(Event::Ended { peer: from, how });
        }
        let bytes = what.split('&').flat_map(|what| frame(from, what)).collect::<Vec<_>>();
        let mut tell = Tell { ledger: &mut self.ledger, from, at: self.now };
        let active = self.taps[from.index()].feed(&bytes, &mut tell);
        self.on(Event::Read { from, bytes: bytes.len(), active });
    }

    fn on(&mut self, event: Event<'_>) {
        self.ledger.on(event, self.now);
    }

    fn file(self, rules: CodeRules) -> CloseRecord {
        file(self.ledger, rules, self.now)
    }
}

impl Observe for Tell<'_> {
    fn frame(&mut self, frame: &Frame<'_>) {
        self.ledger.on(Event::Frame { from: self.from, frame }, self.at);
    }

    fn violation(&mut self, violation: Violation) {
        self.ledger.on(Event::Violation { from: self.from, violation }, self.at);
    }

    fn blind(&mut self) {
        self.ledger.on(Event::Blind { from: self.from }, self.at);
    }
}

fn peer(letter: &str) -> Peer {
    match letter {
        "c" => Peer::Client,
        "u" => Peer::Upstream,
        _ => panic!("no such peer: {letter}"),
    }
}

/// A frame of `from`, masked with a key that changes nothing if it must be masked.
fn frame(from: Peer, what: &str) -> Vec<u8> {
    let (kind, with) = what.split_once('=').unwrap_or((what, ""));
    let (first, payload) = match (kind, with) {
        ("text", _) => (0x81, b"hello".to_vec()),
        ("binary", _) => (0x82, b"hello".to_vec()),
        ("begin", _) => (0x01, b"hel".to_vec()),
        ("end", _) => (0x80, b"lo".to_vec()),
        ("odd", _) => (0x83, vec![]),
        ("ping", payload) => (0x89, payload.as_bytes().to_vec()),
        ("pong", payload) => (0x8a, payload.as_bytes().to_vec()),
        ("blind", _) => return vec![0x82, 0x7f, 0xff, 0, 0, 0, 0, 0, 0, 0],
        ("close", "") => (0x88, vec![]),
        ("close", "byte") => (0x88, vec![3]),
        ("close", "utf8") => (0x88, b"\x03\xe8\xff".to_vec()),
        ("close", "long") => (0x88, [b"\x03\xe8".to_vec(), vec![b'x'; 124]].concat()),
        ("close", body) => {
            let (code, reason) = body.split_once(',').unwrap_or((body, ""));
            (0x88, [&code.parse::<u16>().unwrap().to_be_bytes(), reason.as_bytes()].concat())
        }
        _ => panic!("no such frame: {what}"),
    };
    let mut bytes = match payload.len() {
        len @ 0..126 => vec![first, len as u8],
        len => vec![first, 126, 0, len as u8],
    };
    if from == Peer::Client {
        bytes[1] |= 0x80;
        bytes.extend([0; 4]);
    }
    bytes.extend(payload);
    bytes
}

/// The record of a script.
fn record(script: &str) -> CloseRecord {
    Play::of(script).file(CodeRules::default())
}

/// `code initiator cause handshake class`; an invalid code shows its number, or `null`.
fn verdict(record: &CloseRecord) -> String {
    let verdict = record.verdict;
    let code = match (verdict.label, verdict.code) {
        (CodeLabel::Invalid, Some(code)) => format!("invalid={code}"),
        (CodeLabel::Invalid, None) => "invalid=null".to_owned(),
        (label, Some(code)) if label.to_string() != code.to_string() => format!("{label}={code}"),
        (label, _) => label.to_string(),
    };
    format!("{code} {} {} {} {}", verdict.initiator, verdict.cause, verdict.handshake, verdict.class)
}

/// The codes that client and upstream saw: `1000+ 1006`. `+` is clean, `?` is not certain.
fn saw(record: &CloseRecord) -> String {
    let one = |saw: Saw| {
        let code = saw.code.map_or("null".to_owned(), |code| code.to_string());
        code + if saw.clean { "+" } else { "" } + if saw.certain { "" } else { "?" }
    };
    format!("{} {}", one(record.verdict.client_saw), one(record.verdict.upstream_saw))
}

/// Plays each script, and compares what `show` makes of its record with what stands beside it.
#[track_caller]
fn check(show: impl Fn(&CloseRecord) -> String, rules: &CodeRules, rows: &[(&str, &str)]) {
    assert!(!rows.is_empty());
    let wrong = rows.iter().filter_map(|(script, expected)| {
        let record = Play::of(script).file(rules.clone());
        let shown = show(&record);
        let whole = || format!("{:#?}\n{:#?}", record.verdict, record.facts);
        (shown != *expected).then(|| format!("\n{script}\n  expected {expected}\n  got      {shown}\n{}\n", whole()))
    });
    let wrong = wrong.collect::<String>();
    assert!(wrong.is_empty(), "{wrong}");
}
