//! A peer that says and does exactly what a test tells it to.

use std::future::Future;
use std::io;
use std::pin::pin;

use closewatch::wire::Peer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsStream;

use super::frames::{Frame, close};
use super::story::{Shown, Story};
use super::stream::Stream;

/// A socket in the hands of a test.
pub(crate) struct RawPeer {
    role: Peer,
    stream: Stream,
    story: Story,
}

/// `first` closes with 1000 and `reason`, `second` answers with 1000, and both hang up.
pub(crate) async fn part(first: &mut RawPeer, second: &mut RawPeer, reason: &str) {
    first.say(&close(1000, reason)).await;
    second.hear(&close(1000, reason)).await;
    second.say(&close(1000, "")).await;
    first.hear(&close(1000, "")).await;
    second.fin().await;
    first.expect_fin().await;
    first.fin().await;
    second.expect_fin().await;
}

// === impl RawPeer ===

impl RawPeer {
    /// A peer of a proxy that is not a rig's.
    pub(crate) fn of(role: Peer, stream: TcpStream) -> Self {
        Self::tcp(role, stream, Story::default())
    }

    pub(super) fn tcp(role: Peer, stream: TcpStream, story: Story) -> Self {
        stream.set_nodelay(true).unwrap();
        Self { role, stream: Stream::Tcp(stream), story }
    }

    pub(super) fn tls(role: Peer, stream: TlsStream<TcpStream>, story: Story) -> Self {
        Self { role, stream: Stream::Tls(Box::new(stream)), story }
    }

    pub(super) fn unix(role: Peer, stream: UnixStream, story: Story) -> Self {
        Self { role, stream: Stream::Unix(stream), story }
    }

