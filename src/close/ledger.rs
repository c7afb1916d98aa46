//! The ledger: events of one session in, its facts out.

use std::time::Duration;

use super::compact_duration::Silence;
use super::facts::{Close, Decision, Ended, Facts, Moment, OwnClose, PeerFacts, Seq, Stall, TcpFacts};
use super::pings::Pings;
use super::{Cause, CloseCode, CompactDuration, End, Text, TlsAlert};
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
        /// Its reason.
        reason: &'a str,
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
        /// The peer at the other end of the leg.
        peer: Peer,
        /// Which.
        alert: TlsAlert,
    },
    /// closewatch reset a leg: its last act there.
    Reset {
        /// The peer at the other end of the leg.
        peer: Peer,
    },
    /// closewatch decided to end the session.
    Decided {
        /// `drain`, `idle_timeout` or `proxy_error`.
        cause: Cause,
    },
    /// A peer did not take bytes for a while, up to now.
    Stalled {
        /// That peer.
        peer: Peer,
        /// How long.
        time: Duration,
        /// Whether it took them in the end. If not, there is no end to wait for any more.
        relieved: bool,
    },
    /// The kernel's knowledge of a leg at its end.
    Kernel {
        /// The peer at the other end of the leg.
        peer: Peer,
        /// Bytes for the peer that its host has not acknowledged.
        unacknowledged: u64,
        /// Round-trip time and retransmits.
        tcp: Option<TcpFacts>,
    },
}

/// The facts of a live session. Total: any event in any order is taken.
///
/// Holds what messages move. What happens once, or in few sessions, is boxed when it does: most sessions rest most of the
/// time.
#[derive(Debug, Default)]
pub struct Ledger {
    /// By peer.
    tallies: [Tally; 2],
    /// The last byte of any frame but Close, either way, up to the ending event.
    last_activity: CompactDuration,
    seq: Seq,
    /// The ending event.
    ended: Option<Seq>,
    /// By peer.
    heartbeats: [Option<Box<Heartbeat>>; 2],
    /// All other facts, once there are any.
    rest: Option<Box<Facts>>,
}

/// Counts and times of a peer's frames.
#[derive(Debug, Default)]
struct Tally {
    text_messages: u64,
    binary_messages: u64,
    frames: u64,
    bytes: u64,
    last_frame: Option<CompactDuration>,
    last_message: Option<CompactDuration>,
    /// From the frame before the last to the last; from the opening, if there is only one.
    silence_before_last: Silence,
    /// The longest time before any of the frames.
    longest_silence: Silence,
    /// The last byte read.
    last_read: Option<Seq>,
    /// Bytes that were written on.
    written: u64,
}

