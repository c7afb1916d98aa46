//! One session as it happens: what its peers do, told to a real ledger, so that facts go together as in real records.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ulid::Ulid;

use crate::close::{
    Address, Cause, CloseCode, CloseRecord, CompactDuration, End, Event, Ledger, Live, Request, RouteFacts, Session,
    TcpFacts, TlsVersion,
};
use crate::wire::{Frame, MessageKind, Opcode, Peer, Violation};

/// A byte comes from one leg to the other in this time.
const HOP: f64 = 0.000_2;

/// A frame, `at` seconds behind the opening.
#[derive(Clone, Copy, Debug)]
pub(super) struct Act {
    pub(super) at: f64,
    pub(super) by: Peer,
    pub(super) what: What,
}

/// The kind of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Message,
    Ping(u32),
    Pong(u32),
    Breach(Violation),
}

/// The answer to a Close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The same code, after a round trip.
    Echo,
    /// Another code.
    Code(u16),
    /// None: the closer hangs up at once, and did not wait (Safari).
    HungUp,
    /// None: the other is gone; its leg is reset in the end.
    Nothing,
}

/// The end of a session.
#[derive(Clone, Debug)]
pub(super) enum Ending {
    Close {
        by: Peer,
        code: Option<u16>,
        reason: String,
        answer: Answer,
    },
    Fin(Peer),
    Reset(Peer),
    Timeout(Peer),
    /// closewatch decides.
    Own(Cause),
}

/// A session's acts and end.
#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) acts: Vec<Act>,
    pub(super) life: f64,
    pub(super) ending: Ending,
    /// A peer takes no bytes for so long before the end.
    pub(super) stall: Option<(Peer, f64)>,
    /// A peer took no bytes for a time, and then took them.
    pub(super) relieved: Option<(Peer, f64)>,
}

/// The rest of a record.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) route: Arc<RouteFacts>,
    pub(super) opened_at: Timestamp,
    pub(super) handshake: f64,
    pub(super) client: Address,
    pub(super) upstream: Address,
    pub(super) client_tls: Option<TlsVersion>,
    pub(super) request: Request,
    pub(super) random: u128,
}

struct Teller {
    ledger: Ledger,
    read: [u64; 2],
    closed: [bool; 2],
    now: f64,
    stuck: Option<Peer>,
}

// === impl Script ===

impl Script {
    /// The record of it.
    pub(super) fn record(&self, setting: Setting) -> CloseRecord {
        let mut told = Teller { ledger: Ledger::new(), read: [0; 2], closed: [false; 2], now: 0.0, stuck: None };
        let (stuck, since) = self.stall.map_or((None, f64::INFINITY), |(peer, time)| (Some(peer), self.life - time));
        for act in self.acts.iter().filter(|act| act.at < self.life) {
            if act.at >= since {
                told.stuck = stuck;
            }
            told.act(act);
        }
        if let Some((peer, time)) = self.relieved {
            told.event(self.life, Event::Stalled { peer, time: duration(time), relieved: true });
        }
        let mut ended = told.ends(&self.ending, self.life);
        if let Some((peer, time)) = self.stall {
            let at = self.life.max(told.now);
            told.event(at, Event::Stalled { peer, time: duration(time + at - self.life), relieved: false });
            ended = ended.max(at);
        }
        let filed = duration(ended + 0.001);
        let time = setting.opened_at + filed;
        let session = Arc::new(Session {
            id: Ulid::from_parts(setting.opened_at.as_millisecond() as u64, setting.random),
            route: setting.route,
            opened_at: setting.opened_at,
            handshake: CompactDuration::from(duration(setting.handshake)),
            client: setting.client,
            upstream: setting.upstream,
            client_tls: setting.client_tls,
            upstream_tls: None,
            request: setting.request,
            trace: None,
            live: Live::default(),
        });
        CloseRecord::file(session, told.ledger, filed, time)
    }
}

fn duration(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.max(0.0))
}

// === impl Teller ===

impl Teller {
    fn event(&mut self, at: f64, event: Event<'_>) {
        self.now = self.now.max(at);
        self.ledger.on(event, duration(self.now));
    }

