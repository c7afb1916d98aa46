//! Pipes: the way of payload from one socket to another past closewatch's own memory, with `splice(2)`.
//!
//! A pipe is held by a session only while bytes are in it; empty ones are pooled, a few per worker, as long as any session
//! there may want one again.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::OwnedFd;
use std::task::{Context, Poll};

use rustix::io::{Errno, retry_on_intr};
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};

use crate::proxy::transport::leg::Leg;

/// The capacity of a pipe. Larger ones gained nothing that could be measured, and of this size the kernel lets a user have
/// 256 (`fs.pipe-user-pages-soft`). A pipe may be full with less: the bytes of one packet take one of its 64 slots.
pub(in crate::proxy) const SIZE: usize = 256 * 1024;

/// Pipes of a worker at most: with all of them full, 8 MiB wait in the kernel.
const MOST: usize = 32;

/// Empty ones that a worker keeps. A session gives its pipe back at once unless a peer is slow, so one is mostly enough.
const MOST_IDLE: usize = 4;

/// After a refusal the kernel is not asked for a pipe again before this many would have been used.
const PATIENCE: u32 = 1000;

const FLAGS: SpliceFlags = SpliceFlags::MOVE.union(SpliceFlags::NONBLOCK);

thread_local! {
    #[expect(clippy::vec_box, reason = "they go to sessions, and come back, as they are")]
    static IDLE: RefCell<Vec<Box<Pipe>>> = const { RefCell::new(Vec::new()) };
    /// Number of pipes, those in use included: a session never leaves its worker.
    static PIPES: Cell<usize> = const { Cell::new(0) };
    /// Number of directions that are spliced.
    static SPLICED: Cell<usize> = const { Cell::new(0) };
    /// Number of times for which the kernel is still not asked for a pipe.
    static REFUSED: Cell<u32> = const { Cell::new(0) };
}

/// A pipe of the full size.
#[derive(Debug)]
pub(in crate::proxy) struct Pipe {
    read_end: OwnedFd,
    write_end: OwnedFd,
    len: usize,
    _counted: Counted,
}

/// A direction that is spliced, or was: it may want a pipe again. With the last one the idle pipes go.
#[derive(Debug)]
pub(in crate::proxy) struct Spliced(());

/// One of the pipes that there may be.
#[derive(Debug)]
struct Counted;

/// The result of filling a pipe.
#[derive(Debug)]
pub(in crate::proxy) enum Filled {
    /// Bytes are in it.
    Some,
    /// The socket's bytes have come to their end.
    Nothing,
    /// This socket or this kernel cannot splice.
    Unsupported,
}

// === impl Pipe ===

impl Pipe {
    /// An empty pipe: a pooled one or a new one. `None` if there are too many, or the kernel gives none of the full size.
    pub(in crate::proxy) fn take() -> Option<Box<Self>> {
        let idle = IDLE.with_borrow_mut(Vec::pop);
        if idle.is_some() {
            return idle;
        }
        if PIPES.get() >= MOST {
            return None;
        }
        if REFUSED.get() > 0 {
            REFUSED.set(REFUSED.get() - 1);
            return None;
        }
        let made = Self::make();
        if made.is_none() {
            REFUSED.set(PATIENCE);
        }
        made.map(Box::new)
    }

    fn make() -> Option<Self> {
        let counted = Counted::one();
        let (read_end, write_end) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).ok()?;
        // A user with too many pipes is given a small one, which is not worth the calls, and is refused a larger size.
        let size = fcntl_setpipe_size(&write_end, SIZE).ok()?;
        (size >= SIZE).then_some(Self { read_end, write_end, len: 0, _counted: counted })
    }

    /// Gives it back to its worker, or closes it if there are bytes left in it that nobody wants.
    pub(in crate::proxy) fn give_back(self: Box<Self>) {
        if self.len == 0 && SPLICED.get() > 0 {
            // Without the thread-local the thread is at its end.
            let _ = IDLE.try_with(|idle| {
                let mut idle = idle.borrow_mut();
                if idle.len() < MOST_IDLE {
                    idle.push(self);
                }
            });
        }
    }

    /// Bytes in it.
    pub(in crate::proxy) const fn len(&self) -> usize {
        self.len
    }

    /// Moves at most `most` bytes out of `leg` into the pipe, which has to be empty: a full one and an empty socket give
    /// the same error.
    pub(in crate::proxy) fn fill(&mut self, leg: &Leg, most: usize, cx: &mut Context<'_>) -> Poll<io::Result<Filled>> {
        debug_assert_eq!(self.len, 0);
        let most = most.min(SIZE);
        leg.poll_read_with(cx, |socket| {
            match retry_on_intr(|| splice(socket, None, &self.write_end, None, most, FLAGS)) {
                Ok(0) => Ok(Filled::Nothing),
                Ok(moved) => {
                    self.len = moved;
                    Ok(Filled::Some)
                }
                Err(Errno::INVAL | Errno::NOSYS | Errno::PERM | Errno::OPNOTSUPP | Errno::NOMEM) => {
                    Ok(Filled::Unsupported)
                }
                Err(error) => Err(error.into()),
            }
        })
    }

    /// Moves what is in the pipe to `leg`. Ready when it is empty.
    pub(in crate::proxy) fn drain(&mut self, leg: &Leg, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        leg.poll_write_with(cx, |socket| {
            // Until the kernel says itself that it would block: less than asked for may also be a signal's doing.
            while self.len > 0 {
                self.len -= retry_on_intr(|| splice(&self.read_end, None, socket, None, self.len, FLAGS))?;
            }
            Ok(())
        })
    }
}

