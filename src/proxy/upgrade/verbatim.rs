//! The fast path: an upgrade that is the first request of its connection is relayed byte for byte, without hyper; the order
//! of its headers stays.
//!
//! Any other request, and any answer but the right 101, goes to hyper with its bytes put back. So only one place refuses,
//! answers and frames bodies.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use http::header::{HeaderName, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL};
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout, timeout_at};

use super::admit::admit;
use super::error::UpgradeError;
use super::handshake::Handshake;
use super::stages::{Asked, Established};
use crate::close::{Address, HttpVersion, Text};
use crate::config::XForwarded;
use crate::proxy::http::facts::{facts, joined};
use crate::proxy::http::head::{self, Head, HeadFacts, RequestHead, Room};
use crate::proxy::http::headers;
use crate::proxy::http::offer::Offer;
use crate::proxy::http::rewrite;
use crate::proxy::http::websocket::{accept_for, reserved_bits};
use crate::proxy::parsed::Parsed;
use crate::proxy::permit::Permit;
use crate::proxy::routes::Route;
use crate::proxy::source::client::Client;
use crate::proxy::source::forwarded;
use crate::proxy::state::Shared;
use crate::proxy::transport::dial::Reached;
use crate::proxy::transport::leg::Leg;
use crate::proxy::transport::read_buffer;
use crate::shutdown::Phase;
use crate::wire::Violation;

/// The most bytes that are held of a client that sends before it has its 101; the rest stays in the kernel. Enough for the
/// first messages of real clients, and a bound for hostile ones.
const EARLY_BYTES: usize = 16 * 1024;

/// The result of a connection's first request.
pub(in crate::proxy) enum Opening {
    /// The client has its 101; the bytes that it sent behind its request belong to the session.
    Switched(Established, Leg, Vec<u8>),
    /// It goes on from the first byte; `read` was read already.
    Http { leg: Leg, read: Vec<u8>, head: Option<HeadFacts>, asked: Option<Asked> },
    /// The process is on its way out, and the client has no answer yet.
    TooLate(Leg),
    /// The client is gone.
    Over,
}

/// An upgrade that was admitted, and the head for its upstream.
struct Admitted {
    /// The configuration it was admitted under.
    proxy: Arc<Shared>,
    route: Arc<Route>,
    permit: Permit,
    handshake: Handshake,
    version: HttpVersion,
    offer: Offer,
    accept: String,
    head: Vec<u8>,
    len: usize,
}

/// A 101 that is the right answer.
struct Switch {
    /// The length of its head.
    len: usize,
    subprotocol: Option<Text>,
    extensions: Option<Text>,
    violations: Vec<Violation>,
}

/// The beginning of an upstream's answer.
struct RawAnswer {
    upstream: Leg,
    address: Address,
    /// All bytes that were read.
    bytes: Vec<u8>,
    /// `None` if it is any other answer: hyper reads it.
    switch: Option<Switch>,
}

