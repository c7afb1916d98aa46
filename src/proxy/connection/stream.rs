//! The client's leg while hyper has it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::last_words::say_last;
use super::request::{RequestState, Watch};
use crate::proxy::http::early::EarlyAnswers;
use crate::proxy::transport::leg::Leg;
use crate::proxy::transport::rewind::Rewind;

/// The client's leg while hyper has it: tells the state of the request what passes, and is not ended by hyper.
pub(super) struct ClientStream {
    leg: Rewind,
    request: Arc<RequestState>,
    early: Arc<EarlyAnswers>,
    /// hyper holds no bytes that the leg has not taken.
    flushed: bool,
    /// Present until the kernel asks the client now and then whether it is still there.
    watch: Option<Watch>,
}

// === impl ClientStream ===

impl ClientStream {
    pub(super) fn new(leg: Rewind, request: Arc<RequestState>, early: Arc<EarlyAnswers>) -> Self {
        let watch = request.watch();
        Self { leg, request, early, flushed: true, watch }
    }

    /// Says `words`, if any, behind everything that hyper had to say, and ends the connection.
    pub(super) async fn say_last(self, words: &[u8]) {
        // hyper still holds the rest of an answer, which is lost with it: more words would land inside that answer.
        if self.flushed {
            say_last(&mut self.into_leg().0, words).await;
        }
    }

    /// Sets keepalive if it is due. hyper flushes, or tries to write, whenever it is polled.
    fn watch(&mut self) {
        if let Some(Watch { at, dead_peer }) = self.watch
            && at <= Instant::now()
        {
            self.watch = None;
            self.leg.leg().keep_alive(Some(dead_peer));
        }
    }

    fn wrote(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.watch();
        self.flushed = false;
        // A client that takes nothing is as quiet as one that says nothing.
        if let Poll::Ready(Ok(1..)) = written {
            self.request.bytes_left();
        }
        written
    }

    /// The leg, and the bytes that were read of it before and that hyper has not asked for.
    pub(super) fn into_leg(self) -> (Leg, Vec<u8>) {
        self.leg.into_parts()
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.leg).poll_read(cx, buf);
        let some = buf.filled().len() > before;
        if some {
            self.request.bytes_came(&mut buf.filled_mut()[before..]);
        }
        // A FIN during an upgrade is half-close, which the session passes on. A reset is an error: hyper then drops the
        // handshake.
        let half_closed = matches!(read, Poll::Ready(Ok(()))) && !some;
        if half_closed && self.request.hides_fin() { Poll::Pending } else { read }
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Self { leg, early, .. } = &mut *self;
        ready!(early.poll_rest(leg, cx))?;
        let written = Pin::new(leg).poll_write(cx, bytes);
        self.wrote(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Self { leg, early, request, .. } = &mut *self;
        ready!(early.poll_rest(leg, cx))?;
        let written = if request.is_saying_its_last() {
            leg.leg().poll_write_last_vectored(cx, slices)
        } else {
            Pin::new(leg).poll_write_vectored(cx, slices)
        };
        self.wrote(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.leg.is_write_vectored()
    }

    /// hyper flushes the stream when it has written everything, and not before.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.watch();
        let Self { leg, request, early, flushed, .. } = &mut *self;
        // Part of one is as part of an answer.
        *flushed = false;
        ready!(early.poll_send(leg, cx))?;
        *flushed = true;
        request.flushed();
        Pin::new(leg).poll_flush(cx)
    }

    /// The leg goes on behind hyper: as a session, or for the last words.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