// === impl Spliced ===

impl Spliced {
    pub(in crate::proxy) fn new() -> Self {
        SPLICED.set(SPLICED.get() + 1);
        Self(())
    }
}

impl Drop for Spliced {
    fn drop(&mut self) {
        SPLICED.set(SPLICED.get().saturating_sub(1));
        if SPLICED.get() == 0 {
            // Without the thread-local they are gone already.
            let _ = IDLE.try_with(RefCell::take);
        }
    }
}

// === impl Counted ===

impl Counted {
    fn one() -> Self {
        PIPES.set(PIPES.get() + 1);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        PIPES.set(PIPES.get().saturating_sub(1));
    }
}

#[cfg(test)]
pub(in crate::proxy) mod tests {
    use std::io;
    use std::task::Poll;

    use tokio::io::AsyncWriteExt;
    use tokio::net::UnixStream;

    use super::{Filled, IDLE, MOST, PIPES, Pipe, Spliced};
    use crate::proxy::transport::leg::Leg;

    /// The number of pipes of this thread, and of those the idle ones.
    pub(in crate::proxy) fn pipes() -> (usize, usize) {
        (PIPES.get(), IDLE.with_borrow(Vec::len))
    }

    /// All pipes that this thread may have.
    #[expect(clippy::vec_box, reason = "as they come")]
    pub(in crate::proxy) fn all() -> Vec<Box<Pipe>> {
        let all: Vec<_> = std::iter::from_fn(Pipe::take).collect();
        assert_eq!(all.len(), MOST);
        all
    }

    #[test]
    fn there_are_so_many_and_few_of_them_are_kept_while_anybody_may_want_one() {
        let directions = [Spliced::new(), Spliced::new()];
        for pipe in all() {
            pipe.give_back();
        }
        assert_eq!(pipes(), (super::MOST_IDLE, super::MOST_IDLE));
        let [first, last] = directions;
        drop(first);
        assert_eq!(pipes(), (super::MOST_IDLE, super::MOST_IDLE));
        drop(last);
        assert_eq!(pipes(), (0, 0));
        Pipe::take().unwrap().give_back();
        assert_eq!(pipes(), (0, 0));
    }

    #[tokio::test]
    async fn one_with_bytes_in_it_is_never_used_again() {
        let (mut peer, ours) = UnixStream::pair().unwrap();
        let leg = Leg::Unix(ours);
        let _spliced = Spliced::new();
        let mut pipe = Pipe::take().unwrap();
        peer.write_all(&[1; 1000]).await.unwrap();
        let filled = std::future::poll_fn(|cx| pipe.fill(&leg, 600, cx)).await;
        assert!(matches!(filled, Ok(Filled::Some)), "{filled:?}");
        assert_eq!(pipe.len(), 600);
        pipe.give_back();
        assert_eq!(pipes(), (0, 0));
    }

    #[tokio::test]
    async fn an_end_is_told_apart_from_nothing_yet() {
        let (peer, ours) = UnixStream::pair().unwrap();
        let leg = Leg::Unix(ours);
        let mut pipe = Pipe::take().unwrap();
        let mut fill = async || std::future::poll_fn(|cx| Poll::Ready(pipe.fill(&leg, 600, cx))).await;
        assert!(fill().await.is_pending());
        drop(peer);
        let ended = std::future::poll_fn(|cx| pipe.fill(&leg, 600, cx)).await;
        assert!(matches!(ended, io::Result::Ok(Filled::Nothing)), "{ended:?}");
    }
}
