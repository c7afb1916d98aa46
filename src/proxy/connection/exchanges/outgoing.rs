//! Bytes on their way to a peer: those that it does not take at once wait here.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

use crate::proxy::transport::leg::Leg;

/// A piece up to this size is copied behind what waits, and sent in one call with it.
const SMALL: usize = 4 * 1024;

/// Bytes on their way to a peer.
#[derive(Default)]
pub(super) struct Outgoing {
    pub(super) bytes: Vec<u8>,
    pub(super) sent: usize,
}

// === impl Outgoing ===

impl Outgoing {
    /// Sends what waits.
    pub(super) fn poll_send(&mut self, to: &mut Leg, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.bytes.len() {
            self.sent += ready!(Pin::new(&mut *to).poll_write(cx, &self.bytes[self.sent..]))?;
        }
        self.bytes.clear();
        self.sent = 0;
        Poll::Ready(Ok(()))
    }

    /// Sends what waits, and `more` behind it; the part of it that is not taken waits from now on.
    pub(super) fn poll_send_with(&mut self, to: &mut Leg, more: &[u8], cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut more = more;
        if more.len() > SMALL && to.is_plain() {
            let waiting = self.bytes.len() - self.sent;
            let slices = [IoSlice::new(&self.bytes[self.sent..]), IoSlice::new(more)];
            if let Poll::Ready(taken) = Pin::new(&mut *to).poll_write_vectored(cx, &slices) {
                let taken = taken?;
                self.sent += taken.min(waiting);
                more = &more[taken.saturating_sub(waiting)..];
            }
        }
        self.bytes.extend_from_slice(more);
        self.poll_send(to, cx)
    }
}
