//! A leg with bytes put back, so that hyper reads again what was read before.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::proxy::transport::leg::Leg;

/// A leg whose reads begin with bytes that were taken from it before.
pub(in crate::proxy) struct Rewind {
    leg: Leg,
    read: Vec<u8>,
    given: usize,
    writes: Writes,
}

/// The fate of what is written.
enum Writes {
    /// It is sent.
    Sent,
    /// It repeats a request that was sent before, in other words, and is swallowed. Nothing is read until it comes: an answer
    /// to no request would be an error.
    Repeated(Option<Waker>),
    /// The repetition has begun; it ends with the flush.
    Swallowed,
}

// === impl Rewind ===

impl Rewind {
    /// A leg as it is.
    pub(in crate::proxy) const fn new(leg: Leg) -> Self {
        Self::with(leg, Vec::new())
    }

    /// A leg of which `read` was read already.
    pub(in crate::proxy) const fn with(leg: Leg, read: Vec<u8>) -> Self {
        Self { leg, read, given: 0, writes: Writes::Sent }
    }

    /// A leg that was sent its request already, and whose answer begins with `read`.
    pub(in crate::proxy) const fn answer(leg: Leg, read: Vec<u8>) -> Self {
        Self { leg, read, given: 0, writes: Writes::Repeated(None) }
    }

    /// The leg, and the bytes that were put back and not read yet.
    pub(in crate::proxy) fn into_parts(mut self) -> (Leg, Vec<u8>) {
        let left = self.read.split_off(self.given);
        (self.leg, left)
    }

    pub(in crate::proxy) const fn leg(&mut self) -> &mut Leg {
        &mut self.leg
    }

    /// Whether the bytes that are written now have to be swallowed.
    fn swallows(&mut self) -> bool {
        if let Writes::Repeated(reader) = &mut self.writes {
            reader.take().into_iter().for_each(Waker::wake);
            self.writes = Writes::Swallowed;
        }
        matches!(self.writes, Writes::Swallowed)
    }
}

impl AsyncRead for Rewind {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Writes::Repeated(reader) = &mut this.writes {
            *reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let left = &this.read[this.given..];
        if left.is_empty() {
            return Pin::new(&mut this.leg).poll_read(cx, buf);
        }
        let now = left.len().min(buf.remaining());
        buf.put_slice(&left[..now]);
        this.given += now;
        if this.given == this.read.len() {
            (this.read, this.given) = (Vec::new(), 0);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Rewind {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.swallows() { Poll::Ready(Ok(bytes.len())) } else { Pin::new(&mut self.leg).poll_write(cx, bytes) }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.swallows() {
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        Pin::new(&mut self.leg).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// hyper flushes when it has written a whole request: what it writes behind that is another one.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Writes::Swallowed = self.writes {
            self.writes = Writes::Sent;
        }
        Pin::new(&mut self.leg).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.leg).poll_shutdown(cx)
    }
}
