//! The actors: a backend, and clients that come and go.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use http::{HeaderValue, Response, StatusCode, header};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async, client_async};

use super::scenes::{Act, BALANCER_LIMIT, Deed, LENGTH, SCENES, Scene};

/// Limit for a scene, longer than any: no peer is left waiting for the other.
const CURTAIN: Duration = Duration::from_secs(10);

/// How long the backend waits for a pong before it gives the client up.
const PONG_PATIENCE: Duration = Duration::from_secs(1);

/// A client stays away for at least as long.
const AWAY: Duration = Duration::from_secs(2);

/// A text message that the client sends and the backend echoes.
const CHAT: &str = r#"{"type":"message","text":"hello"}"#;

/// The payload of a ping.
const PING: &[u8] = b"demo";

/// Plays scenes at `rate` a second: `rounds` times each, or for ever in their proportions.
pub(super) async fn play(
    backend: std::net::TcpListener,
    proxy: SocketAddr,
    rate: u16,
    rounds: Option<u32>,
) -> io::Result<()> {
    backend.set_nonblocking(true)?;
    let backend = tokio::spawn(serve(TcpListener::from_std(backend)?));
    let mut clients = JoinSet::new();
    let mut visitors = Visitors::default();
    let mut beat = interval(Duration::from_secs(1) / u32::from(rate));
    let mut programme = Vec::new();
    let mut left = rounds.unwrap_or(u32::MAX);
    while left > 0 || !programme.is_empty() {
        if programme.is_empty() {
            programme = SCENES.iter().flat_map(|scene| vec![scene; copies(scene, rounds)]).collect();
            fastrand::shuffle(&mut programme);
            left = if rounds.is_some() { left - 1 } else { left };
        }
        beat.tick().await;
        let Some(scene) = programme.pop() else { continue };
        let visitor = visitors.next();
        clients.spawn(async move {
            // A client that cannot play its scene is a scene of its own: the proxy has recorded it.
            let _ = timeout(CURTAIN, client(proxy, scene, visitor)).await;
            visitor
        });
        while let Some(played) = clients.try_join_next() {
            // A client that panicked is not seen again.
            let _ = played.map(|visitor| visitors.left(visitor));
        }
    }
    while clients.join_next().await.is_some() {}
    backend.abort();
    Ok(())
}

/// The clients between their sessions. They come back after a while, as browsers do, and are told apart by their `User-Agent`.
#[derive(Debug, Default)]
struct Visitors {
    known: u32,
    /// Those who are away, and since when.
    away: VecDeque<(u32, Instant)>,
}

// === impl Visitors ===

impl Visitors {
    /// One who was away for long enough, or a new one.
    fn next(&mut self) -> u32 {
        if self.away.front().is_some_and(|(_, since)| since.elapsed() >= AWAY) {
            return self.away.pop_front().map_or(0, |(visitor, _)| visitor);
        }
        self.known += 1;
        self.known
    }

    fn left(&mut self, visitor: u32) {
        self.away.push_back((visitor, Instant::now()));
    }
}

fn copies(scene: &Scene, rounds: Option<u32>) -> usize {
    if rounds.is_some() { 1 } else { scene.weight.into() }
}

async fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move { timeout(CURTAIN, backend(stream)).await });
    }
}

// The functions below fail whenever a peer follows its scene, so an error only ends the scene.

