//! The values of one line, from an event or from its line in the close log.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use crate::close::{Class, CloseCode, CloseRecord, CodeLabel, HandshakeRecord, Text};
use crate::export::{Event, JsonStyle};
use crate::wire::Peer;

/// The code's name in a record whose Close no endpoint may send.
const INVALID: &str = "Invalid";

/// One event, ready to be laid out. Its values are those of the close log; no control character is left in them.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// When the record was made.
    pub(super) time: Timestamp,
    pub(super) route: String,
    /// `None` for a failed handshake.
    pub(super) class: Option<Class>,
    /// A close code, `invalid` or `unknown`; of a failed handshake its status, or `-`.
    pub(super) code: String,
    pub(super) initiator: String,
    /// The cause; of a failed handshake its outcome.
    pub(super) cause: String,
    pub(super) after: Duration,
    /// The codes that client and upstream saw, unless both saw `code`.
    pub(super) saw: Option<String>,
    pub(super) reason: String,
}

/// Text that is not a line of the close log.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// It is not JSON, or lacks a field.
    #[error("not a record of schema 1")]
    Json(#[from] serde_json::Error),
    /// A field has a value that does not exist.
    #[error(transparent)]
    Label(#[from] crate::close::UnknownLabel),
    /// The time is none.
    #[error("not a time")]
    Time(#[from] jiff::Error),
}

/// The fields of the close log that a line shows.
#[derive(Deserialize)]
#[serde(tag = "event")]
enum Line {
    #[serde(rename = "websocket.closed")]
    Closed {
        time: String,
        route: String,
        class: String,
        code: Option<u16>,
        code_name: String,
        initiator: String,
        cause: String,
        duration_ms: f64,
        reason: Option<String>,
        client: Leg,
        upstream: Leg,
    },
    #[serde(rename = "websocket.handshake_failed")]
    HandshakeFailed {
        time: String,
        route: String,
        outcome: String,
        status: Option<u16>,
        duration_ms: f64,
        detail: Option<String>,
    },
}

#[derive(Deserialize)]
struct Leg {
    saw: Saw,
}

#[derive(Deserialize)]
struct Saw {
    code: Option<u16>,
}

// === impl Row ===

impl Row {
    /// The row of an event; `style` says whether reasons are shown.
    pub fn of(event: &Event, style: &JsonStyle) -> Self {
        match event {
            Event::Closed(record) => Self::closed(record, style),
            Event::HandshakeFailed { route, record } => Self::handshake_failed(route, record),
        }
    }

    /// The row of a line of the close log.
    pub fn parse(line: &str) -> Result<Self, RowError> {
        let row = match serde_json::from_str(line)? {
            Line::Closed {
                time,
                route,
                class,
                code,
                code_name,
                initiator,
                cause,
                duration_ms,
                reason,
                client,
                upstream,
            } => {
                let code = code.map(CloseCode);
                let saw = [client, upstream].map(|leg| leg.saw.code.map(CloseCode));
                Self {
                    time: time.parse()?,
                    route: harmless(&route),
                    class: Some(class.parse()?),
                    code: if code_name == INVALID { CodeLabel::Invalid.to_string() } else { shown(code) },
                    initiator: harmless(&initiator),
                    cause: harmless(&cause),
                    after: millis(duration_ms),
                    saw: unlike(code, saw),
                    reason: harmless(&reason.unwrap_or_default()),
                }
            }
            Line::HandshakeFailed { time, route, outcome, status, duration_ms, detail } => Self {
                time: time.parse()?,
                route: harmless(&route),
                class: None,
                code: status.map_or_else(nothing, |status| status.to_string()),
                initiator: nothing(),
                cause: harmless(&outcome),
                after: millis(duration_ms),
                saw: None,
                reason: harmless(&detail.unwrap_or_default()),
            },
        };
        Ok(row)
    }

    /// Its class; `None` for a failed handshake.
    pub const fn class(&self) -> Option<Class> {
        self.class
    }

    /// Its values as text, in the order in which they are shown: time, route, class, code, initiator, cause, duration, codes that
    /// the sides saw, reason.
    pub fn cells(&self) -> [String; 9] {
        [
            self.time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            self.route.clone(),
            self.class.map_or("handshake", Class::as_str).to_owned(),
            self.code.clone(),
            self.initiator.clone(),
            self.cause.clone(),
            short(self.after),
            self.saw.clone().unwrap_or_default(),
            self.reason.clone(),
        ]
    }

    fn closed(record: &CloseRecord, style: &JsonStyle) -> Self {
        let verdict = &record.verdict;
        Self {
            time: record.time,
            route: record.session.route.name.to_string(),
            class: Some(verdict.class),
            code: match verdict.label {
                CodeLabel::Invalid => verdict.label.to_string(),
                CodeLabel::Code(_) | CodeLabel::Library | CodeLabel::Private | CodeLabel::Unknown => {
                    shown(verdict.code)
                }
            },
            initiator: verdict.initiator.to_string(),
            cause: verdict.cause.to_string(),
            after: verdict.ended,
            saw: unlike(verdict.code, Peer::ALL.map(|peer| record.of(peer).1.code)),
            reason: harmless(style.reason(record.reason()).unwrap_or_default()),
        }
    }

    fn handshake_failed(route: &str, record: &HandshakeRecord) -> Self {
        Self {
            time: record.time,
            route: route.to_owned(),
            class: None,
            code: record.status.map_or_else(nothing, |status| status.to_string()),
            initiator: nothing(),
            cause: record.outcome.to_string(),
            after: record.duration,
            saw: None,
            reason: record.detail.as_ref().map(Text::escaped).unwrap_or_default(),
        }
    }
}

fn nothing() -> String {
    "-".to_owned()
}

fn shown(code: Option<CloseCode>) -> String {
    code.map_or_else(|| CodeLabel::Unknown.to_string(), |code| code.to_string())
}

/// The codes that the peers saw, client's first, unless both are `code`.
fn unlike(code: Option<CloseCode>, saw: [Option<CloseCode>; 2]) -> Option<String> {
    let [client, upstream] = saw.map(|code| code.map_or_else(|| "?".to_owned(), |code| code.to_string()));
    if saw == [code; 2] { None } else { Some(format!("{client}/{upstream}")) }
}

/// Longer than any session if it is no length of time.
fn millis(millis: f64) -> Duration {
    Duration::try_from_secs_f64(millis / 1000.0).unwrap_or(Duration::MAX)
}

fn harmless(text: &str) -> String {
    Text::from(text).escaped()
}

/// `340ms`, `7.2s`, `3m05s`, `2h07m`, `3d04h`.
fn short(time: Duration) -> String {
    let (secs, millis) = (time.as_secs(), time.subsec_millis());
    match secs {
        0 => format!("{millis}ms"),
        1..60 => format!("{secs}.{}s", millis / 100),
        60..3600 => format!("{}m{:02}s", secs / 60, secs % 60),
        3600..86_400 => format!("{}h{:02}m", secs / 3600, secs / 60 % 60),
        _ => format!("{}d{:02}h", secs / 86_400, secs / 3600 % 24),
    }
}
