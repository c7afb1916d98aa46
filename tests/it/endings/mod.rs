//! How sessions end, and what is recorded of it: scripts of what the peers do, each with the one record it must leave.

mod closes;
mod facts;
mod liveness;
pub(crate) mod script;
mod transports;
