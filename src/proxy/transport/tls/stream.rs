//! A TLS connection as a stream of bytes.
//!
//! | the peer | a read says |
//! |---|---|
//! | close_notify, with or without FIN behind it | the end |
//! | FIN without close_notify | `UnexpectedEof` |
//! | RST | `ConnectionReset`, as the socket does |
//! | a fatal alert, or something that is not TLS | `InvalidData` with the [`Refusal`] in it |
//!
//! Plaintext that was decrypted before an end is read before it. A write is taken when the socket has all of its records, so
//! no bytes wait unseen; until then it is pending, and has to be tried again with the same bytes.
//!
//! Segments are saved where nobody waits for them: the last records of a handshake of TLS 1.3 go with the first write, and
//! close_notify with the FIN behind it.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::machine::{Machine, OVERHEAD};
use super::queue::Queue;
use super::refusal::Refusal;
use crate::close::TlsVersion;
use crate::proxy::transport::last_segment;
use crate::wire::Peer;

/// Ciphertext that is read at once, beside what is left of a record. The largest record has 16 KiB and some.
const READ: usize = 64 * 1024;

/// The largest record on the wire (RFC 8446 §5.2, RFC 5246 §6.2.3), its head included.
const LARGEST_RECORD: usize = 5 + 16 * 1024 + 2048;

/// Plaintext of one write: two full records. A slow peer makes a session hold as much again in ciphertext.
const WRITE: usize = 32 * 1024;

thread_local! {
    /// The ciphertext that comes, and the ciphertext that goes. No connection has any of its own while nothing of it waits.
    static BUFFERS: RefCell<(Box<[u8]>, Vec<u8>)> =
        RefCell::new((vec![0; LARGEST_RECORD + READ].into(), Vec::with_capacity(WRITE + OVERHEAD)));
}

