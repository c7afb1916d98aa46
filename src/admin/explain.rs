//! `/explain/{word}`: what a close code, or another word of a record, means, and what to do. HTML for a browser, else JSON.

use std::fmt::Write as _;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::Admin;
use super::accept::wants_html;
use super::html::{POLICY, escaped};
use crate::close::catalog::{self, Explanation, HIGHEST_CODE, Word};
use crate::close::{Class, CloseCode};
use crate::diagnosis;

const STYLE: &str = ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;\
    padding:0 1rem}dt{font-weight:600;margin-top:.8rem}dd{margin:0}td,th{text-align:left;padding:.2rem .8rem .2rem 0;\
    vertical-align:top}";

/// A code, and what this instance makes of it.
#[derive(Serialize)]
struct Explained {
    #[serde(flatten)]
    code: Explanation,
    /// In the present configuration.
    classes: Vec<RouteClass>,
}

/// The class that a route gives a code.
#[derive(Serialize)]
struct RouteClass {
    route: Box<str>,
    class: Class,
}

/// Explains a code from 0 to 4999, a cause, a class, an outcome or a hint; anything else is 404, with what is allowed.
pub(super) async fn explain(State(admin): State<Admin>, Path(word): Path<String>, headers: HeaderMap) -> Response {
    if let Some(code) = word.parse().ok().filter(|code| *code <= HIGHEST_CODE).map(CloseCode) {
        let classes = admin.exporter.classes(code).into_iter().map(|(route, class)| RouteClass { route, class });
        let explained = Explained { code: catalog::explanation(code), classes: classes.collect() };
        return answer(&headers, explained, code_page);
    }
    let words = diagnosis::explained(&word);
    if words.is_empty() {
        let refusal = format!(
            "close codes go from 0 to {HIGHEST_CODE}; the other words are causes, classes, outcomes and hints, as \
             upstream_reset, abnormal, dial_failed and idle_cut\n"
        );
        return (StatusCode::NOT_FOUND, refusal).into_response();
    }
    answer(&headers, words, |words| word_page(words))
}

fn answer<T: Serialize>(headers: &HeaderMap, value: T, page: impl Fn(&T) -> String) -> Response {
    if wants_html(headers) {
        let html = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, POLICY), (VARY, "accept")];
        (html, page(&value)).into_response()
    } else {
        ([(VARY, "accept")], Json(value)).into_response()
    }
}

/// The beginning of every page. All of its text is the catalog's, and stands escaped all the same, here and below.
fn head(title: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title><style>{STYLE}</style><main>"
    )
}

fn code_page(Explained { code: known, classes }: &Explained) -> String {
    let Explanation { code, class, .. } = known;
    let title = format!("{code} {}", escaped(known.name));
    let sent = if known.may_be_sent { "May be sent in a Close frame." } else { "Must not be in a Close frame." };
    let mut page = head(&title);
    // Writing to a string does not fail, here and below.
    let _ = write!(page, "<h1>{title}</h1><p>Class <strong>{class}</strong>. {sent}</p><dl>");
    for (title, text) in known.texts() {
        let _ = write!(page, "<dt>{title}</dt><dd>{}</dd>", escaped(text));
    }
    for preset in &known.presets {
        let (title, name, meaning) = (escaped(preset.title), escaped(preset.name), escaped(preset.meaning));
        let _ = write!(page, "<dt>{title}</dt><dd>{name} ({}): {meaning}</dd>", preset.class);
    }
    for known in &known.products {
        let _ = write!(page, "<dt>{}</dt><dd>{}</dd>", escaped(known.product), escaped(known.meaning));
    }
    page.push_str("</dl><h2>What each API reports</h2><table>");
    for report in &known.reports {
        let (api, report) = (escaped(report.api), escaped(&report.report));
        let _ = write!(page, "<tr><th scope=\"row\">{api}</th><td>{report}</td></tr>");
    }
    page.push_str("</table><h2>Class by route</h2><table>");
    for RouteClass { route, class } in classes {
        let _ = write!(page, "<tr><th scope=\"row\">{}</th><td>{class}</td></tr>", escaped(route));
    }
    page.push_str("</table><p><a href=\"../\">Live page</a></p></main></html>\n");
    page
}

fn word_page(words: &[Word]) -> String {
    let mut page = head(words[0].word);
    for Word { field, word, meaning, seen_when, action } in words {
        let _ = write!(page, "<h1>{word}</h1><p>A {field}.</p><dl>");
        for (title, text) in [("Meaning", meaning), ("Seen when", seen_when), ("Operator", action)] {
            let _ = write!(page, "<dt>{title}</dt><dd>{}</dd>", escaped(text));
        }
        page.push_str("</dl>");
    }
    page.push_str("<p><a href=\"../\">Live page</a></p></main></html>\n");
    page
}
