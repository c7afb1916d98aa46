//! Answers before the answer (1xx, RFC 9110 §15.2) where hyper speaks HTTP: its client tells of them, and its server has no way
//! to send them. So they are written past it, while it waits for the answer.

use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use http::header::{self, HeaderMap};
use http::{Request, StatusCode};
use tokio::io::AsyncWrite;

use super::headers;
use crate::proxy::transport::rewind::Rewind;

/// The most that waits for a client: more of them are dropped. They are hints, and an upstream could send any number.
const MOST: usize = 16 * 1024;

/// Answers before the answer to one client's present request.
#[derive(Default)]
pub(in crate::proxy) struct EarlyAnswers(Mutex<Waiting>);

/// Heads on their way to the client.
#[derive(Default)]
struct Waiting {
    bytes: Vec<u8>,
    sent: usize,
    /// An answer is waited for.
    open: bool,
    /// The task of the client's connection.
    task: Option<Waker>,
}

/// A wait for an answer. What was not begun when it is over is not sent any more.
struct Wait<'e>(&'e EarlyAnswers);

// === impl EarlyAnswers ===

impl EarlyAnswers {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes those to `request` on; `asked` is called for each 100 and says whether it is meant for closewatch itself.
    pub(in crate::proxy) fn pass_those_to<B>(
        self: &Arc<Self>,
        request: &mut Request<B>,
        asked: impl Fn() -> bool + Send + Sync + 'static,
    ) {
        let early = Arc::clone(self);
        hyper::ext::on_informational(request, move |answer| {
            if answer.status() != StatusCode::CONTINUE || !asked() {
                early.add(answer.status(), answer.headers());
            }
        });
    }

    fn add(&self, status: StatusCode, answered: &HeaderMap) {
        let mut answered = answered.clone();
        headers::remove_hop_by_hop(&mut answered);
        // It has no body (RFC 9110 §8.6), so nobody may wait for one.
        answered.remove(header::CONTENT_LENGTH);
        let mut head =
            format!("HTTP/1.1 {} {}\r\n", status.as_str(), status.canonical_reason().unwrap_or_default()).into_bytes();
        for (name, value) in &answered {
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                head.extend_from_slice(part);
            }
        }
        head.extend_from_slice(b"\r\n");
        let mut waiting = self.waiting();
        if waiting.open && waiting.bytes.len() + head.len() <= MOST {
            waiting.bytes.extend_from_slice(&head);
            waiting.task.take().into_iter().for_each(Waker::wake);
        }
    }

    /// Waits for the answer, and until the client has been given all that came before it. hyper then writes the answer.
    pub(in crate::proxy) async fn before<T>(&self, answer: impl Future<Output = T>) -> T {
        let mut answer = pin!(answer);
        let mut answered = None;
        self.waiting().open = true;
        let _wait = Wait(self);
        std::future::poll_fn(|cx| {
            // Before the look: one that comes behind it wakes the task.
            self.waiting().task = Some(cx.waker().clone());
            if answered.is_none() {
                answered = Some(ready!(answer.as_mut().poll(cx)));
            }
            if !self.waiting().bytes.is_empty() {
                return Poll::Pending;
            }
            answered.take().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// Writes them to the client. hyper holds nothing that the client has not taken: they do not land inside an answer.
    pub(in crate::proxy) fn poll_send(&self, client: &mut Rewind, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut waiting = self.waiting();
        if waiting.bytes.is_empty() {
            return Poll::Ready(Ok(()));
        }
        while waiting.sent < waiting.bytes.len() {
            let written = ready!(Pin::new(&mut *client).poll_write(cx, &waiting.bytes[waiting.sent..]))?;
            waiting.sent += written;
        }
        (waiting.bytes, waiting.sent) = (Vec::new(), 0);
        waiting.task.take().into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(()))
    }

    /// Writes the rest of what was begun, before anything of hyper's.
    pub(in crate::proxy) fn poll_rest(&self, client: &mut Rewind, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let begun = self.waiting().sent > 0;
        if begun { self.poll_send(client, cx) } else { Poll::Ready(Ok(())) }
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let mut waiting = self.0.waiting();
        (waiting.open, waiting.task) = (false, None);
        if waiting.sent == 0 {
            waiting.bytes = Vec::new();
        }
    }
}
