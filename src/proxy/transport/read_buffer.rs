//! The read buffers of a worker: one to read into, and a second for the look at the other leg when a Close comes. A session
//! has no buffer of its own unless bytes of it have to wait.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

use crate::proxy::transport::leg::Leg;

/// Large enough that a bulk transfer is bound by the kernel's copies, small enough to stay in the second-level cache.
pub(in crate::proxy) const SIZE: usize = 64 * 1024;

thread_local! {
    static BUFFERS: RefCell<[Box<[u8]>; 2]> = RefCell::new([0, 1].map(|_| vec![0; SIZE].into_boxed_slice()));
}

/// Lends both buffers of this worker to `work`, which must not call this again.
pub(in crate::proxy) fn lend<T>(work: impl FnOnce(&mut [u8], &mut [u8]) -> T) -> T {
    BUFFERS.with_borrow_mut(|[first, second]| work(first, second))
}

/// Reads once, and appends the bytes to `bytes`. Gives their number; 0 at the end.
pub(in crate::proxy) fn poll_read_more(
    leg: &mut Leg,
    bytes: &mut Vec<u8>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    lend(|buffer, _| {
        let mut read = ReadBuf::new(buffer);
        ready!(Pin::new(leg).poll_read(cx, &mut read))?;
        bytes.extend_from_slice(read.filled());
        Poll::Ready(Ok(read.filled().len()))
    })
}

/// The same as a future.
pub(in crate::proxy) async fn read_more(leg: &mut Leg, bytes: &mut Vec<u8>) -> io::Result<usize> {
    std::future::poll_fn(|cx| poll_read_more(leg, bytes, cx)).await
}
