//! The socket of a scripted peer, with or without TLS on it.

use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsStream;

pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// The peer is gone.
    Closed,
}

// === impl Stream ===

impl Stream {
    /// The TCP connection below.
    pub(super) fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Self::Tcp(stream) => Some(stream),
            Self::Tls(stream) => Some(stream.get_ref().0),
            Self::Unix(_) | Self::Closed => None,
        }
    }

    /// Sends all of `bytes` now, past tokio, which learns only while others run that a new socket can be written to. Gives
    /// how many it were.
    pub(super) fn send_at_once(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => socket2::SockRef::from(&*stream).send(bytes),
            Self::Unix(stream) => socket2::SockRef::from(&*stream).send(bytes),
            Self::Tls(stream) => {
                let records = match &mut **stream {
                    TlsStream::Client(stream) => {
                        let connection = stream.get_mut().1;
                        connection.writer().write_all(bytes)?;
                        drain(|out| connection.write_tls(out))
                    }
                    TlsStream::Server(stream) => {
                        let connection = stream.get_mut().1;
                        connection.writer().write_all(bytes)?;
                        drain(|out| connection.write_tls(out))
                    }
                };
                let sent = socket2::SockRef::from(stream.get_ref().0).send(&records)?;
                Ok(if sent == records.len() { bytes.len() } else { 0 })
            }
            Self::Closed => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// FIN, without a close_notify.
    pub(super) fn cut_off(&self) {
        let tcp = self.tcp().expect("a TCP connection");
        socket2::SockRef::from(tcp).shutdown(std::net::Shutdown::Write).unwrap();
    }

    /// close_notify, without a FIN.
    pub(super) async fn notify(&mut self) {
        let Self::Tls(stream) = self else { panic!("no TLS here") };
        stream.get_mut().1.send_close_notify();
        stream.flush().await.unwrap();
    }

    /// A fatal alert, as from a peer that was given something that is no TLS.
    pub(super) fn alert(&mut self) {
        let Self::Tls(stream) = self else { panic!("no TLS here") };
        let records = match &mut **stream {
            TlsStream::Client(stream) => {
                let connection = stream.get_mut().1;
                connection.read_tls(&mut &b"something"[..]).unwrap();
                connection.process_new_packets().unwrap_err();
                drain(|out| connection.write_tls(out))
            }
            TlsStream::Server(stream) => {
                let connection = stream.get_mut().1;
                connection.read_tls(&mut &b"something"[..]).unwrap();
                connection.process_new_packets().unwrap_err();
                drain(|out| connection.write_tls(out))
            }
        };
        assert!(!records.is_empty());
        let tcp = self.tcp().expect("a TCP connection");
        assert_eq!(socket2::SockRef::from(tcp).send(&records).unwrap(), records.len());
    }

    /// Gone with an RST.
    pub(super) fn reset(&mut self) {
        let stream = std::mem::replace(self, Self::Closed);
        let tcp = stream.tcp().expect("a TCP connection");
        socket2::SockRef::from(tcp).set_linger(Some(Duration::ZERO)).unwrap();
    }
}

/// All records that wait to be sent.
fn drain(mut write_tls: impl FnMut(&mut dyn Write) -> io::Result<usize>) -> Vec<u8> {
    let mut records = Vec::new();
    while write_tls(&mut records).unwrap() > 0 {}
    records
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Closed => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Closed => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tcp(_) | Self::Unix(_) | Self::Closed => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Closed => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}
