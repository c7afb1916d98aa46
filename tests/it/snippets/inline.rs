//! Commands within a sentence, as in "ask it: `curl localhost:9464/closes`". One that no row here knows fails the test.

use tokio::process::Command;

use super::reader::{Span, root};
use crate::instance::{Child, Output, Running};

/// The treatment of a command.
#[derive(Clone, Copy)]
enum Trial {
    /// It is tried by this file, which has these words.
    Elsewhere(&'static str, &'static str),
    /// Its path is asked for at the admin address.
    Request,
    /// Its words are names of tests, modules or folders.
    Tests,
    /// Its flags are known to its program, which says so of a certificate.
    Certificate,
    /// It cannot be run where the tests run, for this reason.
    NotRun(&'static str),
}

/// Programs whose mention with a further word is a command.
const PROGRAMS: [&str; 17] = [
    "cargo",
    "chgrp",
    "curl",
    "docker",
    "dpkg",
    "git",
    "helm",
    "journalctl",
    "jq",
    "just",
    "kubectl",
    "openssl",
    "podman",
    "promtool",
    "rpm",
    "sha256sum",
    "skopeo",
];
/// Others, whose name begins with this.
const SYSTEMD: &str = "system";

const NO_CLUSTER: Trial = Trial::NotRun("there is no cluster");
const NO_ENGINE: Trial =
    Trial::NotRun("there is no container engine; deploy/image makes the image, and tests/package/run has runc run it");
const PLAY: &str = "tests/package/play.py";

const TRIALS: [(&str, Trial); 30] = [
    ("cargo bench --bench", Trial::Tests),
    ("cargo build --release", Trial::Elsewhere("tests/reproduce", "cargo build --release")),
    ("cargo check", Trial::Elsewhere(".ci/run", "cargo clippy --all-targets --locked")),
    ("cargo fmt", Trial::Elsewhere(".ci/run", "cargo fmt --check")),
    ("cargo install --path .", Trial::NotRun("it takes as long as deploy/dist, which makes the same program")),
    ("cargo publish", Trial::Elsewhere(".ci/run", "cargo publish --dry-run")),
    ("cargo test", Trial::Tests),
    ("chgrp closewatch", Trial::Elsewhere(PLAY, "chgrp closewatch key.pem && chmod 640 key.pem")),
    ("curl ", Trial::Request),
    ("docker ", NO_ENGINE),
    ("dpkg --purge", Trial::Elsewhere(PLAY, "\"dpkg\", \"--purge\", \"closewatch\"")),
    ("dpkg --remove", Trial::Elsewhere(PLAY, "\"dpkg\", \"--remove\", \"closewatch\"")),
    ("git diff", Trial::NotRun("it compares releases, and there is one")),
    (
        "journalctl --unit closewatch",
        Trial::Elsewhere(PLAY, "\"journalctl\", \"--unit\", \"closewatch\", \"--output\", \"cat\""),
    ),
    ("journalctl -o cat", Trial::Elsewhere(PLAY, "\"journalctl\", \"--unit\", \"closewatch\", \"--output\", \"cat\"")),
    ("jq ", Trial::Elsewhere("deploy/prometheus/coverage.py", "`(jq [^`]*)`")),
    ("just --list", Trial::Elsewhere(".ci/run", "just\" --list")),
    ("kubectl kustomize", Trial::Elsewhere("deploy/check", "kubectl kustomize dashboards")),
    ("kubectl logs", NO_CLUSTER),
    ("kubectl port-forward", NO_CLUSTER),
    ("openssl req -x509", Trial::Elsewhere("deploy/check", "openssl req -x509")),
    ("openssl x509", Trial::Certificate),
    ("podman load", NO_ENGINE),
    ("promtool check config", Trial::Elsewhere("deploy/check", "promtool check config")),
    ("rpm --erase", Trial::Elsewhere(PLAY, "\"rpm\", \"--erase\"")),
    ("sha256sum --check", Trial::Elsewhere(PLAY, "\"--check\", \"--ignore-missing\", \"SHA256SUMS\"")),
    ("skopeo copy", NO_ENGINE),
    ("systemctl reload closewatch", Trial::Elsewhere(PLAY, "\"systemctl\", \"reload\", \"closewatch\"")),
    ("systemd-analyze security closewatch", Trial::Elsewhere(PLAY, "\"security\", \"closewatch\"")),
    ("systemd-analyze verify", Trial::Elsewhere("deploy/check", "systemd-analyze verify")),
];

/// Whether a span is a command, and not the name of something.
fn is_command(text: &str) -> bool {
    let (program, words) = text.split_once(' ').unwrap_or((text, ""));
    !words.is_empty() && (PROGRAMS.contains(&program) || program.starts_with(SYSTEMD))
}

/// Tries the commands, and gives those that are not run, with the reason.
pub(super) async fn try_all(spans: Vec<Span>) -> Vec<String> {
    let mut used = vec![false; TRIALS.len()];
    let mut not_run = Vec::new();
    let mut running = None;
    for Span { place, text } in spans.into_iter().filter(|span| is_command(&span.text)) {
        let at = TRIALS.iter().position(|(start, _)| text.starts_with(start));
        let at = at.unwrap_or_else(|| panic!("{place}: nothing tries `{text}`"));
        used[at] = true;
        match TRIALS[at].1 {
            Trial::Elsewhere(file, words) => {
                let source = std::fs::read_to_string(root().join(file)).unwrap();
                assert!(source.contains(words), "{place}: {file} has no {words}, and does not try `{text}`");
            }
            Trial::Request => {
                if running.is_none() {
                    running = Some(Running::start().await);
                }
                request(running.as_ref().unwrap(), &place, &text).await;
            }
            Trial::Tests => names_tests(&place, &text),
            Trial::Certificate => certificate(&place, &text).await,
            Trial::NotRun(reason) => not_run.push(format!("{place}: `{text}`: {reason}")),
        }
    }
    let unused: Vec<_> = TRIALS.iter().zip(used).filter(|(_, used)| !used).map(|(trial, _)| trial.0).collect();
    assert!(unused.is_empty(), "no document has {unused:?}");
    not_run
}

/// The admin address answers what `curl` asks it for: lines of JSON, or "ok".
pub(super) async fn request(running: &Running, place: &str, command: &str) {
    let path = command.split_whitespace().find_map(|word| word.split_once(":9464")).map(|(_, path)| path);
    let path = path.unwrap_or_else(|| panic!("{place}: {command} asks no admin address")).trim_matches('\'');
    let answer = running.get(path).await;
    assert_eq!(answer.status, 200, "{place}: {command}");
    if path != "/livez" {
        let lines = answer.body.lines().map(serde_json::from_str::<serde_json::Value>);
        assert!(lines.into_iter().all(|line| line.is_ok()), "{place}: {command}: {}", answer.body);
    }
}

/// A filter that finds no test passes, having tested nothing. So every filter has to be the name of something: of tests of this
/// program for `--test it`, of a file or folder for the library and for benches.
fn names_tests(place: &str, command: &str) {
    let words: Vec<_> = command.split_whitespace().skip(2).collect();
    let folder = match words.first() {
        None => return,
        Some(&"--test") => "tests/it",
        Some(&"--lib") => "src",
        Some(&"--bench") => "benches",
        Some(other) => panic!("{place}: {command}: {other}"),
    };
    let names = words.iter().filter(|word| !word.starts_with('-') && **word != "it");
    let found = names.map(|name| {
        let path = name.replace("::", "/");
        let is_there = files(&root().join(folder)).iter().any(|file| {
            let stem = file.strip_suffix(".rs").unwrap_or(file);
            stem.ends_with(&format!("/{path}")) || stem.contains(&format!("/{path}/"))
        });
        assert!(is_there, "{place}: {command}: {folder} has no {path}");
    });
    assert_ne!(found.count(), 0, "{place}: {command} names nothing");
}

/// The paths of all files in a folder.
fn files(folder: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path.display().to_string()) }
    }
    found
}

async fn certificate(place: &str, command: &str) {
    let workspace = super::commands::workspace();
    let arguments: Vec<_> = command.split_whitespace().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(|word| if *word == "FILE" { "chain.pem" } else { word }).collect();
    let mut openssl = Command::new("openssl");
    let mut child = Child::run(openssl.current_dir(workspace.path(".")), &arguments, Output::Read);
    let line = child.line().await.unwrap_or_default();
    assert!(line.starts_with("notAfter="), "{place}: {command}: {line}");
}
