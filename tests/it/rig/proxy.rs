//! A proxy between scripted peers.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use closewatch::close::{CloseRecord, HandshakeRecord, Outcome};
use closewatch::config::{Config, UpstreamTls, XForwarded};
use closewatch::export::JsonStyle;
use closewatch::proxy::{Proxy, bind};
use closewatch::shutdown::{Phase, Shutdown};
use closewatch::wire::Peer;
use rustls::{ClientConfig, ServerConfig};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener};
use tokio::task::JoinHandle;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::frames::binary;
use super::peer::RawPeer;
use super::pki::{Issued, Valid, authority};
use super::sink::{Seen, Told, sink};
use super::story::Story;
use crate::schema::read_line;

/// An upgrade request, with the key of RFC 6455 §1.3.
pub(crate) const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: chat.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// The right answer to it.
pub(crate) const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// Receive buffer of a peer that is to be slow: the least the kernel gives.
const SMALL_BUFFER: u32 = 4096;

/// Which legs have TLS on them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Legs {
    pub(crate) client: bool,
    pub(crate) upstream: bool,
}

/// A running proxy, the upstream that it dials, and what it tells.
pub(crate) struct Rig {
    proxy: SocketAddr,
    upstream: Listener,
    shutdown: Shutdown,
    data_plane: Proxy,
    serving: JoinHandle<io::Result<()>>,
    told: Told,
    story: Story,
    small_buffers: bool,
    legs: Legs,
    /// The certificate that both servers of the rig show.
    issued: Issued,
}

enum Listener {
    Tcp(TcpListener),
    Unix { listener: UnixListener, path: PathBuf },
}

// === impl Rig ===

impl Rig {
    /// A proxy with the defaults of the configuration.
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// A proxy whose configuration was changed by `configure`.
    pub(crate) fn with(configure: impl FnOnce(&mut Config)) -> Self {
        Self::start(false, false, configure)
    }

    /// A proxy between peers whose sockets hold as little as possible.
    pub(crate) fn with_small_buffers(configure: impl FnOnce(&mut Config)) -> Self {
        Self::start(false, true, configure)
    }

    /// A proxy in front of a unix socket.
    pub(crate) fn with_unix_upstream(configure: impl FnOnce(&mut Config)) -> Self {
        Self::start(true, false, configure)
    }

    /// A proxy with TLS on some of its legs.
    pub(crate) fn with_tls(legs: Legs, configure: impl FnOnce(&mut Config)) -> Self {
        Self::start_with(false, false, legs, configure)
    }

    /// The same between peers whose sockets hold as little as possible.
    pub(crate) fn with_tls_and_small_buffers(legs: Legs, configure: impl FnOnce(&mut Config)) -> Self {
        Self::start_with(false, true, legs, configure)
    }

    fn start(unix: bool, small_buffers: bool, configure: impl FnOnce(&mut Config)) -> Self {
        // `tests/run` runs what depends on it a second time with TLS on both legs.
        let tls = std::env::var_os("CLOSEWATCH_TEST_TLS").is_some_and(|value| value == "on");
        Self::start_with(unix, small_buffers, Legs { client: tls, upstream: tls && !unix }, configure)
    }

    fn start_with(unix: bool, small_buffers: bool, legs: Legs, configure: impl FnOnce(&mut Config)) -> Self {
        let (upstream, url) = if unix { Listener::unix() } else { Listener::tcp(small_buffers) };
        let url = if legs.upstream { url.replace("http:", "https:") } else { url };
        let mut config = Config::new(url.parse().unwrap());
        // As the first hop, so that tests see all that closewatch can add to a head.
        config.forwarded.x_forwarded = XForwarded::Append;
        let issued = authority().issue(&["chat.test", "127.0.0.1"], Valid::Now);
        config.tls.identity = legs.client.then(|| issued.identity());
        if let Some(tls) = &mut config.routes[0].upstream_tls {
            *tls = UpstreamTls { roots: authority().roots(), ..UpstreamTls::default() };
        }
        // `tests/run` runs what depends on it a second time with the fast paths off.
        let fast = std::env::var_os("CLOSEWATCH_TEST_FAST_PATHS").is_none_or(|value| value != "off");
        config.relay.verbatim = fast;
        config.relay.splice = fast;
        configure(&mut config);
        let story = Story::default();
        let (sink, told) = sink(story.clone());
        let shutdown = Shutdown::new();
        let proxy = Proxy::new(config, Arc::new(sink), shutdown.clone());
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let data_plane = proxy.clone();
        let serving = tokio::spawn(async move { proxy.serve(listener).await });
        Self { proxy: address, upstream, shutdown, data_plane, serving, told, story, small_buffers, legs, issued }
    }

    /// Both peers of a session that has just opened.
    pub(crate) async fn session(&mut self) -> (RawPeer, RawPeer) {
        self.session_with(REQUEST, SWITCH).await
    }

