//! Files as they come: several, of instances whose clocks are apart, wrapped by others, cut, or with lines that never end.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::{a_cut_at_55_s, a_quiet_day, json, report};

/// A file of this test's own, gone with the value.
struct Log(PathBuf);

impl Log {
    fn of(name: &str, bytes: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("closewatch-{}-{name}", std::process::id()));
        fs::write(&path, bytes).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // A test that fails may have taken it away.
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn instances_whose_clocks_are_apart_have_one_finding() {
    let log = a_cut_at_55_s();
    let (one, two): (Vec<_>, Vec<_>) = log.lines().enumerate().partition(|(number, _)| number % 2 == 0);
    let of = |lines: Vec<(usize, &str)>| lines.into_iter().flat_map(|(_, line)| [line, "\n"]).collect::<String>();
    let ahead = of(two).replace("pod-7", "pod-8").replace("T08:", "T07:").replace("T09:", "T08:");
    let (one, two) = (Log::of("one.jsonl", of(one).as_bytes()), Log::of("two.jsonl", ahead.as_bytes()));
    let found = json(&[one.path(), two.path()], b"");
    assert_eq!(found["findings"].as_array().unwrap().len(), 1, "{found:#}");
    assert_eq!(
        (&found["findings"][0]["mechanism"], &found["findings"][0]["limit_s"]),
        (&"idle_cut".into(), &55.0.into())
    );
    assert_eq!(found["instances"].as_array().unwrap().len(), 2);
}

#[test]
fn lines_are_read_in_the_envelopes_of_others() {
    let line = a_quiet_day().lines().next().unwrap().to_owned();
    for name in ["log", "message", "line"] {
        let wrapped = serde_json::json!({name: line, "stream": "stdout"}).to_string();
        let found = json(&[], wrapped.as_bytes());
        assert_eq!((&found["records"], &found["unread_lines"]), (&1.into(), &0.into()), "{name}");
    }
}

#[test]
fn a_packed_file_that_is_cut_off_is_one_that_cannot_be_read() {
    let mut packed = GzEncoder::new(vec![], Compression::fast());
    packed.write_all(a_quiet_day().as_bytes()).unwrap();
    let whole = packed.finish().unwrap();
    let log = Log::of("cut.jsonl.gz", &whole[..whole.len() / 2]);
    let output = report(&["--json", log.path()], b"");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "half a report is none");
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains(log.path()), "{errors}");
}

#[test]
fn a_line_that_never_ends_is_counted_and_the_next_is_read() {
    let mut log = a_quiet_day().into_bytes();
    log.resize(log.len() + (65 << 20), b'x');
    log.extend_from_slice(b"yz\n");
    log.extend_from_slice(a_quiet_day().lines().next().unwrap().as_bytes());
    let output = report(&["--json"], &log);
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&found["records"], &found["unread_lines"]), (&121.into(), &1.into()));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("too long\n  -:121: longer than 64 MiB"), "{errors}");
}

#[test]
fn lines_are_numbered_across_blocks() {
    let filler = "{\"other\":1}\n".repeat(100_000);
    let log = format!("{}{filler}{{\"event\":\"websocket.closed\"}}\n", a_quiet_day());
    let output = report(&["--json"], log.as_bytes());
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("no time\n  -:100121: "), "{errors}");
    assert!(errors.contains("100000 lines are no records: other JSON\n  -:121: "), "{errors}");
}

/// Everything that a report of `file` writes to standard error, if that is a terminal.
fn on_a_terminal(file: &str) -> String {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, vec![]).unwrap().into_string().unwrap();
    let other: OwnedFd = fs::File::options().read(true).write(true).open(name).unwrap().into();
    let mut command = Command::new(env!("CARGO_BIN_EXE_closewatch"));
    let mut child = command.args(["report", "--json", file]).stdout(Stdio::null()).stderr(other).spawn().unwrap();
    // Linux says EIO when no process has the terminal open any more.
    drop(command);
    let mut shown = vec![];
    let _ = fs::File::from(terminal).read_to_end(&mut shown);
    assert!(child.wait().unwrap().success());
    String::from_utf8(shown).unwrap()
}

#[test]
fn a_terminal_is_shown_a_bar_and_nothing_else_is() {
    // Enough to take longer than a glance in a build for tests.
    let log = Log::of("long.jsonl", a_cut_at_55_s().repeat(500).as_bytes());
    let shown = on_a_terminal(log.path());
    assert!(shown.contains("] ") && shown.contains(" %, ") && shown.contains("MiB/s"), "{shown:?}");
    assert!(shown.ends_with("\r\u{1b}[K"), "the bar is taken away: {shown:?}");
    let output = report(&["--json", log.path()], b"");
    assert!(output.stderr.is_empty(), "{output:?}");
}
