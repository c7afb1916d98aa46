//! `/explain/{code}`: what a close code means, and what to do. HTML for a browser, else JSON.

use std::fmt::Write as _;

use axum::Json;
use axum::extract::Path;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::accept::wants_html;
use super::html::{POLICY, escaped};
use crate::close::CloseCode;
use crate::close::catalog::{self, Explanation, HIGHEST_CODE};

const STYLE: &str = ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;\
    padding:0 1rem}dt{font-weight:600;margin-top:.8rem}dd{margin:0}td,th{text-align:left;padding:.2rem .8rem .2rem 0;\
    vertical-align:top}";

/// Explains a code from 0 to 4999; anything else is 404, with what is allowed.
pub(super) async fn explain(Path(code): Path<String>, headers: HeaderMap) -> Response {
    let code = code.parse().ok().filter(|code| *code <= HIGHEST_CODE);
    let Some(code) = code.map(CloseCode) else {
        return (StatusCode::NOT_FOUND, format!("close codes go from 0 to {HIGHEST_CODE}\n")).into_response();
    };
    let explanation = catalog::explanation(code);
    if wants_html(&headers) {
        let html = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, POLICY), (VARY, "accept")];
        (html, page(&explanation)).into_response()
    } else {
        ([(VARY, "accept")], Json(explanation)).into_response()
    }
}

/// The explanation as a page. All of its text is the catalog's, and stands escaped all the same.
fn page(known: &Explanation) -> String {
    let Explanation { code, class, .. } = known;
    let name = escaped(known.name);
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{code} {name}</title><style>{STYLE}</style>\
         <main><h1>{code} {name}</h1><p>Class <strong>{class}</strong>. {}</p><dl>",
        if known.may_be_sent { "May be sent in a Close frame." } else { "Must not be in a Close frame." },
    );
    for (title, text) in known.texts() {
        // Writing to a string does not fail.
        let _ = write!(page, "<dt>{title}</dt><dd>{}</dd>", escaped(text));
    }
    for preset in &known.presets {
        let (title, name, meaning) = (escaped(preset.title), escaped(preset.name), escaped(preset.meaning));
        let _ = write!(page, "<dt>{title}</dt><dd>{name} ({}): {meaning}</dd>", preset.class);
    }
    page.push_str("</dl><h2>What each API reports</h2><table>");
    for report in &known.reports {
        let (api, report) = (escaped(report.api), escaped(&report.report));
        let _ = write!(page, "<tr><th scope=\"row\">{api}</th><td>{report}</td></tr>");
    }
    page.push_str("</table></main></html>\n");
    page
}
