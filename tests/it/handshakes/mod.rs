//! Upgrades that fail, and those that ought not to: what the client is given, and the one record of it.

pub(crate) mod answer;
mod clients;
mod early;
mod requests;
mod shutdown;
mod smuggling;
mod targets;
mod upstreams;
