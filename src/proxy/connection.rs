//! A client's connection: HTTP/1.1 until it becomes a session or ends.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::Timestamp;
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;
use ulid::Ulid;

use super::accept::Inner;
use super::buffer;
use super::client::Client;
use super::front::{Counted, FIRST_REQUEST, Front, InFlight, Late, Progress};
use super::headers::{self, Ambiguous};
use super::leg::Leg;
use super::plain::{Body, answer};
use super::proxy_protocol::{self, ProxyError};
use super::relay::{Relay, Run};
use super::replayed::Replayed;
use super::session::SessionFile;
use super::sources::{Full, Place};
use super::tls::AcceptError;
use super::upgrade::{Asked, Established, Handshake, Permit, chain, upgrade};
use super::verbatim::{self, Opening};
use crate::close::{Address, Live, Outcome, Rejection, Request as RequestFacts, Session};
use crate::shutdown::Phase;
use crate::wire::Peer;

/// How long a client may take to read the last answer and hang up, so that no reset overtakes it.
const FAREWELL: Duration = Duration::from_secs(2);

/// What is said to a client that does not come to the end of its request's head.
const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// What is said where hyper only hangs up: to HTTP/2 that nobody has agreed on.
const NOT_HTTP_1: &[u8] = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// What is said to a client that speaks HTTP where TLS is spoken.
const NO_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain; charset=utf-8\r\n\
    content-length: 41\r\n\r\nclosewatch: this port speaks TLS (https)\n";

/// What is said to a client whose upgrade is still not answered when the process ends.
const TOO_LATE: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// How HTTP on a connection came to its end.
enum Ended {
    /// hyper is done: the connection has been used up, or switched.
    Done,
    /// What the client sent is not a request.
    NotHttp(hyper::Error),
    /// The connection broke.
    Broken,
    /// Its time was over.
    Late(Late),
    /// closewatch is on its way out.
    Closing,
}

/// Serves one client, from its first byte to the last of its session.
pub(super) fn serve(proxy: Arc<Inner>, leg: Leg, client: Address) -> impl Future<Output = ()> + Send {
    // Boxed, and gone before the relay begins: a session holds nothing of its handshake, and of the configuration only what
    // its route gave it.
    let opening = Box::pin(open_session(proxy, leg, client));
    async move {
        let Some((session, places)) = opening.await else { return };
        session.await;
        // Behind the record: who waits for the place may look for it.
        drop(places);
    }
}

/// Speaks HTTP until the connection ends, or a session is open.
async fn open_session(
    proxy: Arc<Inner>,
    mut leg: Leg,
    address: Address,
) -> Option<(Run, (Permit, Option<Box<Place>>))> {
    let limits = &proxy.config.limits;
    let Some(_waiting) = Permit::take(&proxy.connections, limits.connections) else {
        proxy.sink.rejected(Rejection::Connections);
        return None;
    };
    let client = identify(&proxy, &mut leg, address).await?;
    let place = match limits.connections_per_source.map(|limit| proxy.sources.take(client.source(), limit)) {
        None => None,
        Some(Ok(place)) => place,
        Some(Err(Full)) => {
            proxy.sink.rejected(Rejection::Source);
            return None;
        }
    };
    let leg = secure(&proxy, leg, &client).await?;
    let (established, leg, early) = shake_hands(&proxy, leg, &client).await?;
    let Established { route, upstream, upstream_address, early: upstream_early, request, .. } = established;
    let Established { reserved_bits, handshake, permit, .. } = established;
    let trace = handshake.trace();
    handshake.end(Outcome::Upgraded, StatusCode::SWITCHING_PROTOCOLS, None);
    let session = Session {
        id: Ulid::generate(),
        route: Arc::clone(&route.facts),
        opened_at: Timestamp::now(),
        client: client.address,
        upstream: upstream_address,
        request,
        trace,
        live: Live::default(),
    };
    let file = SessionFile::open(Arc::new(session), Arc::clone(&route.sink));
    let legs = [leg, upstream];
    let mut relay = Relay::new(file, Arc::clone(&route.limits), proxy.shutdown.clone(), legs, reserved_bits);
    relay.begin_with(Peer::Client, &early);
    relay.begin_with(Peer::Upstream, &upstream_early);
    Some((relay.run(), (permit, place)))
}

