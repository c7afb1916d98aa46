//! TLS on a client's connection.

use std::sync::Arc;

use http::StatusCode;
use tokio::time::Instant;

use super::last_words::{NO_TLS, say_last};
use super::request::FIRST_REQUEST;
use crate::close::{Outcome, Request as RequestFacts, TlsFailure};
use crate::proxy::source::client::Client;
use crate::proxy::state::Shared;
use crate::proxy::transport::leg::Leg;
use crate::proxy::transport::tls::{AcceptError, failure_of};
use crate::proxy::upgrade::error::chain;
use crate::proxy::upgrade::handshake::Handshake;
use crate::shutdown::Phase;

/// The client's leg, with TLS on it if that is configured. A failure is filed as a failed upgrade: for a browser it is one.
pub(super) async fn secure(proxy: &Shared, leg: Leg, client: &Client) -> Option<Leg> {
    let (acceptor, socket) = match (&proxy.acceptor, leg) {
        (Some(acceptor), Leg::Tcp(socket)) => (acceptor, socket),
        (_, leg) => return Some(leg),
    };
    let began = Instant::now();
    let accepting = acceptor.accept(socket, proxy.config.timeouts.tls);
    let deadline = async {
        proxy.shutdown.reached(Phase::Draining).await;
        tokio::time::sleep(FIRST_REQUEST).await;
    };
    let accepted = tokio::select! {
        biased;
        accepted = accepting => accepted,
        // A drain does not wait for clients that have sent no request.
        () = deadline => return None,
    };
    let failed = |why: Option<TlsFailure>, detail: &str| {
        tracing::debug!(client = %client.address, detail, "no TLS with a client");
        let sink = Arc::clone(proxy.routes.before_request());
        let facts = RequestFacts { real_address: client.proxied.clone().map(Box::new), ..RequestFacts::default() };
        let handshake = Handshake::begin(sink, facts, client, proxy.shutdown.clone());
        (handshake.since(began).tls_failed(why), detail.into())
    };
    match accepted {
        Ok(stream) => return Some(Leg::Tls(stream)),
        Err(AcceptError::Silent) => {}
        Err(AcceptError::Plain(socket)) => {
            let (handshake, detail) = failed(Some(TlsFailure::NotTls), "the client speaks HTTP without TLS");
            handshake.end(Outcome::TlsFailed, StatusCode::BAD_REQUEST, Some(detail));
            say_last(&mut Leg::Tcp(socket), NO_TLS).await;
        }
        Err(AcceptError::Failed(error)) => {
            let (handshake, detail) = failed(failure_of(&error), &chain(&error));
            handshake.fail(Outcome::TlsFailed, detail);
        }
    }
    None
}