/// The backend's part.
async fn backend(stream: TcpStream) -> Result<(), Error> {
    let mut head = [0; 1024];
    let peeked = stream.peek(&mut head).await?;
    let line = String::from_utf8_lossy(&head[..peeked]);
    let path = line.split(' ').nth(1).unwrap_or_default();
    let act = SCENES.iter().find(|scene| scene.path == path).map(|scene| scene.act);
    if let Some(Act::HangUp) = act {
        return Ok(());
    }
    #[allow(clippy::result_large_err, reason = "the signature is tungstenite's")]
    let answer = |_: &Request, mut response: Response<()>| match act {
        Some(Act::Refuse(status)) => {
            let mut refusal = ErrorResponse::new(Some("the demo's backend says no\n".to_owned()));
            *refusal.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN);
            Err(refusal)
        }
        Some(Act::BadSwitch) => {
            response.headers_mut().insert(header::SEC_WEBSOCKET_ACCEPT, HeaderValue::from_static("bm90IHJpZ2h0"));
            Ok(response)
        }
        Some(_) | None => Ok(response),
    };
    let mut socket = accept_hdr_async(stream, answer).await?;
    match act {
        Some(Act::Backend(deed)) => {
            let _ = timeout(a_while(), echo(&mut socket)).await;
            perform(socket, deed).await
        }
        Some(Act::ClientVanishes) => {
            let _ = timeout(a_while(), echo(&mut socket)).await;
            socket.send(Message::Ping(vec![0x42].into())).await?;
            let _ = timeout(PONG_PATIENCE, echo(&mut socket)).await;
            let given_up = CloseFrame { code: 1011.into(), reason: "keepalive ping timeout".into() };
            socket.close(Some(given_up)).await
        }
        Some(_) | None => match echo(&mut socket).await {
            Err(Error::Protocol(_)) => {
                let close = CloseFrame { code: 1002.into(), reason: "protocol error".into() };
                socket.close(Some(close)).await
            }
            ended => ended,
        },
    }
}

/// The client's part.
async fn client(proxy: SocketAddr, scene: &Scene, visitor: u32) -> Result<(), Error> {
    let mut request = format!("ws://{proxy}{}", scene.path).into_client_request()?;
    let agent = HeaderValue::try_from(format!("closewatch-demo/{visitor}")).map_err(http::Error::from)?;
    request.headers_mut().insert(header::USER_AGENT, agent);
    let (mut socket, _) = client_async(request, TcpStream::connect(proxy).await?).await?;
    if !matches!(scene.act, Act::Idle) {
        // The backend does the same, and answers with the echo and with its own ping.
        socket.send(Message::text(CHAT)).await?;
        socket.send(Message::Ping(PING.into())).await?;
        while socket.next().await.transpose()?.is_some_and(|message| !message.is_pong()) {}
    }
    match scene.act {
        Act::Client(deed) => {
            sleep(a_while()).await;
            perform(socket, deed).await
        }
        Act::ClientVanishes => {
            // Neither reads nor leaves, until the backend has given up long ago.
            sleep(LENGTH * 3).await;
            perform(socket, Deed::Reset).await
        }
        Act::Cut => {
            sleep(a_while()).await;
            socket.send(Message::text(CHAT)).await?;
            socket.next().await.transpose()?;
            sleep(BALANCER_LIMIT).await;
            // The balancer ends both of its connections; this client only sees its own.
            perform(socket, Deed::Reset).await
        }
        Act::Backend(_) | Act::Idle | Act::Refuse(_) | Act::BadSwitch | Act::HangUp | Act::NoRoute => {
            while socket.next().await.transpose()?.is_some() {}
            Ok(())
        }
    }
}

/// Echoes until the client ends the session, and pings with each echo.
async fn echo(socket: &mut WebSocketStream<TcpStream>) -> Result<(), Error> {
    while let Some(message) = socket.next().await.transpose()? {
        if message.is_text() || message.is_binary() {
            socket.send(message).await?;
            socket.send(Message::Ping(PING.into())).await?;
        }
    }
    Ok(())
}

async fn perform(mut socket: WebSocketStream<TcpStream>, deed: Deed) -> Result<(), Error> {
    match deed {
        Deed::Close(code, reason) => {
            socket.close(Some(CloseFrame { code: code.into(), reason: reason.into() })).await?;
        }
        Deed::CloseEmpty => socket.close(None).await?,
        Deed::Leave => socket.get_mut().shutdown().await?,
        Deed::Reset => {
            socket.get_ref().set_zero_linger()?;
            return Ok(());
        }
        // A client's frame with the reserved opcode 3.
        Deed::Break => socket.get_mut().write_all(&[0x83, 0x80, 0, 0, 0, 0]).await?,
    }
    while socket.next().await.transpose()?.is_some() {}
    Ok(())
}

/// A third to the whole of a scene's time.
fn a_while() -> Duration {
    LENGTH.mul_f64(0.3 + 0.7 * fastrand::f64())
}
