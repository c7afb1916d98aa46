//! Lines as JSON: with the `event`, `level` and `time` of a record, so that one pipe can carry both.

use std::error::Error;
use std::fmt;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::diagnosis::OWN_LOG;
use crate::export::to_json;

/// Writes an event as one JSON object.
pub(super) struct JsonLines;

#[derive(Serialize)]
struct Line<'a> {
    event: &'static str,
    level: &'static str,
    time: String,
    message: &'a str,
    fields: &'a Map<String, Value>,
}

/// The message of an event, and what else it says.
#[derive(Default)]
struct Said {
    message: String,
    fields: Map<String, Value>,
}

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut said = Said::default();
        event.record(&mut said);
        let line = Line {
            event: OWN_LOG,
            level: level(*event.metadata().level()),
            time: format!("{:.6}", Timestamp::now()),
            message: &said.message,
            fields: &said.fields,
        };
        let mut bytes = Vec::new();
        to_json(&line, &mut bytes);
        // JSON is UTF-8.
        writeln!(out, "{}", String::from_utf8_lossy(&bytes))
    }
}

/// As records spell levels.
fn level(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

// === impl Said ===

impl Said {
    fn note(&mut self, field: &Field, value: impl Into<Value>) {
        self.fields.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        if field.name() == "message" { self.message = text } else { self.note(field, text) }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" { value.clone_into(&mut self.message) } else { self.note(field, value) }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.note(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.note(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.note(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.note(field, value);
    }

    /// With its causes.
    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        self.note(field, text);
    }
}
