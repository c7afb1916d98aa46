//! HTTP/1.1 on a client's connection, until it becomes a session or ends.

use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::Instant;

use super::last_words::{NOT_HTTP_1, TOO_LATE, TOO_SLOW};
use super::request::{AnswerBody, Begun, Late, RequestState};
use super::stream::ClientStream;
use crate::close::{Outcome, Request as RequestFacts, Text};
use crate::proxy::http::answer::{Body, answer};
use crate::proxy::http::facts::facts_of_broken_head;
use crate::proxy::http::head::USUAL_HEADER_LINES;
use crate::proxy::http::headers;
use crate::proxy::http::plain::forward;
use crate::proxy::http::target;
use crate::proxy::http::upstreams::Upstreams;
use crate::proxy::http::websocket;
use crate::proxy::source::client::Client;
use crate::proxy::source::forwarded;
use crate::proxy::state::Shared;
use crate::proxy::transport::leg::Leg;
use crate::proxy::transport::rewind::Rewind;
use crate::proxy::upgrade::handshake::Handshake;
use crate::proxy::upgrade::stages::Established;
use crate::proxy::upgrade::through_hyper::{Reply, upgrade};
use crate::shutdown::{Phase, Shutdown};

/// The longest target that hyper reads; it refuses a longer one with 414.
const MAX_TARGET: usize = u16::MAX as usize - 1;

/// The end of HTTP on a connection.
enum HttpEnd {
    /// hyper is done: the connection has been used up, or switched.
    Done,
    /// The client sent something that is not a request.
    BadHead(hyper::Error),
    /// The connection broke.
    Broken,
    /// A deadline has passed.
    Late(Late),
    /// closewatch is on its way out.
    Closing,
}

/// Speaks HTTP until the connection ends, or a 101 has been written: then gives the session-to-be, the client's leg, and
/// the bytes that the client sent behind its request.
pub(super) async fn speak_http(
    proxy: &Arc<Shared>,
    leg: Rewind,
    request: RequestState,
    client: &Client,
    upstreams: Upstreams,
) -> Option<(Established, Leg, Vec<u8>)> {
    let state = Arc::new(request);
    let service = service_fn(|request: Request<_>| {
        // Before the future: hyper reads behind the head before it polls the answer.
        let begun = state.begin(websocket::asks_for_websocket(request.headers()));
        Box::pin(answer_request(proxy, client, request, begun, &state, &upstreams))
    });
    let limits = &proxy.config.limits;
    let mut builder = http1::Builder::new();
    if limits.header_lines != USUAL_HEADER_LINES {
        builder.max_headers(limits.header_lines);
    }
    let mut connection = builder
        .preserve_header_case(true)
        .auto_date_header(false)
        .max_buf_size(limits.header_bytes)
        // The buffer may grow to twice its limit in the last read.
        .max_header_size(limits.header_bytes)
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .serve_connection(
            TokioIo::new(ClientStream::new(leg, Arc::clone(&state), Arc::clone(upstreams.early()))),
            service,
        );
    let ended = drive(&proxy.shutdown, &state, &upstreams, &mut connection).await;
    let parts = connection.into_parts();
    let stream = parts.io.into_inner();
    let last_words: &[u8] = match (ended, state.take_established()) {
        (HttpEnd::Done, Some(established)) => {
            let (leg, unread) = stream.into_leg();
            return Some((established, leg, [&*parts.read_buf, &unread].concat()));
        }
        (HttpEnd::Closing, None) if state.owes_an_answer() => TOO_LATE,
        // The client was gone before its 101 was written: dropping the session-to-be files that.
        (_, Some(_)) | (HttpEnd::Broken | HttpEnd::Late(Late::Quiet) | HttpEnd::Closing, None) => return None,
        (HttpEnd::Done, None) => &[],
        (HttpEnd::BadHead(error), None) => {
            let (status, words) = refusal(&error, &parts.read_buf);
            let detail = match status {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => format!(
                    "the request's head is beyond limits.header_bytes ({}) or limits.header_lines ({})",
                    limits.header_bytes, limits.header_lines
                ),
                _ => error.to_string(),
            };
            file_bad_head(proxy, client, &state, &parts.read_buf, status, &detail);
            words
        }
        (HttpEnd::Late(Late::Head), None) => {
            let detail = "no whole request head in time";
            file_bad_head(proxy, client, &state, &parts.read_buf, StatusCode::REQUEST_TIMEOUT, detail);
            TOO_SLOW
        }
    };
    stream.say_last(last_words).await;
    None
}