/// A peer's pings and pongs, and the pongs that it owes.
#[derive(Debug, Default)]
struct Heartbeat {
    pings: u64,
    pongs: u64,
    last_pong: Option<Duration>,
    /// The last pong that answered a ping.
    last_answer: Option<Duration>,
    rtt: Option<Duration>,
    rtt_max: Option<Duration>,
    unsolicited_pongs: u64,
    owed: Pings,
    /// Silent since the oldest unanswered ping was written on, at the time of the other peer's first Close.
    unresponsive: bool,
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
            Event::Violation { from, violation } => self.rest(from).violations.add(violation),
            Event::Blind { from } => {
                self.rest(from).blind.get_or_insert(seq);
            }
            Event::Read { from, bytes, active } => {
                let tally = &mut self.tallies[from.index()];
                tally.bytes += bytes as u64;
                let before = tally.last_read.replace(seq);
                // Of what comes behind the ending event only the rest of its own slice counts: frames that a Close followed.
                let own_slice =
                    |ended| before < Some(ended) && self.close_of(from).is_some_and(|close| close.seq == ended);
                if active && self.ended.is_none_or(own_slice) {
                    self.last_activity = at.into();
                }
            }
            Event::Written { from, total } => {
                if let Some(heartbeat) = &mut self.heartbeats[from.other().index()] {
                    heartbeat.owed.written(total, seq, at);
                }
                self.tallies[from.index()].written = total;
                if let Some(rest) = &mut self.rest
                    && let Some(close) = &mut rest.of_mut(from).close
                    && close.end <= total
                {
                    close.written.get_or_insert(Moment { at, seq });
                }
            }
            Event::OwnClose { to, code, reason } => {
                self.rest(to).own_close.get_or_insert_with(|| OwnClose { code, reason: reason.into(), written: seq });
            }
            // Not an end.
            Event::Ended { how: End::Open, .. } => {}
            Event::Ended { peer, how } => {
                let rest = self.rest(peer);
                if let Some(end) = rest.end {
                    rest.reset_after_fin |= end.how == End::Fin && how == End::Reset;
                } else {
                    rest.end = Some(Ended { how, at, seq });
                    if how != End::Local {
                        self.ended.get_or_insert(seq);
                    }
                }
            }
            Event::Alert { peer, alert } => {
                self.rest(peer).tls_alert.get_or_insert(alert);
            }
            Event::Reset { peer } => self.rest(peer).was_reset = true,
            Event::Decided { cause } => {
                self.rest.get_or_insert_default().decision.get_or_insert(Decision { cause, at, seq });
                self.ended.get_or_insert(seq);
            }
            Event::Stalled { peer, time, relieved } => {
                let rest = self.rest(peer);
                rest.stalled += time;
                let stall = Stall { since: at.saturating_sub(time), until: relieved.then_some(at) };
                // The sender had ended before the peer took bytes again: a later wait is of bytes that it had left behind.
                rest.last_stall = rest.last_stall.filter(|last| last.until.is_none()).or(Some(stall));
            }
            Event::Kernel { peer, unacknowledged, tcp } => {
                let rest = self.rest(peer);
                rest.unacknowledged = unacknowledged;
                rest.tcp = rest.tcp.or(tcp);
            }
        }
        None
    }

    /// The last byte of any frame but Close, either way, up to the ending event.
    pub const fn last_activity(&self) -> Duration {
        self.last_activity.get()
    }

    /// How `peer`'s transport ended, if it did.
    pub fn end(&self, peer: Peer) -> Option<Ended> {
        self.rest.as_ref()?.of(peer).end
    }

    /// The end of `peer`'s transport that it or the network brought about: not `local`.
    pub fn own_end(&self, peer: Peer) -> Option<Ended> {
        self.rest.as_ref()?.of(peer).own_end()
    }

    /// Whether the other peer's Close was written to `peer` after that had sent its FIN: it may still read.
    pub fn closed_behind_fin(&self, peer: Peer) -> bool {
        let fin = self.own_end(peer).filter(|end| end.how == End::Fin);
        let close = self.close_of(peer.other()).and_then(|close| close.written);
        fin.zip(close).is_some_and(|(fin, close)| fin.seq < close.seq)
    }

    /// Whether the kernel has told what `peer`'s connection was like.
    pub fn knows_network(&self, peer: Peer) -> bool {
        self.rest.as_ref().is_some_and(|rest| rest.of(peer).tcp.is_some())
    }

    /// When both peers' Closes had been written on: the closing handshake is over, only the transports have to end.
    pub fn closes_written(&self) -> Option<Duration> {
        let [client, upstream] = Peer::ALL.map(|peer| self.close_of(peer)?.written);
        Some(client?.at.max(upstream?.at))
    }

    /// Whether the ending event has happened.
    pub const fn is_ending(&self) -> bool {
        self.ended.is_some()
    }

    /// Whether the session ended by a whole closing handshake with 1000, 1001 or no code: nobody is going to ask what the
    /// network was like.
    pub fn is_ordinary(&self) -> bool {
        let [Some(client), Some(upstream)] = Peer::ALL.map(|peer| self.close_of(peer)) else { return false };
        let first = if client.seq < upstream.seq { client } else { upstream };
        let code = first.code.unwrap_or(CloseCode::NO_STATUS);
        first.fault.is_none() && [CloseCode::NORMAL, CloseCode::GOING_AWAY, CloseCode::NO_STATUS].contains(&code)
    }

    /// Settles what only the end of the session can settle. Gives the facts, and of each peer whether it was silent
    /// while it owed a pong.
    pub(super) fn into_facts(self) -> (Facts, [bool; 2]) {
        let silent = |heartbeat: &Option<Box<Heartbeat>>| heartbeat.as_ref().is_some_and(|it| it.unresponsive);
        let unresponsive = self.heartbeats.each_ref().map(silent);
        let mut facts = self.rest.map_or_else(Facts::default, |rest| *rest);
        facts.last_activity = self.last_activity.get();
        let moved = self.tallies.each_ref().map(|tally| (tally.bytes, tally.written));
        for ((peer, tally), heartbeat) in Peer::ALL.into_iter().zip(self.tallies).zip(self.heartbeats) {
            let facts = facts.of_mut(peer);
            tally.into_facts(facts);
            if let Some(heartbeat) = heartbeat {
                heartbeat.into_facts(facts);
            }
        }
        for peer in Peer::ALL {
            let (read, written) = moved[peer.other().index()];
            facts.of_mut(peer).undelivered_bytes = undelivered(&facts, peer, read, written);
        }
        (facts, unresponsive)
    }

    /// A peer's first Close.
    fn close_of(&self, peer: Peer) -> Option<&Close> {
        self.rest.as_ref()?.of(peer).close.as_deref()
    }

    fn rest(&mut self, peer: Peer) -> &mut PeerFacts {
        self.rest.get_or_insert_default().of_mut(peer)
    }

    fn frame(&mut self, from: Peer, frame: &Frame<'_>, seq: Seq, at: Duration) -> Option<Duration> {
        let tally = &mut self.tallies[from.index()];
        let now = CompactDuration::from(at);
        tally.frames += 1;
        tally.silence_before_last = now.since(tally.last_frame.unwrap_or_default());
        tally.longest_silence = tally.longest_silence.max(tally.silence_before_last);
        tally.last_frame = Some(now);
        if let Some(kind) = frame.completes {
            tally.last_message = Some(now);
            match kind {
                MessageKind::Text => tally.text_messages += 1,
                MessageKind::Binary => tally.binary_messages += 1,
            }
        }
        if frame.after_close {
            self.rest(from).frames_after_close += 1;
        }
        match frame.opcode {
            Opcode::Close => self.close(from, frame, seq, at),
            Opcode::Ping => {
                self.heartbeats[from.index()].get_or_insert_default().pings += 1;
                self.heartbeats[from.other().index()].get_or_insert_default().owed.read(frame.payload, frame.end);
            }
            Opcode::Pong => {
                return self.heartbeats[from.index()].get_or_insert_default().pong(frame.payload, at);
            }
            Opcode::Continuation | Opcode::Text | Opcode::Binary | Opcode::Reserved(_) => {}
        }
        None
    }

    fn close(&mut self, from: Peer, frame: &Frame<'_>, seq: Seq, at: Duration) {
        if self.close_of(from).is_some() {
            return;
        }
        let body = CloseBody::parse(frame.payload, frame.len);
        self.rest(from).close = Some(Box::new(Close {
            code: body.code.map(CloseCode),
            reason: Text::from(&*body.reason),
            fault: body.fault,
            at,
            seq,
            len: frame.len,
            end: frame.end,
            written: None,
        }));
        self.ended.get_or_insert(seq);
        let other = from.other().index();
        // Silent since *before* it owed the pong: the oldest ping, so that a slow pong of a living peer never counts.
        if let Some(heartbeat) = &mut self.heartbeats[other]
            && let Some(written) = heartbeat.owed.oldest_written()
        {
            heartbeat.unresponsive = self.tallies[other].last_read.is_none_or(|read| read < written);
        }
    }
}

