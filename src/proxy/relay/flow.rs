//! One direction: the bytes of one peer on their way to the other.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

use crate::close::CloseCode;
use crate::proxy::transport::leg::Leg;
use crate::proxy::transport::pipe::Pipe;
use crate::wire::Tap;

/// The bytes of one peer on their way to the other. Holds no buffer while the other peer takes what it is given.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) tap: Tap,
    /// Bytes that the other peer's socket did not take yet: first those in the pipe, then the spill. While there are any,
    /// the sender is not read.
    pub(super) pipe: Option<Box<Pipe>>,
    spill: Option<Box<Spill>>,
    /// Bytes written to the other peer, a Close of closewatch's own included.
    written: u64,
    /// Where the sender's bytes stop being passed on.
    pub(super) course: Course,
}

/// How bytes get from one socket to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Through the worker's read buffer.
    Buffer,
    /// Payload through a pipe, headers one by one through the buffer.
    Pipe,
}

/// The way that a peer's bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Course {
    /// They are passed on.
    Forward,
    /// They are passed on up to the next boundary, where closewatch's own Close goes in.
    ForwardUntil(crate::wire::Boundary),
    /// They are read, tapped, counted and dropped. `accepted` bytes were taken for the other peer before that; behind
    /// them goes closewatch's own Close, if there is one.
    Discard { accepted: u64, own_close: Option<OwnClose> },
}

/// A Close of closewatch's own on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OwnClose {
    pub(super) code: CloseCode,
    /// A control frame's: at most 139 (RFC 6455 §5.2, §5.5).
    pub(super) len: u8,
}

#[derive(Debug)]
struct Spill {
    bytes: Vec<u8>,
    sent: usize,
}

// === impl Flow ===

impl Flow {
    pub(super) const fn new(tap: Tap) -> Self {
        Self { tap, pipe: None, spill: None, written: 0, course: Course::Forward }
    }

    /// Bytes that wait for the other peer.
    pub(super) fn waiting(&self) -> usize {
        let in_pipe = self.pipe.as_ref().map_or(0, |pipe| pipe.len());
        in_pipe + self.spill.as_ref().map_or(0, |spill| spill.bytes.len() - spill.sent)
    }

    /// Bytes of the sender that the other peer's socket took.
    pub(super) fn delivered(&self) -> u64 {
        match self.course {
            Course::Forward | Course::ForwardUntil(_) => self.written,
            Course::Discard { accepted, .. } => self.written.min(accepted),
        }
    }

    /// The code of closewatch's own Close, once its last byte was written.
    pub(super) fn own_close_written(&self) -> Option<CloseCode> {
        match self.course {
            Course::Discard { accepted, own_close: Some(own) } if self.written >= accepted + u64::from(own.len) => {
                Some(own.code)
            }
            Course::Forward | Course::ForwardUntil(_) | Course::Discard { .. } => None,
        }
    }

    /// Whether bytes of the sender are still passed on.
    pub(super) const fn forwards(&self) -> bool {
        matches!(self.course, Course::Forward | Course::ForwardUntil(_))
    }

    /// Writes `bytes` to the other peer, behind those that wait, and keeps those that it does not take. With the `last` a FIN may go.
    pub(super) fn write(&mut self, to: &mut Leg, bytes: &[u8], last: bool, cx: &mut Context<'_>) -> io::Result<()> {
        if self.waiting() > 0 {
            // Only if one read was taken in two parts, up to a boundary and behind it.
            self.append(bytes);
            return Ok(());
        }
        let mut sent = 0;
        while sent < bytes.len() {
            let rest = &bytes[sent..];
            let written = if last { to.poll_write_last(cx, rest) } else { Pin::new(&mut *to).poll_write(cx, rest) };
            match written {
                Poll::Ready(Ok(taken)) => {
                    sent += taken;
                    self.written += taken as u64;
                }
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => {
                    self.spill = Some(Box::new(Spill { bytes: bytes[sent..].to_vec(), sent: 0 }));
                    break;
                }
            }
        }
        Ok(())
    }

    /// Puts `bytes` behind everything that waits.
    pub(super) fn append(&mut self, bytes: &[u8]) {
        let spill = self.spill.get_or_insert_with(|| Box::new(Spill { bytes: Vec::new(), sent: 0 }));
        spill.bytes.extend_from_slice(bytes);
    }

    /// Writes the bytes that wait.
    pub(super) fn flush(&mut self, to: &mut Leg, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(pipe) = &mut self.pipe {
            let before = pipe.len();
            let drained = pipe.drain(to, cx);
            self.written += (before - pipe.len()) as u64;
            ready!(drained)?;
            if let Some(pipe) = self.pipe.take() {
                pipe.give_back();
            }
        }
        while let Some(spill) = &mut self.spill {
            let taken = ready!(Pin::new(&mut *to).poll_write(cx, &spill.bytes[spill.sent..]))?;
            spill.sent += taken;
            self.written += taken as u64;
            if spill.sent == spill.bytes.len() {
                self.spill = None;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Drops the bytes that wait, and all that will come: the other peer is gone.
    pub(super) fn give_up(&mut self) {
        self.pipe = None;
        self.spill = None;
        if self.forwards() {
            self.course = Course::Discard { accepted: self.written, own_close: None };
        }
    }
}
