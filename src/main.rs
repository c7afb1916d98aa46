//! The process: arguments in, exit code out. All else is in the library.

use std::process::ExitCode;

use closewatch::commands;

/// Gives memory back behind a storm of sessions, by a thread of its own, and wastes little on the small pieces of a session
/// (`benches/README.md` has the figures of those that lost).
#[cfg(target_env = "gnu")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match commands::parse(std::env::args_os()) {
        Ok(cli) => commands::execute(cli),
        Err(code) => code,
    }
}
