//! A leg: the connection to one peer. What the relay needs of a stream, whatever the stream is made of.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use super::kernel::{self, Kernel};
use crate::close::End;

/// A connection to a peer. A new kind of transport is a new variant here, and nothing elsewhere.
#[derive(Debug)]
pub(super) enum Leg {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Calls the same method on whichever stream a leg is.
macro_rules! on_stream {
    ($leg:expr, $stream:ident => $call:expr) => {
        match $leg {
            Leg::Tcp($stream) => $call,
            Leg::Unix($stream) => $call,
        }
    };
}

// === impl Leg ===

impl Leg {
    /// Has the kernel ask an idle peer now and then whether it is still there, and give it up after `dead_peer`.
    pub(super) fn keep_alive(&self, dead_peer: Option<Duration>) {
        match self {
            Self::Tcp(stream) => kernel::keep_alive(stream, dead_peer),
            // The other end is on this host: its kernel knows.
            Self::Unix(_) => {}
        }
    }

    /// What the kernel knows of the connection; `None` if it is not TCP.
    pub(super) fn kernel(&self) -> Option<Kernel> {
        match self {
            Self::Tcp(stream) => Kernel::look(stream),
            Self::Unix(_) => None,
        }
    }

    /// Calls `read` with the socket once there may be something to read, and again until it does not say that it would
    /// block.
    pub(super) fn poll_read_with<T>(
        &self,
        cx: &mut Context<'_>,
        mut read: impl FnMut(BorrowedFd<'_>) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        on_stream!(self, stream => loop {
            ready!(stream.poll_read_ready(cx))?;
            match stream.try_io(Interest::READABLE, || read(stream.as_fd())) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        })
    }

    /// The same once it may take something.
    pub(super) fn poll_write_with<T>(
        &self,
        cx: &mut Context<'_>,
        mut write: impl FnMut(BorrowedFd<'_>) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        on_stream!(self, stream => loop {
            ready!(stream.poll_write_ready(cx))?;
            match stream.try_io(Interest::WRITABLE, || write(stream.as_fd())) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        })
    }

    /// Makes the drop that follows send an RST instead of a FIN, and throw away what was not sent yet. A unix socket has no
    /// reset: it is only closed.
    pub(super) fn reset_on_drop(&self) {
        match self {
            // It fails only on a socket that is gone already, where there is nothing to reset.
            Self::Tcp(stream) => drop(stream.set_zero_linger()),
            Self::Unix(_) => {}
        }
    }
}

/// How a transport ended, of an error that a read or a write gave.
///
/// What is not a timeout is taken for a reset: the connection is gone, and not in order.
pub(super) fn end_of(error: &io::Error) -> End {
    use io::ErrorKind::{HostUnreachable, NetworkUnreachable, TimedOut};
    let silent = matches!(error.kind(), TimedOut | HostUnreachable | NetworkUnreachable);
    if silent { End::Timeout } else { End::Reset }
}

impl AsyncRead for Leg {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        on_stream!(self.get_mut(), stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for Leg {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        on_stream!(self.get_mut(), stream => Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        on_stream!(self.get_mut(), stream => Pin::new(stream).poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_stream!(self.get_mut(), stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_stream!(self.get_mut(), stream => Pin::new(stream).poll_shutdown(cx))
    }
}
