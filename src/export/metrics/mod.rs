//! The Prometheus series.
//!
//! Every label value is out of a closed set or out of the configuration: nothing that a peer chooses becomes one. Series
//! that an alert may want to see *increase* exist from the start with 0, because Prometheus cannot see the step from
//! no series to 1.

mod exemplars;
mod expected;
mod families;
mod findings;
pub(super) mod names;
mod openmetrics;
mod process;
mod reconnects;
mod registry;
mod route;
mod sessions;

pub(super) use findings::Findings;
pub use openmetrics::OPENMETRICS;
pub(super) use reconnects::Reconnects;
pub use registry::{CONTENT_TYPE, Metrics, Sink};
pub use route::RouteMetrics;