/// Who the client is. If its socket's peer is one that speaks the PROXY protocol, it must: what does not is turned away.
async fn identify(proxy: &Inner, leg: &mut Leg, address: Address) -> Option<Client> {
    let mut client = Client { address, proxied: None };
    let forwarded = &proxy.config.forwarded;
    if let Leg::Tcp(stream) = leg
        && forwarded.proxy_protocol
        && client.is_trusted(forwarded)
    {
        let header = tokio::time::timeout(proxy.config.timeouts.head, proxy_protocol::read(stream));
        let header = tokio::select! {
            biased;
            header = Box::pin(header) => header,
            () = proxy.shutdown.reached(Phase::Closing) => return None,
        };
        client.proxied = match header {
            Ok(Ok(source)) => source,
            // A probe of the port, most likely.
            Ok(Err(ProxyError::Gone(_))) => return None,
            Ok(Err(ProxyError::Malformed)) | Err(_) => {
                tracing::debug!(client = %client.address, "no PROXY protocol header of a source that has to send one");
                proxy.sink.rejected(Rejection::ProxyProtocol);
                return None;
            }
        };
    }
    Some(client)
}

/// The client's leg with TLS on it, if that is what is spoken here. A failure stands with the failed upgrades: for a
/// browser it is one.
async fn secure(proxy: &Inner, leg: Leg, client: &Client) -> Option<Leg> {
    let (acceptor, socket) = match (&proxy.acceptor, leg) {
        (Some(acceptor), Leg::Tcp(socket)) => (acceptor, socket),
        (_, leg) => return Some(leg),
    };
    let accepting = acceptor.accept(socket, proxy.config.timeouts.tls);
    let hurry = async {
        proxy.shutdown.reached(Phase::Draining).await;
        tokio::time::sleep(FIRST_REQUEST).await;
    };
    let accepted = tokio::select! {
        biased;
        accepted = accepting => accepted,
        // On the way out nobody is waited for that has not even asked.
        () = hurry => return None,
    };
    let failed = |detail: &str| {
        tracing::debug!(client = %client.address, detail, "no TLS with a client");
        let sink = Arc::clone(&proxy.routes.none);
        let facts = RequestFacts { real_address: client.proxied.clone().map(Box::new), ..RequestFacts::default() };
        (Handshake::begin(sink, facts, client.address.clone(), proxy.shutdown.clone()), detail.into())
    };
    match accepted {
        Ok(stream) => return Some(Leg::Tls(stream)),
        Err(AcceptError::Silent) => {}
        Err(AcceptError::Plain(socket)) => {
            let (handshake, detail) = failed("the client speaks HTTP without TLS");
            handshake.end(Outcome::TlsFailed, StatusCode::BAD_REQUEST, Some(detail));
            say_last(&mut Leg::Tcp(socket), NO_TLS).await;
        }
        Err(AcceptError::Failed(error)) => {
            let (handshake, detail) = failed(&chain(&error));
            handshake.fail(Outcome::TlsFailed, detail);
        }
    }
    None
}

/// Gives the session-to-be whose 101 has been written, the client's leg, and what the client sent behind its request.
async fn shake_hands(proxy: &Arc<Inner>, leg: Leg, client: &Client) -> Option<(Established, Leg, Vec<u8>)> {
    let began = Instant::now();
    let (leg, read, asked) = if proxy.config.relay.verbatim {
        match verbatim::open(proxy, leg, client, began).await {
            Opening::Switched(established, leg, early) => return Some((established, leg, early)),
            Opening::Http { leg, read, asked } => (leg, read, asked),
            Opening::TooLate(mut leg) => {
                Box::pin(say_last(&mut leg, TOO_LATE)).await;
                return None;
            }
            Opening::Over => return None,
        }
    } else {
        (leg, Vec::new(), None)
    };
    // It may stay for long, and quiet.
    leg.keep_alive(proxy.config.timeouts.dead_peer);
    // A box of its own: it is several times what an upgrade needs.
    Box::pin(speak_http(proxy, Replayed::with(leg, read), asked, client, began)).await
}

