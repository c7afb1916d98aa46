//! The ledger: events of one session in, its facts out.

use std::time::Duration;

use super::facts::{Close, Decision, Ended, Facts, OwnClose, Seq, TcpFacts};
use super::pings::Pings;
use super::{Cause, CloseCode, End, Text, TlsAlert};
use crate::wire::{CloseBody, Frame, MessageKind, Opcode, Peer, Violation};

/// Something that happened in a session.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// The last byte of a frame was read.
    Frame {
        /// Its sender.
        from: Peer,
        /// The frame.
        frame: &'a Frame<'a>,
    },
    /// A peer broke a rule.
    Violation {
        /// That peer.
        from: Peer,
        /// The rule.
        violation: Violation,
    },
    /// A direction cannot be read any more.
    Blind {
        /// Its sender.
        from: Peer,
    },
    /// Bytes were read. Comes behind the frames that end in them.
    Read {
        /// Their sender.
        from: Peer,
        /// How many.
        bytes: usize,
        /// Whether any of them belonged to a frame other than a Close.
        active: bool,
    },
    /// Bytes were written on.
    Written {
        /// Their sender: the other peer's socket took them.
        from: Peer,
        /// All bytes of this direction that were written so far.
        total: u64,
    },
    /// The last byte of a Close of closewatch's own was written.
    OwnClose {
        /// Its receiver.
        to: Peer,
        /// Its code.
        code: CloseCode,
    },
    /// A peer's transport ended: by itself, or with [`End::Local`] by closewatch.
    Ended {
        /// That peer.
        peer: Peer,
        /// How.
        how: End,
    },
    /// A fatal alert ended the TLS of a leg. Its end follows.
    Alert {
        /// Whose leg.
        peer: Peer,
        /// Which.
        alert: TlsAlert,
    },
    /// closewatch reset a leg: its last act there.
    Reset {
        /// Whose leg.
        peer: Peer,
    },
    /// closewatch decided to end the session.
    Decided {
        /// `drain`, `idle_timeout` or `proxy_error`.
        cause: Cause,
    },
    /// A peer did not take bytes for a while.
    Stalled {
        /// That peer.
        peer: Peer,
        /// How long.
        time: Duration,
    },
    /// What the kernel knows of a leg at its end.
    Kernel {
        /// Whose leg.
        peer: Peer,
        /// Whether bytes for the peer are not acknowledged.
        unacknowledged: bool,
        /// Round-trip time and retransmits.
        tcp: Option<TcpFacts>,
    },
}

/// The facts of a live session. Total: any event in any order is taken.
#[derive(Debug, Default)]
pub struct Ledger {
    facts: Facts,
    seq: Seq,
    /// The ending event.
    ended: Option<Seq>,
    /// By the peer that owes the pongs. Boxed: many sessions never see a ping.
    pings: [Option<Box<Pings>>; 2],
    /// The last byte read from each peer.
    last_read: [Option<Seq>; 2],
    /// The byte at which each peer's first Close ends.
    close_end: [u64; 2],
    /// Bytes of each peer that were written on.
    written: [u64; 2],
    /// Silent since the oldest unanswered ping was written on, at the time of the other peer's first Close.
    unresponsive: [bool; 2],
}

// === impl Ledger ===

impl Ledger {
    /// A ledger at the opening of a session.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes an event; `at` counts from the opening and must not go back. Gives the round-trip time, if the event is a
    /// pong that answers a ping.
    pub fn on(&mut self, event: Event<'_>, at: Duration) -> Option<Duration> {
        self.seq = self.seq.next();
        let seq = self.seq;
        match event {
            Event::Frame { from, frame } => return self.frame(from, frame, seq, at),
            Event::Violation { from, violation } => self.facts.of_mut(from).violations.add(violation),
            Event::Blind { from } => {
                self.facts.of_mut(from).blind.get_or_insert(seq);
            }
            Event::Read { from, bytes, active } => {
                let facts = self.facts.of_mut(from);
                facts.bytes += bytes as u64;
                let before = self.last_read[from.index()].replace(seq);
                // Of what comes behind the ending event only the rest of its own slice counts: frames that a Close followed.
                let own_slice =
                    |ended| before < Some(ended) && facts.close.as_ref().is_some_and(|close| close.seq == ended);
                if active && self.ended.is_none_or(own_slice) {
                    self.facts.last_activity = at;
                }
            }
            Event::Written { from, total } => {
                self.written[from.index()] = total;
                if let Some(owed) = &mut self.pings[from.other().index()] {
                    owed.written(total, seq, at);
                }
                let close_end = self.close_end[from.index()];
                if let Some(close) = &mut self.facts.of_mut(from).close
                    && close_end <= total
                {
                    close.written.get_or_insert(seq);
                }
            }
            Event::OwnClose { to, code } => {
                self.facts.of_mut(to).own_close.get_or_insert(OwnClose { code, written: seq });
            }
            // Not an end.
            Event::Ended { how: End::Open, .. } => {}
            Event::Ended { peer, how } => {
                let facts = self.facts.of_mut(peer);
                if let Some(end) = facts.end {
                    facts.reset_after_fin |= end.how == End::Fin && how == End::Reset;
                } else {
                    facts.end = Some(Ended { how, at, seq });
                    if how != End::Local {
                        self.ended.get_or_insert(seq);
                    }
                }
            }
            Event::Alert { peer, alert } => {
                self.facts.of_mut(peer).tls_alert.get_or_insert(alert);
            }
            Event::Reset { peer } => self.facts.of_mut(peer).was_reset = true,
            Event::Decided { cause } => {
                self.facts.decision.get_or_insert(Decision { cause, at, seq });
                self.ended.get_or_insert(seq);
            }
            Event::Stalled { peer, time } => self.facts.of_mut(peer).stalled += time,
            Event::Kernel { peer, unacknowledged, tcp } => {
                let facts = self.facts.of_mut(peer);
                facts.unacknowledged |= unacknowledged;
                facts.tcp = facts.tcp.or(tcp);
            }
        }
        None
    }

