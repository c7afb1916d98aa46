//! The integration tests: one binary, one module a subject.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails, in its helpers as in itself")]

mod config;
mod endings;
mod leaving;
#[allow(dead_code, unused_imports, reason = "the suites that use all of it follow")]
mod rig;
mod transparency;
mod upgrades;
