//! `/sessions`: who is connected now.

use axum::extract::{RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::time::Instant;

use super::Admin;
use super::query::Query;
use crate::export::{SessionFields, to_json};

#[derive(Serialize)]
struct Sessions<'a> {
    /// All there are, not only those below.
    count: usize,
    sessions: Vec<SessionFields<'a>>,
}

/// The number of live sessions, and the oldest of them.
pub(super) async fn sessions(State(admin): State<Admin>, RawQuery(query): RawQuery) -> Response {
    let query = match Query::of_sessions(query.as_deref()) {
        Ok(query) => query,
        Err(error) => return error.into_response(),
    };
    let live = admin.exporter.live().all();
    let now = Instant::now();
    let shown = live.iter().take(query.limit).map(|live| SessionFields::new(live, now, admin.exporter.json()));
    let mut body = Vec::new();
    to_json(&Sessions { count: live.len(), sessions: shown.collect() }, &mut body);
    body.push(b'\n');
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}
