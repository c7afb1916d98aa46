//! The outputs: what becomes of a record.
//!
//! *Takes* records and live counts from the data plane, through [`CloseSink`](crate::close::CloseSink). *Gives*
//! Prometheus series, JSON lines, OTLP spans, the latest closures and the live sessions. *May import* `close`, `config`,
//! `diagnosis`, and the vocabulary of `wire` in which the sink's traits speak.
//!
//! One record drives all outputs, so they cannot disagree. None of them can make traffic wait: a full queue drops the
//! record and counts it.

mod activity;
mod close_log;
mod diagnosis;
mod event;
mod exporter;
mod json;
mod line_writer;
mod live;
mod metrics;
mod otlp;
mod ring;
mod text;

pub use activity::{Activity, Recent};
pub use close_log::{CloseLog, LogOptions, QUEUE};
pub use diagnosis::{Diagnosis, QUEUE as DIAGNOSIS_QUEUE};
pub use event::Event;
pub use exporter::{ExportOptions, Exporter, FEED, GONE_ROUTES, StartError};
pub use json::{JsonStyle, SessionFields, record_schema, to_json};
pub(crate) use line_writer::LineWriter;
pub use live::{LiveSession, LiveSessions};
pub use metrics::{CONTENT_TYPE, Metrics, OPENMETRICS, RouteMetrics, Sink};
pub use otlp::OtlpError;
pub use ring::{Passage, Ring};
pub use text::{Layout, Row, RowError};
