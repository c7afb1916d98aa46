//! The server behind every proxy.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio_rustls::TlsAcceptor;

use crate::client::failure;
use crate::frame::{self, CLOSE, SERVER_CLOSE};

/// The answer to the one key that the clients use (RFC 6455 §1.3).
const SWITCH: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// Small messages of a flood go out together up to this, as from a server that has a queue.
const BATCH: usize = 64 * 1024;

/// Room for a read: a session that rests holds no more.
const READ: usize = 4096;

/// The answer to an upgrade that is refused, and to a batch of telemetry.
const REFUSAL: &[u8] = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n";
const TAKEN: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

pub(crate) async fn serve(listen: SocketAddr, tls: Option<TlsAcceptor>) -> io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(listen)?;
    let listener = socket.listen(4096)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let tls = tls.clone();
        tokio::task::spawn_local(async move {
            stream.set_nodelay(true)?;
            let served = match tls {
                None => session(stream).await,
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => session(stream).await,
                    Err(error) => Err(error),
                },
            };
            // A client reports its own errors; this line is for the reader of a failed run.
            served.inspect_err(|error| eprintln!("backend: {error}"))
        });
    }
}

async fn session(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(READ);
    let end_of_head = loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            // A probe that only looked whether the port is open.
            return if bytes.is_empty() { Ok(()) } else { Err(failure("a request without an end")) };
        }
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
    };
    if bytes.starts_with(b"GET /plain/") {
        return answer_plainly(stream, bytes, end_of_head).await;
    }
    if bytes.starts_with(b"GET /refuse ") {
        return refuse(stream).await;
    }
    if bytes.starts_with(b"POST ") {
        return collect(stream, bytes, end_of_head).await;
    }
    let flood = bytes.starts_with(b"GET /flood ");
    bytes.drain(..end_of_head);
    stream.write_all(SWITCH).await?;
    stream.flush().await?;

    let mut replies = Vec::new();
    loop {
        let mut at = 0;
        let mut closed = false;
        while let Some(parsed) = frame::parse_client(&bytes[at..]) {
            let message = parsed.map_err(failure)?;
            at += message.size;
            if message.first == CLOSE {
                replies.extend_from_slice(&SERVER_CLOSE);
                closed = true;
            } else if flood {
                return pour(stream, message.payload).await;
            } else {
                frame::put_header(&mut replies, message.first, message.payload.len(), false);
                replies.extend_from_slice(message.payload);
            }
        }
        bytes.drain(..at);
        stream.write_all(&replies).await?;
        stream.flush().await?;
        replies.clear();
        if closed {
            return end(stream).await;
        }
        if bytes.is_empty() {
            bytes.shrink_to(READ);
            replies.shrink_to(READ);
        }
        bytes.reserve(READ);
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(failure("a client went without a Close"));
        }
    }
}

/// Refuses an upgrade, and what else comes over the connection.
async fn refuse(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(READ);
    loop {
        stream.write_all(REFUSAL).await?;
        stream.flush().await?;
        bytes.clear();
        while !bytes.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut bytes).await? == 0 {
                return Ok(());
            }
        }
    }
}

/// Takes telemetry, as a collector does, and forgets it.
async fn collect(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    mut bytes: Vec<u8>,
    mut end_of_head: usize,
) -> io::Result<()> {
    loop {
        let head = String::from_utf8_lossy(&bytes[..end_of_head]).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
        let length = length.ok_or_else(|| failure("telemetry of no length"))?;
        while bytes.len() < end_of_head + length {
            if stream.read_buf(&mut bytes).await? == 0 {
                return Err(failure("telemetry without an end"));
            }
        }
        bytes.drain(..end_of_head + length);
        stream.write_all(TAKEN).await?;
        stream.flush().await?;
        end_of_head = loop {
            if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if stream.read_buf(&mut bytes).await? == 0 {
                return Ok(());
            }
        };
    }
}

/// Answers plain requests, one after the other, until the connection ends.
async fn answer_plainly(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    mut bytes: Vec<u8>,
    mut end_of_head: usize,
) -> io::Result<()> {
    loop {
        let line = bytes[..end_of_head].split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        let size = std::str::from_utf8(line).ok().and_then(|path| path.strip_prefix("/plain/")?.parse().ok());
        let size = size.ok_or_else(|| failure("a plain request for no number of bytes"))?;
        let last = bytes[..end_of_head].windows(17).any(|part| part.eq_ignore_ascii_case(b"connection: close"));
        let connection = if last { "connection: close\r\n" } else { "" };
        let mut answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\n{connection}content-length: {size}\r\n\r\n"
        )
        .into_bytes();
        answer.extend_from_slice(&frame::payload(size));
        stream.write_all(&answer).await?;
        stream.flush().await?;
        bytes.drain(..end_of_head);
        if last {
            return stream.shutdown().await;
        }
        end_of_head = loop {
            if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if stream.read_buf(&mut bytes).await? == 0 {
                return if bytes.is_empty() { Ok(()) } else { Err(failure("a plain request without an end")) };
            }
        };
    }
}

/// Sends as many messages of a size as `order` says, then a Close, and waits for the client's.
async fn pour(mut stream: impl AsyncRead + AsyncWrite + Unpin, order: &[u8]) -> io::Result<()> {
    let numbers: Vec<_> = order.chunks_exact(8).filter_map(|chunk| chunk.first_chunk().copied()).collect();
    let &[size, frames] = &*numbers else { return Err(failure("an order that cannot be read")) };
    let [size, frames] = [size, frames].map(|number| u64::from_be_bytes(number) as usize);
    let message = frame::binary(&frame::payload(size), false);
    let batch = message.repeat((BATCH / message.len()).max(1));
    let mut remaining = message.len() * frames;
    while remaining > 0 {
        let here = remaining.min(batch.len());
        stream.write_all(&batch[..here]).await?;
        remaining -= here;
    }
    stream.write_all(&SERVER_CLOSE).await?;
    // Of what TLS holds back nothing is sent by the read that follows.
    stream.flush().await?;
    let mut reply = [0; frame::CLIENT_CLOSE.len()];
    stream.read_exact(&mut reply).await?;
    if reply != frame::CLIENT_CLOSE {
        return Err(failure("no Close from a client"));
    }
    end(stream).await
}

/// A server hangs up first (RFC 6455 §7.1.1), then waits for the client to do so.
async fn end(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    stream.shutdown().await?;
    match stream.read(&mut [0; 16]).await {
        Ok(0) => Ok(()),
        // A FIN without close_notify, as some peers end TLS.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
        Ok(_) => Err(failure("bytes behind a client's Close")),
        Err(error) => Err(error),
    }
}