    fn act(&mut self, act: &Act) {
        match act.what {
            What::Message => self.frame(act.at, act.by, Opcode::Text, &[]),
            What::Ping(number) => self.frame(act.at, act.by, Opcode::Ping, &number.to_be_bytes()),
            What::Pong(number) => self.frame(act.at, act.by, Opcode::Pong, &number.to_be_bytes()),
            What::Breach(violation) => {
                self.event(act.at, Event::Violation { from: act.by, violation });
                self.frame(act.at, act.by, Opcode::Text, &[]);
            }
        }
    }

    fn frame(&mut self, at: f64, from: Peer, opcode: Opcode, payload: &[u8]) {
        let len = if opcode == Opcode::Text { 80 } else { payload.len() as u64 };
        let size = len + if from == Peer::Client { 6 } else { 2 };
        let end = self.read[from.index()] + size;
        self.read[from.index()] = end;
        let completes = (opcode == Opcode::Text).then_some(MessageKind::Text);
        let after_close = self.closed[from.index()];
        self.event(at, Event::Frame { from, frame: &Frame { opcode, completes, len, payload, after_close, end } });
        self.event(at, Event::Read { from, bytes: size as usize, active: opcode != Opcode::Close });
        if self.stuck != Some(from.other()) {
            self.event(at + HOP, Event::Written { from, total: end });
        }
    }

    fn close(&mut self, at: f64, from: Peer, code: Option<u16>, reason: &str) {
        let body = code.map_or(vec![], |code| [&code.to_be_bytes(), reason.as_bytes()].concat());
        self.frame(at, from, Opcode::Close, &body);
        self.closed[from.index()] = true;
    }

    /// Tells the end; gives the time at which all is over.
    fn ends(&mut self, ending: &Ending, at: f64) -> f64 {
        match ending {
            Ending::Close { by, code, reason, answer } => {
                self.close(at, *by, *code, reason);
                let (by, trip) = (*by, 0.02);
                match answer {
                    Answer::Echo => self.close(at + trip, by.other(), *code, ""),
                    Answer::Code(code) => self.close(at + trip, by.other(), Some(*code), ""),
                    Answer::HungUp => {
                        self.ended(at + 0.001, by, End::Fin);
                        self.ended(at + trip, by.other(), End::Fin);
                        return at + trip;
                    }
                    Answer::Nothing => {
                        self.ended(at + 5.0, by, End::Fin);
                        self.event(at + 5.0, Event::Reset { peer: by.other() });
                        self.ended(at + 5.0, by.other(), End::Local);
                        self.kernel(at + 5.0, by.other(), 80);
                        return at + 5.0;
                    }
                }
                self.ended(at + 2.0 * trip, Peer::Upstream, End::Fin);
                self.ended(at + 2.0 * trip + HOP, Peer::Client, End::Fin);
            }
            Ending::Fin(by) => {
                self.ended(at, *by, End::Fin);
                self.kernel(at, *by, 0);
                self.ended(at + 0.01, by.other(), End::Fin);
            }
            Ending::Reset(by) => {
                self.ended(at, *by, End::Reset);
                self.kernel(at, *by, 0);
                self.ended(at, by.other(), End::Local);
            }
            Ending::Timeout(by) => {
                self.ended(at, *by, End::Timeout);
                self.kernel(at, *by, 80);
                self.ended(at, by.other(), End::Local);
            }
            Ending::Own(cause) => {
                self.event(at, Event::Decided { cause: *cause });
                for to in Peer::ALL {
                    self.event(at + HOP, Event::OwnClose { to, code: CloseCode(1001), reason: "" });
                }
                for peer in Peer::ALL {
                    self.ended(at + 0.03, peer, End::Fin);
                }
            }
        }
        self.now
    }

    fn ended(&mut self, at: f64, peer: Peer, how: End) {
        self.event(at, Event::Ended { peer, how });
    }

    fn kernel(&mut self, at: f64, peer: Peer, unacknowledged: u64) {
        let tcp = Some(TcpFacts { rtt: Duration::from_millis(20), retransmits: u32::from(unacknowledged > 0) });
        self.event(at, Event::Kernel { peer, unacknowledged, tcp });
    }
}
