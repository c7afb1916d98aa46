//! Pings that a peer has yet to answer (RFC 6455 §5.5.2, §5.5.3).

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::time::Duration;

use super::Seq;

/// At most this many pings are remembered for a peer; a peer that is owed more pongs than that is not going to send them.
const MAX_OUTSTANDING: usize = 16;

/// Keyed once per process: a peer that could choose colliding payloads could forge round-trip times.
static PAYLOAD_KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// The pings written, or about to be written, to one peer and not answered by it. Empty: no allocation.
#[derive(Debug, Default)]
pub(super) struct Pings {
    outstanding: VecDeque<Ping>,
    /// Pings forgotten because there were too many.
    forgotten: u32,
}

#[derive(Debug)]
struct Ping {
    payload: u64,
    /// The place in the sender's bytes where it ends.
    end: u64,
    written: Option<(Seq, Duration)>,
}

// === impl Pings ===

impl Pings {
    /// A ping with this payload was read, and ends at byte `end` of its direction.
    pub(super) fn read(&mut self, payload: &[u8], end: u64) {
        if self.outstanding.len() == MAX_OUTSTANDING {
            self.outstanding.pop_front();
            self.forgotten = self.forgotten.saturating_add(1);
        }
        self.outstanding.push_back(Ping { payload: digest(payload), end, written: None });
    }

    /// All bytes of the pings' direction up to `upto` were written on.
    pub(super) fn written(&mut self, upto: u64, seq: Seq, at: Duration) {
        for ping in self.outstanding.iter_mut().filter(|ping| ping.end <= upto) {
            ping.written.get_or_insert((seq, at));
        }
    }

    /// A pong was read: the time since the ping it answers was written on, or `None` if it answers none.
    pub(super) fn answered(&mut self, payload: &[u8], at: Duration) -> Option<Duration> {
        let payload = digest(payload);
        let answered = self.outstanding.iter().position(|ping| ping.payload == payload && ping.written.is_some())?;
        // An endpoint may answer only the latest ping: those before it are superseded, not unanswered.
        self.forgotten = 0;
        let ping = self.outstanding.drain(..=answered).next_back()?;
        ping.written.map(|(_, written)| at.saturating_sub(written))
    }

    /// Pings written on and not answered. One that never got there is not the peer's omission.
    pub(super) fn unanswered(&self) -> u32 {
        let owed = self.outstanding.iter().filter(|ping| ping.written.is_some()).count();
        self.forgotten.saturating_add(owed as u32)
    }

    /// When the oldest unanswered ping was written on.
    pub(super) fn oldest_written(&self) -> Option<Seq> {
        self.outstanding.front()?.written.map(|(seq, _)| seq)
    }
}

fn digest(payload: &[u8]) -> u64 {
    PAYLOAD_KEY.hash_one(payload)
}
