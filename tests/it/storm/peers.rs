//! Both peers of a storm's sessions.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use closewatch::wire::Peer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::ends::{End, Script};
use crate::rig::{Frame, REQUEST, SWITCH, close, empty_close, text};

/// The upstream of every session: plays the part that the path names.
pub(super) async fn upstreams(listener: TcpListener, seed: u64) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(async move {
            upstream(stream, seed).await.unwrap_or_else(|error| panic!("an upstream of seed {seed}: {error}"));
        });
    }
}

async fn upstream(mut stream: TcpStream, seed: u64) -> io::Result<()> {
    // Bytes that wait to be sent are lost with a reset.
    stream.set_nodelay(true)?;
    let head = head(&mut stream).await?;
    let number = head.strip_prefix("GET /").and_then(|rest| rest.split(' ').next()).unwrap();
    let script = Script::of(seed, number.parse().unwrap());
    let mut greeting = SWITCH.as_bytes().to_vec();
    if let End::CloseAtOnce(code) = script.end {
        greeting.extend(close(code, "").bytes(Peer::Upstream));
    }
    stream.write_all(&greeting).await?;
    for _ in 0..script.messages {
        expect(&mut stream, &message(script.size).bytes(Peer::Client)).await?;
        stream.write_all(&message(script.size).bytes(Peer::Upstream)).await?;
    }
    play(Peer::Upstream, stream, script).await
}

/// The client of one session, from its first byte to its last.
pub(super) async fn client(proxy: SocketAddr, script: Script) -> io::Result<()> {
    let mut stream = TcpStream::connect(proxy).await?;
    stream.set_nodelay(true)?;
    stream.write_all(REQUEST.replace("/chat", &format!("/{}", script.number)).as_bytes()).await?;
    let answer = head(&mut stream).await?;
    if !answer.starts_with("HTTP/1.1 101 ") {
        let mut body = String::new();
        stream.read_to_string(&mut body).await?;
        return Err(io::Error::other(answer + &body));
    }
    for _ in 0..script.messages {
        stream.write_all(&message(script.size).bytes(Peer::Client)).await?;
        expect(&mut stream, &message(script.size).bytes(Peer::Upstream)).await?;
    }
    play(Peer::Client, stream, script).await
}

/// Plays `role`'s part of the end.
async fn play(role: Peer, mut stream: TcpStream, Script { end, size, .. }: Script) -> io::Result<()> {
    let (first, frame) = match end {
        End::Close(peer, code) => (peer, close(code, "")),
        End::EmptyClose(peer) => (peer, empty_close()),
        End::CloseAtOnce(code) => (Peer::Upstream, close(code, "")),
        End::CloseAndReset(peer, code) if peer == role => {
            stream.write_all(&close(code, "").bytes(role)).await?;
            return reset(&stream);
        }
        End::Reset(peer) if peer == role => return reset(&stream),
        End::ResetInsideFrame(peer) if peer == role => {
            let begun = &message(size).bytes(role)[..size / 2];
            stream.write_all(begun).await?;
            return reset(&stream);
        }
        End::HangUp(peer) => {
            if peer == role {
                stream.shutdown().await?;
                return rest(&mut stream).await;
            }
            rest(&mut stream).await?;
            return stream.shutdown().await;
        }
        // The other peer acts: what comes of it comes by itself.
        End::CloseAndReset(..) | End::Reset(_) | End::ResetInsideFrame(_) => {
            let error = rest(&mut stream).await.unwrap_err();
            return if error.kind() == io::ErrorKind::ConnectionReset { Ok(()) } else { Err(error) };
        }
    };
    if first == role {
        if !matches!(end, End::CloseAtOnce(_)) {
            stream.write_all(&frame.bytes(role)).await?;
        }
        expect(&mut stream, &frame.bytes(role.other())).await?;
    } else {
        expect(&mut stream, &frame.bytes(role.other())).await?;
        stream.write_all(&frame.bytes(role)).await?;
    }
    // The upstream is the first to hang up (RFC 6455 §7.1.1).
    if role == Peer::Upstream {
        stream.shutdown().await?;
    }
    rest(&mut stream).await?;
    stream.shutdown().await
}

fn message(size: usize) -> Frame {
    text(&"the quick brown fox jumps over the lazy dog; ".repeat(size.div_ceil(45))[..size])
}

fn reset(stream: &TcpStream) -> io::Result<()> {
    socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO))
}

async fn expect(stream: &mut TcpStream, expected: &[u8]) -> io::Result<()> {
    let mut given = vec![0; expected.len()];
    stream.read_exact(&mut given).await?;
    assert_eq!(given, expected);
    Ok(())
}

/// All that comes before the end.
async fn rest(stream: &mut TcpStream) -> io::Result<()> {
    stream.read_to_end(&mut Vec::new()).await.map(drop)
}

async fn head(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8(head).unwrap())
}
