//! Whole connections on real sockets: whatever a client sends, an upstream is asked nothing that hyper does not read in it
//! (request smuggling), in that order, and every session that opens is closed by one record.

#![no_main]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use closewatch::close::{CloseRecord, CloseSink, HandshakeRecord, Rejection, RouteSink, Session};
use closewatch::config::Config;
use closewatch::proxy::fuzzing::is_upgrade;
use closewatch::proxy::{Proxy, bind};
use closewatch::shutdown::Shutdown;
use closewatch::wire::{MessageKind, Peer};
use closewatch_fuzz::{block_on, serve, serve_bytes};
use http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};

/// Longer than any answer takes; shorter than libFuzzer's own patience.
const PATIENCE: Duration = Duration::from_secs(20);

/// A request as its reader sees it; no body if it broke off.
#[derive(Clone, Debug, PartialEq)]
struct Heard {
    method: String,
    target: String,
    upgrade: bool,
    body: Option<Vec<u8>>,
}

type Requests = Arc<Mutex<Vec<Heard>>>;

/// Counts sessions, and nothing else.
#[derive(Default)]
struct Books {
    opened: AtomicU64,
    closed: AtomicU64,
}

struct House {
    proxy: SocketAddr,
    /// The requests that the upstream was given.
    asked: Requests,
    books: Arc<Books>,
}

fuzz_target!(|bytes: &[u8]| {
    block_on(async {
        let house = house();
        house.asked.lock().unwrap().clear();
        tokio::time::timeout(PATIENCE, send(house.proxy, bytes)).await.expect("the connection comes to its end");
        tokio::time::timeout(PATIENCE, house.books.balanced()).await.expect("every session is recorded");

        let read = Requests::default();
        serve_bytes(&with_stand_ins(bytes), service_fn(|request| hear(request, Arc::clone(&read)))).await;
        let read = read.lock().unwrap().clone();
        let asked = house.asked.lock().unwrap().clone();
        let mut rest = read.iter();
        for request in &asked {
            assert!(rest.any(|read| is_same(read, request)), "asked {asked:#?}\nof {read:#?}");
        }
    });
});

/// Sends it all, then a FIN, and reads to the end.
async fn send(proxy: SocketAddr, bytes: &[u8]) {
    let mut client = TcpStream::connect(proxy).await.unwrap();
    // closewatch may have hung up already.
    let _ = client.write_all(bytes).await;
    let _ = client.shutdown().await;
    let _ = client.read_to_end(&mut Vec::new()).await;
}

/// Bytes that hyper refuses or cuts off in a target, which an upstream is asked as it was written.
const ODD: [u8; 5] = *b"\"<>`#";

/// Any request may have an odd target, and only its reader knows where it begins: so each odd byte becomes a `!`, wherever it stands. None
/// of them means anything to the framing of a message.
fn with_stand_ins(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| if ODD.contains(byte) { b'!' } else { *byte }).collect()
}

fn is_same(read: &Heard, asked: &Heard) -> bool {
    let body = match (&read.body, &asked.body) {
        (Some(read), Some(asked)) => *read == with_stand_ins(asked),
        // A request that broke off at the client may break off at the upstream, but must not become whole.
        (None, Some(_)) => false,
        (_, None) => true,
    };
    // The upstream is hyper too: it cuts a target at `#`.
    let shown = |text: &str| text.replace(ODD.map(char::from), "!");
    let asked_target = shown(&asked.target);
    let rest = read.target.strip_prefix(&*asked_target);
    let target = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('!'));
    target && (&read.method, read.upgrade) == (&shown(&asked.method), asked.upgrade) && body
}

/// Notes a request, and answers it as a backend would.
async fn hear(mut request: Request<Incoming>, requests: Requests) -> Result<Response<String>, Infallible> {
    let upgrade = is_upgrade(&request);
    let place = {
        let mut requests = requests.lock().unwrap();
        requests.push(Heard {
            method: request.method().to_string(),
            target: request.uri().path_and_query().map(ToString::to_string).unwrap_or_default(),
            upgrade,
            body: None,
        });
        requests.len() - 1
    };
    if let Ok(body) = request.body_mut().collect().await
        && let Some(heard) = requests.lock().unwrap().get_mut(place)
    {
        heard.body = Some(body.to_bytes().to_vec());
    }
    Ok(Response::new("heard".to_owned()))
}

/// The same, but upgrades what asks for it.
async fn hear_and_switch(request: Request<Incoming>, requests: Requests) -> Result<Response<String>, Infallible> {
    let key = request.headers().get(header::SEC_WEBSOCKET_KEY).cloned();
    let upgrade = is_upgrade(&request);
    let mut response = hear(request, requests).await?;
    if let (true, Some(key)) = (upgrade, key) {
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        response.body_mut().clear();
        let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
        for (name, value) in
            [(header::UPGRADE, "websocket"), (header::CONNECTION, "upgrade"), (header::SEC_WEBSOCKET_ACCEPT, &accept)]
        {
            response.headers_mut().insert(name, value.parse().unwrap());
        }
    }
    Ok(response)
}

/// One closewatch and one upstream for the whole run.
fn house() -> &'static House {
    static HOUSE: OnceLock<House> = OnceLock::new();
    HOUSE.get_or_init(|| {
        // libFuzzer's `main` leaves SIGPIPE deadly, where Rust's ignores it.
        let _ = signal(SignalKind::pipe()).unwrap();
        let upstream = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        upstream.set_nonblocking(true).unwrap();
        let url = format!("http://{}", upstream.local_addr().unwrap());
        let upstream = TcpListener::from_std(upstream).unwrap();
        let asked = Requests::default();
        let heard = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = upstream.accept().await {
                let heard = Arc::clone(&heard);
                tokio::spawn(serve(stream, service_fn(move |request| hear_and_switch(request, Arc::clone(&heard)))));
            }
        });

        let books = Arc::new(Books::default());
        let sink = Arc::new(Sink(Arc::clone(&books)));
        let proxy = Proxy::new(Config::new(url.parse().unwrap()), sink, Shutdown::new());
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { proxy.serve(listener).await });
        House { proxy: address, asked, books }
    })
}

// === impl Books ===

impl Books {
    async fn balanced(&self) {
        while self.opened.load(Ordering::Relaxed) != self.closed.load(Ordering::Relaxed) {
            tokio::task::yield_now().await;
        }
    }
}

struct Sink(Arc<Books>);

impl CloseSink for Sink {
    fn route(&self, _: &str) -> Arc<dyn RouteSink> {
        Arc::new(Self(Arc::clone(&self.0)))
    }

    fn rejected(&self, reason: Rejection) {
        panic!("rejected: {reason:?}");
    }
}

impl RouteSink for Sink {
    fn handshake(&self, _: &HandshakeRecord) {}

    fn opened(&self, _: &Arc<Session>) {
        self.0.opened.fetch_add(1, Ordering::Relaxed);
    }

    fn closed(&self, record: CloseRecord) {
        closewatch::close::invariants::assert_sound(&record);
        self.0.closed.fetch_add(1, Ordering::Relaxed);
    }

    fn bytes(&self, _: Peer, _: u64) {}

    fn messages(&self, _: Peer, _: MessageKind, _: u64) {}

    fn ping_rtt(&self, _: Peer, _: Duration) {}

    fn stalled(&self, _: i64) {}

    fn spilled(&self, _: i64) {}

    fn http_response(&self, _: u16) {}

    fn upstream_connections(&self, _: i64) {}
}
