//! The built binary as a child process: its records and its log as they come, its metrics, and peers for it.
//!
//! Nothing is waited for but events: a line, an answer, the end of the process. Dropping the child kills it.

mod child;
mod http;
mod metrics;
mod running;

pub(crate) use child::{BINARY, Child, Output, PATIENCE, Workspace};
pub(crate) use http::{get, status, until};
pub(crate) use metrics::Metrics;
pub(crate) use running::Running;