    /// Both peers of a session with these heads.
    pub(crate) async fn session_with(&mut self, request: &str, switch: &str) -> (RawPeer, RawPeer) {
        let (mut client, mut upstream) = self.asked(request).await;
        upstream.send(switch.as_bytes()).await;
        client.receive_head().await;
        (client, upstream)
    }

    /// Both peers of a session that has just opened: `peer`, then the other.
    pub(crate) async fn session_seen_by(&mut self, peer: Peer) -> (RawPeer, RawPeer) {
        let (client, upstream) = self.session().await;
        match peer {
            Peer::Client => (client, upstream),
            Peer::Upstream => (upstream, client),
        }
    }

    /// A client that has sent `request`, and the upstream that was given its head.
    pub(crate) async fn asked(&self, request: impl AsRef<[u8]>) -> (RawPeer, RawPeer) {
        let mut client = self.connect().await;
        client.send(request.as_ref()).await;
        let mut upstream = self.accept().await;
        upstream.receive_head().await;
        (client, upstream)
    }

    /// A client that has said nothing yet, but for its TLS.
    pub(crate) async fn connect(&self) -> RawPeer {
        if self.legs.client { self.connect_as(authority().client()).await } else { self.connect_plain().await }
    }

    /// A client of TLS, that has said nothing yet.
    pub(crate) async fn connect_as(&self, client: ClientConfig) -> RawPeer {
        let stream = self.connect_tcp().await;
        let connector = TlsConnector::from(Arc::new(client));
        let name = "chat.test".try_into().unwrap();
        let stream = self.story.within("TLS with the proxy", connector.connect(name, stream)).await;
        let stream = stream.unwrap_or_else(|error| self.fail(&format!("no TLS with the proxy: {error}")));
        RawPeer::tls(Peer::Client, TlsStream::Client(stream), self.story.clone())
    }

    /// A client without TLS, that has said nothing yet.
    pub(crate) async fn connect_plain(&self) -> RawPeer {
        RawPeer::tcp(Peer::Client, self.connect_tcp().await, self.story.clone())
    }

