//! The state of the request that a connection is at.
//!
//! hyper reads, answers and writes one request after the other; the state says at which point of that it is. The stream
//! ([`ClientStream`](super::stream::ClientStream)) tells it of bytes, the service of heads and answers, the driver of a
//! drain. All of them run in one task, so the lock is never waited for.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Bytes, Frame, SizeHint};
use tokio::time::Instant;

use crate::config::Timeouts;
use crate::proxy::http::answer::Body;
use crate::proxy::http::head::{self, HeadFacts, Room};
use crate::proxy::http::target::{FirstLine, Target};
use crate::proxy::parsed::Parsed;
use crate::proxy::upgrade::stages::{Asked, Established};

/// Time for the first request of a connection once a drain has begun: a round trip or two.
pub(super) const FIRST_REQUEST: Duration = Duration::from_secs(1);

/// Most connections are over within this time. Keepalive is set behind it, on those that are still there: a short exchange is
/// spared the system calls.
pub(super) const SHORT: Duration = Duration::from_secs(1);

/// The time from which on the kernel asks the client now and then whether it is still there.
#[derive(Clone, Copy)]
pub(super) struct Watch {
    pub(super) at: Instant,
    pub(super) dead_peer: Duration,
}

/// The state of one connection's current request.
pub(super) struct RequestState {
    state: Mutex<State>,
    /// A FIN was kept from hyper, which does not look for it again by itself.
    hid_fin: AtomicBool,
    /// Deadline for the first head.
    first_head: Instant,
    head: Duration,
    keep_alive: Duration,
    /// Present if keepalive was not set before.
    watch: Option<Watch>,
}

enum State {
    /// No byte of the next request has come. `first`: and there was no request before it.
    Waiting { first: bool, until: Instant },
    /// The head of the next request is coming, or has come and hyper has not read it yet.
    Head { first: bool, until: Instant, head: Head },
    /// A plain request is being answered.
    Answering,
    /// An upgrade has no answer yet. `behind`: its client has sent something behind its head.
    Upgrading { behind: bool },
    /// An upgrade is answered by a refusal. `last`: it is the last answer of the connection. `until`: its body is over, the
    /// rest of it is on its way.
    Refused { last: bool, until: Option<Instant> },
    /// The upstream has accepted the upgrade, and the 101 is on its way.
    Switching(Box<Established>),
}

/// The head that hyper reads next, as far as it is known here.
enum Head {
    /// These bytes of it have come.
    Partial { came: Vec<u8>, line: FirstLine },
    /// It is complete, and these bytes of it have not come to hyper; `behind`: there are more behind it.
    Complete { facts: HeadFacts, to_come: usize, behind: bool, asked: Option<Box<Asked>> },
    /// These bytes are no head at all, which hyper finds out by itself.
    Bad(Vec<u8>),
}

/// A deadline that has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Late {
    /// A head has begun and is not complete.
    Head,
    /// Nothing has come at all.
    Quiet,
}

/// A request that hyper has read, with what hyper does not know of it.
pub(super) struct Begun {
    /// Two readers could read its head in two ways.
    ///
    /// Of a request that came before the one before it was answered this is not known. hyper makes it unambiguous: of two
    /// lengths it drops one, and closes the connection behind the answer (RFC 9112 §6.3).
    pub(super) ambiguous: bool,
    /// Its target, if hyper has a stand-in for it. Unknown of a request that came before the one before it was answered: hyper
    /// refuses that target.
    pub(super) target: Option<Target>,
    /// It was put to the upstream already.
    pub(super) asked: Option<Box<Asked>>,
    pub(super) in_flight: InFlight,
}

/// Keeps a request in the state of being answered, until the body of its answer is dropped.
pub(super) struct InFlight(Arc<RequestState>);

/// The body of an answer, which keeps its request in flight.
pub(super) struct AnswerBody {
    body: Body,
    _in_flight: InFlight,
}

// === impl RequestState ===

