//! The relay over real sockets: the size of a session, its wake-ups, its pipes, and ends that no test from outside can time.

use std::future::Future;
use std::pin::pin;
use std::sync::mpsc;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest, Ready};
use tokio::net::{TcpListener, TcpStream};
use ulid::Ulid;

use super::{Common, Limits, Relay};
use crate::close::{
    Address, Cause, CloseRecord, CloseSink, CompactDuration, HandshakeRecord, Live, Rejection, Request, RouteFacts,
    RouteSink, Session,
};
use crate::config::Config;
use crate::proxy::connection::serve;
use crate::proxy::relay::session::SessionFile;
use crate::proxy::routes::Routes;
use crate::proxy::state::Shared;
use crate::proxy::transport::leg::Leg;
use crate::proxy::transport::pipe::{self, Pipe};
use crate::proxy::transport::tcp_info::segments_received;
use crate::shutdown::Shutdown;
use crate::wire::{MessageKind, Peer, ReservedBits};

/// The most that a session's task may hold, its `Session` and its sockets apart: with tokio's own 112 bytes it is still in the
/// allocator's class of 768.
const LARGEST: usize = 656;

/// The most that its `Session` may take: with the two counters of its `Arc` it is in the class of 320.
const LARGEST_SESSION: usize = 304;

/// An upstream's Close 1000.
const CLOSE: [u8; 4] = [0x88, 2, 3, 0xe8];

/// A sink that takes no notice of anything, and sends records to the test if it asked for them.
#[derive(Default)]
struct Sink {
    records: Option<mpsc::Sender<CloseRecord>>,
}

impl CloseSink for Sink {
    fn route(&self, _: &str) -> Arc<dyn RouteSink> {
        Arc::new(Self::default())
    }
    fn rejected(&self, _: Rejection) {}
}

impl RouteSink for Sink {
    fn handshake(&self, _: &HandshakeRecord) {}
    fn opened(&self, _: &Arc<Session>) {}
    fn closed(&self, record: CloseRecord) {
        if let Some(records) = &self.records {
            records.send(record).unwrap();
        }
    }
    fn bytes(&self, _: Peer, _: u64) {}
    fn messages(&self, _: Peer, _: MessageKind, _: u64) {}
    fn ping_rtt(&self, _: Peer, _: Duration) {}
    fn stalled(&self, _: i64) {}
    fn spilled(&self, _: i64) {}
    fn http_response(&self, _: u16) {}
    fn upstream_connections(&self, _: i64) {}
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (ours, accepted) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    (ours.unwrap(), accepted.unwrap().0)
}

/// A relay, and the sockets of its peers.
async fn relay() -> (Relay, [TcpStream; 2]) {
    relay_into(Sink::default()).await
}

/// The same, whose record goes to `sink`.
async fn relay_into(sink: Sink) -> (Relay, [TcpStream; 2]) {
    let ((client, client_leg), (upstream, upstream_leg)) = (pair().await, pair().await);
    let session = Session {
        id: Ulid::generate(),
        route: Arc::new(RouteFacts { name: "test".into(), ..RouteFacts::default() }),
        opened_at: Timestamp::now(),
        handshake: CompactDuration::ZERO,
        client: Address::Unix("".into()),
        upstream: Address::Unix("".into()),
        client_tls: None,
        upstream_tls: None,
        request: Request::default(),
        trace: None,
        live: Live::default(),
    };
    let limits = Limits {
        linger: Duration::from_secs(5),
        half_closed: Some(Duration::from_secs(75)),
        dead_peer: Some(Duration::from_mins(1)),
        idle: Some(Duration::from_mins(1)),
        close_reply: Duration::from_secs(5),
        drain_jitter: Duration::ZERO,
        own_code: None,
        own_reason: "".into(),
        splice: true,
    };
    let file = SessionFile::open(Arc::new(session), Arc::new(Common::new(Arc::new(sink), limits, Shutdown::new())));
    let legs = [Leg::Tcp(client_leg), Leg::Tcp(upstream_leg)];
    (Relay::new(file, legs, ReservedBits::None), [client, upstream])
}

/// The number of polls of the relay while `peers` do something and then nothing, with the session still up.
async fn polls(relay: Relay, peers: impl Future<Output = [TcpStream; 2]>) -> usize {
    let mut running = pin!(relay.run());
    let mut counted = 0;
    let running = std::future::poll_fn(|cx| {
        counted += 1;
        running.as_mut().poll(cx)
    });
    tokio::select! {
        biased;
        () = running => panic!("the session ended"),
        () = async {
            let _peers = peers.await;
            // Long enough for a relay that spins to be polled a hundred thousand times.
            tokio::time::sleep(Duration::from_millis(300)).await;
        } => {}
    }
    counted
}

