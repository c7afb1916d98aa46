//! The result of a look at the windows, as `/diagnosis` shows it.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::diagnosis::Report;

/// The reports of a look.
#[derive(Debug, Serialize)]
pub(super) struct Looked {
    schema: u32,
    /// When that was; none before the first.
    at: Option<String>,
    /// The shorter window first.
    windows: Vec<WindowReport>,
}

/// One window's report, as `closewatch report --json` writes it.
#[derive(Debug, Serialize)]
struct WindowReport {
    window_s: f64,
    #[serde(flatten)]
    report: Report,
}

/// The version of the fields.
const SCHEMA: u32 = 1;

// === impl Looked ===

impl Looked {
    pub(super) fn new(at: Option<Timestamp>, windows: [(Duration, Report); 2]) -> Self {
        let window = |(length, report): (Duration, Report)| WindowReport { window_s: length.as_secs_f64(), report };
        Self { schema: SCHEMA, at: at.map(|at| format!("{at:.6}")), windows: windows.map(window).into() }
    }
}
