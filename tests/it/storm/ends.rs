//! The ways to end, and what a record must say of each.

use closewatch::wire::Peer;

/// How a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// A peer says Close with this code, the other answers, both hang up.
    Close(Peer, u16),
    /// The same without a code.
    EmptyClose(Peer),
    /// The upstream's Close comes with its 101.
    CloseAtOnce(u16),
    /// A peer says Close with this code and resets; the other only watches.
    CloseAndReset(Peer, u16),
    /// A peer hangs up without a word, then the other.
    HangUp(Peer),
    /// A peer resets.
    Reset(Peer),
    /// A peer resets in the middle of a frame.
    ResetInsideFrame(Peer),
}

/// A session's script.
#[derive(Clone, Copy, Debug)]
pub(super) struct Script {
    /// Also its path, and so its name in the record.
    pub(super) number: usize,
    /// Messages that the client sends and the upstream echoes, before the end.
    pub(super) messages: usize,
    /// Bytes in each of them.
    pub(super) size: usize,
    pub(super) end: End,
}

/// The record, as far as the script decides it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) code: u64,
    pub(super) class: String,
    pub(super) initiator: String,
    pub(super) cause: String,
    pub(super) handshake: String,
    /// By peer.
    pub(super) messages: [u64; 2],
    pub(super) client_saw: u64,
    pub(super) upstream_saw: u64,
}

const CODES: [(u16, &str); 6] = [
    (1000, "clean"),
    (1008, "policy"),
    (1011, "abnormal"),
    (1012, "planned"),
    (1013, "overload"),
    (4000, "application"),
];

// === impl Script ===

impl Script {
    /// The script with this number, of chance's choosing: the same for both peers and the record.
    pub(super) fn of(seed: u64, number: usize) -> Self {
        let mut random = fastrand::Rng::with_seed(seed.wrapping_add(number as u64));
        let peer = if random.bool() { Peer::Client } else { Peer::Upstream };
        let (code, _) = CODES[random.usize(..CODES.len())];
        let end = match random.u8(..7) {
            0 => End::Close(peer, code),
            1 => End::EmptyClose(peer),
            2 => End::CloseAtOnce(code),
            3 => End::CloseAndReset(peer, code),
            4 => End::HangUp(peer),
            5 => End::Reset(peer),
            _ => End::ResetInsideFrame(peer),
        };
        let messages = if matches!(end, End::CloseAtOnce(_)) { 0 } else { random.usize(..4) };
        // Most messages are small. Some are more than is read at once, and a few more than sockets hold: but an upstream that
        // resets would take what waits of its last echo with it.
        let resets = matches!(end, End::CloseAndReset(..) | End::Reset(_) | End::ResetInsideFrame(_));
        let size = match random.u8(..100) {
            _ if resets && peer == Peer::Upstream => 360,
            0..96 => 360,
            96..99 => random.usize(100..100_000),
            _ => random.usize(100_000..1_000_000),
        };
        Self { number, messages, size, end }
    }

    pub(super) fn verdict(self) -> Verdict {
        let class = |code: u16| CODES.iter().find(|(known, _)| *known == code).unwrap().1;
        let (code, class, peer, cause, handshake) = match self.end {
            End::Close(peer, code) => (code, class(code), peer, "close_handshake".to_owned(), "complete"),
            End::CloseAtOnce(code) => (code, class(code), Peer::Upstream, "close_handshake".to_owned(), "complete"),
            End::EmptyClose(peer) => (1005, "clean", peer, "close_handshake".to_owned(), "complete"),
            End::CloseAndReset(peer, code) => (code, class(code), peer, "close_unanswered".to_owned(), "half"),
            End::HangUp(peer) => (1006, "abnormal", peer, format!("{}_eof", peer.as_str()), "none"),
            End::Reset(peer) | End::ResetInsideFrame(peer) => {
                (1006, "abnormal", peer, format!("{}_reset", peer.as_str()), "none")
            }
        };
        let code = u64::from(code);
        // The sender of an unanswered Close receives none; an answer has the Close's own code.
        let unanswered = matches!(self.end, End::CloseAndReset(..));
        let saw = |who: Peer| if unanswered && who == peer { 1006 } else { code };
        Verdict {
            code,
            class: class.to_owned(),
            initiator: peer.as_str().to_owned(),
            cause,
            handshake: handshake.to_owned(),
            messages: [self.messages as u64; 2],
            client_saw: saw(Peer::Client),
            upstream_saw: saw(Peer::Upstream),
        }
    }
}
