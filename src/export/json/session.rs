//! A live session as JSON.

use std::borrow::Cow;

use serde::Serialize;
use tokio::time::Instant;

use super::fields::{Millis, Rfc3339};
use super::style::JsonStyle;
use crate::close::Address;
use crate::export::LiveSession;
use crate::wire::Peer;

/// The fields of a session that is still up.
#[derive(Serialize)]
pub struct SessionFields<'a> {
    session: String,
    route: &'a str,
    client: &'a Address,
    real_address: Option<&'a Address>,
    upstream: &'a Address,
    opened_at: Rfc3339,
    age_ms: Millis,
    idle_ms: Millis,
    messages_from_client: u64,
    messages_from_upstream: u64,
    bytes_from_client: u64,
    bytes_from_upstream: u64,
    client_stalled_ms: Millis,
    upstream_stalled_ms: Millis,
    stalled_now: bool,
    path: Cow<'a, str>,
}

// === impl SessionFields ===

impl<'a> SessionFields<'a> {
    /// The session as it is `now`.
    pub fn new(LiveSession { session, opened }: &'a LiveSession, now: Instant, style: &JsonStyle) -> Self {
        let age = now.saturating_duration_since(*opened);
        let [bytes_from_client, bytes_from_upstream] = Peer::ALL.map(|peer| session.live.bytes(peer));
        let [messages_from_client, messages_from_upstream] = Peer::ALL.map(|peer| session.live.messages(peer));
        let [(client_stalled, client_now), (upstream_stalled, upstream_now)] =
            Peer::ALL.map(|peer| session.live.stalled(peer, age));
        Self {
            session: session.id.to_string(),
            route: &session.route.name,
            client: &session.client,
            real_address: session.request.real_address.as_deref(),
            upstream: &session.upstream,
            opened_at: Rfc3339(session.opened_at),
            age_ms: Millis(age),
            idle_ms: Millis(age.saturating_sub(session.live.last_activity())),
            messages_from_client,
            messages_from_upstream,
            bytes_from_client,
            bytes_from_upstream,
            client_stalled_ms: Millis(client_stalled),
            upstream_stalled_ms: Millis(upstream_stalled),
            stalled_now: client_now || upstream_now,
            path: style.path(&session.request.path),
        }
    }
}