/// Speaks HTTP until the connection ends, or a 101 has been written: then gives the session-to-be, the client's leg, and
/// what the client sent behind its request.
async fn speak_http(
    proxy: &Arc<Inner>,
    leg: Replayed,
    asked: Option<Asked>,
    client: &Client,
    began: Instant,
) -> Option<(Established, Leg, Vec<u8>)> {
    let progress = Arc::new(Progress::new(began));
    let (asked, switched) = (Mutex::new(asked), Mutex::new(None));
    let service = service_fn(|mut request: Request<_>| {
        // At once: hyper looks for what follows the head before it polls what comes of it.
        if progress.begins(headers::asks_for_websocket(request.headers())) {
            request.extensions_mut().insert(Ambiguous);
        }
        Box::pin(answer_request(proxy, client, request, &progress, &asked, &switched))
    });
    let front = Front::new(leg, Arc::clone(&progress));
    let mut connection = http1::Builder::new()
        .preserve_header_case(true)
        .auto_date_header(false)
        .max_buf_size(proxy.config.limits.header_bytes)
        // The buffer may grow to twice its limit in the last read.
        .max_header_size(proxy.config.limits.header_bytes)
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(front), service);
    let ended = drive(proxy, &progress, &mut connection).await;
    let parts = connection.into_parts();
    let (mut leg, unread) = parts.io.into_inner().into_leg();
    let switched = switched.lock().unwrap_or_else(PoisonError::into_inner).take();
    match (ended, switched) {
        (Ended::Done, Some(established)) => return Some((established, leg, [&*parts.read_buf, &unread].concat())),
        (Ended::Closing, None) if progress.owes_an_answer() => say_last(&mut leg, TOO_LATE).await,
        // The client was gone before its 101 was written: dropping the session-to-be files that.
        (_, Some(_)) | (Ended::Broken | Ended::Late(Late::Quiet) | Ended::Closing, None) => {}
        (Ended::Done, None) => say_goodbye(&mut leg).await,
        (Ended::NotHttp(error), None) => {
            let said = progress.refusal();
            file_bad_head(proxy, client, said.unwrap_or(StatusCode::BAD_REQUEST), &error.to_string());
            say_last(&mut leg, if said.is_none() { NOT_HTTP_1 } else { &[] }).await;
        }
        (Ended::Late(Late::Head), None) => {
            file_bad_head(proxy, client, StatusCode::REQUEST_TIMEOUT, "no whole request head in time");
            say_last(&mut leg, TOO_SLOW).await;
        }
    }
    None
}

/// Drives a connection to its end, within the limits of time.
async fn drive<S>(proxy: &Inner, progress: &Progress, connection: &mut http1::Connection<TokioIo<Front>, S>) -> Ended
where
    S: hyper::service::HttpService<Incoming, ResBody = Body, Future: Unpin> + Unpin,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let timeouts = &proxy.config.timeouts;
    let mut timer = pin!(tokio::time::sleep(timeouts.head.min(timeouts.keep_alive)));
    let mut changed = pin!(proxy.shutdown.changed());
    let mut seen = None;
    let mut retired = false;
    std::future::poll_fn(|cx| {
        while seen != Some(proxy.shutdown.phase()) {
            changed.set(proxy.shutdown.changed());
            let phase = proxy.shutdown.phase();
            if phase >= Phase::Closing {
                return Poll::Ready(Ended::Closing);
            }
            if phase >= Phase::Draining {
                progress.hurry();
                timer.as_mut().reset(Instant::now());
            }
            if changed.as_mut().poll(cx).is_pending() {
                seen = Some(phase);
            }
        }
        let draining = seen >= Some(Phase::Draining);
        loop {
            // An answer that comes in this very look is to say that it is the last.
            if draining && !retired && progress.is_answering() {
                retired = true;
                Pin::new(&mut *connection).graceful_shutdown();
            }
            match connection.poll_without_shutdown(cx) {
                Poll::Ready(Ok(())) => return Poll::Ready(Ended::Done),
                Poll::Ready(Err(error)) if error.is_parse() => return Poll::Ready(Ended::NotHttp(error)),
                Poll::Ready(Err(_)) => return Poll::Ready(Ended::Broken),
                Poll::Pending => {}
            }
            // Behind the look at what has come, and not before the first request: hyper would hang up on both.
            if retired || !draining || !progress.may_retire() {
                break;
            }
            retired = true;
            Pin::new(&mut *connection).graceful_shutdown();
        }
        while timer.as_mut().poll(cx).is_ready() {
            match progress.due(timeouts.head, timeouts.keep_alive) {
                Ok(due) => timer.as_mut().reset(due),
                Err(late) => return Poll::Ready(Ended::Late(late)),
            }
        }
        Poll::Pending
    })
    .await
}