    /// A connection to the proxy.
    pub(crate) async fn connect_tcp(&self) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        if self.small_buffers {
            socket.set_recv_buffer_size(SMALL_BUFFER).unwrap();
        }
        let stream = self.story.within("the proxy to accept", socket.connect(self.proxy)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// The same, without letting anybody else run: the proxy has not accepted it yet.
    pub(crate) fn connect_at_once(&self) -> RawPeer {
        let stream = std::net::TcpStream::connect(self.proxy).unwrap();
        stream.set_nonblocking(true).unwrap();
        RawPeer::tcp(Peer::Client, TcpStream::from_std(stream).unwrap(), self.story.clone())
    }

    /// The next connection that the proxy makes to its upstream.
    pub(crate) async fn accept(&self) -> RawPeer {
        if self.legs.upstream { self.accept_as(self.issued.server()).await } else { self.accept_plain().await }
    }

    /// The same, with this server's TLS.
    pub(crate) async fn accept_as(&self, server: ServerConfig) -> RawPeer {
        let acceptor = TlsAcceptor::from(Arc::new(server));
        let stream = self.story.within("TLS of the proxy", acceptor.accept(self.accept_tcp().await)).await;
        let stream = stream.unwrap_or_else(|error| self.fail(&format!("no TLS of the proxy: {error}")));
        RawPeer::tls(Peer::Upstream, TlsStream::Server(stream), self.story.clone())
    }

    /// The same, without a handshake of TLS.
    pub(crate) async fn accept_tcp(&self) -> TcpStream {
        let Listener::Tcp(listener) = &self.upstream else { self.fail("the upstream is a unix socket") };
        let (stream, _) = self.story.within("the proxy to dial", listener.accept()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// The same, in the hands of a test.
    pub(crate) async fn accept_plain(&self) -> RawPeer {
        match &self.upstream {
            Listener::Tcp(listener) => {
                let (stream, _) = self.story.within("the proxy to dial", listener.accept()).await.unwrap();
                RawPeer::tcp(Peer::Upstream, stream, self.story.clone())
            }
            Listener::Unix { listener, .. } => {
                let (stream, _) = self.story.within("the proxy to dial", listener.accept()).await.unwrap();
                RawPeer::unix(Peer::Upstream, stream, self.story.clone())
            }
        }
    }

    /// Whether every connection that the proxy made to its upstream was accepted by the test.
    pub(crate) fn was_never_dialled(&self) -> bool {
        let waiting = match &self.upstream {
            Listener::Tcp(listener) => socket2::SockRef::from(listener).accept(),
            Listener::Unix { listener, .. } => socket2::SockRef::from(listener).accept(),
        };
        waiting.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// The certificate that both servers of the rig show.
    pub(crate) const fn issued(&self) -> &Issued {
        &self.issued
    }

    /// The scheme that clients speak.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.legs.client { "https" } else { "http" }
    }

    /// The proxy itself.
    pub(crate) fn data_plane(&self) -> Proxy {
        self.data_plane.clone()
    }

    /// Waits for `event`, and fails with the story if it does not come.
    pub(crate) async fn within<T>(&self, what: &str, event: impl Future<Output = T>) -> T {
        self.story.within(what, event).await
    }

    /// The next session's record.
    pub(crate) async fn record(&mut self) -> CloseRecord {
        published(self.story.within("a record", self.told.records.recv()).await.unwrap())
    }

    /// A record that has been made already.
    pub(crate) fn filed(&mut self) -> CloseRecord {
        published(self.told.records.try_recv().unwrap_or_else(|_| self.fail("no record")))
    }

    /// The next upgrade's record, with its route.
    pub(crate) async fn handshake(&mut self) -> (String, HandshakeRecord) {
        let (route, record) = self.story.within("a handshake's record", self.told.handshakes.recv()).await.unwrap();
        let mut line = Vec::new();
        JsonStyle::default().write_handshake_failed(&route, &record, &mut line);
        read_line(str::from_utf8(&line).unwrap());
        (route, record)
    }

    /// The counters so far.
    pub(crate) fn seen(&self) -> Seen {
        self.told.seen()
    }

    /// Lets `from` send messages until the way to the other peer is full, and closewatch itself has bytes that wait. Gives
    /// what was sent, and what is missing of the last message.
    pub(crate) async fn stall(&self, from: &mut RawPeer) -> (Vec<u8>, Vec<u8>) {
        let message = from.bytes_of(&binary(&vec![1; 60_000]));
        let sent = from.send_until(&message, self.told.until(|seen| seen.spilled > 0)).await;
        let rest = message[sent % message.len()..].to_vec();
        (message.iter().copied().cycle().take(sent).collect(), rest)
    }

    /// Waits until what was told is as `wanted`.
    pub(crate) async fn until(&self, what: &str, wanted: impl FnMut(&Seen) -> bool) {
        self.story.within(what, self.told.until(wanted)).await;
    }

    /// Makes the sink panic at the next byte, as a bug in closewatch would.
    pub(crate) fn arm(&self) {
        self.told.arm();
    }

    /// Begins a phase of the drain.
    pub(crate) fn advance(&self, phase: Phase) {
        self.story.tell(format!("proxy    comes to {phase:?}"));
        self.shutdown.advance(phase);
    }

    pub(crate) fn fail(&self, why: &str) -> ! {
        self.story.fail(why)
    }

    /// Ends the proxy, and checks what has to hold at the end of every test: it came to its end by itself, each session
    /// had one record and all of them were awaited, and no gauge is left.
    pub(crate) async fn done(mut self) {
        self.end().await;
    }

    /// The same, and no upgrade failed but those whose record was awaited.
    pub(crate) async fn done_with_upgrades(mut self) {
        self.end().await;
        while let Ok((route, record)) = self.told.handshakes.try_recv() {
            if record.outcome != Outcome::Upgraded {
                self.fail(&format!("a failed upgrade that the test does not know, on {route}: {record:?}"));
            }
        }
    }

    async fn end(&mut self) {
        self.advance(Phase::Abort);
        self.story.within("the proxy to end", &mut self.serving).await.unwrap().unwrap();
        self.until("the upstream connections of plain requests to be closed", |seen| seen.upstream_connections == 0)
            .await;
        let seen = self.seen();
        if let Ok(record) = self.told.records.try_recv() {
            self.fail(&format!("a record that the test does not know: {:?}", record.verdict));
        }
        assert_eq!(seen.opened, seen.closed, "sessions without a record, or records without a session");
        assert_eq!((seen.stalled, seen.spilled), (0, 0), "gauges");
    }
}

/// The record, once its line fits the published schema.
fn published(record: CloseRecord) -> CloseRecord {
    let mut line = Vec::new();
    JsonStyle::default().write_closed(&record, &mut line);
    read_line(str::from_utf8(&line).unwrap());
    record
}

// === impl Listener ===

impl Listener {
    fn tcp(small_buffers: bool) -> (Self, String) {
        let socket = TcpSocket::new_v4().unwrap();
        if small_buffers {
            // Whatever is accepted inherits it.
            socket.set_recv_buffer_size(SMALL_BUFFER).unwrap();
        }
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1024).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        (Self::Tcp(listener), url)
    }

    fn unix() -> (Self, String) {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("closewatch-{}-{}.sock", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        let listener = UnixListener::bind(&path).unwrap();
        let url = format!("unix:{}", path.display());
        (Self::Unix { listener, path }, url)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix { path, .. } = self {
            let _ = std::fs::remove_file(path);
        }
    }
}
