//! The close log when its output is slow, fails, or is rotated.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use closewatch::close::{Class, CloseRecord, Outcome};
use closewatch::config::{LogOnly, LogTarget, LogWord};
use closewatch::export::{CloseLog, Event, JsonStyle, LogOptions, Metrics, QUEUE, Sink};

use serde_json::Value;

use super::records;
use crate::schema::read_line;

/// Far more than any of these needs, and short enough for a run that fails.
const SOON: Duration = Duration::from_mins(1);

/// The outcome of one call of `write`.
enum Call {
    /// Takes at most so many bytes.
    Take(usize),
    Fail(io::ErrorKind),
}

/// An output that does what it is told, call by call; with nothing told, it waits.
struct Scripted {
    calls: Receiver<Call>,
    written: Arc<Mutex<Vec<Vec<u8>>>>,
}

struct Rig {
    log: CloseLog,
    calls: Sender<Call>,
    written: Arc<Mutex<Vec<Vec<u8>>>>,
    metrics: Metrics,
}

impl Write for Scripted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A test that is over takes everything.
        match self.calls.recv().unwrap_or(Call::Take(usize::MAX)) {
            Call::Take(most) => {
                let taken = &bytes[..bytes.len().min(most)];
                self.written.lock().unwrap().push(taken.to_vec());
                Ok(taken.len())
            }
            Call::Fail(kind) => Err(kind.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Rig {
    fn new(only: LogOnly) -> Self {
        let (calls, receiver) = channel();
        let written = Arc::default();
        let metrics = Metrics::new();
        let output = Scripted { calls: receiver, written: Arc::clone(&written) };
        let dropped = metrics.records_dropped(Sink::Log);
        let log = CloseLog::to_writer(Box::new(output), only, JsonStyle::default(), dropped).unwrap();
        Self { log, calls, written, metrics }
    }

    fn push(&self, record: CloseRecord) {
        self.log.push(&Arc::new(Event::Closed(record)));
    }

    fn call(&self, call: Call) {
        self.calls.send(call).unwrap();
    }

    fn dropped(&self) -> u64 {
        self.metrics.records_dropped(Sink::Log).get()
    }

    /// Every line must be a whole one.
    fn lines(&self) -> Vec<Value> {
        let text = String::from_utf8(self.written.lock().unwrap().concat()).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'), "{text}");
        text.lines().map(read_line).collect()
    }
}

#[test]
fn a_full_queue_drops_and_counts_and_never_waits() {
    let rig = Rig::new(LogOnly::All);
    // The shorter of the two kinds of line: there are many to be written.
    let record = records::handshake(Outcome::Refused, Some(503));
    let event = Arc::new(Event::HandshakeFailed { route: "chat".into(), record });
    for _ in 0..QUEUE + 7 {
        rig.log.push(&event);
    }
    assert_eq!(rig.dropped(), 7);
    assert!(!rig.log.flush(Duration::from_millis(1)), "the output hangs");
    for _ in 0..1000 {
        rig.call(Call::Take(usize::MAX));
    }
    assert!(rig.log.flush(SOON));
    let writes = rig.written.lock().unwrap();
    let lines: usize = writes.iter().map(|lines| lines.split(|byte| *byte == b'\n').count() - 1).sum();
    assert_eq!(lines as u64, QUEUE);
    assert!(writes.len() < 200, "{} writes for {QUEUE} lines", writes.len());
}

#[test]
fn after_an_error_in_the_middle_of_a_line_the_rest_of_it_comes_first() {
    let rig = Rig::new(LogOnly::All);
    rig.call(Call::Take(10));
    rig.call(Call::Fail(io::ErrorKind::StorageFull));
    rig.push(records::boom());
    assert!(rig.log.flush(SOON));
    assert_eq!(rig.dropped(), 0, "begun, so not lost yet");
    rig.call(Call::Fail(io::ErrorKind::StorageFull));
    rig.push(records::blind());
    assert!(rig.log.flush(SOON));
    assert_eq!(rig.dropped(), 1, "never begun");
    rig.call(Call::Take(usize::MAX));
    rig.push(records::drained());
    assert!(rig.log.flush(SOON));
    let causes: Vec<_> = rig.lines().iter().map(|line| line["cause"].as_str().unwrap().to_owned()).collect();
    assert_eq!(causes, ["close_unanswered", "drain"]);
}

#[test]
fn a_broken_output_loses_every_record_and_counts_it() {
    let rig = Rig::new(LogOnly::All);
    for _ in 0..3 {
        rig.call(Call::Fail(io::ErrorKind::BrokenPipe));
        rig.push(records::boom());
        assert!(rig.log.flush(SOON), "given up is settled");
    }
    assert_eq!(rig.dropped(), 3);
    assert_eq!(rig.lines().len(), 0);
}

#[test]
fn an_output_that_would_block_is_waited_for() {
    let rig = Rig::new(LogOnly::All);
    rig.call(Call::Fail(io::ErrorKind::WouldBlock));
    rig.call(Call::Take(3));
    rig.call(Call::Fail(io::ErrorKind::Interrupted));
    rig.call(Call::Take(usize::MAX));
    rig.push(records::boom());
    assert!(rig.log.flush(SOON));
    assert_eq!((rig.lines().len(), rig.dropped()), (1, 0));
}

/// The class and code, or the outcome and status, of the events that a log with `only` writes.
fn written(only: LogOnly) -> Vec<String> {
    let rig = Rig::new(only);
    for _ in 0..8 {
        rig.call(Call::Take(usize::MAX));
    }
    for record in [records::left_the_page(), records::boom(), records::refused_login(), records::disagreed()] {
        rig.push(record);
    }
    for (outcome, status) in [(Outcome::Refused, 403), (Outcome::Refused, 503), (Outcome::NoRoute, 404)] {
        let record = records::handshake(outcome, Some(status));
        rig.log.push(&Arc::new(Event::HandshakeFailed { route: "chat".into(), record }));
    }
    assert!(rig.log.flush(SOON));
    assert_eq!(rig.dropped(), 0, "left out is not dropped");
    let word = |line: &Value, keys: [&str; 2]| keys.map(|key| line[key].to_string().replace('"', "")).join(" ");
    let lines = rig.lines();
    let shown = lines.iter().map(|line| {
        let keys = if line["outcome"].is_null() { ["class", "code"] } else { ["outcome", "status"] };
        format!("{} {}", word(line, keys), line["level"].as_str().unwrap())
    });
    shown.collect()
}

#[test]
fn a_list_of_classes_and_outcomes_is_what_is_written() {
    assert_eq!(written(LogOnly::All).len(), 7);
    assert_eq!(
        written(LogOnly::These(vec![LogWord::Warn])),
        ["abnormal 1011 warn", "clean 1000 warn", "refused 503 warn"],
        "the two sides of the second saw different codes"
    );
    // An operator who looks for failed logins finds them, and the sessions that two logs tell differently.
    let logins = LogOnly::These(vec![LogWord::Class(Class::Application), LogWord::Outcome(Outcome::Refused)]);
    assert_eq!(
        written(logins),
        ["application 4401 info", "clean 1000 warn", "refused 403 info", "refused 503 warn"],
        "the client of the 1011 left without a word: what it saw is not certain"
    );
    let planned = LogOnly::These(vec![LogWord::Class(Class::Planned)]);
    assert_eq!(written(planned), ["clean 1000 warn"]);
}

#[test]
fn a_log_that_was_shut_down_has_written_everything_and_counts_what_comes_late() {
    let rig = Rig::new(LogOnly::All);
    rig.call(Call::Take(usize::MAX));
    rig.call(Call::Take(usize::MAX));
    rig.push(records::boom());
    rig.push(records::blind());
    assert!(rig.log.shutdown(SOON));
    rig.push(records::drained());
    assert_eq!((rig.lines().len(), rig.dropped()), (2, 1));
}

#[test]
fn off_writes_nothing_and_loses_nothing() {
    let metrics = Metrics::new();
    let options = LogOptions { target: LogTarget::Off, only: LogOnly::All, text: None };
    let log = CloseLog::open(&options, JsonStyle::default(), metrics.records_dropped(Sink::Log)).unwrap();
    log.push(&Arc::new(Event::Closed(records::boom())));
    log.reopen();
    assert!(log.shutdown(Duration::ZERO));
    assert_eq!(metrics.records_dropped(Sink::Log).get(), 0);
}

/// A directory that goes when the test does.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn open(&self, metrics: &Metrics) -> (CloseLog, PathBuf) {
        let path = self.0.join("closes.jsonl");
        let options = LogOptions { target: LogTarget::File(path.clone()), only: LogOnly::All, text: None };
        let log = CloseLog::open(&options, JsonStyle::default(), metrics.records_dropped(Sink::Log)).unwrap();
        (log, path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn causes(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let cause = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap_or_default();
        value["cause"].as_str().unwrap_or("torn").to_owned()
    };
    text.lines().map(cause).collect()
}

#[test]
fn a_rotated_file_is_left_and_a_new_one_begun() {
    let (directory, metrics) = (Directory::new("rotated"), Metrics::new());
    let (log, path) = directory.open(&metrics);
    log.push(&Arc::new(Event::Closed(records::boom())));
    assert!(log.flush(SOON));
    let old = path.with_extension("1");
    fs::rename(&path, &old).unwrap();
    log.reopen();
    log.push(&Arc::new(Event::Closed(records::drained())));
    assert!(log.flush(SOON));
    assert_eq!((causes(&old), causes(&path)), (vec!["close_unanswered".to_owned()], vec!["drain".to_owned()]));
}

#[test]
fn a_file_that_ends_in_the_middle_of_a_line_gets_a_new_one() {
    let (directory, metrics) = (Directory::new("torn"), Metrics::new());
    fs::write(directory.0.join("closes.jsonl"), "{\"schema\":1,\"ev").unwrap();
    let (log, path) = directory.open(&metrics);
    log.push(&Arc::new(Event::Closed(records::boom())));
    assert!(log.flush(SOON));
    drop(log);
    assert_eq!(causes(&path), ["torn", "close_unanswered"]);
    let (log, path) = directory.open(&metrics);
    log.push(&Arc::new(Event::Closed(records::drained())));
    assert!(log.flush(SOON));
    assert_eq!(causes(&path), ["torn", "close_unanswered", "drain"], "a whole file is appended to as it is");
}

#[test]
fn a_file_that_cannot_be_opened_is_an_error_at_the_start() {
    let options =
        LogOptions { target: LogTarget::File("/nonexistent/closes.jsonl".into()), only: LogOnly::All, text: None };
    let dropped = Metrics::new().records_dropped(Sink::Log);
    let error = CloseLog::open(&options, JsonStyle::default(), dropped).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}