/// Why there is no TLS connection.
#[derive(Debug, thiserror::Error)]
pub(in crate::proxy) enum TlsError {
    /// One side does not want the other's TLS.
    #[error("TLS handshake failed")]
    Refused(#[source] Refusal),
    /// The connection ended in the middle of the handshake.
    #[error("the peer hung up in the TLS handshake")]
    HungUp,
    /// The client had the certificate, and hung up without a word.
    #[error("the client hung up when it had seen the certificate")]
    Unanswered,
    /// It broke.
    #[error("the connection broke in the TLS handshake")]
    Broken(#[source] io::Error),
    /// It took too long.
    #[error("no TLS handshake within {0:?}")]
    Timeout(std::time::Duration),
}

/// A TCP connection with TLS on it.
///
/// It is boxed whole: with the machine in a box of its own, the two would be in the allocator's classes of 1,280 and 224 bytes.
pub(in crate::proxy) struct TlsStream {
    socket: TcpStream,
    machine: Machine,
    /// The part of the next record that has come.
    partial: Vec<u8>,
    /// Decrypted, and not read yet.
    unread: Queue,
    /// Encrypted, and not taken by the socket yet.
    unsent: Queue,
    /// Plaintext bytes that `unsent` stands for: their write is still pending.
    owed: usize,
    /// Nothing more comes.
    end: Option<End>,
    /// A write failed: the kernel says so once, and this may not have been the call that asked.
    broken: Option<io::ErrorKind>,
    /// The handshake is over.
    open: bool,
    /// close_notify was sent, or must not be sent.
    closed: bool,
}

#[derive(Clone, Debug)]
enum End {
    /// close_notify.
    Closed,
    /// FIN without it.
    Truncated,
    Failed(Box<Refusal>),
}

/// The first bytes that come on `socket`; none at its end.
pub(super) async fn first_bytes(socket: &mut TcpStream) -> io::Result<Vec<u8>> {
    std::future::poll_fn(|cx| {
        BUFFERS.with_borrow_mut(|(input, _)| {
            let mut read = ReadBuf::new(input);
            ready!(Pin::new(&mut *socket).poll_read(cx, &mut read))?;
            Poll::Ready(Ok(read.filled().to_vec()))
        })
    })
    .await
}

// === impl TlsStream ===

impl TlsStream {
    /// Shakes hands on `socket`, of which the `first` bytes were read already.
    ///
    /// Not an `async fn`, which would hold the machine beside the box that it is moved to.
    pub(super) fn open(
        socket: TcpStream,
        machine: Machine,
        mut first: Vec<u8>,
    ) -> impl Future<Output = Result<Box<Self>, TlsError>> {
        let mut stream = Box::new(Self {
            socket,
            machine,
            partial: Vec::new(),
            unread: Queue::default(),
            unsent: Queue::default(),
            owed: 0,
            end: None,
            broken: None,
            open: false,
            closed: false,
        });
        // Without any, too: a client speaks first.
        stream.process(&mut first, &mut ReadBuf::new(&mut []), &mut Vec::new());
        async move {
            std::future::poll_fn(|cx| stream.poll_open(cx)).await?;
            Ok(stream)
        }
    }

    pub(in crate::proxy) const fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// The version that was agreed on.
    pub(in crate::proxy) fn version(&self) -> Option<TlsVersion> {
        self.machine.version()
    }

    /// Sends no close_notify from now on: the end will be an RST, or a FIN that the peer has to see as truncation.
    pub(in crate::proxy) const fn suppress_close_notify(&mut self) {
        self.closed = true;
    }

    /// Whether the peer's close_notify is what the next read comes to.
    pub(in crate::proxy) fn end_follows(&self) -> bool {
        matches!(self.end, Some(End::Closed)) && self.unread.rest().is_empty()
    }

    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TlsError>> {
        loop {
            let sent = self.poll_send_due(cx);
            // The rest of the handshake's bytes, and everything that came behind them, is handled by the next read.
            if self.open {
                return Poll::Ready(Ok(()));
            }
            match &self.end {
                None => {}
                // The alert is on its way, as far as that can be.
                Some(End::Failed(error)) => return Poll::Ready(Err(TlsError::Refused(Refusal::clone(error)))),
                Some(End::Closed | End::Truncated) => {
                    let error = if self.has_shown_certificate() { TlsError::Unanswered } else { TlsError::HungUp };
                    return Poll::Ready(Err(error));
                }
            }
            ready!(sent).map_err(TlsError::Broken)?;
            ready!(self.poll_receive(cx, &mut ReadBuf::new(&mut []))).map_err(|error| {
                if self.has_shown_certificate() { TlsError::Unanswered } else { TlsError::Broken(error) }
            })?;
        }
    }

    /// Whether the client was sent this side's certificate: it is in the first answer, with the version.
    fn has_shown_certificate(&self) -> bool {
        self.machine.peer() == Peer::Client && self.machine.version().is_some() && self.unsent.rest().is_empty()
    }

    /// Reads from the socket once, and decrypts into `buf`, then into `unread`.
    fn poll_receive(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        BUFFERS.with_borrow_mut(|(input, out)| {
            let kept = self.partial.len();
            let most = buf.remaining().clamp(LARGEST_RECORD, READ).min(input.len() - kept);
            let mut read = ReadBuf::new(&mut input[kept..kept + most]);
            ready!(Pin::new(&mut self.socket).poll_read(cx, &mut read))?;
            let came = read.filled().len();
            if came == 0 {
                // A write has reported a reset already: then this is not a FIN.
                if let Some(kind) = self.broken {
                    return Poll::Ready(Err(kind.into()));
                }
                self.end = Some(End::Truncated);
                return Poll::Ready(Ok(()));
            }
            input[..kept].copy_from_slice(&self.partial);
            out.clear();
            self.process(&mut input[..kept + came], buf, out);
            Poll::Ready(Ok(()))
        })
    }

    /// Takes ciphertext: decrypts it into `buf`, then into `unread`. `out` is empty, and is what the answer is made in.
    fn process(&mut self, input: &mut [u8], buf: &mut ReadBuf<'_>, out: &mut Vec<u8>) {
        let unread = &mut self.unread;
        let mut plain = |bytes: &[u8]| {
            let now = bytes.len().min(buf.remaining());
            buf.put_slice(&bytes[..now]);
            unread.push(&bytes[now..]);
        };
        let processed = self.machine.process(input, &mut plain, out);
        self.partial = input[processed.used..].to_vec();
        self.unsent.push(out);
        self.open |= processed.open;
        if let Some(error) = processed.error {
            self.end = Some(End::Failed(Box::new(Refusal { with: self.machine.peer(), error })));
        } else if processed.peer_closed {
            self.end = Some(End::Closed);
        }
    }

    /// Sends what waits, unless it may go with the next write.
    fn poll_send_due(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.may_wait() { Poll::Ready(Ok(())) } else { self.poll_send(cx, false) }
    }

    /// Whether nobody needs what waits before the next write or the end. Behind a handshake of TLS 1.3 that is a server's
    /// tickets, which no client needs to go on, or a client's Finished, and an upstream is dialled to be written to. TLS 1.2
    /// has messages there that the peer waits for.
    fn may_wait(&self) -> bool {
        let is_failed = matches!(self.end, Some(End::Failed(_)));
        self.open && self.owed == 0 && !is_failed && self.version() == Some(TlsVersion::Tls13)
    }

    /// Sends what waits. If it is the `last`, a FIN follows at once.
    fn poll_send(&mut self, cx: &mut Context<'_>, last: bool) -> Poll<io::Result<()>> {
        while !self.unsent.rest().is_empty() {
            match ready!(poll_write(&mut self.socket, cx, self.unsent.rest(), last)) {
                Ok(sent) => self.unsent.advance(sent),
                Err(error) => {
                    self.broken.get_or_insert(error.kind());
                    return Poll::Ready(Err(error));
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Writes `bytes`, and close_notify behind them if they are the `last` and taken whole.
    fn poll_write_records(&mut self, cx: &mut Context<'_>, bytes: &[u8], last: bool) -> Poll<io::Result<usize>> {
        ready!(self.poll_send_due(cx))?;
        if self.owed > 0 {
            return Poll::Ready(Ok(std::mem::take(&mut self.owed).min(bytes.len())));
        }
        self.check_open()?;
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let last = last && bytes.len() <= WRITE;
        let bytes = &bytes[..bytes.len().min(WRITE)];
        BUFFERS.with_borrow_mut(|(_, out)| {
            out.clear();
            out.extend_from_slice(self.unsent.rest());
            self.machine.encrypt(bytes, &mut self.partial, out).map_err(io::Error::other)?;
            if last && !std::mem::replace(&mut self.closed, true) {
                self.machine.close(&mut self.partial, out);
            }
            self.unsent = Queue::default();
            let mut sent = 0;
            while sent < out.len() {
                match poll_write(&mut self.socket, cx, &out[sent..], last) {
                    Poll::Ready(Ok(taken)) => sent += taken,
                    Poll::Ready(Err(error)) => {
                        self.broken.get_or_insert(error.kind());
                        return Poll::Ready(Err(error));
                    }
                    Poll::Pending => {
                        self.unsent.push(&out[sent..]);
                        self.owed = bytes.len();
                        return Poll::Pending;
                    }
                }
            }
            Poll::Ready(Ok(bytes.len()))
        })
    }

    /// Writes the last bytes, behind which [`TlsStream::poll_shutdown`] is called at once: close_notify and FIN go with them.
    pub(in crate::proxy) fn poll_write_last(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_records(cx, bytes, true)
    }

    /// Ends this direction without a close_notify, as the other peer ended its own.
    pub(in crate::proxy) fn poll_truncate(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx, true))?;
        self.closed = true;
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }

    /// Fails if nothing can be sent any more.
    fn check_open(&self) -> io::Result<()> {
        match (self.broken, &self.end) {
            (Some(kind), _) => Err(kind.into()),
            (None, Some(End::Failed(_))) => Err(io::ErrorKind::ConnectionReset.into()),
            (None, Some(End::Closed | End::Truncated) | None) => Ok(()),
        }
    }
}

impl AsyncRead for TlsStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        loop {
            // Records of TLS itself, such as alerts: no other call sends them. If that fails, the end of the reads reports it.
            if let Poll::Ready(Err(_)) | Poll::Pending = this.poll_send_due(cx) {}
            if !this.unread.rest().is_empty() {
                let now = this.unread.rest().len().min(buf.remaining());
                buf.put_slice(&this.unread.rest()[..now]);
                this.unread.advance(now);
            }
            if buf.filled().len() > before || buf.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            match &this.end {
                None => {}
                Some(End::Closed) => return Poll::Ready(Ok(())),
                Some(End::Truncated) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                Some(End::Failed(error)) => {
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, Refusal::clone(error))));
                }
            }
            ready!(this.poll_receive(cx, buf))?;
        }
    }
}