/// The status with which hyper has refused `head`, for the record, and the words that are left to be said.
fn refusal(error: &hyper::Error, head: &[u8]) -> (StatusCode, &'static [u8]) {
    if error.is_parse_version_h2() {
        // hyper leaves that to a server of HTTP/2, and says nothing.
        return (StatusCode::BAD_REQUEST, NOT_HTTP_1);
    }
    let target = head.split(|byte| *byte == b' ').nth(1);
    let status = if !error.is_parse_too_large() {
        StatusCode::BAD_REQUEST
    } else if target.is_some_and(|target| target.len() > MAX_TARGET) {
        StatusCode::URI_TOO_LONG
    } else {
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
    };
    (status, &[])
}

/// Drives a connection to its end, within the limits of time.
async fn drive<S>(
    shutdown: &Shutdown,
    state: &RequestState,
    upstreams: &Upstreams,
    connection: &mut http1::Connection<TokioIo<ClientStream>, S>,
) -> HttpEnd
where
    S: hyper::service::HttpService<Incoming, ResBody = Body, Future: Unpin> + Unpin,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut timer = pin!(tokio::time::sleep(Duration::ZERO));
    let mut changed = pin!(shutdown.changed());
    let mut seen = None;
    let mut retired = false;
    std::future::poll_fn(|cx| {
        while seen != Some(shutdown.phase()) {
            changed.set(shutdown.changed());
            let phase = shutdown.phase();
            if phase >= Phase::Closing {
                return Poll::Ready(HttpEnd::Closing);
            }
            if phase >= Phase::Draining {
                state.drain();
                timer.as_mut().reset(Instant::now());
            }
            if changed.as_mut().poll(cx).is_pending() {
                seen = Some(phase);
            }
        }
        let (unready, draining) = (seen >= Some(Phase::Unready), seen >= Some(Phase::Draining));
        loop {
            // Before the poll: an answer that comes in it has to say that it is the last.
            if unready && !retired && state.is_answering() {
                retired = true;
                Pin::new(&mut *connection).graceful_shutdown();
            }
            match Pin::new(&mut *connection).poll(cx) {
                Poll::Ready(Ok(())) => return Poll::Ready(HttpEnd::Done),
                Poll::Ready(Err(error)) if error.is_parse() => return Poll::Ready(HttpEnd::BadHead(error)),
                Poll::Ready(Err(_)) => return Poll::Ready(HttpEnd::Broken),
                Poll::Pending if state.shows_fin() => continue,
                Poll::Pending => {}
            }
            // After the poll, so that a request which has come is read, and not before the first request: hyper would close the
            // connection on both.
            if retired || !draining || !state.may_retire() {
                break;
            }
            retired = true;
            Pin::new(&mut *connection).graceful_shutdown();
        }
        while timer.as_mut().poll(cx).is_ready() {
            match state.due() {
                Ok(due) => {
                    let idle = upstreams.close_idle();
                    timer.as_mut().reset(idle.map_or(due, |idle| idle.min(due)));
                }
                Err(late) => return Poll::Ready(HttpEnd::Late(late)),
            }
        }
        Poll::Pending
    })
    .await
}

