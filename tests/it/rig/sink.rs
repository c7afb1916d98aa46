//! A sink that puts records on channels and counts everything else.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use closewatch::close::{CloseRecord, CloseSink, HandshakeRecord, Rejection, RouteSink, Session};
use closewatch::wire::{MessageKind, Peer};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;

use super::story::Story;

/// Everything that a rig's sink was told, except records.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) opened: usize,
    pub(crate) closed: usize,
    /// By peer.
    pub(crate) bytes: [u64; 2],
    pub(crate) text: [u64; 2],
    pub(crate) binary: [u64; 2],
    pub(crate) rtts: [Vec<Duration>; 2],
    /// Gauges.
    pub(crate) stalled: i64,
    pub(crate) spilled: i64,
    pub(crate) upstream_connections: i64,
    /// The most that `spilled` ever was.
    pub(crate) most_spilled: i64,
    /// Statuses of plain HTTP.
    pub(crate) statuses: Vec<u16>,
    /// Connections that were turned away.
    pub(crate) rejected: Vec<Rejection>,
    /// Sessions that are live now.
    pub(crate) sessions: Vec<Arc<Session>>,
}

/// The data plane's end of it.
pub(super) struct RigSink(Arc<Shared>);

struct RigRouteSink {
    route: String,
    shared: Arc<Shared>,
}

struct Shared {
    seen: watch::Sender<Seen>,
    records: UnboundedSender<CloseRecord>,
    handshakes: UnboundedSender<(String, HandshakeRecord)>,
    story: Story,
    /// Panics at the first message whose bytes are counted, as a bug in closewatch would.
    explosive: Mutex<bool>,
}

/// The test's end of it.
pub(super) struct Told {
    pub(super) records: UnboundedReceiver<CloseRecord>,
    pub(super) handshakes: UnboundedReceiver<(String, HandshakeRecord)>,
    seen: watch::Receiver<Seen>,
    shared: Arc<Shared>,
}

/// A sink, and what it will be told.
pub(super) fn sink(story: Story) -> (RigSink, Told) {
    let (records, records_told) = unbounded_channel();
    let (handshakes, handshakes_told) = unbounded_channel();
    let (seen, seen_told) = watch::channel(Seen::default());
    let shared = Arc::new(Shared { seen, records, handshakes, story, explosive: Mutex::new(false) });
    let told =
        Told { records: records_told, handshakes: handshakes_told, seen: seen_told, shared: Arc::clone(&shared) };
    (RigSink(shared), told)
}

// === impl Told ===

impl Told {
    pub(super) fn seen(&self) -> Seen {
        self.seen.borrow().clone()
    }

    /// Waits until what was told is as `wanted`.
    pub(super) fn until<F: FnMut(&Seen) -> bool>(&self, mut wanted: F) -> impl Future<Output = ()> + use<F> {
        let mut seen = self.seen.clone();
        async move { drop(seen.wait_for(|seen| wanted(seen)).await.unwrap()) }
    }

    /// The next byte that comes in makes the sink panic.
    pub(super) fn arm(&self) {
        *self.shared.explosive.lock().unwrap() = true;
    }
}

// === impl RigSink ===

impl Shared {
    fn see(&self, change: impl FnOnce(&mut Seen)) {
        self.seen.send_modify(change);
    }
}

impl CloseSink for RigSink {
    fn route(&self, name: &str) -> Arc<dyn RouteSink> {
        Arc::new(RigRouteSink { route: name.to_owned(), shared: Arc::clone(&self.0) })
    }

    fn rejected(&self, reason: Rejection) {
        self.0.see(|seen| seen.rejected.push(reason));
    }
}

impl RouteSink for RigRouteSink {
    fn handshake(&self, record: &HandshakeRecord) {
        self.shared.story.tell(format!("proxy    files {record:?}"));
        // The test may be over and its end of the channel gone.
        let _ = self.shared.handshakes.send((self.route.clone(), record.clone()));
    }

    fn opened(&self, session: &Arc<Session>) {
        self.shared.see(|seen| {
            seen.opened += 1;
            seen.sessions.push(Arc::clone(session));
        });
    }

    fn closed(&self, record: CloseRecord) {
        self.shared.story.tell(format!("proxy    files {:?}\n         of {:?}", record.verdict, record.facts));
        self.shared.see(|seen| {
            seen.closed += 1;
            seen.sessions.retain(|session| session.id != record.session.id);
        });
        let _ = self.shared.records.send(record);
    }

    fn bytes(&self, from: Peer, bytes: u64) {
        let explodes = std::mem::take(&mut *self.shared.explosive.lock().unwrap_or_else(PoisonError::into_inner));
        assert!(!explodes, "the test asked for it");
        self.shared.see(|seen| seen.bytes[from.index()] += bytes);
    }

    fn messages(&self, from: Peer, kind: MessageKind, count: u64) {
        self.shared.see(|seen| match kind {
            MessageKind::Text => seen.text[from.index()] += count,
            MessageKind::Binary => seen.binary[from.index()] += count,
        });
    }

    fn ping_rtt(&self, peer: Peer, rtt: Duration) {
        self.shared.see(|seen| seen.rtts[peer.index()].push(rtt));
    }

    fn stalled(&self, change: i64) {
        self.shared.see(|seen| seen.stalled += change);
    }

    fn upstream_connections(&self, change: i64) {
        self.shared.see(|seen| seen.upstream_connections += change);
    }

    fn spilled(&self, change: i64) {
        self.shared.see(|seen| {
            seen.spilled += change;
            seen.most_spilled = seen.most_spilled.max(seen.spilled);
        });
    }

    fn http_response(&self, status: u16) {
        self.shared.see(|seen| seen.statuses.push(status));
    }
}
