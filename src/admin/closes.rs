//! `/closes`: the latest closures and failed handshakes.

use axum::extract::{RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::Admin;
use super::query::Query;
use crate::export::Entry;

/// The lines of the close log for the latest entries, oldest first. A class or a code leaves out the handshakes, which
/// have neither.
pub(super) async fn closes(State(admin): State<Admin>, RawQuery(query): RawQuery) -> Response {
    let query = match Query::of_closes(query.as_deref()) {
        Ok(query) => query,
        Err(error) => return error.into_response(),
    };
    let entries = admin.exporter.recent().latest(query.limit, |entry| match entry {
        Entry::Closed(record) => query.takes(&record.verdict),
        Entry::HandshakeFailed { .. } => !query.is_filter(),
    });
    let mut lines = Vec::new();
    for entry in entries {
        admin.exporter.json().write(&entry, &mut lines);
    }
    ([(CONTENT_TYPE, "application/x-ndjson")], lines).into_response()
}