/// Answers one request: an upgrade, or plain HTTP.
async fn answer_request(
    proxy: &Arc<Inner>,
    client: &Client,
    mut request: Request<Incoming>,
    progress: &Arc<Progress>,
    asked: &Mutex<Option<Asked>>,
    switched: &Mutex<Option<Established>>,
) -> Result<Response<Body>, Infallible> {
    let in_flight = InFlight::begin(progress);
    let proxy = &proxy.latest();
    headers::settle_host(&mut request);
    let response = if headers::asks_for_websocket(request.headers()) {
        let asked = asked.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (response, established) = upgrade(proxy, client, request, asked).await;
        progress.upgrade_is_answered();
        *switched.lock().unwrap_or_else(PoisonError::into_inner) = established;
        response
    } else {
        let route = proxy.routes.find(headers::host(&request), request.uri().path()).cloned();
        let sink = Arc::clone(route.as_ref().map_or(&proxy.routes.none, |route| &route.sink));
        let response = if headers::names_two_hosts(request.headers()) {
            answer(StatusCode::BAD_REQUEST, "the request names two hosts")
        } else if headers::is_ambiguous(&request) {
            answer(StatusCode::BAD_REQUEST, "the request can be read in two ways")
        } else if request.method() == Method::CONNECT {
            answer(StatusCode::BAD_REQUEST, "no tunnels are opened here")
        } else if let Some(route) = route {
            headers::forward_client(request.headers_mut(), client, proxy);
            match route.pool.forward(request).await {
                Ok(response) => response,
                Err(error) => {
                    tracing::debug!(client = %client.address, route = %route.facts.name, error = &error as &dyn std::error::Error, "request failed");
                    answer(error.status(), &error.to_string())
                }
            }
        } else {
            answer(StatusCode::NOT_FOUND, "no route takes this host and path")
        };
        sink.http_response(response.status().as_u16());
        response
    };
    Ok(response.map(|body| Counted::new(body, in_flight).boxed()))
}

/// The last words to a client, and the end of its connection.
async fn say_last(leg: &mut Leg, words: &[u8]) {
    if leg.write_all(words).await.is_ok() {
        say_goodbye(leg).await;
    }
}

/// FIN, then whatever the client still sends, until it hangs up too: a socket closed with unread input resets, and a reset
/// can overtake the answer.
async fn say_goodbye(leg: &mut Leg) {
    let discard = async {
        leg.shutdown().await?;
        let mut scrap = Vec::new();
        while buffer::read_more(leg, &mut scrap).await? > 0 {
            scrap.clear();
        }
        io::Result::Ok(())
    };
    // However it ends, the connection is over.
    let _ = tokio::time::timeout(FAREWELL, discard).await;
}

/// A head that is no request may have been meant as an upgrade: it stands with the failed ones.
fn file_bad_head(proxy: &Inner, client: &Client, status: StatusCode, detail: &str) {
    let sink = Arc::clone(&proxy.routes.none);
    let facts = RequestFacts { real_address: client.proxied.clone().map(Box::new), ..RequestFacts::default() };
    let handshake = Handshake::begin(sink, facts, client.address.clone(), proxy.shutdown.clone());
    handshake.end(Outcome::BadRequest, status, Some(detail.into()));
}