// === impl Tally ===

impl Tally {
    fn into_facts(self, facts: &mut PeerFacts) {
        facts.text_messages = self.text_messages;
        facts.binary_messages = self.binary_messages;
        facts.frames = self.frames;
        facts.bytes = self.bytes;
        facts.last_frame = self.last_frame.map(CompactDuration::get);
        facts.silence_before_last = self.last_frame.map(|_| self.silence_before_last.get());
        facts.longest_silence = self.last_frame.map(|_| self.longest_silence.get());
        facts.last_message = self.last_message.map(CompactDuration::get);
    }
}

// === impl Heartbeat ===

impl Heartbeat {
    fn pong(&mut self, payload: &[u8], at: Duration) -> Option<Duration> {
        self.pongs += 1;
        self.last_pong = Some(at);
        let rtt = self.owed.answered(payload, at);
        match rtt {
            Some(rtt) => {
                self.last_answer = Some(at);
                self.rtt = Some(rtt);
                self.rtt_max = self.rtt_max.max(Some(rtt));
            }
            None => self.unsolicited_pongs += 1,
        }
        rtt
    }

    fn into_facts(self, facts: &mut PeerFacts) {
        facts.pings = self.pings;
        facts.pongs = self.pongs;
        facts.last_pong = self.last_pong;
        facts.last_answered_ping = self.last_answer;
        facts.ping_rtt = self.rtt;
        facts.ping_rtt_max = self.rtt_max;
        facts.unsolicited_pongs = self.unsolicited_pongs;
        facts.unanswered_pings = self.owed.unanswered();
    }
}

/// Bytes of the other peer that `to` was not given, of `read` that came from that peer and `written` that the socket of `to`
/// took.
fn undelivered(facts: &Facts, to: Peer, read: u64, written: u64) -> u64 {
    let (receiver, sender) = (facts.of(to), facts.of(to.other()));
    let mut missing = read.saturating_sub(written);
    // The answer to a Close that the receiver sent, or to closewatch's own, is not missed by anybody.
    let wants_no_close = receiver.close.is_some() || receiver.own_close.is_some();
    if let Some(close) = sender.close.as_ref().filter(|close| wants_no_close && close.written.is_none()) {
        missing = missing.saturating_sub(close.wire_len(to.other()));
    }
    // The socket took these, and its host is gone: they lie in the kernel, or were thrown away with the connection.
    let lost = if receiver.is_lost() { receiver.unacknowledged.min(written) } else { 0 };
    missing + lost
}
