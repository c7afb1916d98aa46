//! `closewatch drain`: begin the drain of the running instance.
//!
//! For a Kubernetes preStop hook: the image has no shell and no `kill`. The instance is found by its process, not over a
//! socket: nothing listens that could be asked to end it by somebody else.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use jiff::fmt::friendly::SpanParser;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use tokio::time::Instant;

use super::instance::WORKER;
use super::{FAILURE, report};

/// The arguments of `drain`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The instance's process [default: the one instance that runs from this very executable]
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    pub pid: Option<i32>,

    /// Return when the instance has drained (`timeouts.final_scrape` may still be on), not when it has begun to
    #[arg(long)]
    pub wait: bool,

    /// Give up waiting after this long, as in "30s" [default: never]
    #[arg(long, value_name = "DURATION", requires = "wait", value_parser = timeout)]
    pub timeout: Option<Duration>,
}

/// Why an instance is not draining, or not drained.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("no instance is running from this executable; name one with --pid")]
    NoInstance,
    #[error("several instances are running, choose one with --pid: {0}")]
    Several(String),
    #[error("cannot read /proc")]
    Proc(#[source] std::io::Error),
    #[error("process {0} is gone")]
    Gone(i32),
    #[error("process {pid} cannot be told to drain")]
    Signal { pid: i32, source: std::io::Error },
    #[error("process {0} is not an instance of closewatch: it does not take the drain signal")]
    NotAnInstance(i32),
    #[error("process {pid} has not drained within {limit:?}")]
    Timeout { pid: i32, limit: Duration },
}

/// Tells the instance to drain, and waits for its end if asked to.
pub fn execute(args: &Args) -> ExitCode {
    match drain(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            ExitCode::from(FAILURE)
        }
    }
}

fn drain(args: &Args) -> Result<(), Error> {
    let pid = match args.pid {
        Some(pid) => pid,
        None => the_instance()?,
    };
    let process = tell(pid, takes_drain_signal)?;
    if !args.wait {
        return Ok(());
    }
    wait(pid, &process, args.timeout)
}

/// Tells a process to drain, if it `is_instance`. The descriptor comes before that check: from then on the number can come to mean
/// another process, and the descriptor cannot.
fn tell(pid: i32, is_instance: impl FnOnce(i32) -> bool) -> Result<OwnedFd, Error> {
    let refused = |errno: Errno| match errno {
        Errno::SRCH => Error::Gone(pid),
        errno => Error::Signal { pid, source: errno.into() },
    };
    let process = Pid::from_raw(pid).ok_or(Error::Gone(pid))?;
    let process = pidfd_open(process, PidfdFlags::empty()).map_err(refused)?;
    if !is_instance(pid) {
        return Err(Error::NotAnInstance(pid));
    }
    pidfd_send_signal(&process, Signal::USR2).map_err(refused)?;
    Ok(process)
}

/// Waits until the instance has drained: its workers have ended, or all of it has.
///
/// The end of the workers is enough. In a container the instance is process 1, and this process would not outlive it.
fn wait(pid: i32, process: &OwnedFd, limit: Option<Duration>) -> Result<(), Error> {
    let began = Instant::now();
    let pause = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
    loop {
        // The descriptor becomes readable when the process ends.
        let ended = match poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&pause)) {
            Ok(ended) => ended,
            Err(Errno::INTR) => 0,
            Err(errno) => return Err(Error::Signal { pid, source: errno.into() }),
        };
        if ended > 0 || !has_workers(pid) {
            return Ok(());
        }
        if let Some(limit) = limit.filter(|limit| began.elapsed() >= *limit) {
            return Err(Error::Timeout { pid, limit });
        }
    }
}

/// Whether any thread of the instance still serves sessions. A process that is gone has none.
fn has_workers(pid: i32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    let name = |thread: fs::DirEntry| fs::read_to_string(thread.path().join("comm")).unwrap_or_default();
    threads.flatten().any(|thread| name(thread).starts_with(WORKER))
}

/// The one other process that runs this executable and obeys the drain signal.
fn the_instance() -> Result<i32, Error> {
    let identity = |path: &Path| fs::metadata(path).map(|file| (file.dev(), file.ino()));
    let own = identity(Path::new("/proc/self/exe")).map_err(Error::Proc)?;
    let own_pid = std::process::id();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").map_err(Error::Proc)?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        // A process that is gone by now, or another user's, is none of ours.
        let same = identity(&entry.path().join("exe")).is_ok_and(|identity| identity == own);
        if same && u32::try_from(pid).is_ok_and(|pid| pid != own_pid) && takes_drain_signal(pid) {
            found.push(pid);
        }
    }
    match found.as_slice() {
        [] => Err(Error::NoInstance),
        [pid] => Ok(*pid),
        several => Err(Error::Several(several.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))),
    }
}

/// Whether a process has a handler for SIGUSR2, or blocks it until it has one: it would be killed by it otherwise.
fn takes_drain_signal(pid: i32) -> bool {
    let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else { return false };
    let masks = status.lines().filter_map(|line| line.strip_prefix("SigCgt:").or(line.strip_prefix("SigBlk:")));
    let masks = masks.filter_map(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    masks.fold(0, |all, mask| all | mask) & (1 << (Signal::USR2.as_raw() - 1)) != 0
}

fn timeout(text: &str) -> Result<Duration, String> {
    SpanParser::new().parse_unsigned_duration(text).map_err(|_| "not a duration, as in \"30s\"".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_without_the_handler_is_never_signalled() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(!takes_drain_signal(own), "a test process has no drain handler");
        assert!(matches!(
            drain(&Args { pid: Some(own), wait: false, timeout: None }),
            Err(Error::NotAnInstance(pid)) if pid == own
        ));
    }

    /// Whether this process has a descriptor of that one.
    fn is_held(pid: i32) -> bool {
        let infos = fs::read_dir("/proc/self/fdinfo").unwrap().flatten();
        let lines: String = infos.filter_map(|info| fs::read_to_string(info.path()).ok()).collect();
        lines.lines().any(|line| line.split_whitespace().eq(["Pid:", &pid.to_string()]))
    }

    #[test]
    fn a_process_is_held_before_it_is_looked_at_so_a_number_that_is_used_again_hits_nobody() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let told = tell(pid, |pid| {
            assert!(is_held(pid), "the number could mean another process by the time it is signalled");
            // The end comes between look and signal; from now on the number is free.
            child.kill().unwrap();
            child.wait().unwrap();
            true
        });
        assert!(matches!(told, Err(Error::Gone(gone)) if gone == pid), "{told:?}");
    }
}