impl RequestState {
    /// The state of a connection that `began` at this instant. `head` and `asked` are what is known of its first request, if
    /// its head was read before.
    pub(super) fn new(began: Instant, timeouts: &Timeouts, head: Option<HeadFacts>, asked: Option<Asked>) -> Self {
        let first_head = began + timeouts.head;
        let state = match head {
            None => State::Waiting { first: true, until: first_head },
            Some(head) => {
                let asked = asked.map(Box::new);
                let head = Head::Complete { to_come: head.len, facts: head, behind: false, asked };
                State::Head { first: true, until: first_head, head }
            }
        };
        let (state, hid_fin) = (Mutex::new(state), AtomicBool::new(false));
        Self { state, hid_fin, first_head, head: timeouts.head, keep_alive: timeouts.keep_alive, watch: None }
    }

    /// The state of a connection on which requests were answered already, and nothing of the next one was seen.
    pub(super) fn behind(timeouts: &Timeouts) -> Self {
        let now = Instant::now();
        let state = Mutex::new(State::Waiting { first: false, until: now + timeouts.keep_alive });
        let (head, keep_alive) = (timeouts.head, timeouts.keep_alive);
        Self { state, hid_fin: AtomicBool::new(false), first_head: now, head, keep_alive, watch: None }
    }

    /// The same, of a connection that `began` at this instant and has no keepalive yet.
    pub(super) fn unwatched(self, began: Instant, timeouts: &Timeouts) -> Self {
        let watch = timeouts.dead_peer.map(|dead_peer| Watch { at: began + SHORT, dead_peer });
        Self { watch, ..self }
    }