/// Reads the first request of a connection. If it is an upgrade, puts it to the upstream.
pub(in crate::proxy) async fn open(proxy: &Arc<Shared>, mut leg: Leg, client: &Client, began: Instant) -> Opening {
    let most = proxy.config.limits.header_bytes;
    let mut read = Vec::new();
    let mut head_facts = None;
    // Futures that are polled where they are made, and not moved: each move copies them whole, and leaves its place behind.
    let request = {
        let mut parsing = pin!(timeout_at(began + proxy.config.timeouts.head, async {
            let mut known = 0;
            loop {
                if !read.is_empty() && (known == 0 || head::may_be_complete(&read, known)) {
                    match head::request(&read, &mut Room::new()) {
                        Parsed::Partial => {}
                        Parsed::Other => return None,
                        Parsed::Whole(head) => {
                            head_facts = Some(head.facts());
                            return match head {
                                RequestHead::Upgrade(upgrade) if upgrade.head.bytes.len() <= most => {
                                    admit_verbatim(proxy.latest(), client, &upgrade)
                                }
                                RequestHead::Upgrade(_) | RequestHead::Other(_) => None,
                            };
                        }
                    }
                }
                known = read.len();
                // hyper sees an end or an error again when it reads.
                if known >= most || !matches!(read_buffer::read_more(&mut leg, &mut read).await, Ok(1..)) {
                    return None;
                }
            }
        }));
        let mut draining = pin!(proxy.shutdown.reached(Phase::Draining));
        tokio::select! {
            biased;
            parsed = &mut parsing => parsed.unwrap_or(None),
            // During a drain, the driver of hyper knows how long a client may take.
            () = &mut draining => None,
        }
    };
    let Some(request) = request else { return Opening::Http { leg, read, head: head_facts, asked: None } };
    let Admitted { proxy, route, permit, handshake, version, offer, accept, head, len } = request;

    let answer = {
        let mut asking = pin!(ask(&proxy, &route, &head, &accept, &offer));
        let mut staying = pin!(while_client_stays(asking.as_mut(), &mut leg, &mut read, len + EARLY_BYTES));
        let mut closing = pin!(proxy.shutdown.reached(Phase::Closing));
        tokio::select! {
            biased;
            answer = &mut staying => Some(answer),
            () = &mut closing => None,
        }
    };
    let Some(answer) = answer else { return Opening::TooLate(leg) };
    // If the handshake is dropped on the way, its record says so.
    match answer {
        None => Opening::Over,
        Some(Ok(RawAnswer { upstream, address, bytes: early, switch: None })) => {
            let asked = Asked { route, permit, handshake, version, answer: Ok((upstream, address, early)) };
            Opening::Http { leg, read, head: head_facts, asked: Some(asked) }
        }
        Some(Ok(RawAnswer { upstream, address, bytes: mut early, switch: Some(switch) })) => {
            let handshake = handshake.switching();
            if leg.write_all(&early[..switch.len]).await.is_err() {
                return Opening::Over;
            }
            early.drain(..switch.len);
            read.drain(..len);
            let Switch { subprotocol, extensions, violations, .. } = switch;
            let reserved_bits = reserved_bits(extensions.as_ref());
            let established = Established {
                route,
                upstream,
                upstream_address: address,
                early,
                subprotocol,
                extensions,
                reserved_bits,
                violations,
                handshake,
                permit,
            };
            Opening::Switched(established, leg, read)
        }
        Some(Err(error)) => {
            let asked = Asked { route, permit, handshake, version, answer: Err(error) };
            Opening::Http { leg, read, head: head_facts, asked: Some(asked) }
        }
    }
}

/// Admits an upgrade, and writes its head anew with the client's address in it. `None` if it has to be refused: hyper's path
/// does that.
fn admit_verbatim(proxy: Arc<Shared>, client: &Client, upgrade: &head::UpgradeHead<'_, '_>) -> Option<Admitted> {
    let path = upgrade.target.split('?').next().unwrap_or(upgrade.target);
    let route = proxy.routes.find(Some(upgrade.host), path).cloned()?;
    let permit = admit(&proxy).ok()?;
    let shown = if proxy.config.log.query { upgrade.target } else { path };
    let values = |name: &HeaderName| upgrade.head.all(name).collect();
    let value = |name: &HeaderName| upgrade.head.all(name).next();
    let offers = upgrade.head.all(&SEC_WEBSOCKET_PROTOCOL);
    let mut facts = facts("GET", shown, upgrade.version, value, offers);
    facts.real_address = forwarded::real_address(client, &proxy.config.forwarded, values).map(Box::new);
    facts.forwarded_for = forwarded::untrusted_hops(client, &proxy.config.forwarded, values);
    facts.visitor = proxy.sink.visitor(&upgrade.head);
    let (trace, traced) = headers::begin_trace(&*route.sink, &upgrade.head);
    let handshake = Handshake::begin(Arc::clone(&route.sink), facts, client, proxy.shutdown.clone());
    let handshake = handshake.traced(trace);
    let mut head = Vec::with_capacity(upgrade.head.bytes.len() + 128);
    write_head(&mut head, upgrade, client, &proxy, &traced);
    let accept = accept_for(upgrade.key);
    let offer = Offer::of(upgrade.head.all(&SEC_WEBSOCKET_PROTOCOL), upgrade.head.all(&SEC_WEBSOCKET_EXTENSIONS));
    let version = upgrade.version;
    Some(Admitted { proxy, route, permit, handshake, version, offer, accept, head, len: upgrade.head.bytes.len() })
}

