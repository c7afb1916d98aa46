//! The client's leg while hyper has it, and how far the connection has come.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::StatusCode;
use hyper::body::{Bytes, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::proxy::http::answer::Body;
use crate::proxy::http::head;
use crate::proxy::parsed::Parsed;
use crate::proxy::transport::leg::Leg;
use crate::proxy::transport::rewind::Rewind;

/// How long a client that has only connected has for its request once a drain has begun: a round trip or two.
pub(in crate::proxy) const FIRST_REQUEST: Duration = Duration::from_secs(1);

/// The client's leg while hyper has it.
pub(in crate::proxy) struct Front {
    leg: Rewind,
    progress: Arc<Progress>,
}

/// How far a connection has come; shared by the stream, the service and the driver, which are all one task.
pub(in crate::proxy) struct Progress(Mutex<State>);

struct State {
    began: Instant,
    /// When the head that is being read began to come.
    head: Option<Instant>,
    reading: Reading,
    /// When the last byte went either way, or the last request was over.
    quiet: Option<Instant>,
    /// Whether any request head was ever whole.
    heard: bool,
    /// Requests that are being answered.
    in_flight: usize,
    upgrade: Upgrade,
    /// What hyper said to something that is no request.
    refusal: Option<StatusCode>,
    /// Until when a first request is waited for, if a drain has begun.
    hurry: Option<Instant>,
}

/// What came of the head that hyper is to read next, if nothing is being answered meanwhile.
enum Reading {
    /// Not all of it.
    Begun(Vec<u8>),
    /// All; and whether it can be read in two ways.
    Whole { ambiguous: bool },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Upgrade {
    No,
    /// Asked for, and without an answer yet.
    Pending,
    Answered,
}

/// What a client was too late with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) enum Late {
    /// The end of a head.
    Head,
    /// Anything at all.
    Quiet,
}

/// Counts a request as being answered until its answer's body is gone.
pub(in crate::proxy) struct InFlight(Arc<Progress>);

/// The body of an answer, which keeps its request in flight.
pub(in crate::proxy) struct Counted {
    body: Body,
    _in_flight: InFlight,
}

// === impl Progress ===

impl Progress {
    pub(in crate::proxy) fn new(began: Instant) -> Self {
        Self(Mutex::new(State {
            began,
            head: None,
            reading: Reading::NOTHING,
            quiet: None,
            heard: false,
            in_flight: 0,
            upgrade: Upgrade::No,
            refusal: None,
            hurry: None,
        }))
    }

    fn state<T>(&self, with: impl FnOnce(&mut State) -> T) -> T {
        with(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The head of a request is whole; gives whether it can be read in two ways. During an upgrade a FIN is not yet the
    /// client's end.
    pub(in crate::proxy) fn begins(&self, is_upgrade: bool) -> bool {
        self.state(|state| {
            state.head = None;
            state.heard = true;
            state.upgrade = if is_upgrade { Upgrade::Pending } else { Upgrade::No };
            matches!(std::mem::replace(&mut state.reading, Reading::NOTHING), Reading::Whole { ambiguous: true })
        })
    }

    pub(in crate::proxy) fn upgrade_is_answered(&self) {
        self.state(|state| state.upgrade = Upgrade::Answered);
    }

    /// Whether the last request was an upgrade.
    fn is_upgrade(&self) -> bool {
        self.state(|state| state.upgrade != Upgrade::No)
    }

    /// Whether an upgrade was left without an answer.
    pub(in crate::proxy) fn owes_an_answer(&self) -> bool {
        self.state(|state| state.upgrade == Upgrade::Pending)
    }

    /// The status that the client was given for something that is no request.
    pub(in crate::proxy) fn refusal(&self) -> Option<StatusCode> {
        self.state(|state| state.refusal)
    }

    /// A drain has begun: who has not asked for anything yet must do so soon.
    pub(in crate::proxy) fn hurry(&self) {
        self.state(|state| state.hurry = state.hurry.or(Some(Instant::now() + FIRST_REQUEST)));
    }

    /// Whether hyper may be told to take no more requests: not before the first, and not of an upgrade, which is the last
    /// anyhow and whose 101 must not say that anything is closed.
    pub(in crate::proxy) fn may_retire(&self) -> bool {
        self.state(|state| state.heard && state.upgrade == Upgrade::No)
    }

    /// Whether a plain request was taken, and its answer is not over yet.
    pub(in crate::proxy) fn is_answering(&self) -> bool {
        self.state(|state| state.in_flight > 0 && state.upgrade == Upgrade::No)
    }

    /// When to look again, or what the client was too late with.
    pub(in crate::proxy) fn due(&self, head: Duration, keep_alive: Duration) -> Result<Instant, Late> {
        let now = Instant::now();
        let (due, late) = self.state(|state| match (state.head, state.quiet) {
            _ if state.in_flight > 0 => (now + head, Late::Quiet),
            (Some(since), _) => (since + head, Late::Head),
            (None, Some(since)) if state.heard => (since + keep_alive, Late::Quiet),
            (None, _) => {
                let due = state.began + head;
                (state.hurry.map_or(due, |hurry| due.min(hurry)), Late::Quiet)
            }
        });
        // Not later than the shorter of the two from now: a request may begin to come meanwhile, or be over.
        if due <= now { Err(late) } else { Ok(due.min(now + head.min(keep_alive))) }
    }

    /// Bytes came.
    fn read(&self, bytes: &[u8]) {
        let now = Instant::now();
        self.state(|state| {
            state.quiet = Some(now);
            if state.in_flight == 0 {
                state.head.get_or_insert(now);
                state.reading.take(bytes);
            }
        });
    }

    /// Bytes are written. With no request to answer, they can only be what hyper says to something that is none.
    fn wrote(&self, bytes: &[u8]) {
        self.state(|state| {
            state.quiet = Some(Instant::now());
            if state.in_flight == 0
                && let Some(status) = bytes.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3))
                && let Ok(status) = StatusCode::from_bytes(status)
            {
                state.refusal = Some(status);
            }
        });
    }
}

// === impl Reading ===

impl Reading {
    const NOTHING: Self = Self::Begun(Vec::new());

    fn take(&mut self, bytes: &[u8]) {
        let Self::Begun(before) = self else { return };
        // Most heads come in one piece, and are not copied.
        let first = before.is_empty();
        if !first {
            before.extend_from_slice(bytes);
        }
        match head::ambiguous(if first { bytes } else { before }) {
            Parsed::Partial if first => before.extend_from_slice(bytes),
            Parsed::Partial => {}
            Parsed::Whole(ambiguous) => *self = Self::Whole { ambiguous },
            Parsed::Other => *self = Self::Whole { ambiguous: false },
        }
    }
}

// === impl InFlight ===

impl InFlight {
    pub(in crate::proxy) fn begin(progress: &Arc<Progress>) -> Self {
        progress.state(|state| state.in_flight += 1);
        Self(Arc::clone(progress))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.state(|state| {
            state.in_flight -= 1;
            state.quiet = Some(Instant::now());
        });
    }
}

// === impl Counted ===

impl Counted {
    pub(in crate::proxy) fn new(body: Body, in_flight: InFlight) -> Self {
        Self { body, _in_flight: in_flight }
    }
}

/// The body's own length and all: without it hyper would cut every answer into chunks.
impl hyper::body::Body for Counted {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

// === impl Front ===

impl Front {
    pub(in crate::proxy) fn new(leg: Rewind, progress: Arc<Progress>) -> Self {
        Self { leg, progress }
    }

    /// The leg, and what was read of it before and hyper has not asked for.
    pub(in crate::proxy) fn into_leg(self) -> (Leg, Vec<u8>) {
        self.leg.into_parts()
    }
}

impl AsyncRead for Front {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.leg).poll_read(cx, buf);
        let some = buf.filled().len() > before;
        if some {
            self.progress.read(&buf.filled()[before..]);
        }
        // A FIN while the upgrade is on its way is half-close, and the session's business; a reset is an error, and hyper
        // drops the handshake for it.
        let half_closed = matches!(read, Poll::Ready(Ok(()))) && !some;
        if half_closed && self.progress.is_upgrade() { Poll::Pending } else { read }
    }
}

impl AsyncWrite for Front {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.progress.wrote(bytes);
        Pin::new(&mut self.leg).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.progress.wrote(slices.first().map_or(&[], |slice| slice));
        Pin::new(&mut self.leg).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.leg.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.leg).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.leg).poll_shutdown(cx)
    }
}