    /// When keepalive is to be set, if it was not before.
    pub(super) const fn watch(&self) -> Option<Watch> {
        self.watch
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Bytes came. Between two requests they begin a head, whose target hyper may have to be shown a stand-in for.
    pub(super) fn bytes_came(&self, bytes: &mut [u8]) {
        self.with(|state| match state {
            State::Waiting { first, .. } => {
                let until = if *first { self.first_head } else { Instant::now() + self.head };
                *state = State::Head { first: *first, until, head: Head::begin(bytes) };
            }
            State::Head { head, .. } => head.go_on(bytes),
            // Frames sent before the 101, or the next request sent before this one is answered: the two cannot be told apart.
            State::Upgrading { behind } => *behind = true,
            // A body, or a request that is sent ahead.
            State::Answering | State::Refused { .. } | State::Switching(_) => {}
        });
    }

    /// Bytes left: the rest of an answer whose body is over, if no request is being answered.
    pub(super) fn bytes_left(&self) {
        let later = Instant::now() + self.keep_alive;
        self.with(|state| match state {
            State::Waiting { first: false, until } | State::Refused { until: Some(until), .. } => *until = later,
            State::Waiting { first: true, .. }
            | State::Head { .. }
            | State::Answering
            | State::Upgrading { .. }
            | State::Refused { until: None, .. }
            | State::Switching(_) => {}
        });
    }

    /// Everything that hyper has written is taken. Behind a refusal that is not the last answer, the next request may come.
    pub(super) fn flushed(&self) {
        self.with(|state| {
            if let State::Refused { last: false, until: Some(until) } = *state {
                *state = State::Waiting { first: false, until };
            }
        });
    }

    /// hyper has read a head.
    pub(super) fn begin(self: &Arc<Self>, is_upgrade: bool) -> Begun {
        let in_flight = InFlight(Arc::clone(self));
        self.with(|state| {
            let (ambiguous, target, behind, asked) = match std::mem::replace(state, State::Answering) {
                State::Head { head: Head::Complete { facts, behind, asked, .. }, .. } => {
                    (facts.ambiguous, facts.target, behind, asked)
                }
                // It was in hyper's buffer already, behind the request before it: where it ends is not known here.
                State::Waiting { .. }
                | State::Head { head: Head::Partial { .. } | Head::Bad(_), .. }
                | State::Answering
                | State::Upgrading { .. }
                | State::Refused { .. }
                | State::Switching(_) => (false, None, true, None),
            };
            if is_upgrade {
                *state = State::Upgrading { behind };
            }
            Begun { ambiguous, target, asked, in_flight }
        })
    }

    /// A head that hyper could not read, of which it has `shown`, as the client wrote it.
    pub(super) fn as_written(&self, shown: &[u8]) -> Vec<u8> {
        self.with(|state| match state {
            State::Head { head: Head::Partial { came, .. } | Head::Bad(came), .. } => came.clone(),
            State::Head { head: Head::Complete { facts: HeadFacts { target: Some(target), .. }, .. }, .. } => {
                let mut head = shown.to_vec();
                target.put_back(&mut head);
                head
            }
            State::Head { head: Head::Complete { .. }, .. }
            | State::Waiting { .. }
            | State::Answering
            | State::Upgrading { .. }
            | State::Refused { .. }
            | State::Switching(_) => shown.to_vec(),
        })
    }

    /// The upstream has switched: the 101 is on its way.
    pub(super) fn switch(&self, established: Box<Established>) {
        self.with(|state| *state = State::Switching(established));
    }

    /// An upgrade is refused. Gives whether the connection may go on, if `keep` says so: bytes that the client has sent
    /// behind its request were meant for a session, and nobody may read them as a request (request smuggling).
    pub(super) fn refuse(&self, keep: bool) -> bool {
        self.with(|state| {
            let goes_on = keep && matches!(state, State::Upgrading { behind: false });
            *state = State::Refused { last: !goes_on, until: None };
            goes_on
        })
    }

    /// The body of an answer is over, or given up.
    fn end_answer(&self) {
        let later = Instant::now() + self.keep_alive;
        self.with(|state| match state {
            State::Answering => *state = State::Waiting { first: false, until: later },
            State::Refused { until, .. } => *until = Some(later),
            // hyper gave it up, because the client is gone: an upgrade that is still pending is owed its answer.
            State::Upgrading { .. } | State::Switching(_) | State::Waiting { .. } | State::Head { .. } => {}
        });
    }

    /// A drain has begun: a client that has sent nothing yet must do so soon.
    pub(super) fn drain(&self) {
        let soon = Instant::now() + FIRST_REQUEST;
        self.with(|state| {
            if let State::Waiting { first: true, until } = state {
                *until = soon.min(*until);
            }
        });
    }

    /// A FIN has come. Whether it is kept from hyper: during an upgrade it is half-close, which the session passes on.
    pub(super) fn hides_fin(&self) -> bool {
        let hides =
            self.with(|state| matches!(state, State::Upgrading { .. } | State::Refused { .. } | State::Switching(_)));
        self.hid_fin.fetch_or(hides, Ordering::Relaxed);
        hides
    }

    /// Whether hyper has to look for a FIN that was kept from it: once, when the upgrade was refused and its answer is over.
    pub(super) fn shows_fin(&self) -> bool {
        let is_over = self.with(|state| matches!(state, State::Waiting { .. }));
        is_over && self.hid_fin.swap(false, Ordering::Relaxed)
    }

    /// Whether hyper has given out all of the connection's last answer: behind what it writes now comes the FIN.
    pub(super) fn is_saying_its_last(&self) -> bool {
        self.with(|state| matches!(state, State::Refused { last: true, until: Some(_) }))
    }

    /// Whether an upgrade is still without an answer.
    pub(super) fn owes_an_answer(&self) -> bool {
        self.with(|state| matches!(state, State::Upgrading { .. }))
    }

    /// Whether hyper may be told to take no more requests: not before the first, and not during an upgrade, whose
    /// 101 must not say that anything is closed.
    pub(super) fn may_retire(&self) -> bool {
        self.with(|state| match state {
            State::Waiting { first, .. } | State::Head { first, .. } => !*first,
            State::Answering => true,
            State::Upgrading { .. } | State::Refused { .. } | State::Switching(_) => false,
        })
    }

    /// Whether a plain request is being answered.
    pub(super) fn is_answering(&self) -> bool {
        self.with(|state| matches!(state, State::Answering))
    }

    /// The session-to-be, if the upstream has switched.
    pub(super) fn take_established(&self) -> Option<Established> {
        self.with(|state| match std::mem::replace(state, State::Refused { last: true, until: None }) {
            State::Switching(established) => Some(*established),
            before @ (State::Waiting { .. }
            | State::Head { .. }
            | State::Answering
            | State::Upgrading { .. }
            | State::Refused { .. }) => {
                *state = before;
                None
            }
        })
    }

    /// The instant at which the present head began, or the connection if this is its first head; now if no head is coming.
    pub(super) fn head_began(&self) -> Instant {
        self.with(|state| match state {
            State::Waiting { first: true, until } | State::Head { until, .. } => until.checked_sub(self.head),
            State::Waiting { first: false, .. }
            | State::Answering
            | State::Upgrading { .. }
            | State::Refused { .. }
            | State::Switching(_) => None,
        })
        .unwrap_or_else(Instant::now)
    }

    /// The instant to look again, or the deadline that has passed.
    pub(super) fn due(&self) -> Result<Instant, Late> {
        let now = Instant::now();
        // The state changes without a word to the timer: so the next look is never later than the shortest deadline that a
        // change could set.
        let next_look = now + self.head.min(self.keep_alive);
        // The stream, which is polled then, sets keepalive.
        let next_look =
            self.watch.map_or(next_look, |watch| if now < watch.at { next_look.min(watch.at) } else { next_look });
        let (until, late) = self.with(|state| match state {
            State::Head { until, .. } => (*until, Late::Head),
            State::Waiting { until, .. } | State::Refused { until: Some(until), .. } => (*until, Late::Quiet),
            State::Answering | State::Upgrading { .. } | State::Refused { until: None, .. } | State::Switching(_) => {
                (next_look, Late::Quiet)
            }
        });
        if until <= now { Err(late) } else { Ok(until.min(next_look)) }
    }
}

// === impl Head ===

impl Head {
    /// Most heads come in one piece, and are not copied.
    fn begin(bytes: &mut [u8]) -> Self {
        let whole = Self::read(bytes);
        let came = if whole.is_none() { bytes.to_vec() } else { Vec::new() };
        let mut line = FirstLine::default();
        line.read(bytes);
        whole.unwrap_or(Self::Partial { came, line })
    }

