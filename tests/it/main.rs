//! The integration tests: one binary, so that it is linked once.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails, in its helpers as in itself")]

mod config;
mod endings;
mod export;
mod handshakes;
mod layering;
mod real_peers;
#[allow(dead_code, unused_imports, reason = "the suites that use all of it follow")]
mod rig;
mod transparency;
