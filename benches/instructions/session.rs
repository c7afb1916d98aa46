//! A whole short session, and a plain request, through a proxy in this process: all that a worker's thread does of them.
//!
//! Client and upstream are one other thread, which takes each step only when the worker has done all that followed from the
//! one before, and is about to wait. So the worker finds the same things ready in every run, on every machine.

use std::future::poll_fn;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown as Half, SocketAddr, TcpListener, TcpStream};
use std::pin::{Pin, pin};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use closewatch::config::{Config, LogTarget, XForwarded};
use closewatch::export::{ExportOptions, Exporter, LogOptions};
use closewatch::proxy::{Proxy, bind};
use closewatch::shutdown::Shutdown;
use tokio::sync::oneshot;

use super::{WARM_UP, counted};

/// An upgrade as a program sends it, with the key of RFC 6455 §1.3.
const REQUEST: &[u8] = b"GET /chat HTTP/1.1\r\nHost: chat.test\r\nUser-Agent: load\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
/// The right answer to it.
const SWITCH: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
/// A Close 1000 of a client, and of an upstream.
const CLIENT_CLOSE: &[u8] = &[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8];
const UPSTREAM_CLOSE: &[u8] = &[0x88, 0x02, 0x03, 0xe8];

const PLAIN_REQUEST: &[u8] =
    b"GET /plain HTTP/1.1\r\nHost: chat.test\r\nUser-Agent: load\r\nConnection: keep-alive\r\n\r\n";
const PLAIN_ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 16\r\n\r\n0123456789abcdef";

/// How often the worker has begun to wait for events.
#[derive(Default)]
struct Waits {
    count: Mutex<u64>,
    more: Condvar,
}

/// The thread that plays client and upstream.
struct People {
    proxy: SocketAddr,
    upstream: TcpListener,
    worker: Arc<Waits>,
}

/// Connect, upgrade, Close, its reply, both FINs.
pub(crate) fn sessions(times: u32) {
    through_a_proxy(times, |people| {
        let mut client = people.step(|people| connect(people.proxy));
        people.step(|_| say(&mut client, REQUEST));
        let mut server = people.accept();
        hear_head(&mut server);
        people.step(|_| say(&mut server, SWITCH));
        hear(&mut client, SWITCH);
        people.step(|_| say(&mut client, CLIENT_CLOSE));
        hear(&mut server, CLIENT_CLOSE);
        people.step(|_| say(&mut server, UPSTREAM_CLOSE));
        hear(&mut client, UPSTREAM_CLOSE);
        people.step(|_| half_close(&server));
        assert_eq!(client.read(&mut [0; 16]).expect("it ends in order"), 0);
        people.step(|_| half_close(&client));
    });
}

/// A request and its answer, over connections that are kept on both sides.
pub(crate) fn requests(times: u32) {
    let mut kept = None;
    through_a_proxy(times, move |people| {
        let (client, server) =
            kept.get_or_insert_with(|| (people.step(|people| connect(people.proxy)), None::<TcpStream>));
        people.step(|_| say(client, PLAIN_REQUEST));
        let server = server.get_or_insert_with(|| people.accept());
        hear_head(server);
        people.step(|_| say(server, PLAIN_ANSWER));
        let answer = hear_head(client);
        let body = &PLAIN_ANSWER[PLAIN_ANSWER.len() - 16..];
        if !answer.ends_with(body) {
            hear(client, body);
        }
    });
}

/// Lets `both` do some units to warm up, and then so many times to be counted, through a proxy of this thread.
fn through_a_proxy(times: u32, mut both: impl FnMut(&People) + Send + 'static) {
    let upstream = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    let upstream_address = upstream.local_addr().expect("it is bound");
    let url = format!("http://{upstream_address}").parse().expect("it is an address");
    let mut config = Config::new(url);
    config.forwarded.x_forwarded = XForwarded::Append;
    let log = LogOptions { target: LogTarget::File("/dev/null".into()), ..LogOptions::default() };
    let exporter = Exporter::start(ExportOptions { log, ..ExportOptions::default() }).expect("the log can be opened");
    let proxy = Proxy::new(config, Arc::new(exporter), Shutdown::new());
    let listener = bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a port is free");
    let worker = Arc::new(Waits::default());
    let people = People { proxy: listener.local_addr().expect("it is bound"), upstream, worker: Arc::clone(&worker) };

    let (warm, mut warmed) = oneshot::channel();
    let (go, going) = std::sync::mpsc::channel();
    let (over, mut done) = oneshot::channel();
    let thread = thread::spawn(move || {
        (0..WARM_UP).for_each(|_| both(&people));
        warm.send(()).expect("they are waited for");
        going.recv().expect("they are told to go on");
        (0..times).for_each(|_| both(&people));
        over.send(()).expect("they are waited for");
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .on_thread_park(move || worker.another())
        .build()
        .expect("there is a runtime");
    let mut serving = pin!(proxy.serve(listener));
    let mut until = |said: &mut oneshot::Receiver<()>| {
        runtime.block_on(poll_fn(|cx| {
            assert!(serving.as_mut().poll(cx).is_pending(), "the proxy serves until it is told to stop");
            Pin::new(&mut *said).poll(cx).map(|said| said.expect("no client failed"))
        }));
    };
    until(&mut warmed);
    counted(&mut || {
        go.send(()).expect("they wait");
        until(&mut done);
    });
    thread.join().expect("no client failed");
}

fn half_close(stream: &TcpStream) {
    stream.shutdown(Half::Write).expect("it is connected");
}

fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).expect("the proxy listens");
    stream.set_nodelay(true).expect("it is connected");
    stream
}

fn say(to: &mut TcpStream, bytes: &[u8]) {
    to.write_all(bytes).expect("it is connected");
}

fn hear(from: &mut TcpStream, expected: &[u8]) {
    let mut heard = vec![0; expected.len()];
    from.read_exact(&mut heard).expect("it is connected");
    assert_eq!(heard, expected);
}

/// Reads until there is a whole head; gives that and what came behind it.
fn hear_head(from: &mut TcpStream) -> Vec<u8> {
    let mut heard = Vec::new();
    let mut piece = [0; 4096];
    while !heard.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = from.read(&mut piece).expect("it is connected");
        assert_ne!(read, 0, "the connection ended before the head");
        heard.extend_from_slice(&piece[..read]);
    }
    heard
}

// === impl People ===

impl People {
    /// Does something that the worker is told of by the kernel, and waits until the worker has done its part.
    fn step<T>(&self, action: impl FnOnce(&Self) -> T) -> T {
        let before = self.worker.count();
        let done = action(self);
        self.worker.wait_beyond(before);
        done
    }

    /// Takes the connection that the proxy has opened.
    fn accept(&self) -> TcpStream {
        self.upstream.accept().expect("the proxy dials").0
    }
}

// === impl Waits ===

impl Waits {
    fn count(&self) -> u64 {
        *self.count.lock().expect("no thread panics with it")
    }

    fn another(&self) {
        *self.count.lock().expect("no thread panics with it") += 1;
        self.more.notify_one();
    }

    fn wait_beyond(&self, before: u64) {
        let count = self.count.lock().expect("no thread panics with it");
        drop(self.more.wait_while(count, |count| *count <= before).expect("no thread panics with it"));
    }
}
