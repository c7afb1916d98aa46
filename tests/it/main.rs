//! The integration tests: one binary, so that it is linked once.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails, in its helpers as in itself")]

mod config;
mod demo;
mod docs;
mod drain;
mod endings;
mod explain;
mod export;
mod handshakes;
mod instance;
mod last_release;
mod layering;
mod leaving;
mod manual;
mod otlp;
mod overload;
mod real_peers;
mod reload;
mod report;
mod rig;
mod run;
mod schema;
mod snippets;
mod sources;
mod storm;
mod tail;
mod tls;
mod transparency;
