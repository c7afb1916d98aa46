//! One session, told to the real ledger: what both sides did, and how it ended.

use std::time::Duration;

use crate::close::{Cause, CloseCode, End, Event, Ledger, TcpFacts};
use crate::wire::{Frame, MessageKind, Opcode, Peer, Violation};

/// One thing that happens in a session.
#[derive(Clone, Copy, Debug)]
pub(super) enum Beat {
    /// A message by this peer.
    Text(Peer),
    /// A ping by this peer, with its number.
    Ping(Peer, u32),
    /// The pong of this peer to the ping of that number.
    Pong(Peer, u32),
    /// A breach by this peer.
    Breach(Peer, Violation),
    /// This peer took no bytes for so many seconds, up to now.
    Pause(Peer, f64),
}

/// The other side's answer to a Close.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Answer {
    /// The same code.
    Echo,
    /// Another one.
    With(u16, &'static str),
    /// No Close; its connection ends.
    Fin,
    /// Nothing: nobody is there any more.
    Silence,
}

/// How a session ends.
#[derive(Clone, Debug)]
pub(super) enum Leave {
    /// A Close by this peer.
    Close(Peer, Option<u16>, String, Answer),
    /// This peer's transport.
    End(Peer, End),
    /// Both at once.
    Both(End),
    /// closewatch decides it, and sends this code.
    Own(Cause, u16),
    /// closewatch fails.
    Failed,
}

/// The events of one session; times in seconds since it opened.
#[derive(Clone, Debug)]
pub(super) struct Talk {
    pub(super) beats: Vec<(f64, Beat)>,
    pub(super) life: f64,
    pub(super) leave: Leave,
    /// This peer takes no bytes from so many seconds before the end on.
    pub(super) stuck: Option<(Peer, f64)>,
    /// The round trip to the peers.
    pub(super) rtt: [f64; 2],
}

/// A ledger that is being told.
struct Teller {
    ledger: Ledger,
    bytes: [u64; 2],
    stuck: Option<(Peer, f64)>,
    closed: [bool; 2],
}

// === impl Beat ===

impl Beat {
    /// Whether it is a frame of this peer.
    pub(super) fn is_of(self, peer: Peer) -> bool {
        matches!(self, Self::Text(from) | Self::Ping(from, _) | Self::Pong(from, _) if from == peer)
    }
}

// === impl Leave ===

impl Leave {
    pub(super) fn close(by: Peer, code: u16, reason: &str) -> Self {
        Self::Close(by, Some(code), reason.to_owned(), Answer::Echo)
    }
}

// === impl Talk ===

impl Talk {
    /// Ends it earlier, and otherwise.
    pub(super) fn cut(&mut self, at: f64, leave: Leave) {
        self.life = at.max(0.002);
        self.leave = leave;
        let life = self.life;
        self.beats.retain(|(when, _)| *when < life);
    }

    /// When `limit` seconds had gone by without a frame of any of these peers, before the end.
    pub(super) fn silent_for(&self, limit: f64, of: &[Peer]) -> Option<f64> {
        let mut last = 0.0;
        let ours = self.beats.iter().filter(|(_, beat)| match beat {
            Beat::Text(from) | Beat::Ping(from, _) | Beat::Pong(from, _) => of.contains(from),
            Beat::Breach(..) | Beat::Pause(..) => false,
        });
        for at in ours.map(|(at, _)| *at).chain([self.life]) {
            if at - last > limit {
                return Some(last + limit);
            }
            last = at;
        }
        None
    }

    /// The first frame behind a silence of more than `limit` seconds, its sender, and the silence's length.
    pub(super) fn wakes_after(&self, limit: f64) -> Option<(f64, Peer)> {
        let mut last = 0.0;
        for (at, beat) in &self.beats {
            let (Beat::Text(from) | Beat::Ping(from, _) | Beat::Pong(from, _)) = beat else { continue };
            if at - last > limit {
                return Some((*at, *from));
            }
            last = *at;
        }
        None
    }

    /// The ledger of all that, and when the record is made.
    pub(super) fn told(&self) -> (Ledger, Duration) {
        let stuck = self.stuck.map(|(peer, time)| (peer, (self.life - time).max(0.0)));
        let mut teller = Teller { ledger: Ledger::new(), bytes: [0; 2], stuck, closed: [false; 2] };
        for (at, beat) in &self.beats {
            teller.beat(*at, *beat);
        }
        let over = self.end(&mut teller);
        let filed = Duration::from_secs_f64(over);
        if let Some((peer, since)) = teller.stuck {
            let time = Duration::from_secs_f64((over - since).max(0.0));
            teller.ledger.on(Event::Stalled { peer, time, relieved: false }, filed);
        }
        if !teller.ledger.is_ordinary() {
            for peer in Peer::ALL {
                let tcp = TcpFacts { rtt: Duration::from_secs_f64(self.rtt[peer.index()]), retransmits: 0 };
                let gone = matches!(self.leave, Leave::End(dead, End::Timeout) if dead == peer);
                let unacknowledged = if gone { 64.min(teller.bytes[peer.other().index()]) } else { 0 };
                teller.ledger.on(Event::Kernel { peer, unacknowledged, tcp: Some(tcp) }, filed);
            }
        }
        (teller.ledger, filed)
    }

