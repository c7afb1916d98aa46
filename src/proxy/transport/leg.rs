//! A leg: the connection to one peer, over TCP, a unix socket or TLS.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use rustix::net::RecvFlags;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use crate::close::{End, TlsVersion};
use crate::proxy::transport::last_segment;
use crate::proxy::transport::tcp_info::{self, TcpInfo};
use crate::proxy::transport::tls::TlsStream;

/// A connection to a peer. A new kind of transport is a new variant here, and nothing elsewhere.
#[derive(Debug)]
pub(in crate::proxy) enum Leg {
    Tcp(TcpStream),
    Unix(UnixStream),
    /// Boxed: it is the size of ten sockets.
    Tls(Box<TlsStream>),
}

/// Calls a method on the stream of a leg, of whatever kind.
macro_rules! on_stream {
    ($leg:expr, $stream:ident => $call:expr) => {
        match $leg {
            Leg::Tcp($stream) => $call,
            Leg::Unix($stream) => $call,
            Leg::Tls($stream) => $call,
        }
    };
}

/// The same where the peers' bytes are on the socket itself.
macro_rules! on_socket {
    ($leg:expr, $stream:ident => $call:expr) => {
        match $leg {
            Leg::Tcp($stream) => $call,
            Leg::Unix($stream) => $call,
            Leg::Tls(_) => Poll::Ready(Err(io::ErrorKind::Unsupported.into())),
        }
    };
}

// === impl Leg ===

impl Leg {
    /// Has the kernel ask an idle peer now and then whether it is still there, and give it up after `dead_peer`.
    pub(in crate::proxy) fn keep_alive(&self, dead_peer: Option<Duration>) {
        match self {
            Self::Tcp(stream) => tcp_info::keep_alive(stream, dead_peer),
            Self::Tls(stream) => tcp_info::keep_alive(stream.socket(), dead_peer),
            // The other end is on this host, so the kernel sees it go.
            Self::Unix(_) => {}
        }
    }

    /// The kernel's view of the connection; `None` if it is not TCP.
    pub(in crate::proxy) fn tcp_info(&self) -> Option<TcpInfo> {
        match self {
            Self::Tcp(stream) => TcpInfo::look(stream),
            Self::Unix(_) => None,
            Self::Tls(stream) => TcpInfo::look(stream.socket()),
        }
    }

    /// Whether the peers' bytes are on the socket unencrypted: then the kernel can move them from socket to socket.
    pub(in crate::proxy) const fn is_plain(&self) -> bool {
        match self {
            Self::Tcp(_) | Self::Unix(_) => true,
            Self::Tls(_) => false,
        }
    }

    /// The version of TLS that it speaks, if it does.
    pub(in crate::proxy) fn tls_version(&self) -> Option<TlsVersion> {
        match self {
            Self::Tcp(_) | Self::Unix(_) => None,
            Self::Tls(stream) => stream.version(),
        }
    }

    /// Calls `read` with the socket once there may be something to read, and again until it does not say that it would
    /// block.
    pub(in crate::proxy) fn poll_read_with<T>(
        &self,
        cx: &mut Context<'_>,
        mut read: impl FnMut(BorrowedFd<'_>) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        on_socket!(self, stream => loop {
            ready!(stream.poll_read_ready(cx))?;
            match stream.try_io(Interest::READABLE, || read(stream.as_fd())) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        })
    }

    /// The same once it may take something.
    pub(in crate::proxy) fn poll_write_with<T>(
        &self,
        cx: &mut Context<'_>,
        mut write: impl FnMut(BorrowedFd<'_>) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        on_socket!(self, stream => loop {
            ready!(stream.poll_write_ready(cx))?;
            match stream.try_io(Interest::WRITABLE, || write(stream.as_fd())) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        })
    }

    /// Whether a FIN has come, and no reset, as far as that is known without a system call: by the last readiness event of TCP,
    /// or a close_notify behind everything that was read.
    pub(in crate::proxy) fn fin_has_come(&self) -> bool {
        let stream = match self {
            Self::Tcp(stream) => stream,
            Self::Unix(_) => return false,
            Self::Tls(stream) => return stream.end_follows(),
        };
        let ready = pin!(stream.ready(Interest::READABLE | Interest::WRITABLE));
        let ready = ready.poll(&mut Context::from_waker(Waker::noop()));
        matches!(ready, Poll::Ready(Ok(ready)) if ready.is_read_closed() && !ready.is_write_closed())
    }

    /// Whether the FIN that has come is what the next read comes to, and no byte before it.
    pub(in crate::proxy) fn fin_is_next(&self) -> bool {
        match self {
            Self::Tcp(stream) => {
                let peek = || Ok(rustix::net::recv(stream, &mut [0], RecvFlags::PEEK)?.0);
                matches!(stream.try_io(Interest::READABLE, peek), Ok(0))
            }
            Self::Unix(_) => false,
            Self::Tls(stream) => stream.end_follows(),
        }
    }

    /// Writes `bytes` behind which [`Leg::poll_end`] is called at once, and nothing else: the end goes into their segment.
    pub(in crate::proxy) fn poll_write_last(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => last_segment::poll_send(stream, cx, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => stream.poll_write_last(cx, bytes),
        }
    }

    /// The same with bytes in several places, of which there may be more: TCP alone puts the end into their segment.
    pub(in crate::proxy) fn poll_write_last_vectored(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => last_segment::poll_send_vectored(stream, cx, slices),
            Self::Unix(_) | Self::Tls(_) => Pin::new(self).poll_write_vectored(cx, slices),
        }
    }

    /// Makes the drop that follows send an RST instead of a FIN, and throw away what was not sent yet. A unix socket has no
    /// reset: it is only closed.
    pub(in crate::proxy) fn reset_on_drop(&mut self) {
        match self {
            // It fails only on a socket that is gone already, where there is nothing to reset.
            Self::Tcp(stream) => drop(stream.set_zero_linger()),
            Self::Unix(_) => {}
            Self::Tls(stream) => {
                stream.suppress_close_notify();
                drop(stream.socket().set_zero_linger());
            }
        }
    }

    /// Passes the end of the other peer's bytes on: FIN, in order or cut off, as it came. With TLS it may have to wait.
    pub(in crate::proxy) fn poll_end(&mut self, other: End, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tls(stream) if other == End::TlsTruncated => stream.poll_truncate(cx),
            Self::Tcp(_) | Self::Unix(_) | Self::Tls(_) => Pin::new(self).poll_shutdown(cx),
        }
    }
}

/// The end of a transport that an error of a read or a write means.
///
/// With TLS, a FIN without close_notify is an error. Every other error that is not a timeout counts as a reset.
pub(in crate::proxy) fn end_of(error: &io::Error) -> End {
    use io::ErrorKind::{HostUnreachable, NetworkUnreachable, TimedOut, UnexpectedEof};
    if matches!(error.kind(), TimedOut | HostUnreachable | NetworkUnreachable) {
        End::Timeout
    } else if error.kind() == UnexpectedEof {
        End::TlsTruncated
    } else {
        End::Reset
    }
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