#[tokio::test]
async fn the_task_of_a_session_is_small() {
    let config = Config::new("http://127.0.0.1:9".parse().unwrap());
    let shutdown = Shutdown::new();
    let proxy = Shared {
        acceptor: None,
        routes: Routes::new(&config, &Sink::default(), &shutdown, None),
        sink: Arc::new(Sink::default()),
        sessions: Arc::default(),
        connections: Arc::default(),
        upstream_connections: Arc::default(),
        quota: Arc::default(),
        wait_counted: Arc::default(),
        latest: Weak::new(),
        shutdown,
        config,
    };
    let (leg, _peer) = pair().await;
    let size = size_of_val(&serve::serve(Arc::new(proxy), Leg::Tcp(leg), Address::Unix("".into())));
    assert!(size <= LARGEST, "{size} bytes, {} of them the relay", size_of::<Relay>());
    assert!(size_of::<Session>() <= LARGEST_SESSION, "a session takes {} bytes", size_of::<Session>());
}

#[tokio::test]
async fn an_idle_session_sleeps() {
    let (relay, peers) = relay().await;
    let polls = polls(relay, async { peers }).await;
    assert!(polls <= 5, "{polls} polls");
}

#[tokio::test]
async fn a_half_closed_session_sleeps() {
    let (relay, [mut client, upstream]) = relay().await;
    let polls = polls(relay, async {
        client.shutdown().await.unwrap();
        [client, upstream]
    })
    .await;
    assert!(polls <= 5, "{polls} polls");
}

#[tokio::test]
async fn a_session_whose_both_closes_passed_sleeps() {
    let (relay, [mut client, mut upstream]) = relay().await;
    let polls = polls(relay, async {
        client.write_all(&[0x88, 0x80, 0, 0, 0, 0]).await.unwrap();
        upstream.write_all(&[0x88, 0x00]).await.unwrap();
        [client, upstream]
    })
    .await;
    assert!(polls <= 10, "{polls} polls");
}

#[tokio::test]
async fn a_stalled_session_sleeps_until_its_peer_reads() {
    let (relay, [client, upstream]) = relay().await;
    let chunk = vec![0; 64 * 1024];
    let mut sent = 0;
    let polls = polls(relay, async {
        // Nobody reads at the client: in the end nothing goes into the upstream's socket any more.
        while let Ok(Ok(())) = tokio::time::timeout(Duration::from_millis(100), upstream.writable()).await {
            sent += upstream.try_write(&chunk).unwrap_or(0);
        }
        [client, upstream]
    })
    .await;
    // Each read of what was sent may have a wake-up of its own; those that come for nothing may not be many.
    assert!(sent > 100_000, "{sent} bytes");
    assert!(polls <= sent / 4_096 + 50, "{polls} polls for {sent} bytes");
}

/// Lets the upstream send a frame of 8 MiB, and the client read it.
async fn send_a_large_frame([mut client, mut upstream]: [TcpStream; 2]) -> [TcpStream; 2] {
    let mut frame = vec![0x82, 0x7f];
    frame.extend_from_slice(&(8_u64 << 20).to_be_bytes());
    frame.extend((0..8_u32 << 20).map(|at| (at % 251) as u8));
    let mut given = vec![0; frame.len()];
    let (sent, read) = tokio::join!(upstream.write_all(&frame), client.read_exact(&mut given));
    sent.and(read.map(drop)).unwrap();
    assert!(given == frame, "other bytes than were sent");
    [client, upstream]
}

#[tokio::test]
async fn a_large_frame_is_spliced_and_its_pipe_is_given_back_and_goes_with_the_session() {
    let (relay, peers) = relay().await;
    polls(relay, async {
        let peers = send_a_large_frame(peers).await;
        assert_eq!(pipe::tests::pipes(), (1, 1));
        peers
    })
    .await;
    assert_eq!(pipe::tests::pipes(), (0, 0));
}

#[tokio::test]
async fn a_large_frame_passes_though_there_is_no_pipe() {
    let (relay, peers) = relay().await;
    let others = pipe::tests::all();
    polls(relay, send_a_large_frame(peers)).await;
    assert_eq!(pipe::tests::pipes(), (others.len(), 0));
    others.into_iter().for_each(Pipe::give_back);
}

#[tokio::test]
async fn a_session_that_is_stalled_in_a_spliced_frame_sleeps_and_closes_its_pipe_when_it_ends() {
    let (mut relay, [client, upstream]) = relay().await;
    upstream.try_write(&[0x82, 0x7f, 0, 0, 0, 0x10, 0, 0, 0, 0]).unwrap();
    let chunk = vec![0; 256 * 1024];
    // Nobody reads at the client, until in the end a pipe cannot be emptied.
    let stalled = std::future::poll_fn(|cx| {
        assert!(relay.turn(cx).is_pending(), "the session ended");
        while let Poll::Ready(Ok(())) = upstream.poll_write_ready(cx) {
            let _ = upstream.try_write(&chunk);
        }
        if relay.side(Peer::Client).stalled.is_some() { Poll::Ready(()) } else { Poll::Pending }
    });
    tokio::time::timeout(Duration::from_secs(30), stalled).await.unwrap();
    let in_pipe = relay.side(Peer::Upstream).flow.held.as_ref().map_or(0, |held| held.in_pipe());
    assert!((1..=pipe::SIZE).contains(&in_pipe), "{in_pipe} bytes in the pipe");
    assert_eq!(pipe::tests::pipes().0, 1);
    let _peers = [client, upstream];
    let polls = {
        let mut running = pin!(relay.run());
        let mut counted = 0;
        let idle = tokio::time::timeout(
            Duration::from_millis(300),
            std::future::poll_fn(|cx| {
                counted += 1;
                running.as_mut().poll(cx)
            }),
        );
        idle.await.unwrap_err();
        counted
    };
    assert!(polls <= 20, "{polls} polls");
    assert_eq!(pipe::tests::pipes(), (0, 0));
}

