//! The command line: one file per subcommand, and the composition root of each.
//!
//! *Takes* arguments and environment. *Gives* an exit code. *May import* everything.

pub mod check;
mod cli;
pub mod demo;
pub mod drain;
mod failure;
mod handover;
mod instance;
mod line;
mod own_log;
mod reload;
pub mod run;
mod sockets;

pub use cli::{Cli, Command, execute, parse};
pub use failure::{FAILURE, USAGE, report};
