//! The process.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{ChildStdout, Command};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::schema::read_line;

/// How long anything is waited for: more than any configured wait, on a busy machine too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_closewatch");

/// The destination of the child's standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// It is read.
    Read,
    /// Nobody reads, and the pipe is full before long.
    Blocked,
    /// Nobody can read.
    Closed,
}

/// A running `closewatch`.
pub(crate) struct Child {
    process: tokio::process::Child,
    pub(crate) pid: i32,
    output: UnboundedReceiver<String>,
    log: UnboundedReceiver<String>,
    /// Whether standard error is read.
    reads_log: watch::Sender<bool>,
    transcript: Arc<Mutex<String>>,
    /// Held, and not read, if it is to block.
    _blocked: Option<ChildStdout>,
}

/// A folder of a test's own, gone with it.
pub(crate) struct Workspace(PathBuf);

// === impl Child ===

impl Child {
    pub(crate) fn start(arguments: &[&str], output: Output) -> Self {
        Self::start_in(&[], arguments, output)
    }

    /// With these variables in its environment, and no others.
    pub(crate) fn start_in(environment: &[(&str, &str)], arguments: &[&str], output: Output) -> Self {
        Self::run(Command::new(BINARY).env_clear().envs(environment.iter().copied()), arguments, output)
    }

    /// Whatever `command` is, with these arguments: something that becomes closewatch, say.
    pub(crate) fn run(command: &mut Command, arguments: &[&str], output: Output) -> Self {
        let mut process = command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let pid = i32::try_from(process.id().unwrap()).unwrap();
        let transcript = Arc::new(Mutex::new(format!("closewatch {}\n", arguments.join(" "))));
        let (reads_log, reading) = watch::channel(true);
        let log = lines(process.stderr.take().unwrap(), "! ", &transcript, reading);
        let stdout = process.stdout.take().unwrap();
        let (output, blocked) = match output {
            Output::Read => (lines(stdout, "  ", &transcript, watch::channel(true).1), None),
            Output::Blocked => (unbounded_channel().1, Some(stdout)),
            Output::Closed => (unbounded_channel().1, None),
        };
        Self { process, pid, output, log, reads_log, transcript, _blocked: blocked }
    }

    /// The next line of standard output; `None` at its end. A record has to fit the published schema.
    pub(crate) async fn line(&mut self) -> Option<String> {
        match timeout(PATIENCE, self.output.recv()).await {
            Ok(line) => {
                if let Some(record) = line.as_deref().filter(|line| line.starts_with("{\"schema\":")) {
                    read_line(record);
                }
                line
            }
            Err(_) => self.fail("no line on standard output"),
        }
    }

    /// Reads the log up to the first line that has all of `words`.
    pub(crate) async fn logs(&mut self, words: &[&str]) -> String {
        loop {
            match timeout(PATIENCE, self.log.recv()).await {
                Ok(Some(line)) if words.iter().all(|word| line.contains(word)) => return line,
                Ok(Some(_)) => {}
                Ok(None) => self.fail(&format!("the log ended without {words:?}")),
                Err(_) => self.fail(&format!("no line with {words:?} in the log")),
            }
        }
    }

    /// Reads no more of standard error for now, or goes on.
    pub(crate) fn read_log(&self, reads: bool) {
        self.reads_log.send_replace(reads);
    }

    /// Log lines that have come and that no test has asked for yet.
    pub(crate) fn log_so_far(&mut self) -> String {
        std::iter::from_fn(|| self.log.try_recv().ok()).map(|line| line + "\n").collect()
    }

    /// All that is left of the log, once the child has closed it.
    pub(crate) async fn rest_of_log(&mut self) -> String {
        let mut rest = String::new();
        while let Some(line) = timeout(PATIENCE, self.log.recv()).await.unwrap() {
            rest += &line;
            rest.push('\n');
        }
        rest
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.pid).unwrap(), signal).unwrap();
    }

    /// How it ended, once it has.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        match timeout(PATIENCE, self.process.wait()).await {
            Ok(status) => status.unwrap(),
            Err(_) => self.fail("it goes on"),
        }
    }

    /// How many descriptors it has open.
    pub(crate) fn descriptors(&self) -> usize {
        std::fs::read_dir(self.proc("fd")).unwrap().count()
    }

    /// Bytes of anonymous memory that it has in use.
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(self.proc("status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.trim().strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap() * 1024
    }

    fn proc(&self, file: &str) -> PathBuf {
        Path::new("/proc").join(self.pid.to_string()).join(file)
    }

    /// Its exit code, once it has ended.
    pub(crate) async fn exit_code(&mut self) -> Option<i32> {
        self.ended().await.code()
    }

    /// All that the child has said so far.
    pub(crate) fn transcript(&self) -> String {
        self.transcript.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Fails with all that the child has said.
    pub(crate) fn fail(&self, why: &str) -> ! {
        panic!("{why}\n--- the child:\n{}---", self.transcript());
    }
}

/// Reads lines in a task of its own, into a channel and the transcript.
fn lines(
    from: impl AsyncRead + Unpin + Send + 'static,
    mark: &'static str,
    transcript: &Arc<Mutex<String>>,
    mut reads: watch::Receiver<bool>,
) -> UnboundedReceiver<String> {
    let (sender, receiver) = unbounded_channel();
    let transcript = Arc::clone(transcript);
    tokio::spawn(async move {
        let mut lines = BufReader::new(from).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            // Nobody may be left who could stop it.
            let _ = reads.wait_for(|reads| *reads).await;
            let mut transcript = transcript.lock().unwrap_or_else(PoisonError::into_inner);
            if transcript.len() < 100_000 {
                // Writing to a string does not fail.
                let _ = writeln!(transcript, "{mark}{line}");
            }
            // Nobody may be waiting for it any more; the transcript still has it.
            let _ = sender.send(line);
        }
    });
    receiver
}

// === impl Workspace ===

impl Workspace {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("closewatch-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        // A folder that stays behind is in nobody's way.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
