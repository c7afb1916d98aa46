//! closewatch: a transparent WebSocket reverse proxy that records how every session really ends.
//!
//! ```text
//! bytes ──► wire ──► close ───────────────► CloseRecord ──► export
//!           frames   event → ledger → verdict      │        metrics · log · ring · live
//!                                                  └──────► diagnosis: findings
//!              ▲
//!          proxy (moves the bytes, shows each slice to the tap)      admin (operator's HTTP)
//! ```
//!
//! The folders are stages, in the order in which a byte meets them; imports run one way. `ARCHITECTURE.md` has the map and
//! the invariants.

pub mod admin;
pub mod close;
pub mod commands;
pub mod config;
pub mod diagnosis;
pub mod export;
pub mod proxy;
pub mod shutdown;
pub mod wire;
