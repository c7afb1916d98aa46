//! Outputs and the operator's HTTP, through their public interface.

mod admin;
mod close_log;
pub(crate) mod diagnosis;
pub(crate) mod golden;
mod json;
mod labels;
mod metrics;
mod openmetrics;
mod page;
pub(crate) mod records;
mod stream;
mod text;
