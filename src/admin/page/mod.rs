//! `/`: the live page for a browser, the list of paths for anybody else.
//!
//! The page is three files, built from `source` by the script `build` and kept in `built`, so that cargo needs no npm.

use axum::http::HeaderMap;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY};
use axum::response::{IntoResponse, Response};

use super::accept::wants_html;

/// The page runs its own script and nothing else, whatever stands in a record; text cannot become markup
/// (`require-trusted-types-for`), and no other page can frame it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// The page, or `index` if the client is no browser.
pub(super) fn page_or(index: &'static str, headers: &HeaderMap) -> Response {
    if !wants_html(headers) {
        return ([(VARY, "accept")], index).into_response();
    }
    let head = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, POLICY), (VARY, "accept")];
    (head, include_str!("built/index.html")).into_response()
}

/// The page's script.
pub(super) async fn script() -> Response {
    ([(CONTENT_TYPE, "text/javascript; charset=utf-8")], include_str!("built/page.js")).into_response()
}

/// The page's style.
pub(super) async fn style() -> Response {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("built/page.css")).into_response()
}
