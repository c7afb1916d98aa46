//! The report as JSON.

use crate::diagnosis::Report;

/// One object, and a line end.
pub(super) fn of(report: &Report) -> String {
    let json = serde_json::to_string_pretty(report).expect("a report has string keys and finite numbers");
    format!("{json}\n")
}
