//! The last bytes to a peer: TCP puts the FIN that follows at once into their segment. The kernel keeps them for that, but for no
//! longer than 200 ms.

use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use rustix::net::{SendAncillaryBuffer, SendFlags};
use tokio::io::Interest;
use tokio::net::TcpStream;

const FLAGS: SendFlags = SendFlags::MORE.union(SendFlags::NOSIGNAL);

/// Sends what `socket` takes of `bytes`, once it takes some.
pub(super) fn poll_send(socket: &TcpStream, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
    poll(socket, cx, || Ok(rustix::net::send(socket, bytes, FLAGS)?))
}

/// The same with bytes in several places.
pub(super) fn poll_send_vectored(
    socket: &TcpStream,
    cx: &mut Context<'_>,
    slices: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    poll(socket, cx, || Ok(rustix::net::sendmsg(socket, slices, &mut SendAncillaryBuffer::default(), FLAGS)?))
}

fn poll(socket: &TcpStream, cx: &mut Context<'_>, send: impl Fn() -> io::Result<usize>) -> Poll<io::Result<usize>> {
    loop {
        ready!(socket.poll_write_ready(cx))?;
        match socket.try_io(Interest::WRITABLE, &send) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return Poll::Ready(done),
        }
    }
}
