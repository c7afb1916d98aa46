//! The integration tests: one binary, one module an idea.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod config;
mod real_peers;