    /// Tells the end; gives when all is over.
    fn end(&self, teller: &mut Teller) -> f64 {
        let at = self.life;
        match &self.leave {
            Leave::Close(by, code, reason, answer) => {
                let (by, other) = (*by, by.other());
                let back = at + self.rtt[other.index()];
                teller.close(at, by, *code, reason);
                match answer {
                    Answer::Echo => teller.close(back, other, *code, ""),
                    Answer::With(code, reason) => teller.close(back, other, Some(*code), reason),
                    Answer::Fin => {}
                    Answer::Silence => {
                        teller.ended(at + 5.0, by, End::Fin);
                        teller.ended(at + 80.0, other, End::Local);
                        return at + 80.0;
                    }
                }
                teller.ended(back + 0.001, Peer::Upstream, End::Fin);
                teller.ended(back + 0.001 + self.rtt[0], Peer::Client, End::Fin);
                back + 0.001 + self.rtt[0]
            }
            Leave::End(peer, how @ (End::Fin | End::TlsTruncated)) => {
                let other = peer.other();
                let back = at + 0.0005 + self.rtt[other.index()];
                teller.ended(at, *peer, *how);
                teller.ended(back, other, End::Fin);
                back
            }
            Leave::End(peer, how) => {
                teller.ended(at, *peer, *how);
                teller.drop(at, peer.other());
                at + 0.0001
            }
            Leave::Both(how) => {
                teller.ended(at, Peer::Client, *how);
                teller.ended(at + 0.0004, Peer::Upstream, *how);
                at + 0.0004
            }
            Leave::Own(cause, code) => {
                teller.on(at, Event::Decided { cause: *cause });
                for to in Peer::ALL {
                    teller.on(at, Event::OwnClose { to, code: CloseCode(*code), reason: "" });
                }
                for from in Peer::ALL {
                    teller.close(at + self.rtt[from.index()], from, Some(*code), "");
                }
                let over = at + 0.001 + self.rtt[0].max(self.rtt[1]);
                teller.ended(over, Peer::Client, End::Local);
                teller.ended(over, Peer::Upstream, End::Local);
                over
            }
            Leave::Failed => {
                teller.on(at, Event::Decided { cause: Cause::ProxyError });
                teller.drop(at, Peer::Client);
                teller.drop(at, Peer::Upstream);
                at
            }
        }
    }
}

// === impl Teller ===

impl Teller {
    fn on(&mut self, at: f64, event: Event<'_>) {
        self.ledger.on(event, Duration::from_secs_f64(at));
    }

    fn beat(&mut self, at: f64, beat: Beat) {
        match beat {
            Beat::Text(from) => self.frame(at, from, Opcode::Text, Some(MessageKind::Text), 120, &[]),
            Beat::Ping(from, number) => self.frame(at, from, Opcode::Ping, None, 4, &number.to_be_bytes()),
            Beat::Pong(from, number) => self.frame(at, from, Opcode::Pong, None, 4, &number.to_be_bytes()),
            Beat::Breach(from, violation) => self.on(at, Event::Violation { from, violation }),
            Beat::Pause(peer, time) => {
                let time = Duration::from_secs_f64(time.min(at));
                self.on(at, Event::Stalled { peer, time, relieved: true });
            }
        }
    }

    fn frame(&mut self, at: f64, from: Peer, opcode: Opcode, completes: Option<MessageKind>, len: u64, payload: &[u8]) {
        let bytes = len + if from == Peer::Client { 6 } else { 2 };
        let end = self.bytes[from.index()] + bytes;
        self.bytes[from.index()] = end;
        let frame = Frame { opcode, completes, len, payload, after_close: self.closed[from.index()], end };
        self.on(at, Event::Frame { from, frame: &frame });
        self.on(at, Event::Read { from, bytes: bytes as usize, active: opcode != Opcode::Close });
        if self.stuck.is_none_or(|(peer, since)| peer == from || at < since) {
            self.on(at, Event::Written { from, total: end });
        }
    }

    fn close(&mut self, at: f64, from: Peer, code: Option<u16>, reason: &str) {
        let body = code.map_or(vec![], |code| [&code.to_be_bytes()[..], reason.as_bytes()].concat());
        self.frame(at, from, Opcode::Close, None, body.len() as u64, &body);
        self.closed[from.index()] = true;
    }

    fn ended(&mut self, at: f64, peer: Peer, how: End) {
        self.on(at, Event::Ended { peer, how });
    }

    /// closewatch resets a leg.
    fn drop(&mut self, at: f64, peer: Peer) {
        self.on(at, Event::Reset { peer });
        self.ended(at, peer, End::Local);
    }
}
