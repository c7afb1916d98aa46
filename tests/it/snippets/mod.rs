//! Every block of code in the documents is tried: commands are run, configurations are read, and what the program is said to print is
//! compared with what it prints. So is every command within a sentence. A block or command that no rule here knows fails the test, and so
//! does a rule that knows none. Those that cannot be run are printed, with the reason.

mod commands;
mod inline;
mod outputs;
mod reader;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use closewatch::config;

use self::reader::{Block, code, documents, root};
use crate::instance::Running;

/// Blocks that something else tries: how they begin, the file that tries them, and words in it that show this.
const ELSEWHERE: [(&str, &str, &str); 12] = [
    ("cargo run", "tests/it/demo.rs", "\"demo\""),
    ("cargo test --locked", "tests/run", "cargo test --locked"),
    ("dpkg --install", "tests/package/play.py", "\"dpkg\", \"--install\""),
    ("```promql", "deploy/prometheus/coverage.py", "^```promql"),
    ("```sh", "deploy/prometheus/coverage.py", "^```sh"),
    ("```json", "tests/it/docs.rs", "```json"),
    ("# kustomization.yaml", "deploy/checks/documented", "block '# kustomization.yaml'"),
    ("helm template", "deploy/checks/documented", "block 'helm template'"),
    ("0 s ", "deploy/checks/manifests.py", "docs/kubernetes.md"),
    (
        "no TLS with ",
        "tests/it/tls/openssl.rs",
        "is its own authority: to trust it, give that very file as upstream_tls.ca",
    ),
    ("{\"event\":\"closewatch.log\"", "tests/it/run/log.rs", "\"closewatch.log\""),
    ("{\"schema\":1,\"at\":", "tests/it/export/diagnosis.rs", "/diagnosis"),
];

const NO_CLICKHOUSE: &str =
    "there is no server of ClickHouse; deploy/clickhouse/check gives the same files to ClickHouse as a library";

/// Blocks that nothing can try here: how they begin, and the reason.
const NOT_RUN: [(&str, &str); 3] = [
    (
        "helm install",
        "there is neither helm nor a cluster; deploy/checks/chart.py renders the chart with Helm's own Go code",
    ),
    ("for file in records", NO_CLICKHOUSE),
    ("clickhouse-client", NO_CLICKHOUSE),
];

/// The way in which a block is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rule {
    /// Commands of closewatch, a line each.
    Commands,
    /// Scripts of this repository, a line each.
    Scripts,
    /// Questions to the admin address.
    Request,
    /// A part of a configuration file.
    Configuration,
    /// A part of a unit that is shipped.
    Unit,
    /// Output of closewatch.
    Output,
    /// An entry of [`ELSEWHERE`].
    Elsewhere(usize),
    /// An entry of [`NOT_RUN`].
    NotRun(usize),
}

/// The rule for a line of a block, if there is one.
fn rule(line: &str) -> Option<Rule> {
    let is = |starts: &[&str]| starts.iter().any(|start| line.starts_with(start));
    if let Some(at) = ELSEWHERE.iter().position(|(start, ..)| line.starts_with(start)) {
        Some(Rule::Elsewhere(at))
    } else if let Some(at) = NOT_RUN.iter().position(|(start, _)| line.starts_with(start)) {
        Some(Rule::NotRun(at))
    } else if is(&["curl "]) {
        Some(Rule::Request)
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
        if block.text.trim_start().starts_with("curl ") {
            return vec![(Rule::Request, block.text.trim())];
        }
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

/// The script is there, may be run, and knows the flags. Says whether the gate or `tests/long` runs it, with whatever flags: what tests
/// something is run there, what measures or draws by hand.
fn is_a_script_that_is_run(place: &str, line: &str) -> bool {
    // A comment stands behind two blanks.
    let command = line.split("  ").next().unwrap_or_default();
    let mut words = command.split_whitespace();
    if command.starts_with("cargo bench") {
        for bench in command.split(" --bench ").skip(1) {
            assert!(root().join("benches").join(bench).with_extension("rs").exists(), "{place}: there is no {bench}");
        }
        return false;
    }
    let script = words.next().unwrap();
    let path = root().join(script);
    let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
    assert!(mode & 0o111 != 0, "{place}: {command} may not be run");
    // Some hand their flags to a program beside them.
    let beside = std::fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    let sources: String = beside.filter_map(|file| std::fs::read_to_string(file).ok()).collect();
    for flag in words.filter(|word| word.starts_with("--")) {
        assert!(sources.contains(flag), "{place}: {} knows no {flag}", path.display());
    }
    let gate = [".ci/run", "tests/run", "tests/long"].map(|file| std::fs::read_to_string(root().join(file)).unwrap());
    [".ci/run", "tests/run", "tests/long"].contains(&script) || gate.iter().any(|text| text.contains(script))
}

/// Straight to the terminal: the harness keeps what `eprintln!` says in a test that passes.
fn say(not_run: &[String]) {
    let head = format!("NOT RUN by any test, of the commands in the documents: {}\n", not_run.len());
    let lines = not_run.iter().flat_map(|line| ["  NOT RUN  ", line, "\n"]);
    let text: String = std::iter::once(head.as_str()).chain(lines).collect();
    std::io::stderr().write_all(text.as_bytes()).unwrap();
}

#[tokio::test]
async fn every_block_of_code_in_the_documents_is_tried() {
    let mut seen = BTreeSet::new();
    let mut not_run = Vec::new();
    let (blocks, spans): (Vec<_>, Vec<_>) = documents().iter().map(|document| code(document)).unzip();
    for block in blocks.into_iter().flatten() {
        for (rule, text) in parts(&block) {
            seen.insert(rule);
            match rule {
                Rule::Commands => commands::run(&block.place, text).await,
                Rule::Scripts => {
                    if !is_a_script_that_is_run(&block.place, text) {
                        let command = text.split("  ").next().unwrap_or_default();
                        not_run
                            .push(format!("{}: `{command}`: by hand; it is there, and knows its flags", block.place));
                    }
                }
                Rule::Request => inline::request(&Running::start().await, &block.place, text).await,
                Rule::Configuration => read_configuration(&block.place, text),
                Rule::Unit => is_in_unit(&block.place, text),
                Rule::Output => outputs::compare(&block.place, text).await,
                Rule::Elsewhere(at) => {
                    let (_, file, words) = ELSEWHERE[at];
                    let source = std::fs::read_to_string(root().join(file)).unwrap();
                    assert!(source.contains(words), "{}: {file} has no {words}, and does not try it", block.place);
                }
                Rule::NotRun(at) => not_run.push(format!("{}: `{text}`: {}", block.place, NOT_RUN[at].1)),
            }
        }
    }
    not_run.extend(inline::try_all(spans.into_iter().flatten().collect()).await);
    say(&not_run);
    let all = [Rule::Commands, Rule::Scripts, Rule::Request, Rule::Configuration, Rule::Unit, Rule::Output];
    let all =
        all.into_iter().chain((0..ELSEWHERE.len()).map(Rule::Elsewhere)).chain((0..NOT_RUN.len()).map(Rule::NotRun));
    let unused: Vec<_> = all.filter(|rule| !seen.contains(rule)).collect();
    assert!(unused.is_empty(), "no block needs {unused:?}");
}