/// The request's own bytes, line by line, but for the values of `X-Forwarded-…` and of `traced`, which closewatch sets.
fn write_head(
    out: &mut Vec<u8>,
    upgrade: &head::UpgradeHead<'_, '_>,
    client: &Client,
    proxy: &Shared,
    traced: &[(&'static str, String)],
) {
    let (bytes, forwarded) = (upgrade.head.bytes, &proxy.config.forwarded);
    let hops = match forwarded.x_forwarded {
        XForwarded::Pass if traced.is_empty() => return out.extend_from_slice(bytes),
        XForwarded::Pass => Vec::new(),
        XForwarded::Append => forwarded::forwarded_for(upgrade.head.all(&forwarded::X_FORWARDED_FOR), client),
    };
    let has = |name: &str| upgrade.head.iter().any(|(found, _)| found.eq_ignore_ascii_case(name));
    let mut set = Vec::with_capacity(3 + traced.len());
    set.extend(forwarded::appended(&hops, client, forwarded, [proxy.scheme(), upgrade.host], has));
    set.extend(traced.iter().map(|(name, value)| (*name, value.as_bytes())));
    rewrite::write(out, bytes, &set);
}

/// Dials the upstream, puts the request to it, and reads the head of its answer.
async fn ask(
    proxy: &Shared,
    route: &Route,
    head: &[u8],
    accept: &str,
    offer: &Offer,
) -> Result<RawAnswer, UpgradeError> {
    let timeouts = &proxy.config.timeouts;
    let Reached { leg: mut upstream, address, sent } = route.dialer.dial(head).await?;
    let exchange = async {
        let mut bytes = Vec::new();
        if sent < head.len() {
            upstream.write_all(&head[sent..]).await?;
        }
        let most = proxy.config.limits.header_bytes;
        let mut known = 0;
        while read_buffer::read_more(&mut upstream, &mut bytes).await? > 0 {
            let before = std::mem::replace(&mut known, bytes.len());
            if before > 0 && known < most && !head::may_be_complete(&bytes, before) {
                continue;
            }
            match head::switch(&bytes, accept, &mut Room::new()) {
                Parsed::Partial if bytes.len() < most => {}
                Parsed::Whole(head) if head.bytes.len() <= most => return Ok((Some(Switch::of(&head, offer)), bytes)),
                Parsed::Partial | Parsed::Other | Parsed::Whole(_) => break,
            }
        }
        Ok::<_, std::io::Error>((None, bytes))
    };
    match timeout(timeouts.handshake, exchange).await {
        Ok(Ok((switch, bytes))) => Ok(RawAnswer { upstream, address, bytes, switch }),
        Ok(Err(error)) => Err(UpgradeError::Broken(error)),
        Err(_) => Err(UpgradeError::Timeout(timeouts.handshake)),
    }
}

/// Waits for `work` while the client stays: takes its early bytes, up to `most` in all, and notices if it goes. A FIN is
/// half-close, and the session's business; a reset is the end: `None`.
async fn while_client_stays<T>(
    mut work: Pin<&mut impl Future<Output = T>>,
    leg: &mut Leg,
    read: &mut Vec<u8>,
    most: usize,
) -> Option<T> {
    let mut listening = true;
    std::future::poll_fn(|cx| {
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(Some(done));
        }
        while listening && read.len() < most {
            match read_buffer::poll_read_more(leg, read, cx) {
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

// === impl Switch ===

impl Switch {
    fn of(head: &Head<'_, '_>, offer: &Offer) -> Self {
        let selected = Offer::of(head.all(&SEC_WEBSOCKET_PROTOCOL), head.all(&SEC_WEBSOCKET_EXTENSIONS));
        Self {
            len: head.bytes.len(),
            subprotocol: joined(head.all(&SEC_WEBSOCKET_PROTOCOL)),
            extensions: joined(head.all(&SEC_WEBSOCKET_EXTENSIONS)),
            violations: offer.contradictions(&selected),
        }
    }
}
