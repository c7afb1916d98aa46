//! closewatch: a transparent WebSocket reverse proxy that records how every session really ends.

pub mod close;
pub mod commands;
pub mod config;
pub mod proxy;
pub mod shutdown;
pub mod wire;
