//! The media type that a client asks for.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;

/// Whether the client is a browser that navigates: such a request names `text/html`, and curl's or a scraper's does not.
pub(super) fn wants_html(headers: &HeaderMap) -> bool {
    let ranges = headers.get_all(ACCEPT).iter().filter_map(|accept| accept.to_str().ok());
    ranges.flat_map(|accept| accept.split(',')).any(|range| range.trim().starts_with("text/html"))
}
