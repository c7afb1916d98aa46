//! `/metrics`.

use std::io::{self, Write};

use axum::extract::State;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::Admin;
use crate::export;

/// Every series, compressed if the scraper takes that: some 26 KB a route become 2. Another thread writes them, so that no probe
/// waits for it.
pub(super) async fn metrics(State(admin): State<Admin>, headers: HeaderMap) -> Response {
    let gzip = accepts_gzip(&headers);
    let written = tokio::task::spawn_blocking(move || {
        let text = admin.exporter.metrics().encode();
        if gzip { compressed(&text) } else { Ok(text) }
    });
    let Ok(Ok(body)) = written.await else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let mut response = ([(CONTENT_TYPE, export::CONTENT_TYPE)], body).into_response();
    response.headers_mut().insert(VARY, HeaderValue::from_name(ACCEPT_ENCODING));
    if gzip {
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

fn compressed(text: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 8), Compression::fast());
    encoder.write_all(text)?;
    encoder.finish()
}

/// Whether `Accept-Encoding` names gzip, and not with a weight of 0 (RFC 9110 §12.5.3).
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let mut codings = values.flat_map(|value| value.split(','));
    codings.any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok());
        name.trim().eq_ignore_ascii_case("gzip") && weight != Some(0.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_for_scrapers_that_name_it() {
        for (value, expected) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip;q=0.000", false),
            ("identity", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(value))]);
            assert_eq!(accepts_gzip(&headers), expected, "{value}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
