//! The short way: an upgrade that is the first request of its connection is relayed byte for byte, header order and all,
//! without hyper.
//!
//! Whatever is not a valid upgrade beyond doubt, and every answer but the right 101, goes to hyper with its bytes put back:
//! there is one place that refuses, answers and frames bodies, and it is not this one.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use http::header::{SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL};
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout, timeout_at};

use super::accept::Inner;
use super::buffer;
use super::head::{self, Head, Parsed};
use super::headers;
use super::leg::Leg;
use super::routes::Route;
use super::upgrade::{Asked, Established, Handshake, Permit, UpgradeError, admit, reserved_bits};
use crate::close::{Address, Request as RequestFacts, Text};
use crate::config::XForwarded;
use crate::shutdown::Phase;

/// At most this much of what a client sends before it has its 101 is held; the rest stays in the kernel.
const EARLY_BYTES: usize = 16 * 1024;

/// What has become of a connection's beginning.
pub(super) enum Opening {
    /// The client has its 101; what it sent behind its request is the session's.
    Switched(Established, Leg, Vec<u8>),
    /// hyper goes on, from the first byte: these were read.
    Http { leg: Leg, read: Vec<u8>, asked: Option<Asked> },
    /// The process is on its way out, and the client has no answer yet.
    TooLate(Leg),
    /// The client is gone.
    Over,
}

/// An upgrade that was admitted, and what goes to its upstream.
struct Request {
    route: Arc<Route>,
    permit: Permit,
    handshake: Handshake,
    facts: RequestFacts,
    accept: String,
    head: Vec<u8>,
    len: usize,
}

/// Reads the first request of a connection. If it is an upgrade, puts it to the upstream.
pub(super) async fn open(proxy: &Arc<Inner>, mut leg: Leg, client: &Address, began: Instant) -> Opening {
    let most = proxy.config.limits.header_bytes;
    let mut read = Vec::new();
    let parsing = timeout_at(began + proxy.config.timeouts.head, async {
        loop {
            match head::upgrade(&read) {
                Parsed::Partial if read.len() < most => {}
                Parsed::Whole(upgrade) if upgrade.head.bytes.len() <= most => {
                    return admit_verbatim(proxy, client, &upgrade);
                }
                Parsed::Partial | Parsed::Other | Parsed::Whole(_) => return None,
            }
            // An end, in order or not, shows again when hyper reads.
            if !matches!(buffer::read_more(&mut leg, &mut read).await, Ok(1..)) {
                return None;
            }
        }
    });
    let draining = proxy.shutdown.reached(Phase::Draining);
    let request = tokio::select! {
        biased;
        parsed = parsing => parsed.unwrap_or(None),
        // hyper knows how long a client is waited for on the way out.
        () = draining => None,
    };
    let Some(request) = request else { return Opening::Http { leg, read, asked: None } };
    let Request { route, permit, handshake, mut facts, accept, head, len } = request;

    let asking = ask(proxy, &route, &head, &accept);
    let closing = proxy.shutdown.reached(Phase::Closing);
    let answer = tokio::select! {
        biased;
        answer = while_client_stays(asking, &mut leg, &mut read, len + EARLY_BYTES) => answer,
        () = closing => return Opening::TooLate(leg),
    };
    // Wherever it is dropped, the handshake is filed as what it is.
    match answer {
        None => Opening::Over,
        Some(Ok((upstream, bytes))) => {
            let switch = match head::switch(&bytes, &accept) {
                Parsed::Whole(switch) if switch.bytes.len() <= most => switch,
                Parsed::Partial | Parsed::Other | Parsed::Whole(_) => {
                    let asked = Asked { route, permit, handshake, answer: Ok((upstream, bytes)) };
                    return Opening::Http { leg, read, asked: Some(asked) };
                }
            };
            facts.subprotocol = joined(&switch, &SEC_WEBSOCKET_PROTOCOL);
            facts.extensions = joined(&switch, &SEC_WEBSOCKET_EXTENSIONS);
            let handshake = handshake.switching();
            if leg.write_all(switch.bytes).await.is_err() {
                return Opening::Over;
            }
            let reserved_bits = reserved_bits(facts.extensions.as_ref());
            let early = bytes[switch.bytes.len()..].to_vec();
            let early_from_client = read[len..].to_vec();
            let request = facts;
            let established = Established { route, upstream, early, request, reserved_bits, handshake, permit };
            Opening::Switched(established, leg, early_from_client)
        }
        Some(Err(error)) => {
            let asked = Asked { route, permit, handshake, answer: Err(error) };
            Opening::Http { leg, read, asked: Some(asked) }
        }
    }
}