/// Waits for an event with which `done` is content.
async fn event(leg: &Leg, done: impl Fn(Ready) -> bool) {
    let Leg::Tcp(stream) = leg else { panic!("no TCP: {leg:?}") };
    while !done(stream.ready(Interest::READABLE | Interest::ERROR).await.unwrap()) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_close_and_the_fin_behind_it_leave_in_one_segment() {
    let (relay, [mut client, mut upstream]) = relay().await;
    upstream.write_all(&CLOSE).await.unwrap();
    upstream.shutdown().await.unwrap();
    event(&relay.side(Peer::Upstream).leg, Ready::is_read_closed).await;
    let before = segments_received(&client);
    let mut heard = Vec::new();
    tokio::select! {
        biased;
        () = relay.run() => panic!("the session ended before the client has"),
        read = client.read_to_end(&mut heard) => assert_eq!(read.unwrap(), CLOSE.len()),
    }
    assert_eq!(heard, CLOSE);
    assert_eq!(segments_received(&client) - before, 1);
}

/// With TLS, close_notify is said at once with the Close, and nothing can follow it.
#[tokio::test]
async fn a_fin_behind_bytes_that_are_not_read_is_not_next() {
    let (mut peer, ours) = pair().await;
    let mut leg = Leg::Tcp(ours);
    peer.write_all(b"x").await.unwrap();
    peer.shutdown().await.unwrap();
    event(&leg, Ready::is_read_closed).await;
    assert!(leg.fin_has_come() && !leg.fin_is_next());
    leg.read_exact(&mut [0]).await.unwrap();
    assert!(leg.fin_has_come() && leg.fin_is_next());
}

/// Bytes kept back for a FIN that does not come would be late.
#[tokio::test]
async fn no_fin_is_expected_of_a_peer_that_has_reset() {
    let (relay, [_client, mut upstream]) = relay().await;
    upstream.write_all(&CLOSE).await.unwrap();
    upstream.set_zero_linger().unwrap();
    drop(upstream);
    let leg = &relay.side(Peer::Upstream).leg;
    event(leg, Ready::is_error).await;
    assert!(!leg.fin_has_come());
}

/// The client takes nothing, so the upstream's end stands behind bytes that are not read; then the client resets.
#[tokio::test]
async fn an_end_that_was_noticed_behind_unread_bytes_comes_before_the_reset_that_follows_it() {
    for (closes, cause) in [(false, Cause::UpstreamReset), (true, Cause::CloseUnanswered)] {
        let (sender, records) = mpsc::channel();
        let (mut relay, [client, mut upstream]) = relay_into(Sink { records: Some(sender) }).await;
        // A whole message each time: the Close has to stand behind its end.
        let message = [&[0x82, 126, 0xea, 0x60][..], &vec![0; 60_000]].concat();
        let mut sent = 0;
        let stalled = std::future::poll_fn(|cx| {
            assert!(relay.turn(cx).is_pending(), "the session ended");
            // Little at a time: the upstream's own socket must not be full at the end.
            sent += upstream.try_write(&message[sent % message.len()..]).unwrap_or(0);
            cx.waker().wake_by_ref();
            if relay.side(Peer::Client).stalled.is_some() { Poll::Ready(()) } else { Poll::Pending }
        });
        stalled.await;
        upstream.write_all(&message[sent % message.len()..]).await.unwrap();
        if closes {
            upstream.write_all(&CLOSE).await.unwrap();
            upstream.shutdown().await.unwrap();
        } else {
            upstream.write_all(&message).await.unwrap();
            upstream.set_zero_linger().unwrap();
            drop(upstream);
        }
        std::future::poll_fn(|cx| {
            assert!(relay.turn(cx).is_pending(), "the session ended");
            if relay.side(Peer::Upstream).hung_up.is_some() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        client.set_zero_linger().unwrap();
        drop(client);
        relay.run().await;
        let record = records.recv().unwrap();
        assert_eq!(record.verdict.cause, cause, "{:?}", record.facts);
        assert_eq!(record.verdict.code.map(|code| code.0), Some(if closes { 1000 } else { 1006 }));
    }
}
