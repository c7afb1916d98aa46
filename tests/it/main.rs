//! The integration tests: one binary, so that it is linked once.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails, in its helpers as in itself")]

mod config;
mod endings;
mod export;
mod handshakes;
mod layering;
mod leaving;
mod real_peers;
mod rig;
mod transparency;
mod upgrades;
