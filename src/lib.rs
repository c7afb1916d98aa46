//! closewatch: a transparent WebSocket reverse proxy that records how every session really ends.

pub mod admin;
pub mod close;
pub mod config;
pub mod export;
pub mod shutdown;
pub mod wire;
