//! The integration tests: one binary, so that it is linked once.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod config;
mod export;
mod layering;
mod real_peers;
