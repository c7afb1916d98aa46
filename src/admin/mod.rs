//! The operator's HTTP: metrics, health, and a look at what goes on.
//!
//! *Takes* an operator's requests. *Gives* `/metrics /livez /readyz /closes /closes/stream /sessions /diagnosis /explain/{word}`, read-only. *May import* `export`,
//! `diagnosis`, `close`, `config`, `shutdown`.
//!
//! Neither readiness nor liveness asks an upstream: whether that is up is the business of its own probes.

mod accept;
mod activity;
mod closes;
mod descriptors;
mod diagnosis;
mod explain;
mod filter;
mod health;
mod host;
mod html;
mod metrics;
mod page;
mod query;
mod router;
mod serve;
mod sessions;
mod state;
mod stream;
mod streams;

pub use router::{admin_router, metrics_router};
pub use serve::serve;
pub use state::Admin;
