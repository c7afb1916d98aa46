//! A row of the table of `deploy/clickhouse` as JSON: columns instead of inner objects, `client_end` for `client.end`.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::named::Line;

/// Whether a line is such a row.
pub(super) fn are_in(text: &str) -> bool {
    text.contains("\"client_address\":")
}

/// Reads a row.
pub(super) fn read(text: &str) -> serde_json::Result<Line<'static>> {
    let row: Map<String, Value> = serde_json::from_str(text)?;
    let mut line = Map::new();
    for (column, value) in row {
        let (outer, inner) = column.split_once('_').unwrap_or((&column, ""));
        if matches!(outer, "client" | "upstream" | "request") {
            put(&mut line, outer, inner, number(inner, value));
        } else {
            line.insert(column, value);
        }
    }
    Line::deserialize(Value::Object(line))
}

/// Puts a column of an inner object, or of one within it.
fn put(line: &mut Map<String, Value>, outer: &str, inner: &str, value: Value) {
    let Some(object) = line.entry(outer).or_insert_with(|| Map::new().into()).as_object_mut() else { return };
    match inner.split_once('_') {
        // A peer that sent no Close has nothing of one.
        Some(("close", _)) if value.is_null() || value == "" => {}
        Some((innermost @ ("close" | "saw"), field)) => put(object, innermost, field, value),
        Some(_) | None => drop(object.insert(inner.to_owned(), value)),
    }
}

/// ClickHouse may write counts of 64 bits as text.
fn number(column: &str, value: Value) -> Value {
    match (column, value.as_str().and_then(|text| text.parse::<u64>().ok())) {
        ("text_messages" | "binary_messages" | "frames" | "undelivered_bytes", Some(count)) => count.into(),
        _ => value,
    }
}
