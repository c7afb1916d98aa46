//! A child process that speaks JSON lines.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

/// How long any one line may take: above the 30 s after which a client peer gives up and says why.
const PATIENCE: Duration = Duration::from_secs(40);

/// A file of the repository.
pub(crate) fn repository(path: impl AsRef<Path>) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The Node that `tests/run` has installed, where it had to, or else the machine's.
pub(crate) fn node() -> PathBuf {
    let own = repository(".work/nodejs/node_modules/.bin/node");
    if own.exists() { own } else { "node".into() }
}

/// A running child; dropping it ends its standard input, waits for it to leave, and kills it if it does not.
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    input: Option<ChildStdin>,
    output: Receiver<String>,
    errors: Receiver<String>,
    transcript: Arc<Mutex<String>>,
}

impl Process {
    pub(crate) fn spawn(name: &'static str, command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start ({error}): run tests/run first"));

        let transcript = Arc::new(Mutex::new(String::new()));
        let output = lines(child.stdout.take().expect("piped above"), "  ", &transcript);
        let errors = lines(child.stderr.take().expect("piped above"), "! ", &transcript);
        Self { name, input: child.stdin.take(), child, output, errors, transcript }
    }

    /// Writes one JSON line to standard input.
    pub(crate) fn ask(&mut self, question: &Value) {
        note(&self.transcript, "> ", &question.to_string());
        let input = self.input.as_mut().expect("open until the drop");
        if let Err(error) = writeln!(input, "{question}") {
            panic!("{} takes no more questions: {error}\n{}", self.name, self.transcript());
        }
    }

    /// The next JSON line of standard output.
    pub(crate) fn answer(&self) -> Value {
        let line = self.next(&self.output, "answer");
        serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("{} wrote no JSON ({error}): {line}\n{}", self.name, self.transcript()))
    }

    /// Reads standard error up to the first line that `pick` takes.
    pub(crate) fn complaint<T>(&self, pick: impl Fn(&str) -> Option<T>) -> T {
        loop {
            if let Some(picked) = pick(&self.next(&self.errors, "line on standard error")) {
                return picked;
            }
        }
    }

    /// Waits until the child has ended by itself, having written nothing more.
    pub(crate) fn await_end(&self) {
        match self.output.recv_timeout(PATIENCE) {
            Err(RecvTimeoutError::Disconnected) => {}
            Err(RecvTimeoutError::Timeout) => panic!("{} goes on\n{}", self.name, self.transcript()),
            Ok(line) => panic!("{} ought to have ended, but wrote: {line}\n{}", self.name, self.transcript()),
        }
    }

    /// The next line, of a child that ends; `None` when it has.
    pub(crate) fn last(&self) -> Option<String> {
        match self.output.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("{} goes on\n{}", self.name, self.transcript()),
        }
    }

    /// Ends its standard input, for which it leaves.
    pub(crate) fn close_input(&mut self) {
        drop(self.input.take());
    }

    pub(crate) fn kill(&mut self) {
        // An error says that it has ended already.
        let _ = self.child.kill();
    }

    /// All that went in and out so far.
    pub(crate) fn transcript(&self) -> String {
        let lines = self.transcript.lock().unwrap_or_else(PoisonError::into_inner);
        format!("-- {} --\n{lines}", self.name)
    }

    fn next(&self, from: &Receiver<String>, what: &str) -> String {
        from.recv_timeout(PATIENCE)
            .unwrap_or_else(|error| panic!("no {what} from {}: {error}\n{}", self.name, self.transcript()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.input.take());
        while self.output.recv_timeout(PATIENCE).is_ok() {}
        self.kill();
        let _ = self.child.wait();
    }
}

/// Reads lines on a thread of its own, into a channel and the transcript.
fn lines(from: impl Read + Send + 'static, mark: &'static str, transcript: &Arc<Mutex<String>>) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    let transcript = Arc::clone(transcript);
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            note(&transcript, mark, &line);
            // Nobody may be waiting for it any more; the transcript still has it.
            let _ = sender.send(line);
        }
    });
    receiver
}

fn note(transcript: &Mutex<String>, mark: &str, line: &str) {
    let mut transcript = transcript.lock().unwrap_or_else(PoisonError::into_inner);
    writeln!(transcript, "{mark}{line}").expect("a String takes everything");
}
