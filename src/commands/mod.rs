//! The command line: one file per subcommand, and the composition root of each.
//!
//! *Takes* arguments and environment. *Gives* an exit code. *May import* everything.

pub mod check;
mod cli;
pub mod completions;
pub mod demo;
pub mod drain;
pub mod explain;
mod exposure;
mod failure;
mod handover;
mod instance;
pub mod man;
mod own_log;
mod reload;
pub mod report;
pub mod run;
mod service_manager;
mod signals;
mod sockets;
mod start_error;
pub mod tail;
mod terminal;

pub use cli::{Cli, Command, execute, parse};
pub use failure::{FAILURE, USAGE, report};
pub use signals::{HeldSignals, hold_signals};