    fn go_on(&mut self, bytes: &mut [u8]) {
        let (came, line) = match self {
            Self::Partial { came, line } => (came, line),
            Self::Complete { to_come, behind, .. } => {
                *behind |= bytes.len() > *to_come;
                *to_come = to_come.saturating_sub(bytes.len());
                return;
            }
            Self::Bad(_) => return,
        };
        let known = came.len();
        came.extend_from_slice(bytes);
        line.read(bytes);
        // Parsed only when its end may have come, so small pieces cost no more than large ones.
        if head::may_be_complete(came, known)
            && let Some(complete) = Self::read(came)
        {
            *self = complete;
        }
    }

    /// `None` while it is not complete.
    fn read(bytes: &[u8]) -> Option<Self> {
        match head::request(bytes, &mut Room::new()) {
            Parsed::Partial => None,
            Parsed::Whole(head) => {
                let facts = head.facts();
                Some(Self::Complete { behind: bytes.len() > facts.len, facts, to_come: 0, asked: None })
            }
            Parsed::Other => Some(Self::Bad(bytes.to_vec())),
        }
    }
}

// === impl InFlight ===

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.end_answer();
    }
}

// === impl AnswerBody ===

impl AnswerBody {
    pub(super) const fn new(body: Body, in_flight: InFlight) -> Self {
        Self { body, _in_flight: in_flight }
    }
}

/// Everything is the inner body's, its length included: without that hyper would send every answer in chunks.
impl hyper::body::Body for AnswerBody {
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

#[cfg(test)]
mod tests;
