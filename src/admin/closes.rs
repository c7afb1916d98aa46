//! `/closes`: the latest closures and failed handshakes, as a table for a browser, else as lines of the close log.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY};
use axum::response::{IntoResponse, Response};

use super::Admin;
use super::accept::wants_html;
use super::html::{POLICY, escaped};
use super::query::Query;
use crate::export::{Event, JsonStyle, Row};

const STYLE: &str = ":root{color-scheme:light dark}body{font:14px/1.5 system-ui,sans-serif;margin:1.5rem}\
    div{overflow-x:auto}table{border-collapse:collapse}td,th{text-align:left;padding:.15rem .9rem .15rem 0;white-space:nowrap}\
    tr+tr{border-top:1px solid #8884}td:nth-child(9){white-space:normal;overflow-wrap:anywhere;min-width:12rem}";

const HEADS: [&str; 12] = [
    "Time",
    "Route",
    "Class",
    "Code",
    "Initiator",
    "Cause",
    "After",
    "Client/upstream saw",
    "Reason",
    "Hint",
    "Client",
    "Session",
];

/// The latest events that the query asks for. Lines are oldest first, as in a file; in the table, the latest is on top.
pub(super) async fn closes(State(admin): State<Admin>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let parsed = match Query::of_closes(query.as_deref()) {
        Ok(parsed) => parsed,
        Err(error) => return error.into_response(),
    };
    let events = admin.exporter.recent().latest(parsed.limit, |event| parsed.filter.takes(event));
    if wants_html(&headers) {
        let head = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, POLICY), (VARY, "accept")];
        return (head, table(&events, query.as_deref().unwrap_or_default(), admin.exporter.json())).into_response();
    }
    let mut lines = Vec::new();
    for event in events {
        admin.exporter.json().write(&event, &mut lines);
    }
    ([(CONTENT_TYPE, "application/x-ndjson"), (VARY, "accept")], lines).into_response()
}

fn table(events: &[Arc<Event>], query: &str, style: &JsonStyle) -> String {
    let (count, query) = (events.len(), escaped(query));
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>closewatch: endings</title><style>{STYLE}</style><main><h1>Endings</h1>\
         <p>The latest {count}{}. <a href=\"./\">Live page</a></p><div><table><thead><tr>",
        if query.is_empty() { String::new() } else { format!(" of <code>{query}</code>") },
    );
    for head in HEADS {
        // Writing to a string does not fail.
        let _ = write!(page, "<th scope=\"col\">{head}</th>");
    }
    page.push_str("</tr></thead><tbody>");
    for event in events.iter().rev() {
        page.push_str("<tr>");
        let (hint, client, session) = match &**event {
            Event::Closed(record) => {
                let address = record.session.request.real_address.as_deref().unwrap_or(&record.session.client);
                (record.hint.unwrap_or_default(), address, record.session.id.to_string())
            }
            Event::HandshakeFailed { record, .. } => {
                ("", record.request.real_address.as_deref().unwrap_or(&record.client), String::new())
            }
        };
        let cells = Row::of(event, style).cells();
        let closed = matches!(**event, Event::Closed(_));
        for (head, cell) in HEADS.iter().zip(cells.iter().chain(&[hint.to_owned(), client.to_string(), session])) {
            let text = escaped(cell);
            let _ = if is_explained(head, cell, closed) {
                write!(page, "<td><a href=\"explain/{text}\">{text}</a></td>")
            } else {
                write!(page, "<td>{text}</td>")
            };
        }
        page.push_str("</tr>");
    }
    page.push_str("</tbody></table></div></main></html>\n");
    page
}

/// Whether `/explain` knows the word in this column. A failed handshake has a status there, and no class.
fn is_explained(head: &str, cell: &str, closed: bool) -> bool {
    match head {
        "Class" => closed,
        "Code" => closed && cell.bytes().all(|byte| byte.is_ascii_digit()),
        "Cause" | "Hint" => !cell.is_empty(),
        _ => false,
    }
}
