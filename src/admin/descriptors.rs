//! File descriptors that are kept back for the operator: probes and scrapes are answered when sessions have taken all others.
//!
//! The soft limit of the process stays a little below the hard one, and is raised only while a connection of an operator is
//! accepted. Sessions cannot have a descriptor of a number beyond the soft limit, so those stay free for the next.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpStream};

/// Descriptors kept back: for the probes and scrapers of two addresses, several times over.
const KEPT: u64 = 16;

/// The smallest limit of which some are kept back.
const SMALLEST: u64 = 4 * KEPT;

/// A soft limit that is raised for as long as this lives.
struct Raised {
    before: Rlimit,
}

/// Lowers the soft limit so that it can be raised again.
pub(super) fn keep_back() {
    let limit = getrlimit(Resource::Nofile);
    let Some(most) = limit.maximum.filter(|most| *most >= SMALLEST) else { return };
    if limit.current.is_none_or(|current| current > most - KEPT) {
        // If it is refused, nothing is kept back, as before.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(most - KEPT), ..limit });
    }
}

/// The next connection.
pub(super) async fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    match listener.accept().await {
        Ok((stream, _)) => Ok(stream),
        Err(error) if Errno::from_io_error(&error) == Some(Errno::MFILE) => {
            let _raised = Raised::new();
            // At once: whoever asks for a descriptor meanwhile gets one of those kept back.
            match poll_fn(|context| Poll::Ready(listener.poll_accept(context))).await {
                Poll::Ready(Ok((stream, _))) => Ok(stream),
                Poll::Ready(Err(error)) => Err(error),
                Poll::Pending => Err(error),
            }
        }
        Err(error) => Err(error),
    }
}

// === impl Raised ===

impl Raised {
    fn new() -> Self {
        let before = getrlimit(Resource::Nofile);
        let most = before.maximum.unwrap_or(u64::MAX);
        let raised = before.current.map(|current| current.saturating_add(KEPT).min(most));
        // If it is refused, so is the connection, as before.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: raised, ..before });
        Self { before }
    }
}

impl Drop for Raised {
    fn drop(&mut self) {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: self.before.current, maximum: self.before.maximum });
    }
}
