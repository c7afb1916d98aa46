//! A head that passes line by line is one that hyper reads alike: the same request or answer, with a body of the same length, before
//! it is written again and behind that. In the target hyper is shown a stand-in for the characters that it refuses or cuts off.

#![no_main]

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use closewatch::proxy::fuzzing::{PassedAnswer, PassedRequest, for_hyper, passed_answer, passed_request};
use closewatch_fuzz::{block_on, serve_bytes};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Version};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// Headers of one connection, which do not pass.
const HOPS: [&str; 3] = ["connection", "keep-alive", "proxy-connection"];

/// A body that is longer is not sent: then only its announced length is compared.
const LONGEST_BODY: u64 = 4096;

/// The answer behind one that comes before it.
const LAST: &[u8] = b"HTTP/1.1 299 Last\r\nContent-Length: 0\r\n\r\n";

fuzz_target!(|bytes: &[u8]| {
    if let Some(passed) = passed_request(bytes) {
        request(&bytes[..passed.len], &passed);
    }
    for to_head in [false, true] {
        if let Some(passed) = passed_answer(bytes, to_head) {
            answer(&bytes[..passed.len], to_head, &passed);
        }
    }
});

fn request(head: &[u8], passed: &PassedRequest<'_>) {
    let theirs = read_request(head);
    assert!(theirs.body().is_end_stream(), "a body");
    assert_eq!(theirs.version(), Version::HTTP_11);
    assert_eq!(*theirs.method() == Method::HEAD, passed.is_head);
    assert!([Method::GET, Method::HEAD, Method::OPTIONS].contains(theirs.method()));
    let stand_in = |byte| if b"\"<>`#".contains(&byte) { b'!' } else { byte };
    assert!(theirs.uri().path().bytes().eq(passed.path.bytes().map(stand_in)), "{}", passed.path);
    assert_eq!(theirs.headers().get("host").map(HeaderValue::as_bytes), Some(passed.host.as_bytes()));
    assert_eq!(closes(theirs.headers()), passed.is_last);
    let again = read_request(&passed.written);
    assert_eq!((again.method(), again.uri()), (theirs.method(), theirs.uri()));
    assert_eq!(*again.headers(), end_to_end(theirs.headers()));
    assert!(again.body().is_end_stream());
}

fn answer(head: &[u8], to_head: bool, passed: &PassedAnswer) {
    let theirs = read_answer(head, to_head, passed);
    for written in &passed.written {
        let again = read_answer(written, to_head, passed);
        assert_eq!(again.is_some(), theirs.is_some());
        let (Some(again), Some(theirs)) = (again, &theirs) else { continue };
        assert_eq!(again.status(), theirs.status());
        assert_eq!(end_to_end(again.headers()), end_to_end(theirs.headers()));
    }
    let Some(theirs) = theirs else { return };
    assert_eq!(theirs.version(), Version::HTTP_11);
    assert_eq!(theirs.status().as_u16(), passed.status);
    assert_eq!(closes(theirs.headers()), passed.is_last);
    let [goes_on, ends] = &passed.written;
    let [goes_on, ends] =
        [goes_on, ends].map(|written| read_answer(written, to_head, passed).expect("it was read above"));
    assert!(!HOPS.iter().any(|name| goes_on.headers().contains_key(*name)));
    let said: Vec<_> = ends.headers().get_all("connection").iter().collect();
    assert_eq!(said, ["close"]);
}

fn closes(headers: &HeaderMap) -> bool {
    headers.get_all("connection").iter().any(|value| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"close"))
}

/// The headers that are not those of one connection.
fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    HOPS.iter().for_each(|name| drop(headers.remove(*name)));
    headers
}

fn read_request(head: &[u8]) -> Request<Incoming> {
    let read = Arc::new(Mutex::new(Vec::new()));
    let service = {
        let read = Arc::clone(&read);
        hyper::service::service_fn(move |request: Request<Incoming>| {
            read.lock().unwrap().push(request);
            async { Ok::<_, Infallible>(Response::new(String::new())) }
        })
    };
    block_on(serve_bytes(&for_hyper(head), service));
    let mut read = std::mem::take(&mut *read.lock().unwrap());
    assert_eq!(read.len(), 1, "hyper reads {} requests in {:?}", read.len(), head.escape_ascii().to_string());
    read.remove(0)
}

/// hyper's reading of an answer, whose body has to be as long as ours. `None` if it comes before the answer itself.
fn read_answer(head: &[u8], to_head: bool, passed: &PassedAnswer) -> Option<Response<()>> {
    block_on(async {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let (mut sender, connection) = http1::handshake(TokioIo::new(ours)).await.expect("a connection");
        let connection = tokio::spawn(connection);
        let method = if to_head { Method::HEAD } else { Method::GET };
        let asked = Request::builder().method(method).uri("/").header("host", "a").body(Empty::<Bytes>::new());
        let is_whole = passed.body <= LONGEST_BODY;
        let behind = if is_whole { vec![b'x'; passed.body as usize] } else { Vec::new() };
        let behind = if passed.is_early { LAST.to_vec() } else { behind };
        let sending = tokio::spawn(send(theirs, [head, &behind].concat()));
        let answered = sender.send_request(asked.expect("a request")).await;
        let (parts, body) = answered
            .unwrap_or_else(|error| panic!("hyper refuses {:?}: {error}", head.escape_ascii().to_string()))
            .into_parts();
        let announced = body.size_hint().exact();
        if is_whole {
            let came = body.collect().await.expect("a whole body").to_bytes();
            assert_eq!(came.len() as u64, if passed.is_early { 0 } else { passed.body });
        }
        drop(sender);
        let _ = sending.await;
        connection.abort();
        if passed.is_early {
            assert_eq!(parts.status, 299, "an answer before the answer is one behind which the next stands");
            return None;
        }
        assert_eq!(announced, Some(passed.body));
        Some(Response::from_parts(parts, ()))
    })
}

/// Sends an answer when the request has come.
async fn send(mut stream: DuplexStream, answer: Vec<u8>) {
    let mut came = Vec::new();
    while !came.ends_with(b"\r\n\r\n") && stream.read_buf(&mut came).await.is_ok_and(|more| more > 0) {}
    // hyper may have enough of it before the end.
    let _ = stream.write_all(&answer).await;
    let _ = stream.shutdown().await;
}
