//! A client's session.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::frame::{CLIENT_CLOSE, SERVER_CLOSE};

/// The most that an answer's head may take.
const HEAD: usize = 4096;

/// One WebSocket session. It has no buffer of its own.
pub(crate) struct Client(TcpStream);

impl Client {
    /// Connects and upgrades.
    pub(crate) async fn connect(to: SocketAddr, path: &str) -> io::Result<Self> {
        let stream = TcpSocket::new_v4()?.connect(to).await?;
        stream.set_nodelay(true)?;
        let mut client = Self(stream);
        // The key of RFC 6455 §1.3: always the same, so that the backend knows the answer by heart.
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {to}\r\nUser-Agent: load\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        client.0.write_all(request.as_bytes()).await?;
        let mut head = [0; HEAD];
        let mut len = 0;
        // The server says nothing until it is spoken to: nothing can come behind the head.
        while !head[..len].ends_with(b"\r\n\r\n") {
            match client.0.read(&mut head[len..]).await? {
                0 => return Err(failure("the connection ended before the 101")),
                more => len += more,
            }
        }
        if !head.starts_with(b"HTTP/1.1 101 ") {
            let line = head[..len].split(|byte| *byte == b'\r').next().unwrap_or_default();
            return Err(failure(&format!("no 101 but {}", String::from_utf8_lossy(line))));
        }
        Ok(client)
    }

    /// Sends bytes as they are.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes).await
    }

    /// Reads what is there.
    pub(crate) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).await
    }

    /// Reads `expected`, and fails if anything else comes. `buffer` is at least as long.
    pub(crate) async fn expect(&mut self, expected: &[u8], buffer: &mut [u8]) -> io::Result<()> {
        let buffer = &mut buffer[..expected.len()];
        self.0.read_exact(buffer).await?;
        if buffer == expected { Ok(()) } else { Err(failure("other bytes than were sent")) }
    }

    /// Closes with 1000, and waits for the reply and the end of the connection.
    pub(crate) async fn close(mut self) -> io::Result<()> {
        self.send(&CLIENT_CLOSE).await?;
        self.expect(&SERVER_CLOSE, &mut [0; SERVER_CLOSE.len()]).await?;
        self.end().await
    }

    /// Ends the connection with a reset.
    pub(crate) fn cut(self) -> io::Result<()> {
        rustix::net::sockopt::set_socket_linger(&self.0, Some(Duration::ZERO)).map_err(io::Error::from)
    }

    /// Waits for the end of the connection.
    pub(crate) async fn end(mut self) -> io::Result<()> {
        match self.read(&mut [0; 16]).await? {
            0 => Ok(()),
            _ => Err(failure("bytes behind the Close")),
        }
    }
}

/// The proxy did something wrong.
pub(crate) fn failure(what: &str) -> io::Error {
    io::Error::other(what)
}
