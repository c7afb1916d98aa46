//! A client's session.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use crate::frame::{CLIENT_CLOSE, SERVER_CLOSE};
use crate::tls::{Stream, Tls};

/// The most that an answer's head may take.
const HEAD: usize = 4096;

/// A proxy, as its clients know it.
#[derive(Clone)]
pub(crate) struct To {
    pub(crate) address: SocketAddr,
    /// If it speaks TLS.
    pub(crate) tls: Option<Tls>,
}

/// One WebSocket session. It has no buffer of its own.
pub(crate) struct Client(Stream);

impl To {
    /// The same for another client, which shares no TLS tickets with this one.
    pub(crate) fn of_another_client(&self) -> Self {
        Self { tls: self.tls.as_ref().map(Tls::of_another_client), ..*self }
    }

    /// Connects to it.
    async fn connect(&self) -> io::Result<Stream> {
        let stream = TcpSocket::new_v4()?.connect(self.address).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            None => Ok(Stream::Plain(stream)),
            Some(tls) => tls.connect(self.address.ip(), stream).await,
        }
    }
}

impl Client {
    /// Connects and upgrades.
    pub(crate) async fn connect(to: &To, path: &str) -> io::Result<Self> {
        let (client, status) = Self::ask(to, path).await?;
        if status == "101" { Ok(client) } else { Err(failure(&format!("no 101 but {status}"))) }
    }

    /// Asks for an upgrade that is to be refused with this status, and hangs up.
    pub(crate) async fn refused(to: &To, path: &str, expected: &str) -> io::Result<()> {
        let (_, status) = Self::ask(to, path).await?;
        if status == expected { Ok(()) } else { Err(failure(&format!("no {expected} but {status}"))) }
    }

    /// Asks for an upgrade; gives the status of the answer, which has no body or a whole one behind its head.
    async fn ask(to: &To, path: &str) -> io::Result<(Self, String)> {
        let mut client = Self(to.connect().await?);
        let host = to.address;
        // The key of RFC 6455 §1.3: always the same, so that the backend knows the answer by heart.
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: load\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        client.send(request.as_bytes()).await?;
        let mut head = [0; HEAD];
        let mut len = 0;
        // Behind a 101, the server says nothing until it is spoken to.
        while !head[..len].windows(4).any(|four| four == b"\r\n\r\n") {
            match client.0.read(&mut head[len..]).await? {
                0 => return Err(failure("the connection ended before the answer")),
                more => len += more,
            }
        }
        let status = head[..len].split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        Ok((client, String::from_utf8_lossy(status).into_owned()))
    }

    /// Sends bytes as they are.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes).await?;
        // TLS may hold a record back until it is flushed; a socket holds nothing.
        self.0.flush().await
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
        rustix::net::sockopt::set_socket_linger(self.0.socket(), Some(Duration::ZERO)).map_err(io::Error::from)
    }

    /// Waits for the end of the connection.
    pub(crate) async fn end(mut self) -> io::Result<()> {
        match self.read(&mut [0; 16]).await {
            Ok(0) => {}
            // A FIN without close_notify, as some peers end TLS.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            Ok(_) => return Err(failure("bytes behind the Close")),
            Err(error) => return Err(error),
        }
        match &mut self.0 {
            Stream::Plain(_) => Ok(()),
            // A proxy that has closed already does not take it.
            Stream::Tls(stream) => stream.shutdown().await.or(Ok(())),
        }
    }
}

/// The proxy did something wrong.
pub(crate) fn failure(what: &str) -> io::Error {
    io::Error::other(what)
}
