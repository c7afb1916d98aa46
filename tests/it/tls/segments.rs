//! Segments of a session with TLS: tickets come with the first answer and close_notify with the Close before it, so neither
//! takes a segment of its own.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::rig::{Legs, REQUEST, RawPeer, Rig, SWITCH, authority, close};

const IN_FRONT: Legs = Legs { client: true, upstream: false };

/// A socket that counts the reads that gave something.
struct Counted {
    socket: TcpStream,
    reads: usize,
}

/// A client that has shaken hands, and said nothing yet.
async fn client_of(rig: &Rig) -> TlsStream<Counted> {
    let socket = Counted { socket: rig.connect_tcp().await, reads: 0 };
    let connector = TlsConnector::from(Arc::new(authority().client()));
    let mut stream = connector.connect("chat.test".try_into().unwrap(), socket).await.unwrap();
    stream.get_mut().0.reads = 0;
    stream
}

async fn say(client: &mut TlsStream<Counted>, words: &str) {
    client.write_all(words.as_bytes()).await.unwrap();
    client.flush().await.unwrap();
}

async fn hear(client: &mut TlsStream<Counted>, words: &[u8]) {
    let mut heard = vec![0; words.len()];
    client.read_exact(&mut heard).await.unwrap();
    assert_eq!(heard, words);
}

/// A client with an open session, and its upstream.
async fn session(rig: &Rig) -> (TlsStream<Counted>, RawPeer) {
    let mut client = client_of(rig).await;
    say(&mut client, REQUEST).await;
    let mut upstream = rig.accept().await;
    upstream.receive_head().await;
    upstream.send(SWITCH.as_bytes()).await;
    hear(&mut client, SWITCH.as_bytes()).await;
    (client, upstream)
}

#[tokio::test]
async fn tickets_come_with_the_101() {
    let mut rig = Rig::with_tls(IN_FRONT, |_| {});
    let mut client = client_of(&rig).await;
    say(&mut client, REQUEST).await;
    let mut upstream = rig.accept().await;
    upstream.receive_head().await;
    // The handshake is over for closewatch too: it has read the request behind it.
    let nothing = socket2::SockRef::from(&client.get_ref().0.socket).peek(&mut [std::mem::MaybeUninit::uninit()]);
    assert_eq!(nothing.unwrap_err().kind(), io::ErrorKind::WouldBlock);
    upstream.send(SWITCH.as_bytes()).await;
    hear(&mut client, SWITCH.as_bytes()).await;
    let (socket, connection) = client.get_ref();
    assert_eq!((socket.reads, connection.tls13_tickets_received()), (1, 2));
    client.shutdown().await.unwrap();
    upstream.expect_fin().await;
    upstream.fin().await;
    rig.record().await;
    rig.done().await;
}

#[tokio::test]
async fn tickets_come_with_a_refusal_and_with_the_end_of_a_client_that_asks_for_nothing() {
    for request in ["GET /else HTTP/1.1\r\nHost: chat.test\r\nConnection: close\r\n\r\n", ""] {
        let rig = Rig::with_tls(IN_FRONT, |config| config.routes[0].path = "/chat".to_owned());
        let mut client = client_of(&rig).await;
        say(&mut client, request).await;
        if request.is_empty() {
            client.shutdown().await.unwrap();
        }
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer.starts_with("HTTP/1.1 404 "), !request.is_empty(), "{answer}");
        assert_eq!(client.get_ref().1.tls13_tickets_received(), 2);
        rig.done().await;
    }
}

#[tokio::test]
async fn a_close_comes_with_the_close_notify_behind_it() {
    for legs in [IN_FRONT, Legs { client: true, upstream: true }] {
        let mut rig = Rig::with_tls(legs, |_| {});
        let (mut client, mut upstream) = session(&rig).await;
        let before = client.get_ref().0.reads;
        let frame = upstream.bytes_of(&close(1000, ""));
        // Nobody else runs between the two.
        upstream.send_at_once(&frame);
        upstream.fin().await;
        let mut heard = Vec::new();
        client.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, frame);
        assert_eq!(client.get_ref().0.reads - before, 1, "{legs:?}");
        client.shutdown().await.unwrap();
        upstream.expect_fin().await;
        assert_eq!(rig.record().await.verdict.code.map(|code| code.0), Some(1000));
        rig.done().await;
    }
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(cx, buf);
        self.reads += usize::from(buf.filled().len() > before);
        read
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