    /// Sends all of `bytes`.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.tell(&format!("sends {}", Shown(bytes)));
        let sent = self.story.clone().within("a peer's bytes to be taken", self.stream.write_all(bytes)).await;
        let sent = match sent {
            Ok(()) => self.story.clone().within("a peer's bytes to be sent", self.stream.flush()).await,
            failed => failed,
        };
        sent.unwrap_or_else(|error| self.fail(&format!("cannot send: {error}")));
    }

    /// Sends all of `bytes` without letting anybody else run: what is sent to two sockets in a row is readable at both
    /// before closewatch looks at either.
    pub(crate) fn send_at_once(&mut self, bytes: &[u8]) {
        self.tell(&format!("sends at once {}", Shown(bytes)));
        match self.stream.send_at_once(bytes) {
            Ok(sent) if sent == bytes.len() => {}
            other => self.fail(&format!("cannot send at once: {other:?}")),
        }
    }

    /// Sends what its own TLS has taken of [`RawPeer::send_until`], and not sent yet.
    pub(crate) async fn flush(&mut self) {
        let flushed = self.story.clone().within("a peer's records to be sent", self.stream.flush()).await;
        flushed.unwrap_or_else(|error| self.fail(&format!("cannot send: {error}")));
    }

    /// Sends `frame`, masked as this peer has to.
    pub(crate) async fn say(&mut self, frame: &Frame) {
        self.send(&frame.bytes(self.role)).await;
    }

    /// `frame`, as this peer has to send it.
    pub(crate) fn bytes_of(&self, frame: &Frame) -> Vec<u8> {
        frame.bytes(self.role)
    }

    /// Sends `chunk` again and again until `enough` has come about. Gives how many bytes that were.
    pub(crate) async fn send_until(&mut self, chunk: &[u8], enough: impl Future<Output = ()>) -> usize {
        let mut sent = 0;
        let mut enough = pin!(enough);
        loop {
            let rest = &chunk[sent % chunk.len()..];
            let taken = tokio::select! {
                biased;
                () = &mut enough => break,
                taken = self.stream.write(rest) => taken,
            };
            sent += taken.unwrap_or_else(|error| self.fail(&format!("cannot send: {error}")));
        }
        self.tell(&format!("has sent {sent} bytes of {}", Shown(chunk)));
        sent
    }

    /// Is given exactly `expected` next; more may follow.
    pub(crate) async fn expect(&mut self, expected: &[u8]) {
        let given = self.receive(expected.len()).await;
        if given != expected {
            let at = given.iter().zip(expected).position(|(given, expected)| given != expected).unwrap_or(0);
            self.fail(&format!("expected {}, differs at byte {at}: {}", Shown(expected), Shown(&given[at..])));
        }
    }

    /// Is given exactly `frame` of the other peer next.
    pub(crate) async fn hear(&mut self, frame: &Frame) {
        self.expect(&frame.bytes(self.role.other())).await;
    }

    /// Sends `chunks`, each in a write of its own, while it is given exactly `expected`.
    pub(crate) async fn exchange<'c>(&mut self, chunks: impl IntoIterator<Item = &'c [u8]>, expected: &[u8]) {
        let mut given = vec![0; expected.len()];
        let (mut reading, mut writing) = tokio::io::split(&mut self.stream);
        let (read, written) = self
            .story
            .within("an exchange to end", async {
                tokio::join!(reading.read_exact(&mut given), async {
                    for chunk in chunks {
                        writing.write_all(chunk).await?;
                        writing.flush().await?;
                        // The next write may arrive as a read of its own.
                        tokio::task::yield_now().await;
                    }
                    io::Result::Ok(())
                })
            })
            .await;
        if let Err(error) = read.map(drop).and(written) {
            self.fail(&format!("in an exchange: {error}"));
        }
        if given != expected {
            let at = given.iter().zip(expected).position(|(given, expected)| given != expected).unwrap_or(0);
            self.fail(&format!("differs at byte {at}: {}", Shown(&given[at..])));
        }
    }

    /// Is given a Close of closewatch's own next, masked if it is the upstream (RFC 6455 §5.1).
    pub(crate) async fn hear_own_close(&mut self, code: u16, reason: &str) {
        let body = [&code.to_be_bytes()[..], reason.as_bytes()].concat();
        let masked = self.role == Peer::Upstream;
        let head = [0x88, u8::try_from(body.len()).unwrap() | if masked { 0x80 } else { 0 }];
        self.expect(&head).await;
        let mask = if masked { self.receive(4).await } else { vec![0; 4] };
        let mut given = self.receive(body.len()).await;
        given.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
        if given != body {
            self.fail(&format!("closewatch's Close says {}", Shown(&given)));
        }
    }

    /// The next `count` bytes.
    pub(crate) async fn receive(&mut self, count: usize) -> Vec<u8> {
        let mut given = vec![0; count];
        let mut filled = 0;
        while filled < count {
            let read = self.stream.read(&mut given[filled..]);
            match self.story.within(&format!("byte {filled} of {count} at the {}", self.role.as_str()), read).await {
                Ok(0) => self.fail(&format!("FIN after {filled} of {count} bytes: {}", Shown(&given[..filled]))),
                Ok(read) => filled += read,
                Err(error) => {
                    self.fail(&format!("{error} after {filled} of {count} bytes: {}", Shown(&given[..filled])))
                }
            }
        }
        self.tell(&format!("is given {}", Shown(&given)));
        given
    }

    /// All that comes before the end, and the error if that is not a FIN.
    pub(crate) async fn receive_all(&mut self) -> (Vec<u8>, Option<io::ErrorKind>) {
        let mut given = Vec::new();
        let end = self.story.within("a peer's last byte", self.stream.read_to_end(&mut given)).await;
        let end = end.err().map(|error| error.kind());
        self.tell(&format!(
            "is given all: {}, then {}",
            Shown(&given),
            end.map_or("FIN".into(), |end| end.to_string())
        ));
        (given, end)
    }

    /// A head of HTTP, up to and with the empty line, and no byte more.
    pub(crate) async fn receive_head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            match self.story.within("a head", self.stream.read(&mut byte)).await {
                Ok(1) => head.push(byte[0]),
                other => self.fail(&format!("{other:?} in a head: {:?}", String::from_utf8_lossy(&head))),
            }
        }
        let head = String::from_utf8(head).unwrap();
        self.tell(&format!("is given the head {head:?}"));
        head
    }

    /// Is given a FIN next, and no byte before it.
    pub(crate) async fn expect_fin(&mut self) {
        match self.next_end().await {
            None => self.tell("is given FIN"),
            Some(error) => self.fail(&format!("expected FIN, was given {error}")),
        }
    }

    /// Is reset next, and given no byte before that.
    pub(crate) async fn expect_reset(&mut self) {
        match self.next_end().await {
            Some(io::ErrorKind::ConnectionReset) => self.tell("is reset"),
            None => self.fail("expected a reset, was given FIN"),
            Some(error) => self.fail(&format!("expected a reset, was given {error}")),
        }
    }

    /// Hangs up in its direction only.
    pub(crate) async fn fin(&mut self) {
        self.tell("sends FIN");
        // Fails only if the connection is gone, where there is nobody to tell.
        let _ = self.stream.shutdown().await;
    }

    /// Is given a FIN without close_notify next, and no byte before it.
    pub(crate) async fn expect_cut_off(&mut self) {
        match self.next_end().await {
            Some(io::ErrorKind::UnexpectedEof) => self.tell("is cut off"),
            None => self.fail("expected to be cut off, was given close_notify"),
            Some(error) => self.fail(&format!("expected to be cut off, was given {error}")),
        }
    }

    /// Hangs up in its direction only, without close_notify.
    pub(crate) fn cut_off(&mut self) {
        self.tell("sends FIN without close_notify");
        self.stream.cut_off();
    }

    /// Says close_notify, and no FIN.
    pub(crate) async fn notify(&mut self) {
        self.tell("says close_notify");
        self.stream.notify().await;
    }

    /// Says that it was given something that is no TLS.
    pub(crate) fn alert(&mut self) {
        self.tell("sends a fatal alert");
        self.stream.alert();
    }

    /// Sends `bytes` past its TLS.
    pub(crate) fn send_in_the_clear(&mut self, bytes: &[u8]) {
        self.tell(&format!("sends in the clear {}", Shown(bytes)));
        let tcp = self.stream.tcp().expect("a TCP connection");
        assert_eq!(socket2::SockRef::from(tcp).send(bytes).unwrap(), bytes.len());
    }

    /// Is given an end next, of whatever kind, and no byte before it.
    pub(crate) async fn expect_end(&mut self) {
        let end = self.next_end().await;
        self.tell(&format!("is given {}", end.map_or("FIN".to_owned(), |end| end.to_string())));
    }

    /// Is gone with a reset, whatever was still to be sent.
    pub(crate) fn reset(&mut self) {
        self.tell("resets");
        self.stream.reset();
    }

    /// Whether there is TLS on its leg.
    pub(crate) fn has_tls(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }

    /// The address of its own end.
    pub(crate) fn address(&self) -> String {
        match self.stream.tcp() {
            Some(stream) => stream.local_addr().unwrap().to_string(),
            None => "unix".to_owned(),
        }
    }

    /// From now on its host answers nothing, as if the cable were pulled: what arrives is dropped before TCP sees it.
    pub(crate) fn vanish(&self) {
        self.tell("vanishes");
        let Some(stream) = self.stream.tcp() else { self.fail("has no cable to pull") };
        // BPF: accept 0 bytes of whatever comes.
        let drop_all = socket2::SockFilter::new(0x06, 0, 0, 0);
        socket2::SockRef::from(stream).attach_filter(&[drop_all]).unwrap();
    }

    async fn next_end(&mut self) -> Option<io::ErrorKind> {
        let mut given = [0; 64];
        let what = format!("the end at the {}", self.role.as_str());
        let read = self.story.clone().within(&what, self.stream.read(&mut given)).await;
        match read {
            Ok(0) => None,
            Ok(read) => self.fail(&format!("expected an end, was given {}", Shown(&given[..read]))),
            Err(error) => Some(error.kind()),
        }
    }

    fn tell(&self, what: &str) {
        self.story.tell(format!("{:8} {what}", self.role.as_str()));
    }

    fn fail(&self, why: &str) -> ! {
        self.story.fail(&format!("{}: {why}", self.role.as_str()));
    }
}