/// Admits an upgrade, and writes its head anew with the client's address in it. `None` if it is to be refused: by hyper.
fn admit_verbatim(proxy: &Arc<Inner>, client: &Address, upgrade: &head::UpgradeHead<'_>) -> Option<Request> {
    let path = upgrade.target.split('?').next().unwrap_or(upgrade.target);
    let route = proxy.routes.find(Some(upgrade.host), path).cloned()?;
    let permit = admit(proxy).ok()?;
    let shown = if proxy.config.log.query { upgrade.target } else { path };
    let facts = headers::facts("GET", shown, "1.1", |name| upgrade.head.all(name).next());
    let handshake = Handshake::begin(Arc::clone(&route.sink), facts.clone(), client.clone(), proxy.shutdown.clone());
    let mut head = Vec::with_capacity(upgrade.head.bytes.len() + 128);
    write_head(&mut head, upgrade, client, proxy);
    let accept = headers::accept_for(upgrade.key);
    Some(Request { route, permit, handshake, facts, accept, head, len: upgrade.head.bytes.len() })
}

/// The request's own bytes, line by line, but for the values of `X-Forwarded-…`, which closewatch sets.
fn write_head(out: &mut Vec<u8>, upgrade: &head::UpgradeHead<'_>, client: &Address, proxy: &Inner) {
    let bytes = upgrade.head.bytes;
    match proxy.config.forwarded.x_forwarded {
        XForwarded::Off => return out.extend_from_slice(bytes),
        XForwarded::Append => {}
    }
    let hops = headers::forwarded_for(upgrade.head.all(&headers::X_FORWARDED_FOR), client);
    let mut set = [
        (&headers::X_FORWARDED_FOR, &*hops, false),
        (&headers::X_FORWARDED_PROTO, proxy.scheme().as_bytes(), false),
        (&headers::X_FORWARDED_HOST, upgrade.host.as_bytes(), false),
    ];
    for line in bytes[..bytes.len() - 2].split_inclusive(|byte| *byte == b'\n') {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        match set.iter_mut().find(|(set, ..)| name.eq_ignore_ascii_case(set.as_str().as_bytes())) {
            None => out.extend_from_slice(line),
            // At its first place, spelt as the client spelt it.
            Some((_, value, written)) if !*written => {
                write_line(out, name, value);
                *written = true;
            }
            Some(_) => {}
        }
    }
    for (name, value, written) in set {
        if !written {
            write_line(out, name.as_str().as_bytes(), value);
        }
    }
    out.extend_from_slice(b"\r\n");
}

fn write_line(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    // A client on a unix socket has no address.
    if !value.is_empty() {
        for part in [name, b": ", value, b"\r\n"] {
            out.extend_from_slice(part);
        }
    }
}

/// Dials the upstream, puts the request to it, and reads the head of its answer.
async fn ask(proxy: &Inner, route: &Route, head: &[u8], accept: &str) -> Result<(Leg, Vec<u8>), UpgradeError> {
    let mut upstream = route.dialer.dial().await?;
    let patience = proxy.config.timeouts.handshake;
    let exchange = async {
        let mut bytes = Vec::new();
        upstream.write_all(head).await?;
        while let Parsed::Partial = head::switch(&bytes, accept) {
            if bytes.len() >= proxy.config.limits.header_bytes
                || buffer::read_more(&mut upstream, &mut bytes).await? == 0
            {
                break;
            }
        }
        Ok::<_, std::io::Error>(bytes)
    };
    match timeout(patience, exchange).await {
        Ok(Ok(bytes)) => Ok((upstream, bytes)),
        Ok(Err(error)) => Err(UpgradeError::Broken(error)),
        Err(_) => Err(UpgradeError::Timeout(patience)),
    }
}

/// Waits for `work` while the client stays: takes its early bytes, up to `most` in all, and notices if it goes. A FIN is
/// half-close, and the session's business; a reset is the end: `None`.
async fn while_client_stays<T>(
    work: impl Future<Output = T>,
    leg: &mut Leg,
    read: &mut Vec<u8>,
    most: usize,
) -> Option<T> {
    let mut work = pin!(work);
    let mut listening = true;
    std::future::poll_fn(|cx| {
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(Some(done));
        }
        while listening && read.len() < most {
            match buffer::poll_read_more(leg, read, cx) {
                Poll::Pending => break,
                Poll::Ready(Ok(0)) => listening = false,
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(None),
            }
        }
        Poll::Pending
    })
    .await
}

fn joined(head: &Head<'_>, name: &http::HeaderName) -> Option<Text> {
    headers::joined(head.all(name))
}
