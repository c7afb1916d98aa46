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
    /// Nothing comes behind them but the end of the connection.
    pub(super) are_last: bool,
}

// === impl Outgoing ===

impl Outgoing {
    /// Sends what waits.
    pub(super) fn poll_send(&mut self, to: &mut Leg, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.bytes.len() {
            let rest = &self.bytes[self.sent..];
            let sent =
                if self.are_last { to.poll_write_last(cx, rest) } else { Pin::new(&mut *to).poll_write(cx, rest) };
            self.sent += ready!(sent)?;
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::proxy::transport::tcp_info::segments_received;

    #[tokio::test]
    async fn the_last_bytes_wait_for_the_fin_and_others_do_not() {
        for (are_last, segments) in [(true, 1), (false, 2)] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let (client, accepted) =
                tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
            let (mut client, mut leg) = (client.unwrap(), Leg::Tcp(accepted.unwrap().0));
            let before = segments_received(&client);
            let mut out = Outgoing { bytes: b"bye".to_vec(), sent: 0, are_last };
            std::future::poll_fn(|cx| out.poll_send(&mut leg, cx)).await.unwrap();
            leg.shutdown().await.unwrap();
            let mut heard = Vec::new();
            client.read_to_end(&mut heard).await.unwrap();
            assert_eq!((&heard[..], segments_received(&client) - before), (&b"bye"[..], segments));
        }
    }
}
