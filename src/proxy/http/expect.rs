//! `Expect: 100-continue`: the body of a request waits until the upstream asks for it (RFC 9110 §10.1.1).
//!
//! hyper asks the client for the body, with a 100 of its own, when the body is first polled: so the client is asked when the
//! upstream asks, and not at all if the upstream refuses at once.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Bytes, Frame, Incoming, SizeHint};
use tokio::sync::Notify;

use super::answer::Body;

/// An upstream that does not know the expectation never answers it. Behind this pause it is given the body all the same, as
/// clients do too (RFC 9110 §10.1.1: they do not wait "for an indefinite period").
const PATIENCE: Duration = Duration::from_secs(1);

/// A body that is not polled before the upstream's word has come.
struct AwaitedBody {
    body: Incoming,
    word: Option<Pin<Box<dyn Future<Output = ()> + Send + Sync>>>,
}

/// The request, whose body waits if it says so.
pub(super) fn await_word(request: Request<Incoming>) -> Request<Body> {
    let expectation = request.headers().get(header::EXPECT).map(header::HeaderValue::as_bytes);
    let expects = expectation.is_some_and(|expect| expect.eq_ignore_ascii_case(b"100-continue"));
    if !expects || request.body().is_end_stream() {
        return request.map(BodyExt::boxed);
    }
    let asked = Arc::new(Notify::new());
    let word = Arc::clone(&asked);
    let mut request = request.map(|body| {
        let word = async move {
            // Either way the body goes on.
            let _ = tokio::time::timeout(PATIENCE, word.notified()).await;
        };
        AwaitedBody { body, word: Some(Box::pin(word)) }
    });
    hyper::ext::on_informational(&mut request, move |answer| {
        if answer.status() == StatusCode::CONTINUE {
            asked.notify_one();
        }
    });
    request.map(BodyExt::boxed)
}

// === impl AwaitedBody ===

impl hyper::body::Body for AwaitedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        if let Some(word) = &mut self.word {
            ready!(word.as_mut().poll(cx));
            self.word = None;
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
