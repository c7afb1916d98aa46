//! The process: arguments in, exit code out. All else is in the library.

use std::process::ExitCode;

use closewatch::commands;

/// Gives memory back behind a storm of sessions, by a thread of its own, and wastes little on the small pieces of a session
/// (`benches/README.md` has the figures of those that lost).
#[cfg(target_env = "gnu")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Has the allocator give back what nobody used for a quarter of a second, instead of ten seconds: it cannot put all of it to use
/// again, so a storm within those took up to a tenth more than the one before. A session's timer, which is gone after its first
/// second, is also given back soon. Before there is any other thread: they take the setting over.
#[cfg(target_env = "gnu")]
fn give_memory_back_soon() {
    use tikv_jemalloc_ctl::{Access, AsName};
    const MILLISECONDS: isize = 250;
    for key in ["arenas.dirty_decay_ms\0", "arena.0.dirty_decay_ms\0"] {
        // Where it is refused, all is as before, only later.
        let _: tikv_jemalloc_ctl::Result<()> = key.name().write(MILLISECONDS);
    }
}

fn main() -> ExitCode {
    let held = commands::hold_signals();
    #[cfg(target_env = "gnu")]
    give_memory_back_soon();
    match commands::parse(std::env::args_os()) {
        Ok(cli) => commands::execute(cli, held),
        Err(code) => code,
    }
}
