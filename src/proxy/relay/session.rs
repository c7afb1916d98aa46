//! A session's file: its ledger, and the promise that it becomes exactly one record.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::common::Common;
use super::limits::Limits;
use crate::close::{CloseCode, CloseRecord, CompactDuration, Event, Ledger, RouteSink, Session};
use crate::shutdown::Shutdown;
use crate::wire::{Boundary, Frame, MessageKind, Observe, Peer, Tap, Violation};

/// Owns the ledger of a live session, and makes the record when it is dropped, whatever dropped it: the relay at its end, a
/// panic, a cancelled task. So there is exactly one.
pub(in crate::proxy) struct SessionFile {
    session: Arc<Session>,
    common: Arc<Common>,
    /// When the session opened, since the route was made.
    opened: CompactDuration,
    ledger: Ledger,
}

/// The result of showing a slice of bytes to a tap, beyond the events for the ledger.
pub(in crate::proxy) struct Reading {
    /// Bytes taken: fewer than given only if a boundary was asked for and found.
    pub(in crate::proxy) taken: usize,
    /// Whether the slice ended the direction's first Close.
    pub(in crate::proxy) closed: bool,
}

/// Brings what a tap sees into the ledger.
struct Observer<'a> {
    ledger: &'a mut Ledger,
    sink: &'a dyn RouteSink,
    from: Peer,
    at: Duration,
    text: u64,
    binary: u64,
}

// === impl SessionFile ===

impl SessionFile {
    /// Opens the file: from here on there will be a record.
    pub(in crate::proxy) fn open(session: Arc<Session>, common: Arc<Common>) -> Self {
        common.sink.opened(&session);
        let opened = common.since().elapsed().into();
        Self { session, common, opened, ledger: Ledger::new() }
    }

    /// Time since the opening.
    pub(in crate::proxy) fn now(&self) -> Duration {
        self.common.since().elapsed().saturating_sub(self.opened.get())
    }

    /// The instant that is `at` after the opening.
    pub(in crate::proxy) fn instant(&self, at: Duration) -> Instant {
        self.common.since() + self.opened.get() + at
    }

    pub(in crate::proxy) const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub(in crate::proxy) fn sink(&self) -> &dyn RouteSink {
        &*self.common.sink
    }

    pub(in crate::proxy) fn shutdown(&self) -> &Shutdown {
        &self.common.shutdown
    }

    pub(in crate::proxy) fn limits(&self) -> &Limits {
        &self.common.limits
    }

    /// `peer` takes no bytes for now, since `at`. The event behind it, once it is over, is [`Event::Stalled`].
    pub(in crate::proxy) fn stall_began(&self, peer: Peer, at: Duration) {
        self.session.live.stall_began(peer, at);
    }

    /// Takes an event that no tap sees.
    pub(in crate::proxy) fn on(&mut self, event: Event<'_>, at: Duration) {
        if let Event::Stalled { peer, time, .. } = event {
            self.session.live.stall_ended(peer, time);
        }
        self.ledger.on(event, at);
    }

    /// The last byte of closewatch's own Close was written to `to`.
    pub(in crate::proxy) fn own_close_written(&mut self, to: Peer, code: CloseCode, at: Duration) {
        self.ledger.on(Event::OwnClose { to, code, reason: &self.common.limits.own_reason }, at);
    }

    /// Shows `bytes`, read from `from`, to its tap: all of them, or those up to `boundary`.
    pub(in crate::proxy) fn read(
        &mut self,
        from: Peer,
        tap: &mut Tap,
        bytes: &[u8],
        boundary: Option<Boundary>,
        at: Duration,
    ) -> Reading {
        self.observe(from, tap, at, |tap, observer| match boundary {
            Some(boundary) => tap.feed_until(boundary, bytes, observer),
            None => (bytes.len(), tap.feed(bytes, observer)),
        })
    }

    /// Tells `from`'s tap that `bytes` of payload went by: no more than are [`Tap::ahead`].
    pub(in crate::proxy) fn skip(&mut self, from: Peer, tap: &mut Tap, bytes: usize, at: Duration) {
        self.observe(from, tap, at, |tap, observer| {
            tap.skip(bytes as u64, observer);
            (bytes, true)
        });
    }

    /// Brings what `read` sees into the ledger and to the counters. It gives the bytes taken, and whether any of them
    /// belonged to a frame other than a Close.
    fn observe(
        &mut self,
        from: Peer,
        tap: &mut Tap,
        at: Duration,
        read: impl FnOnce(&mut Tap, &mut Observer<'_>) -> (usize, bool),
    ) -> Reading {
        let closed_before = tap.close_seen();
        let mut observer =
            Observer { ledger: &mut self.ledger, sink: &*self.common.sink, from, at, text: 0, binary: 0 };
        let (taken, active) = read(tap, &mut observer);
        let (text, binary) = (observer.text, observer.binary);
        self.ledger.on(Event::Read { from, bytes: taken, active }, at);
        self.session.live.moved(from, taken, at);
        self.common.sink.bytes(from, taken as u64);
        if text + binary > 0 {
            self.session.live.messages_ended(from, text + binary);
        }
        if text > 0 {
            self.common.sink.messages(from, MessageKind::Text, text);
        }
        if binary > 0 {
            self.common.sink.messages(from, MessageKind::Binary, binary);
        }
        Reading { taken, closed: !closed_before && tap.close_seen() }
    }
}

impl Drop for SessionFile {
    fn drop(&mut self) {
        let ledger = std::mem::take(&mut self.ledger);
        let record = CloseRecord::file(Arc::clone(&self.session), ledger, self.now(), Timestamp::now());
        tracing::debug!(
            session = %record.session.id,
            class = %record.verdict.class,
            code = %record.verdict.label,
            cause = %record.verdict.cause,
            "session closed"
        );
        self.common.sink.closed(record);
    }
}

// === impl Observer ===

impl Observe for Observer<'_> {
    fn frame(&mut self, frame: &Frame<'_>) {
        match frame.completes {
            Some(MessageKind::Text) => self.text += 1,
            Some(MessageKind::Binary) => self.binary += 1,
            None => {}
        }
        let event = Event::Frame { from: self.from, frame };
        if let Some(rtt) = self.ledger.on(event, self.at) {
            self.sink.ping_rtt(self.from, rtt);
        }
    }

    fn violation(&mut self, violation: Violation) {
        self.ledger.on(Event::Violation { from: self.from, violation }, self.at);
    }

    fn blind(&mut self) {
        self.ledger.on(Event::Blind { from: self.from }, self.at);
    }
}
