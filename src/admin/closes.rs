//! `/closes`: the latest closures and failed handshakes.

use axum::extract::{RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::Admin;
use super::query::Query;

/// The lines of the close log for the latest events, oldest first.
pub(super) async fn closes(State(admin): State<Admin>, RawQuery(query): RawQuery) -> Response {
    let query = match Query::of_closes(query.as_deref()) {
        Ok(query) => query,
        Err(error) => return error.into_response(),
    };
    let events = admin.exporter.recent().latest(query.limit, |event| query.filter.takes(event));
    let mut lines = Vec::new();
    for event in events {
        admin.exporter.json().write(&event, &mut lines);
    }
    ([(CONTENT_TYPE, "application/x-ndjson")], lines).into_response()
}
