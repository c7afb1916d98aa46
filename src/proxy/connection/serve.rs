//! One client's connection, from its first byte to the last of its session.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::time::Instant;
use ulid::Ulid;

use super::exchanges::{Rest, pass_requests};
use super::identify::identify;
use super::last_words::{TOO_LATE, say_last};
use super::request::RequestState;
use super::secure::secure;
use super::speak_http::speak_http;
use crate::close::{Address, Event, Live, Rejection, Request, Session};
use crate::proxy::http::head::HeadFacts;
use crate::proxy::http::target::put_stand_in;
use crate::proxy::http::upstreams::Upstreams;
use crate::proxy::permit::Permit;
use crate::proxy::relay::session::SessionFile;
use crate::proxy::relay::{Relay, Run};
use crate::proxy::source::client::Client;
use crate::proxy::source::quota::{Exceeded, Place};
use crate::proxy::state::Shared;
use crate::proxy::transport::leg::Leg;
use crate::proxy::transport::rewind::Rewind;
use crate::proxy::upgrade::stages::Established;
use crate::proxy::upgrade::verbatim::{self, Opening};
use crate::wire::Peer;

/// The places of limits that a session takes.
type Places = (Permit, Option<Box<Place>>);

pin_project! {
    /// The future of [`serve`].
    ///
    /// Written out, since an `async fn` would keep the place of its opening.
    #[project = Projected]
    enum Serving<F> {
        Opening {
            opening: Pin<Box<F>>,
        },
        // Dropped in this order: a test or an operator that waits for a free place may read the record then.
        Relaying {
            #[pin]
            session: Run,
            places: Places,
        },
    }
}

/// Serves one client, from its first byte to the last of its session.
pub(in crate::proxy) fn serve(proxy: Arc<Shared>, leg: Leg, client: Address) -> impl Future<Output = ()> + Send {
    // Boxed, and dropped before the relay begins: a session keeps nothing of its handshake, and of the configuration only its
    // route's part.
    Serving::Opening { opening: Box::pin(open_session(proxy, leg, client)) }
}

/// Speaks HTTP until the connection ends, or a session is open.
async fn open_session(proxy: Arc<Shared>, mut leg: Leg, address: Address) -> Option<(Run, Places)> {
    let limits = &proxy.config.limits;
    let Some(_waiting) = Permit::take(&proxy.connections, limits.connections) else {
        proxy.sink.rejected(Rejection::Connections);
        return None;
    };
    let mut client = identify(&proxy, &mut leg, address).await?;
    let place = match limits.connections_per_source.map(|limit| proxy.quota.take(client.source(), limit)) {
        None => None,
        Some(Ok(place)) => place,
        Some(Err(Exceeded)) => {
            proxy.sink.rejected(Rejection::Source);
            return None;
        }
    };
    let leg = secure(&proxy, leg, &client).await?;
    client.tls = leg.tls_version();
    let (established, leg, early) = shake_hands(&proxy, leg, &client).await?;
    let Established { route, upstream, upstream_address, early: upstream_early, handshake, permit, .. } = established;
    let Established { subprotocol, extensions, reserved_bits, violations, .. } = established;
    let trace = handshake.trace();
    let (opened_at, took, request) = handshake.open();
    let session = Session {
        // One instant: an id begins with its time.
        id: Ulid::from_datetime(opened_at.into()),
        route: Arc::clone(&route.facts),
        opened_at,
        handshake: took.into(),
        client: client.address,
        client_tls: client.tls,
        upstream_tls: upstream.tls_version(),
        upstream: upstream_address,
        request: Request { subprotocol: subprotocol.map(Box::new), extensions: extensions.map(Box::new), ..request },
        trace,
        live: Live::default(),
    };
    let mut file = SessionFile::open(Arc::new(session), Arc::clone(&route.common));
    for violation in violations {
        file.on(Event::Violation { from: Peer::Upstream, violation }, Duration::ZERO);
    }
    let legs = [leg, upstream];
    let mut relay = Relay::new(file, legs, reserved_bits);
    relay.begin_with(Peer::Client, &early);
    relay.begin_with(Peer::Upstream, &upstream_early);
    Some((relay.run(), (permit, place)))
}

/// Gives the session-to-be whose 101 has been written, the client's leg, and the bytes that the client sent behind its
/// request.
async fn shake_hands(proxy: &Arc<Shared>, leg: Leg, client: &Client) -> Option<(Established, Leg, Vec<u8>)> {
    let began = Instant::now();
    let (leg, read, head, asked) = if proxy.config.relay.verbatim {
        match verbatim::open(proxy, leg, client, began).await {
            Opening::Switched(established, leg, early) => return Some((established, leg, early)),
            Opening::Http { leg, read, head, asked } => (leg, read, head, asked),
            Opening::TooLate(mut leg) => {
                Box::pin(say_last(&mut leg, TOO_LATE)).await;
                return None;
            }
            Opening::Over => return None,
        }
    } else {
        (leg, Vec::new(), None, None)
    };
    let timeouts = &proxy.config.timeouts;
    let upstreams = Upstreams::new(Arc::clone(&proxy.upstream_connections), timeouts.keep_alive);
    // A whole head that was put to no upstream yet, or an upgrade that was, alone.
    let passes = |head: &HeadFacts| match &asked {
        None => !head.ambiguous,
        Some(_) => head.len == read.len(),
    };
    let Rest { leg, mut read, answered, asked, watched } = if head.as_ref().is_some_and(passes) {
        Box::pin(pass_requests(proxy, client, &upstreams, leg, read, asked)).await?
    } else {
        Rest { leg, read, answered: false, asked, watched: false }
    };
    let request = if answered {
        RequestState::behind(timeouts)
    } else {
        // Facts of this head that are known are not found out again, its target included.
        if head.is_some() {
            put_stand_in(&mut read);
        }
        RequestState::new(began, timeouts, head, asked)
    };
    // With keep-alive it may stay idle for long.
    let request = if watched { request } else { request.unwatched(began, timeouts) };
    // A box of its own: its future is several times the size of an upgrade's.
    Box::pin(speak_http(proxy, Rewind::with(leg, read), request, client, upstreams)).await
}

// === impl Serving ===

impl<F: Future<Output = Option<(Run, Places)>>> Future for Serving<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match self.as_mut().project() {
                Projected::Opening { opening } => match ready!(opening.as_mut().poll(cx)) {
                    Some((session, places)) => self.set(Self::Relaying { session, places }),
                    None => return Poll::Ready(()),
                },
                Projected::Relaying { session, .. } => return session.poll(cx),
            }
        }
    }
}