impl AsyncWrite for TlsStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().poll_write_records(cx, bytes, false)
    }

    /// Nothing that a write has taken waits.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// close_notify, then FIN. Unlike the shutdown of a socket it may have to wait until the records before it are sent.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !std::mem::replace(&mut this.closed, true) && this.check_open().is_ok() {
            let mut notify = Vec::new();
            this.machine.close(&mut this.partial, &mut notify);
            this.unsent.push(&notify);
        }
        ready!(this.poll_send(cx, true))?;
        Pin::new(&mut this.socket).poll_shutdown(cx)
    }
}

/// A drop ends the connection with a FIN, so close_notify goes before it, unless the end has to look truncated or is.
impl Drop for TlsStream {
    fn drop(&mut self) {
        if self.open && !self.closed && self.owed == 0 && self.check_open().is_ok() {
            let mut last = self.unsent.rest().to_vec();
            self.machine.close(&mut self.partial, &mut last);
            // One attempt: nobody is left to wait for it. Not kept for the FIN: with bytes unread that is a reset, which throws away
            // what was not sent.
            let _ = self.socket.try_write(&last);
        }
    }
}

/// Writes to `socket` once. If it is the `last`, a FIN follows at once.
fn poll_write(socket: &mut TcpStream, cx: &mut Context<'_>, bytes: &[u8], last: bool) -> Poll<io::Result<usize>> {
    if last { last_segment::poll_send(socket, cx, bytes) } else { Pin::new(socket).poll_write(cx, bytes) }
}

impl fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream").field("socket", &self.socket).field("end", &self.end).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_in_the_allocators_class_of_1280() {
        let size = size_of::<TlsStream>();
        assert!(size <= 1280, "{size} bytes, {} of them the machine", size_of::<Machine>());
    }
}
