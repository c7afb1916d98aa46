//! What the documents name exists.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::instance::{Child, Metrics, Output, Running};
use crate::rig::{close, ping, pong};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn readme() -> String {
    std::fs::read_to_string(root().join("README.md")).unwrap()
}

/// Every file that speaks of metrics.
fn documents() -> Vec<PathBuf> {
    let mut found = vec![root().join("README.md"), root().join("ARCHITECTURE.md")];
    let mut folders: Vec<_> = ["docs", "dashboards", "deploy"].map(|folder| root().join(folder)).into();
    while let Some(folder) = folders.pop() {
        // Not every folder is there yet.
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found
}

/// Words of `text` that begin with `prefix` and go on in these characters.
fn words<'t>(text: &'t str, prefix: &str, goes_on: impl Fn(char) -> bool + Copy) -> BTreeSet<&'t str> {
    let word = |(start, _): (usize, &str)| {
        let rest = &text[start..];
        let end = prefix.len() + rest[prefix.len()..].find(|next| !goes_on(next)).unwrap_or(rest.len() - prefix.len());
        &rest[..end]
    };
    let begins = |(start, _): &(usize, &str)| !text[..*start].ends_with(goes_on);
    // Lines of dashes are no flags.
    let says_something = |word: &&str| word[prefix.len()..].contains(|next: char| next.is_ascii_lowercase());
    text.match_indices(prefix).filter(begins).map(word).filter(says_something).collect()
}

/// The section of the README under this head.
fn section(head: &str) -> String {
    let readme = readme();
    let (_, rest) = readme.split_once(&format!("\n## {head}\n")).unwrap_or_else(|| panic!("no section {head}"));
    rest.split("\n## ").next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn every_metric_that_is_named_exists_and_the_readme_names_every_metric() {
    let mut running = Running::start().await;
    // Histograms are there once something was measured.
    let (mut client, mut upstream) = running.session().await;
    upstream.say(&ping(b"")).await;
    client.hear(&ping(b"")).await;
    client.say(&pong(b"")).await;
    upstream.hear(&pong(b"")).await;
    client.say(&close(1000, "")).await;
    upstream.hear(&close(1000, "")).await;
    upstream.say(&close(1000, "")).await;
    client.hear(&close(1000, "")).await;
    upstream.fin().await;
    client.expect_fin().await;
    client.fin().await;
    running.record().await;
    let exported = Metrics::parse(&running.get("/metrics").await.body);
    let exported = exported.families();
    let is_exported = |name: &str| {
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
        exported.contains(name) || exported.contains(base)
    };
    let mut named = 0;
    let mut unknown = Vec::new();
    for document in documents() {
        let Ok(text) = std::fs::read_to_string(&document) else { continue };
        // Recording rules have their own names, `level:metric:operation`, and their own check of what they are made from.
        let is_name = |next: char| next.is_ascii_alphanumeric() || next == '_' || next == ':';
        for name in words(&text, "closewatch_", is_name).into_iter().filter(|name| !name.contains(':')) {
            named += 1;
            // `closewatch_*` and `closewatch_…_total` stand for many.
            if !name.ends_with('_') && !is_exported(name) {
                unknown.push(format!("{name} in {}", document.display()));
            }
        }
    }
    // The README's table leaves the prefix out, and has several names in a cell.
    let metrics = section("Metrics");
    let cells: Vec<_> = metrics.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next()).collect();
    let spans = cells.iter().flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let in_table: BTreeSet<_> = spans.filter(|name| *name != "closewatch_" && !name.contains('*')).collect();
    for name in &in_table {
        named += 1;
        if !is_exported(&format!("closewatch_{name}")) {
            unknown.push(format!("{name} in the README's table"));
        }
    }
    assert!(named > 0, "no document names a metric");
    assert!(unknown.is_empty(), "{unknown:#?} are not exported:\n{exported:#?}");
    assert!(!in_table.is_empty(), "the README has no table of metrics");
    let short = |name: &String| name.strip_prefix("closewatch_").map(str::to_owned);
    let missing: Vec<_> = exported.iter().filter_map(short).filter(|name| !in_table.contains(&**name)).collect();
    assert!(missing.is_empty(), "{missing:?} are not in the README's table");
}

/// The flags in the help of a command.
async fn flags(command: &[&str]) -> BTreeSet<String> {
    let mut child = Child::start(&[command, &["--help"]].concat(), Output::Read);
    let mut help = String::new();
    while let Some(line) = child.line().await {
        help += &line;
        help.push('\n');
    }
    let found = words(&help, "--", |next| next.is_ascii_lowercase() || next == '-');
    let found: BTreeSet<_> = found.into_iter().map(str::to_owned).collect();
    assert!(found.contains("--help"), "{help}");
    found
}

#[tokio::test]
async fn every_flag_of_the_readme_is_in_the_help_and_the_other_way_round() {
    let is_flag = |next: char| next.is_ascii_lowercase() || next == '-';
    let readme = readme();
    let flags_section = section("Flags");
    let block: String =
        flags_section.lines().filter(|line| line.starts_with("    ")).flat_map(|line| [line, "\n"]).collect();
    let documented = words(&block, "--", is_flag);
    let mut run = flags(&[]).await;
    run.retain(|flag| !matches!(flag.as_str(), "--help" | "--version"));
    assert!(!documented.is_empty());
    assert_eq!(documented.iter().copied().collect::<Vec<_>>(), run.iter().map(String::as_str).collect::<Vec<_>>());

    let mut known = run;
    for command in ["check", "demo", "drain"] {
        known.append(&mut flags(&[command]).await);
    }
    // `cargo`'s own flags are not ours.
    let ours = readme.lines().filter(|line| !line.contains("cargo ")).collect::<Vec<_>>().join("\n");
    let unknown: Vec<_> = words(&ours, "--", is_flag).into_iter().filter(|flag| !known.contains(*flag)).collect();
    assert!(unknown.is_empty(), "{unknown:?} are in the README and in no help");
}
