//! `/metrics`.

use std::io::{self, Write};

use axum::extract::State;
use axum::http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::Admin;
use crate::export;

/// Every series, as OpenMetrics if the scraper prefers that, and compressed if it takes that: some 26 KB a route become 2.
/// Another thread writes them, so that no probe waits for it.
pub(super) async fn metrics(State(admin): State<Admin>, headers: HeaderMap) -> Response {
    let (gzip, openmetrics) = (accepts_gzip(&headers), prefers_openmetrics(&headers));
    let written = tokio::task::spawn_blocking(move || {
        let metrics = admin.exporter.metrics();
        let text = if openmetrics { metrics.encode_openmetrics() } else { metrics.encode() };
        if gzip { compressed(&text) } else { Ok(text) }
    });
    let Ok(Ok(body)) = written.await else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let content_type = if openmetrics { export::OPENMETRICS } else { export::CONTENT_TYPE };
    let mut response = ([(CONTENT_TYPE, content_type), (VARY, "accept, accept-encoding")], body).into_response();
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

/// Whether `Accept` gives OpenMetrics 1.0 a weight, and the text format no greater one (RFC 9110 §12.5.1). A scraper that names
/// neither gets the text format.
fn prefers_openmetrics(headers: &HeaderMap) -> bool {
    let (mut openmetrics, mut text) = (0.0_f32, 0.0_f32);
    for range in
        headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','))
    {
        let mut parts = range.split(';').map(|part| part.trim().to_ascii_lowercase());
        let media = parts.next().unwrap_or_default();
        let (mut weight, mut version) = (1.0, None);
        for part in parts {
            match part.split_once('=') {
                Some(("q", value)) => weight = value.trim().parse().unwrap_or(0.0),
                Some(("version", value)) => version = Some(value.trim().trim_matches('"').to_owned()),
                Some(_) | None => {}
            }
        }
        match &*media {
            "application/openmetrics-text" if version.is_none_or(|version| version == "1.0.0") => {
                openmetrics = openmetrics.max(weight);
            }
            "text/plain" => text = text.max(weight),
            _ => {}
        }
    }
    openmetrics > 0.0 && openmetrics >= text
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
    fn openmetrics_is_for_scrapers_that_prefer_it() {
        for (value, expected) in [
            // Prometheus 2 and 3.
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                 text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                true,
            ),
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                 text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
                true,
            ),
            ("application/openmetrics-text", true),
            ("text/plain;version=0.0.4, application/openmetrics-text;version=1.0.0;q=0.5", false),
            ("application/openmetrics-text;q=0", false),
            ("application/openmetrics-text;version=0.0.1", false),
            ("text/html,*/*;q=0.8", false),
            ("*/*", false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(value))]);
            assert_eq!(prefers_openmetrics(&headers), expected, "{value}");
        }
        assert!(!prefers_openmetrics(&HeaderMap::new()));
    }

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