/// Answers one request: an upgrade, or plain HTTP.
async fn answer_request(
    proxy: &Arc<Shared>,
    client: &Client,
    mut request: Request<Incoming>,
    begun: Begun,
    state: &RequestState,
    upstreams: &Upstreams,
) -> Result<Response<Body>, Infallible> {
    let Begun { ambiguous, target, asked, in_flight } = begun;
    if let Some(target) = target {
        request.extensions_mut().insert(target);
    }
    // It belongs to this request, or to none.
    let given = upstreams.given();
    let proxy = &proxy.latest();
    headers::settle_host(&mut request);
    let response = if websocket::asks_for_websocket(request.headers()) {
        let (mut response, keep) = match upgrade(proxy, client, upstreams, request, ambiguous, asked).await {
            Reply::Switched(response, established) => {
                state.switch(established);
                return Ok(response);
            }
            Reply::Refused { response, kept } => (response, kept && proxy.shutdown.phase() == Phase::Running),
            Reply::Failed(response) => (response, false),
        };
        if !state.refuse(keep) {
            headers::say_close(response.headers_mut());
        }
        response
    } else {
        // A request for no path, but for the server (RFC 9112 §3.2.4).
        let is_for_all = request.method() == Method::OPTIONS && request.uri().path() == "*";
        let only = if is_for_all { proxy.routes.only() } else { None };
        let route = only.or_else(|| proxy.routes.find(headers::host(&request), target::path(&request))).cloned();
        let sink = Arc::clone(route.as_ref().map_or(&proxy.routes.none, |route| &route.sink));
        let response = if headers::names_two_hosts(request.headers()) {
            answer(StatusCode::BAD_REQUEST, "the request names two hosts")
        } else if ambiguous {
            answer(StatusCode::BAD_REQUEST, "the request can be read in two ways")
        } else if request.method() == Method::CONNECT {
            answer(StatusCode::BAD_REQUEST, "no tunnels are opened here")
        } else if request.uri().path_and_query().is_none() {
            // `GET page`: for the URI type it is an authority.
            answer(StatusCode::BAD_REQUEST, "the request target cannot be forwarded")
        } else if let Some(route) = route {
            forwarded::append(request.headers_mut(), client, &proxy.config.forwarded, proxy.scheme());
            match forward(upstreams, route.upstream(&proxy.config.limits), request, given).await {
                Ok(response) => response,
                Err(error) => {
                    route.failures.note(&error, &client.address, &route.facts.name);
                    answer(error.status(), &error.to_string())
                }
            }
        } else {
            answer(StatusCode::NOT_FOUND, "no route takes this host and path")
        };
        sink.http_response(response.status().as_u16());
        response
    };
    Ok(response.map(|body| AnswerBody::new(body, in_flight).boxed()))
}