    /// The facts so far.
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Whether both peers' Closes were written on: the closing handshake is over, only the transports have to end.
    pub fn closes_written(&self) -> bool {
        Peer::ALL.iter().all(|peer| self.facts.of(*peer).close.as_ref().is_some_and(|close| close.written.is_some()))
    }

    /// Whether the ending event has happened.
    pub const fn is_ending(&self) -> bool {
        self.ended.is_some()
    }

    /// Settles what only the end of the session can settle. Gives the facts, and of each peer whether it was silent
    /// while it owed a pong.
    pub(super) fn into_facts(mut self) -> (Facts, [bool; 2]) {
        for peer in Peer::ALL {
            let read = self.facts.of(peer.other()).bytes;
            let facts = self.facts.of_mut(peer);
            facts.unanswered_pings = self.pings[peer.index()].as_ref().map_or(0, |owed| owed.unanswered());
            facts.undelivered_bytes = read.saturating_sub(self.written[peer.other().index()]);
        }
        (self.facts, self.unresponsive)
    }

    fn frame(&mut self, from: Peer, frame: &Frame<'_>, seq: Seq, at: Duration) -> Option<Duration> {
        let facts = self.facts.of_mut(from);
        facts.frames += 1;
        facts.last_frame = Some(at);
        if frame.after_close {
            facts.frames_after_close += 1;
        }
        if let Some(kind) = frame.completes {
            facts.last_message = Some(at);
            match kind {
                MessageKind::Text => facts.text_messages += 1,
                MessageKind::Binary => facts.binary_messages += 1,
            }
        }
        match frame.opcode {
            Opcode::Close => self.close(from, frame, seq, at),
            Opcode::Ping => {
                facts.pings += 1;
                self.pings[from.other().index()].get_or_insert_default().read(frame.payload, frame.end);
            }
            Opcode::Pong => {
                facts.pongs += 1;
                facts.last_pong = Some(at);
                let rtt = self.pings[from.index()].as_mut().and_then(|owed| owed.answered(frame.payload, at));
                match rtt {
                    Some(rtt) => {
                        facts.ping_rtt = Some(rtt);
                        facts.ping_rtt_max = facts.ping_rtt_max.max(Some(rtt));
                    }
                    None => facts.unsolicited_pongs += 1,
                }
                return rtt;
            }
            Opcode::Continuation | Opcode::Text | Opcode::Binary | Opcode::Reserved(_) => {}
        }
        None
    }

    fn close(&mut self, from: Peer, frame: &Frame<'_>, seq: Seq, at: Duration) {
        if self.facts.of(from).close.is_some() {
            return;
        }
        let body = CloseBody::parse(frame.payload, frame.len);
        self.facts.of_mut(from).close = Some(Box::new(Close {
            code: body.code.map(CloseCode),
            reason: Text::from(&*body.reason),
            fault: body.fault,
            at,
            seq,
            written: None,
        }));
        self.close_end[from.index()] = frame.end;
        self.ended.get_or_insert(seq);
        let other = from.other().index();
        // Silent since *before* it owed the pong: the oldest ping, so that a slow pong of a living peer never counts.
        self.unresponsive[other] = self.pings[other]
            .as_ref()
            .and_then(|owed| owed.oldest_written())
            .is_some_and(|written| self.last_read[other].is_none_or(|read| read < written));
    }
}
