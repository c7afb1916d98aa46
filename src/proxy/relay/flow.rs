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
    /// Bytes that the other peer's socket did not take yet. While there are any, the sender is not read.
    pub(super) held: Option<Box<Held>>,
    /// Bytes written to the other peer, a Close of closewatch's own included.
    written: u64,
    /// Present unless it is [`Course::Forward`], which nearly all sessions keep to their end.
    course: Option<Box<Course>>,
}

/// Bytes that wait: first those in the pipe, then the spill.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) pipe: Option<Box<Pipe>>,
    spill: Vec<u8>,
    /// Bytes of the spill that were taken.
    sent: usize,
}

/// The means by which bytes get from one socket to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Through the worker's read buffer.
    Buffer,
    /// Payload through a pipe, headers one by one through the buffer.
    Pipe,
}

/// The fate of a peer's bytes: passed on, or dropped from some point on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Course {
    /// All are passed on.
    Forward,
    /// All up to the next boundary are passed on, where closewatch's own Close goes in.
    ForwardUntil(crate::wire::Boundary),
    /// All are read, tapped, counted and dropped. `accepted` bytes were taken for the other peer before that; behind
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

// === impl Flow ===

impl Flow {
    pub(super) const fn new(tap: Tap) -> Self {
        Self { tap, held: None, written: 0, course: None }
    }

    /// Bytes that wait for the other peer.
    pub(super) fn waiting(&self) -> usize {
        self.held.as_ref().map_or(0, |held| held.in_pipe() + held.spill.len() - held.sent)
    }

    /// The course of the sender's next bytes.
    pub(super) fn course(&self) -> Course {
        self.course.as_deref().map_or(Course::Forward, |course| *course)
    }

    /// Sets the course of the sender's bytes from here on.
    pub(super) fn set_course(&mut self, course: Course) {
        self.course = (course != Course::Forward).then(|| Box::new(course));
    }

    /// Bytes of the sender that the other peer's socket took.
    pub(super) fn delivered(&self) -> u64 {
        match self.course() {
            Course::Forward | Course::ForwardUntil(_) => self.written,
            Course::Discard { accepted, .. } => self.written.min(accepted),
        }
    }

    /// The code of closewatch's own Close, once its last byte was written.
    pub(super) fn own_close_written(&self) -> Option<CloseCode> {
        match self.course() {
            Course::Discard { accepted, own_close: Some(own) } if self.written >= accepted + u64::from(own.len) => {
                Some(own.code)
            }
            Course::Forward | Course::ForwardUntil(_) | Course::Discard { .. } => None,
        }
    }

    /// Whether bytes of the sender are still passed on.
    pub(super) fn forwards(&self) -> bool {
        matches!(self.course(), Course::Forward | Course::ForwardUntil(_))
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
                    self.append(&bytes[sent..]);
                    break;
                }
            }
        }
        Ok(())
    }

    /// Puts `bytes` behind everything that waits.
    pub(super) fn append(&mut self, bytes: &[u8]) {
        self.held.get_or_insert_default().spill.extend_from_slice(bytes);
    }

    /// Writes the bytes in `pipe`, and keeps it while any are left. Only while nothing waits.
    pub(super) fn pour(&mut self, mut pipe: Box<Pipe>, to: &mut Leg, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let drained = self.drain(&mut pipe, to, cx);
        if let Poll::Ready(Ok(())) = drained {
            pipe.give_back();
        } else {
            self.held.get_or_insert_default().pipe = Some(pipe);
        }
        drained
    }

    fn drain(&mut self, pipe: &mut Pipe, to: &Leg, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let before = pipe.len();
        let drained = pipe.drain(to, cx);
        self.written += (before - pipe.len()) as u64;
        drained
    }

    /// Writes the bytes that wait.
    pub(super) fn flush(&mut self, to: &mut Leg, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(pipe) = self.held.as_mut().and_then(|held| held.pipe.take()) {
            ready!(self.pour(pipe, to, cx))?;
        }
        let Some(held) = &mut self.held else { return Poll::Ready(Ok(())) };
        while held.sent < held.spill.len() {
            let taken = ready!(Pin::new(&mut *to).poll_write(cx, &held.spill[held.sent..]))?;
            held.sent += taken;
            self.written += taken as u64;
        }
        self.held = None;
        Poll::Ready(Ok(()))
    }

    /// Drops the bytes that wait, and all that will come: the other peer is gone.
    pub(super) fn give_up(&mut self) {
        self.held = None;
        if self.forwards() {
            self.set_course(Course::Discard { accepted: self.written, own_close: None });
        }
    }
}

// === impl Held ===

impl Held {
    pub(super) fn in_pipe(&self) -> usize {
        self.pipe.as_ref().map_or(0, |pipe| pipe.len())
    }
}