/// Files a head that is not a request, of which hyper has `shown`, with the failed upgrades: it may have been meant as one.
fn file_bad_head(
    proxy: &Shared,
    client: &Client,
    state: &RequestState,
    shown: &[u8],
    status: StatusCode,
    detail: &str,
) {
    let facts = RequestFacts {
        real_address: client.proxied.clone().map(Box::new),
        ..facts_of_broken_head(&state.as_written(shown), proxy.config.log.query)
    };
    let host = facts.host.as_ref().map(Text::as_str);
    let path = facts.path.as_str().split('?').next().unwrap_or_default();
    let route = if path.is_empty() { None } else { proxy.routes.find(host, path) };
    let sink = Arc::clone(route.map_or(&proxy.routes.none, |route| &route.sink));
    let handshake = Handshake::begin(sink, facts, client, proxy.shutdown.clone());
    handshake.since(state.head_began()).end(Outcome::BadRequest, status, Some(detail.into()));
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::pin;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use http::Response;
    use http_body_util::{BodyExt, Empty, Full};
    use hyper::body::Bytes;
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream, UnixStream};
    use tokio::sync::oneshot;
    use tokio::time::Instant;

    use super::{HttpEnd, Late, TOO_SLOW, drive, headers};
    use crate::config::Timeouts;
    use crate::proxy::connection::request::{AnswerBody, RequestState};
    use crate::proxy::connection::stream::ClientStream;
    use crate::proxy::http::upstreams::Upstreams;
    use crate::proxy::transport::leg::Leg;
    use crate::proxy::transport::rewind::Rewind;
    use crate::proxy::transport::tcp_info::segments_received;
    use crate::shutdown::{Phase, Shutdown};

    fn none() -> Upstreams {
        Upstreams::new(Arc::default(), Timeouts::default().keep_alive)
    }

    #[tokio::test]
    async fn the_last_answer_and_the_fin_behind_it_leave_in_one_segment() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (client, accepted) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        let (mut client, ours) = (client.unwrap(), accepted.unwrap().0);
        let state = Arc::new(RequestState::new(Instant::now(), &Timeouts::default(), None, None));
        let service = service_fn(|_| {
            let begun = state.begin(true);
            assert!(!state.refuse(false));
            let body = Full::new(Bytes::from_static(b"no")).map_err(|never: Infallible| match never {}).boxed();
            let mut response = Response::new(AnswerBody::new(body, begun.in_flight).boxed());
            headers::say_close(response.headers_mut());
            Box::pin(std::future::ready(Ok::<_, Infallible>(response)))
        });
        let stream = ClientStream::new(Rewind::new(Leg::Tcp(ours)), Arc::clone(&state), Arc::default());
        let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        client.write_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n").await.unwrap();
        let before = segments_received(&client);
        let ended = drive(&Shutdown::new(), &state, &none(), &mut connection).await;
        assert!(matches!(ended, HttpEnd::Done), "another end");
        let saying = connection.into_parts().io.into_inner().say_last(&[]);
        let mut heard = Vec::new();
        tokio::select! {
            biased;
            () = saying => panic!("the connection ended before the client has"),
            read = client.read_to_end(&mut heard) => drop(read.unwrap()),
        }
        assert!(heard.ends_with(b"\r\n\r\nno"), "{heard:?}");
        assert_eq!(segments_received(&client) - before, 1);
    }

    /// One poll may find both.
    #[tokio::test]
    async fn an_answer_that_comes_as_a_drain_begins_says_that_it_is_the_last() {
        let (mut client, ours) = UnixStream::pair().unwrap();
        let shutdown = Shutdown::new();
        let state = Arc::new(RequestState::new(Instant::now(), &Timeouts::default(), None, None));
        let ((asked, was_asked), (answer, is_due)) = (oneshot::channel(), oneshot::channel());
        let once = Mutex::new(Some((asked, is_due)));
        let service = service_fn(|_| {
            let begun = state.begin(false);
            let (asked, is_due) = once.lock().unwrap().take().unwrap();
            Box::pin(async move {
                asked.send(()).unwrap();
                is_due.await.unwrap();
                let body = Empty::<Bytes>::new().map_err(|never: Infallible| match never {}).boxed();
                Ok::<_, Infallible>(Response::new(AnswerBody::new(body, begun.in_flight).boxed()))
            })
        });
        let stream = ClientStream::new(Rewind::new(Leg::Unix(ours)), Arc::clone(&state), Arc::default());
        let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        client.write_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n").await.unwrap();
        {
            let upstreams = none();
            let mut driving = pin!(drive(&shutdown, &state, &upstreams, &mut connection));
            tokio::select! {
                biased;
                _ = &mut driving => panic!("it ended before it was asked"),
                asked = was_asked => asked.unwrap(),
            }
            shutdown.advance(Phase::Draining);
            answer.send(()).unwrap();
            driving.await;
        }
        drop(connection);
        let mut heard = String::new();
        client.read_to_string(&mut heard).await.unwrap();
        assert!(heard.contains("\r\nconnection: close\r\n"), "{heard}");
    }

    /// The client takes nothing of a large answer, and begins its next request without ending it.
    #[tokio::test]
    async fn no_last_words_land_inside_an_answer_that_the_client_has_not_taken() {
        let (mut client, ours) = UnixStream::pair().unwrap();
        let shutdown = Shutdown::new();
        let timeouts = Timeouts { keep_alive: Duration::from_millis(50), ..Timeouts::default() };
        let state = Arc::new(RequestState::new(Instant::now(), &timeouts, None, None));
        let page = Bytes::from(vec![b'x'; 4 * 1024 * 1024]);
        let service = service_fn(|_| {
            let begun = state.begin(false);
            let page = page.clone();
            Box::pin(async move {
                let body = Full::new(page).map_err(|never: Infallible| match never {}).boxed();
                Ok::<_, Infallible>(Response::new(AnswerBody::new(body, begun.in_flight).boxed()))
            })
        });
        let stream = ClientStream::new(Rewind::new(Leg::Unix(ours)), Arc::clone(&state), Arc::default());
        let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        client.write_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\nGET /half").await.unwrap();
        let ended = drive(&shutdown, &state, &none(), &mut connection).await;
        assert!(matches!(ended, HttpEnd::Late(Late::Quiet)), "another end");
        // As if it were late with the head.
        let saying = connection.into_parts().io.into_inner().say_last(TOO_SLOW);
        let mut heard = Vec::new();
        tokio::join!(saying, async { client.read_to_end(&mut heard).await.unwrap_or_default() });
        let (_, body) = heard.split_at(heard.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4);
        assert!(!body.is_empty() && body.len() < page.len(), "{} bytes", body.len());
        assert!(body.iter().all(|byte| *byte == b'x'), "something else than the page");
    }
}
