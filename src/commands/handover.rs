//! Listening sockets, handed on from one instance to the next over a unix socket: no client in their queues is lost.
//!
//! The next instance connects to `restart.socket`. The present one sends its listening sockets (`SCM_RIGHTS`), in one
//! message with the name of each, and goes on as before. The next one sends [`READY`] once it serves: only then does the
//! present one stop accepting, and drains. If the next one hangs up instead, nothing has happened.

use std::io::{self, IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::sockopt::socket_peercred;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use tokio::io::AsyncReadExt;
use tokio::time::{sleep, timeout};

/// The message by which the next instance says that it serves.
const READY: &[u8] = b"ready\n";

/// Sockets that may be handed on: clients', operator's, metrics'.
const MOST: usize = 3;

/// How long the present instance may take to answer.
const ANSWER: Duration = Duration::from_secs(5);

/// How long the next instance may take to serve.
const START: Duration = Duration::from_mins(1);

/// Between two tries to answer, if the process is at a limit.
const PAUSE: Duration = Duration::from_secs(1);

/// A listening socket, by the name that the log gives it.
pub(super) type Named = (String, TcpListener);

/// The instance whose sockets were taken over, until it is told that it may go.
pub(super) struct Predecessor(UnixStream);

/// The socket on which the next instance asks.
pub(super) struct Successors {
    listener: tokio::net::UnixListener,
    /// Path of the socket until it is published.
    new: PathBuf,
    path: PathBuf,
}

/// Asks the instance that answers at `path` for its sockets. `None` if there is none.
pub(super) fn take_over(path: &Path) -> io::Result<Option<(Vec<Named>, Predecessor)>> {
    let stream = match UnixStream::connect(path) {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    stream.set_read_timeout(Some(ANSWER))?;
    let mut list = [0; 64];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut rights = RecvAncillaryBuffer::new(&mut space);
    let bytes = recvmsg(&stream, &mut [IoSliceMut::new(&mut list)], &mut rights, RecvFlags::CMSG_CLOEXEC)?.bytes;
    let mut sockets: Vec<OwnedFd> = Vec::new();
    for message in rights.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            sockets.extend(descriptors);
        }
    }
    let names = std::str::from_utf8(&list[..bytes]).unwrap_or_default().split_whitespace();
    let sockets: Vec<Named> = names.map(str::to_owned).zip(sockets.into_iter().map(TcpListener::from)).collect();
    if sockets.is_empty() {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the present instance handed nothing on"));
    }
    Ok(Some((sockets, Predecessor(stream))))
}

// === impl Predecessor ===

impl Predecessor {
    /// Says that this instance serves. An error means that the other one did not hear it, and goes on too.
    pub(super) fn may_go(mut self) -> io::Result<()> {
        self.0.write_all(READY)
    }
}

// === impl Successors ===

impl Successors {
    /// Opens a socket beside `path`, in whose place [`Successors::publish`] puts it.
    pub(super) fn bind(path: &Path) -> io::Result<Self> {
        let mut new = path.as_os_str().to_owned();
        new.push(format!(".{}", std::process::id()));
        let new = PathBuf::from(new);
        // Left by an instance of the same number that died before it published it, as process 1 of a container before.
        if std::fs::symlink_metadata(&new).is_ok_and(|left| left.file_type().is_socket()) {
            std::fs::remove_file(&new)?;
        }
        let listener = tokio::net::UnixListener::bind(&new)?;
        // A process that can connect can take over the port: only this user may.
        std::fs::set_permissions(&new, PermissionsExt::from_mode(0o600))?;
        Ok(Self { listener, new, path: path.to_owned() })
    }

    /// Answers at the path from now on, in place of any earlier instance.
    pub(super) fn publish(&self) -> io::Result<()> {
        std::fs::rename(&self.new, &self.path)
    }

    /// Hands `sockets` to every instance that asks, until one of them serves.
    pub(super) async fn wait(&self, sockets: &[Named]) {
        loop {
            let handed_on = match self.listener.accept().await {
                Ok((stream, _)) => hand_on(stream, sockets).await,
                Err(error) => {
                    // For example at a limit of the process.
                    sleep(PAUSE).await;
                    Err(error)
                }
            };
            match handed_on {
                Ok(()) => return,
                Err(error) => {
                    tracing::warn!(%error, "another instance asked for the listening sockets, and does not serve");
                }
            }
        }
    }
}

/// Hands the sockets on, and waits until they are served.
async fn hand_on(mut stream: tokio::net::UnixStream, sockets: &[Named]) -> io::Result<()> {
    let (theirs, own) = (socket_peercred(&stream)?.uid, rustix::process::geteuid());
    if theirs != own && !theirs.is_root() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is another user's"));
    }
    let names = sockets.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(" ");
    let descriptors = sockets.iter().map(|(_, socket)| socket.as_fd()).collect::<Vec<_>>();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut rights = SendAncillaryBuffer::new(&mut space);
    rights.push(SendAncillaryMessage::ScmRights(&descriptors));
    sendmsg(&stream, &[IoSlice::new(names.as_bytes())], &mut rights, SendFlags::NOSIGNAL)?;
    let mut ready = [0; READY.len()];
    timeout(START, stream.read_exact(&mut ready)).await??;
    if ready == *READY { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_that_a_dead_instance_of_the_same_number_left_is_replaced() {
        let path = std::env::temp_dir().join(format!("closewatch-left-{}", fastrand::u64(..)));
        let left = path.with_extension(std::process::id().to_string());
        drop(std::os::unix::net::UnixListener::bind(&left).unwrap());
        assert!(left.exists(), "a socket's file outlives its process");
        let successors = Successors::bind(&path).unwrap();
        successors.publish().unwrap();
        assert!(UnixStream::connect(&path).is_ok());
        std::fs::remove_file(&path).unwrap();
    }
}
