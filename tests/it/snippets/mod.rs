//! Every block of code in the documents is tried: commands are run, configurations are read, and what the program is said to print is
//! compared with what it prints. A block that no rule here knows fails the test, and so does a rule that knows no block.

mod commands;
mod outputs;
mod reader;

use std::collections::BTreeSet;
use std::path::Path;

use closewatch::config;

use self::reader::{Block, blocks, documents, root};

/// Blocks that something else tries: how they begin, the file that tries them, and words in it that show this.
const ELSEWHERE: [(&str, &str, &str); 13] = [
    ("cargo run", "tests/it/demo.rs", "\"demo\""),
    ("cargo test --locked", "tests/run", "cargo test --locked"),
    ("dpkg --install", "tests/package/play.py", "\"dpkg\", \"--install\""),
    ("```promql", "deploy/prometheus/coverage.py", "^```promql"),
    ("```sh", "deploy/prometheus/coverage.py", "^```sh"),
    ("```json", "tests/it/docs.rs", "```json"),
    // kustomize renders the same folders, and Helm's own Go code the same chart: there is no `helm` to run.
    ("# kustomization.yaml", "deploy/check", "kubectl kustomize $kubernetes/example"),
    ("helm install", "deploy/check", "checks/chart.py"),
    ("helm template", "deploy/check", "target/debug/closewatch check"),
    ("0 s ", "deploy/checks/manifests.py", "docs/kubernetes.md"),
    (
        "no TLS with ",
        "tests/it/tls/openssl.rs",
        "is its own authority: to trust it, give that very file as upstream_tls.ca",
    ),
    ("{\"event\":\"closewatch.log\"", "tests/it/run/log.rs", "\"closewatch.log\""),
    ("{\"schema\":1,\"at\":", "tests/it/export/diagnosis.rs", "/diagnosis"),
];

/// The way in which a block is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rule {
    /// Commands of closewatch, a line each.
    Commands,
    /// Scripts of this repository, a line each.
    Scripts,
    /// A part of a configuration file.
    Configuration,
    /// A part of a unit that is shipped.
    Unit,
    /// Output of closewatch.
    Output,
    /// An entry of [`ELSEWHERE`].
    Elsewhere(usize),
}

/// The rule for a line of a block, if there is one.
fn rule(line: &str) -> Option<Rule> {
    let is = |starts: &[&str]| starts.iter().any(|start| line.starts_with(start));
    if let Some(at) = ELSEWHERE.iter().position(|(start, ..)| line.starts_with(start)) {
        Some(Rule::Elsewhere(at))
    } else if is(&["closewatch ", "OTEL_"]) {
        Some(Rule::Commands)
    } else if is(&["tests/", "dashboards/", "benches/", "deploy/", "cargo bench"]) {
        Some(Rule::Scripts)
    } else if is(&["closewatch.toml:", "TIME "]) {
        Some(Rule::Output)
    } else if is(&["# closewatch.socket"]) {
        Some(Rule::Unit)
    } else if is(&["["]) {
        Some(Rule::Configuration)
    } else {
        None
    }
}

/// Splits a block by the rules of its lines: `cargo run …` may stand above `tests/run`. Other blocks have one rule, that of their
/// first line.
fn parts(block: &Block) -> Vec<(Rule, &str)> {
    let unknown = || -> ! { panic!("{}: no rule tries this:\n{}", block.place, block.text) };
    if block.language.is_empty() {
        let first = block.text.lines().next().unwrap_or_default();
        match rule(first) {
            Some(Rule::Configuration | Rule::Unit | Rule::Output) => vec![(rule(first).unwrap(), block.text.as_str())],
            Some(Rule::Elsewhere(at)) if ELSEWHERE[at].0.starts_with(['#', '0', '{']) => {
                vec![(Rule::Elsewhere(at), block.text.as_str())]
            }
            // A line that is indented goes on with the one above it.
            _ => (block.text.lines().filter(|line| !line.starts_with(' ')))
                .map(|line| (rule(line).unwrap_or_else(|| unknown()), line))
                .collect(),
        }
    } else {
        let fence = format!("```{}", block.language);
        vec![(rule(&fence).unwrap_or_else(|| unknown()), block.text.as_str())]
    }
}

fn read_configuration(place: &str, text: &str) {
    let text = format!("upstream = \"http://127.0.0.1:9\"\n{text}");
    if let Err(error) = config::parse(&text, Path::new(place)) {
        panic!("{error}");
    }
}

/// Every line is in the unit that is shipped.
fn is_in_unit(place: &str, text: &str) {
    let unit = std::fs::read_to_string(root().join("deploy/systemd/closewatch.socket")).unwrap();
    let known: BTreeSet<_> = unit.lines().collect();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        assert!(known.contains(line), "{place}: {line} is not in closewatch.socket");
    }
}

/// The script is there, may be run, and knows the flags. `.ci/run` and `tests/long` run those that test something; benches are
/// compiled by clippy, and run by hand.
fn is_a_script(place: &str, line: &str) {
    // A comment stands behind two blanks.
    let command = line.split("  ").next().unwrap_or_default();
    let mut words = command.split_whitespace();
    if command.starts_with("cargo bench") {
        for bench in command.split(" --bench ").skip(1) {
            assert!(root().join("benches").join(bench).with_extension("rs").exists(), "{place}: there is no {bench}");
        }
        return;
    }
    let path = root().join(words.next().unwrap());
    let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
    assert!(mode & 0o111 != 0, "{place}: {command} may not be run");
    // Some hand their flags to a program beside them.
    let beside = std::fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    let sources: String = beside.filter_map(|file| std::fs::read_to_string(file).ok()).collect();
    for flag in words.filter(|word| word.starts_with("--")) {
        assert!(sources.contains(flag), "{place}: {} knows no {flag}", path.display());
    }
}

#[tokio::test]
async fn every_block_of_code_in_the_documents_is_tried() {
    let mut seen = BTreeSet::new();
    for block in documents().iter().flat_map(|document| blocks(document)) {
        for (rule, text) in parts(&block) {
            seen.insert(rule);
            match rule {
                Rule::Commands => commands::run(&block.place, text).await,
                Rule::Scripts => is_a_script(&block.place, text),
                Rule::Configuration => read_configuration(&block.place, text),
                Rule::Unit => is_in_unit(&block.place, text),
                Rule::Output => outputs::compare(&block.place, text).await,
                Rule::Elsewhere(at) => {
                    let (_, file, words) = ELSEWHERE[at];
                    let source = std::fs::read_to_string(root().join(file)).unwrap();
                    assert!(source.contains(words), "{}: {file} has no {words}, and does not try it", block.place);
                }
            }
        }
    }
    let all = [Rule::Commands, Rule::Scripts, Rule::Configuration, Rule::Unit, Rule::Output];
    let all = all.into_iter().chain((0..ELSEWHERE.len()).map(Rule::Elsewhere));
    let unused: Vec<_> = all.filter(|rule| !seen.contains(rule)).collect();
    assert!(unused.is_empty(), "no block needs {unused:?}");
}
