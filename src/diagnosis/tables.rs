//! Tables of a report: counts beside the findings.

use serde::Serialize;

use crate::close::{Cause, Class, Initiator, Outcome};

/// Counts of a log.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Tables {
    /// The first record.
    pub from: Option<String>,
    /// The last record.
    pub to: Option<String>,
    /// Sessions that ended.
    pub records: u64,
    /// Handshakes that failed.
    pub handshakes: u64,
    /// Sessions by how they ended.
    pub endings: Vec<Ending>,
    /// Sessions by length.
    pub lifetimes: Bars,
    /// Sessions by silence before the end.
    pub idle: Bars,
    /// Moments with most ends.
    pub busiest: Vec<Moment>,
    /// Clients' addresses with most abnormal ends.
    pub clients: Vec<Part>,
    /// Upstream addresses with most abnormal ends.
    pub upstreams: Vec<Part>,
    /// Instances with most abnormal ends.
    pub instances: Vec<Part>,
    /// Sessions of which the two sides saw different codes.
    pub mismatches: Vec<Mismatch>,
    /// Failed handshakes by outcome.
    pub handshake_failures: Vec<Failure>,
}

/// Sessions that ended in one way.
#[derive(Clone, Debug, Serialize)]
pub struct Ending {
    /// Route.
    pub route: String,
    /// Class.
    pub class: Class,
    /// Code; null if none could be read.
    pub code: Option<u16>,
    /// Initiator.
    pub initiator: Initiator,
    /// Cause.
    pub cause: Cause,
    /// Sessions.
    pub count: u64,
}

/// A histogram.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Bars {
    /// Upper edges of the bars; the last bar has none.
    pub edges_s: Vec<f64>,
    /// Sessions in each bar.
    pub counts: Vec<u64>,
    /// Median and others, to 1 %.
    pub quantiles: Vec<Quantile>,
}

/// A time that a share of sessions is not longer than.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Quantile {
    /// The share, 0 to 1.
    pub share: f64,
    /// The time.
    pub seconds: f64,
}

/// Ends of a span of time.
#[derive(Clone, Debug, Serialize)]
pub struct Moment {
    /// Its beginning.
    pub at: String,
    /// Its length.
    pub seconds: u64,
    /// Sessions that ended.
    pub ends: u64,
    /// Abnormal ends among them.
    pub abnormal: u64,
}

/// Sessions of one address or instance.
#[derive(Clone, Debug, Serialize)]
pub struct Part {
    /// The address or the instance.
    pub name: String,
    /// Sessions.
    pub sessions: u64,
    /// Abnormal ends among them.
    pub abnormal: u64,
}

/// Sessions whose sides saw different codes.
#[derive(Clone, Debug, Serialize)]
pub struct Mismatch {
    /// Code that the client saw.
    pub client_saw: u16,
    /// Code that the upstream saw.
    pub upstream_saw: u16,
    /// Sessions.
    pub count: u64,
}

/// Handshakes that failed in one way.
#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    /// Route.
    pub route: String,
    /// Outcome.
    pub outcome: Outcome,
    /// Status that the client was given.
    pub status: Option<u16>,
    /// Handshakes.
    pub count: u64,
}

/// Sessions of one class, and whether their clients came back.
#[derive(Clone, Debug, Serialize)]
pub struct Reconnect {
    /// Class of the end.
    pub class: Class,
    /// Sessions that ended so.
    pub ended: u64,
    /// Their clients opened another within an hour.
    pub came_back: u64,
    /// Their clients did not, as far as the records go.
    pub never_returned: u64,
    /// Median time until then.
    pub median_s: Option<f64>,
}

/// The patience of clients that came back.
#[derive(Clone, Debug, Default, Serialize)]
pub struct BackOff {
    /// Clients that can be told apart.
    pub clients: u64,
    /// Those of them that came back within a second three times in a row, each time after a session of less than ten.
    pub without: u64,
    /// Returns after a code that asks for a wait.
    pub advised: Vec<Advised>,
}

/// Returns after 1012 or 1013.
#[derive(Clone, Debug, Serialize)]
pub struct Advised {
    /// The code.
    pub code: u16,
    /// Sessions whose clients came back.
    pub came_back: u64,
    /// Those of them that came back within five seconds.
    pub too_soon: u64,
}
