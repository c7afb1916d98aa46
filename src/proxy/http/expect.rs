//! `Expect: 100-continue`: the body of a request waits until the upstream asks for it (RFC 9110 §10.1.1).
//!
//! hyper asks the client for the body, with a 100 of its own, when the body is first polled: so the client is asked when the
//! upstream asks, and not at all if the upstream refuses at once.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Request, header};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Bytes, Frame, Incoming, SizeHint};
use tokio::sync::Notify;

use super::answer::Body;
use super::early::EarlyAnswers;

/// An upstream that does not know the expectation never answers it. Behind this pause it is given the body all the same, as
/// clients do too (RFC 9110 §10.1.1: they do not wait "for an indefinite period").
const PATIENCE: Duration = Duration::from_secs(1);

/// A body that is not polled before the upstream's word has come.
struct AwaitedBody {
    /// Since the upstream's word.
    body: Option<Incoming>,
    size: SizeHint,
    word: Option<Pin<Box<dyn Future<Output = ()> + Send + Sync>>>,
    withheld: Withheld,
}

/// The body that a client waits to be asked for, until it is.
#[derive(Clone, Default)]
pub(super) struct Withheld(Arc<Mutex<Option<Incoming>>>);

/// The request, whose body waits if it says so. Other answers before the answer go to the client through `early`.
pub(super) fn await_word(
    mut request: Request<Incoming>,
    early: Option<&Arc<EarlyAnswers>>,
) -> (Request<Body>, Withheld) {
    let expectation = request.headers().get(header::EXPECT).map(header::HeaderValue::as_bytes);
    let expects = expectation.is_some_and(|expect| expect.eq_ignore_ascii_case(b"100-continue"));
    if !expects || request.body().is_end_stream() {
        if let Some(early) = early {
            early.pass_those_to(&mut request, || false);
        }
        return (request.map(BodyExt::boxed), Withheld::default());
    }
    let withheld = Withheld::default();
    let asked = Arc::new(Notify::new());
    let word = Arc::clone(&asked);
    let mut request = request.map(|body| {
        let word = async move {
            // Either way the body goes on.
            let _ = tokio::time::timeout(PATIENCE, word.notified()).await;
        };
        let size = body.size_hint();
        *withheld.slot() = Some(body);
        AwaitedBody { body: None, size, word: Some(Box::pin(word)), withheld: withheld.clone() }
    });
    let early = early.cloned().unwrap_or_default();
    early.pass_those_to(&mut request, move || {
        asked.notify_one();
        true
    });
    (request.map(BodyExt::boxed), withheld)
}

// === impl Withheld ===

impl Withheld {
    fn slot(&self) -> MutexGuard<'_, Option<Incoming>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<Incoming> {
        self.slot().take()
    }

    /// The answer has come: a body that is not on its way is not waited for. Gives whether that is so; the client may send it all the
    /// same, so nothing that it sends can be another request.
    pub(super) fn give_up(&self) -> bool {
        self.take().is_some()
    }
}

// === impl AwaitedBody ===

impl hyper::body::Body for AwaitedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        if let Some(word) = &mut self.word {
            ready!(word.as_mut().poll(cx));
            self.word = None;
            self.body = self.withheld.take();
        }
        // Given up, it never comes; its connection is closed behind the answer.
        self.body.as_mut().map_or(Poll::Pending, |body| Pin::new(body).poll_frame(cx))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_some_and(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or(self.size, Incoming::size_hint)
    }
}
