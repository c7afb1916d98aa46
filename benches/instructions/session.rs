//! A whole short session, and a plain request, through a proxy in this process: all that a worker's thread does of them.
//!
//! Client and upstream are one other thread, which takes each step only when the one before has arrived. So the worker finds
//! the same things ready in every run.

use std::future::poll_fn;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::pin::{Pin, pin};
use std::sync::Arc;
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

/// Connect, upgrade, Close, its reply, both FINs.
pub(crate) fn sessions(times: u32) {
    through_a_proxy(times, |proxy, upstream| {
        let mut client = connect(proxy);
        say(&mut client, REQUEST);
        let (mut server, _) = upstream.accept().expect("the proxy dials");
        hear_head(&mut server);
        say(&mut server, SWITCH);
        hear(&mut client, SWITCH);
        say(&mut client, CLIENT_CLOSE);
        hear(&mut server, CLIENT_CLOSE);
        say(&mut server, UPSTREAM_CLOSE);
        drop(server);
        hear(&mut client, UPSTREAM_CLOSE);
        assert_eq!(client.read(&mut [0; 16]).expect("it ends in order"), 0);
    });
}

/// A request and its answer, over connections that are kept on both sides.
pub(crate) fn requests(times: u32) {
    let mut kept = None;
    through_a_proxy(times, move |proxy, upstream| {
        let (client, server) = kept.get_or_insert_with(|| (connect(proxy), None::<TcpStream>));
        say(client, PLAIN_REQUEST);
        let server = server.get_or_insert_with(|| upstream.accept().expect("the proxy dials").0);
        hear_head(server);
        say(server, PLAIN_ANSWER);
        let answer = hear_head(client);
        let body = &PLAIN_ANSWER[PLAIN_ANSWER.len() - 16..];
        if !answer.ends_with(body) {
            hear(client, body);
        }
    });
}

/// Lets `both` do some units to warm up, and then so many times to be counted, through a proxy of this thread.
fn through_a_proxy(times: u32, mut both: impl FnMut(SocketAddr, &TcpListener) + Send + 'static) {
    let upstream = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    let upstream_address = upstream.local_addr().expect("it is bound");
    let url = format!("http://{upstream_address}").parse().expect("it is an address");
    let mut config = Config::new(url);
    config.forwarded.x_forwarded = XForwarded::Append;
    let log = LogOptions { target: LogTarget::File("/dev/null".into()), ..LogOptions::default() };
    let exporter = Exporter::start(ExportOptions { log, ..ExportOptions::default() }).expect("the log can be opened");
    let proxy = Proxy::new(config, Arc::new(exporter), Shutdown::new());
    let listener = bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a port is free");
    let address = listener.local_addr().expect("it is bound");

    let (warm, mut warmed) = oneshot::channel();
    let (go, going) = std::sync::mpsc::channel();
    let (over, mut done) = oneshot::channel();
    let people = thread::spawn(move || {
        (0..WARM_UP).for_each(|_| both(address, &upstream));
        warm.send(()).expect("they are waited for");
        going.recv().expect("they are told to go on");
        (0..times).for_each(|_| both(address, &upstream));
        over.send(()).expect("they are waited for");
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("there is a runtime");
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
    people.join().expect("no client failed");
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
