//! The documents name what exists, and nothing that exists is left out.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use closewatch::close::{Cause, Class, End, Initiator, Outcome, Rejection, TlsFailure};
use closewatch::config;
use closewatch::export::Sink;
use closewatch::wire::Violation;
use serde_json::Value;

use crate::export::diagnosis::series_of_diagnosis;
use crate::instance::{Child, Metrics, Output, Running, Workspace, status};
use crate::rig::{Valid, authority, part, ping, pong};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every file that speaks of metrics.
fn documents() -> Vec<PathBuf> {
    let mut found = vec![root().join("README.md"), root().join("ARCHITECTURE.md")];
    let mut folders: Vec<_> = ["docs", "dashboards", "deploy"].map(|folder| root().join(folder)).into();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
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
    let says_something = |word: &&str| word[prefix.len()..].contains(|next: char| next.is_ascii_alphabetic());
    text.match_indices(prefix).filter(begins).map(word).filter(says_something).collect()
}

/// The text under a head, up to the next head of its level or above.
pub(crate) fn section(document: &str, head: &str) -> String {
    let text = read(document);
    let level = head.chars().take_while(|next| *next == '#').count();
    let mut lines = text.lines().skip_while(|line| *line != head);
    assert!(lines.next().is_some(), "{document} has no {head:?}");
    let is_next = |line: &str| {
        let marks = line.chars().take_while(|next| *next == '#').count();
        (1..=level).contains(&marks) && line[marks..].starts_with(' ')
    };
    lines.take_while(|line| !is_next(line)).flat_map(|line| [line, "\n"]).collect()
}

/// The rows of all tables in a text, cell by cell, without their heads.
pub(crate) fn rows(text: &str) -> Vec<Vec<&str>> {
    let cells = |line: &str| line.starts_with('|').then(|| line.trim_matches('|').len());
    let lines: Vec<_> = text.lines().collect();
    let is_row = |at: usize| {
        let rule = |line: Option<&&str>| line.is_some_and(|line| line.starts_with("|---"));
        cells(lines[at]).is_some() && !rule(lines.get(at)) && !rule(lines.get(at + 1))
    };
    let row = |at: usize| lines[at].trim_matches('|').split('|').map(str::trim).collect();
    let rows: Vec<_> = (0..lines.len()).filter(|at| is_row(*at)).map(row).collect();
    assert!(!rows.is_empty(), "no table in\n{text}");
    rows
}

/// The words in `code` spans.
pub(crate) fn spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The words in the first column of all tables in a text.
pub(crate) fn first_column(text: &str) -> BTreeSet<String> {
    rows(text).iter().flat_map(|row| spans(row[0])).map(str::to_owned).collect()
}

pub(crate) fn owned<'t>(words: impl IntoIterator<Item = &'t str>) -> BTreeSet<String> {
    words.into_iter().map(str::to_owned).collect()
}

/// Asserts that two sets are the same, and says what only one of them has.
pub(crate) fn assert_same(document: &str, documented: &BTreeSet<String>, existing: &BTreeSet<String>) {
    let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| one.difference(other).cloned().collect::<Vec<_>>();
    let (missing, unknown) = (only(existing, documented), only(documented, existing));
    assert!(!existing.is_empty(), "nothing exists that {document} could name");
    assert!(missing.is_empty(), "not in {document}: {missing:?}");
    assert!(unknown.is_empty(), "only in {document}: {unknown:?}");
}

// === metrics ===

/// The answer of `/metrics` once there was a session: a histogram is there when something was measured, and the expiry of
/// certificates when there is one.
async fn exposition() -> String {
    let workspace = Workspace::new();
    let issued = authority().issue(&["chat.test"], Valid::Now);
    let [cert, key] = [("cert.pem", &issued.cert), ("key.pem", &issued.key)].map(|(name, content)| {
        std::fs::write(workspace.path(name), content).unwrap();
        workspace.path(name).display().to_string()
    });
    let config = format!(
        "admin.url = \"https://closewatch.example.com\"\n\
         [[routes]]\nname = \"default\"\nupstream = \"{{upstream}}\"\n\
         [[routes]]\nname = \"secured\"\npath = \"/secured\"\nupstream = \"https://127.0.0.1:9\"\n\
         upstream_tls = {{ cert = {cert:?}, key = {key:?}, insecure = \"on\" }}\n"
    );
    let mut running = Running::within(workspace, &config, &[], Output::Read).await;
    let (mut client, mut upstream) = running.session().await;
    upstream.say(&ping(b"")).await;
    client.hear(&ping(b"")).await;
    client.say(&pong(b"")).await;
    upstream.hear(&pong(b"")).await;
    part(&mut client, &mut upstream, "").await;
    running.record().await;
    // The series of a finding are there once there is one.
    running.get("/metrics").await.body + &series_of_diagnosis()
}

#[tokio::test]
async fn every_metric_that_is_named_exists_and_every_metric_is_named() {
    let exported = Metrics::parse(&exposition().await);
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
    assert!(named > 0, "no document names a metric");
    assert!(unknown.is_empty(), "{unknown:#?} are not exported:\n{exported:#?}");

    let ours = exported.iter().filter(|name| name.starts_with("closewatch_")).cloned().collect();
    assert_same("docs/metrics.md", &first_column(&section("docs/metrics.md", "## Metrics")), &ours);
}

#[tokio::test]
async fn the_table_of_metrics_has_their_types_and_labels() {
    let text = exposition().await;
    let table = section("docs/metrics.md", "## Metrics");
    for row in rows(&table) {
        let [name, kind, labels] = [row[0].trim_matches('`'), row[1], row[2]];
        assert!(text.contains(&format!("\n# TYPE {name} {kind}\n")), "{name} is no {kind}");
        let series = [format!("\n{name}{{"), format!("\n{name}_bucket{{")];
        let series = series.iter().find_map(|series| text.split_once(series.as_str()));
        let pairs = series.map_or("", |(_, rest)| rest.split_once('}').unwrap().0);
        let keys = pairs.split("\",").filter_map(|pair| pair.split_once('=')).map(|(key, _)| key);
        let keys: BTreeSet<_> = keys.filter(|key| *key != "le").collect();
        assert_eq!(spans(labels).collect::<BTreeSet<_>>(), keys, "labels of {name}");
    }
}

// === labels ===

#[test]
fn every_word_of_a_closed_set_is_in_its_table() {
    let set = |head, words: BTreeSet<String>| {
        assert_same(head, &first_column(&section("docs/record.md", head)), &words);
    };
    set("### Cause", Cause::ALL.iter().map(ToString::to_string).collect());
    set("### Class", Class::ALL.iter().map(ToString::to_string).collect());
    set("### End", End::ALL.iter().map(ToString::to_string).collect());
    set("### Outcome", Outcome::ALL.iter().map(ToString::to_string).collect());
    set("### `tls_error`", TlsFailure::ALL.iter().map(ToString::to_string).collect());
    set("### Violations", Violation::ALL.iter().map(|kind| kind.as_str().to_owned()).collect());

    let initiators = section("docs/record.md", "### Initiator");
    for initiator in Initiator::ALL {
        assert!(spans(&initiators).any(|word| word == initiator.as_str()), "{initiator} is not in ### Initiator");
    }
    let labels = section("docs/metrics.md", "## Labels");
    let values = |label: &str| {
        let rows = rows(&labels);
        let row = rows.iter().find(|row| spans(row[0]).any(|name| name == label));
        owned(spans(row.unwrap_or_else(|| panic!("no label {label}"))[1]).filter(|word| !word.contains('.')))
    };
    assert_same("the label reason", &values("reason"), &owned(Rejection::ALL.iter().map(|word| word.as_str())));
    assert_same("the label sink", &values("sink"), &owned(Sink::ALL.iter().map(|word| word.as_str())));
}

// === the record ===

/// The paths of all fields of an object. What is a map, and not an object of ours, is one field.
fn fields(object: &Value, prefix: &str, found: &mut BTreeSet<String>) {
    for (name, value) in object.as_object().into_iter().flatten() {
        let path = format!("{prefix}{name}");
        if name != "violations" {
            fields(value, &format!("{path}."), found);
        }
        found.insert(path);
    }
}

/// The fields of all lines of this event in the golden close log. An object that one peer has, the other can have, too.
fn written(event: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in read("tests/data/closes.golden").lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        if record["event"] == event {
            fields(&record, "", &mut found);
        }
    }
    let inner = found.iter().filter(|path| path.matches('.').count() > 1);
    let mirrored: Vec<_> = inner.map(|path| path.replacen("client.", "upstream.", 1)).collect();
    found.extend(mirrored);
    found
}

#[test]
fn every_field_of_a_record_is_documented_and_no_other() {
    let below = |object: &str, head: &str| -> BTreeSet<String> {
        let section = section("docs/record.md", head);
        let of = |row: &&Vec<&str>| {
            let only = ["client", "upstream"].into_iter().find(|peer| row[3].starts_with(&format!("`{peer}` only")));
            only.is_none_or(|peer| peer == object)
        };
        let rows = rows(&section);
        rows.iter().filter(of).flat_map(|row| spans(row[0])).map(|name| format!("{object}.{name}")).collect()
    };
    let request = below("request", "## The request");
    let mut session = first_column(&section("docs/record.md", "## The session"));
    session.extend(["client", "upstream"].iter().flat_map(|peer| below(peer, "## A peer")));
    session.extend(request.iter().cloned());
    assert_same("docs/record.md", &session, &written("websocket.closed"));

    let mut handshake = first_column(&section("docs/record.md", "## A failed handshake"));
    handshake.extend(request);
    assert_same("docs/record.md", &handshake, &written("websocket.handshake_failed"));
}

/// The objects in the JSON blocks of a document.
fn examples(document: &str) -> Vec<Value> {
    let text = read(document);
    let blocks: Vec<_> = text.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(!blocks.is_empty(), "{document} has no example");
    blocks
        .iter()
        .map(|block| serde_json::from_str(block).unwrap_or_else(|error| panic!("{document}: {error}")))
        .collect()
}

#[test]
fn an_example_has_fields_that_exist_and_that_of_the_whole_record_has_all() {
    let existing = written("websocket.closed");
    for document in ["README.md", "docs/record.md"] {
        for example in examples(document) {
            let mut found = BTreeSet::new();
            fields(&example, "", &mut found);
            let unknown: Vec<_> = found.difference(&existing).collect();
            assert!(unknown.is_empty(), "in an example of {document}, and in no record: {unknown:?}");
            // The whole record, but for the Closes that its session did not have.
            let missing: Vec<_> = existing.difference(&found).filter(|path| !path.contains(".close.")).collect();
            assert!(document == "README.md" || missing.is_empty(), "not in the example of {document}: {missing:?}");
        }
    }
}

// === the configuration ===

#[test]
fn every_key_is_documented_and_no_other() {
    let text = "[[routes]]\nname = \"a\"\nhost = \"a.example\"\nupstream = \"https://a.example\"\n\
                upstream_tls.insecure = \"on\"";
    let all = config::parse(text, Path::new("all.toml")).unwrap();
    let all: Value = serde_json::from_str(&all.to_string()).unwrap();
    // Instead of routes.
    let mut keys = owned(["upstream"]);
    for (table, value) in all.as_object().unwrap() {
        let inner = value.get(0).unwrap_or(value).as_object().filter(|inner| !inner.is_empty());
        match inner {
            Some(inner) => keys.extend(inner.keys().map(|key| format!("{table}.{key}"))),
            None => drop(keys.insert(table.clone())),
        }
    }
    assert_same("docs/configuration.md", &first_column(&section("docs/configuration.md", "## Keys")), &keys);
}

/// The help of a command; `closewatch` itself has none.
async fn help(command: Option<&str>) -> String {
    let arguments: Vec<_> = command.into_iter().chain(["--help"]).collect();
    let mut child = Child::start(&arguments, Output::Read);
    let mut help = String::new();
    while let Some(line) = child.line().await {
        help += &line;
        help.push('\n');
    }
    assert!(help.contains("--help"), "{help}");
    help
}

/// The commands that a help lists.
pub(crate) fn commands(help: &str) -> BTreeSet<&str> {
    let (_, list) = help.split_once("\nCommands:\n").unwrap();
    let lines = list.lines().take_while(|line| !line.is_empty()).filter_map(|line| line.strip_prefix("  "));
    let names = lines.filter(|line| !line.starts_with(' ')).filter_map(|line| line.split(' ').next());
    names.filter(|name| *name != "help").collect()
}

fn flags(help: &str) -> BTreeSet<String> {
    owned(words(help, "--", |next| next.is_ascii_lowercase() || next == '-'))
}

#[tokio::test]
async fn every_command_is_documented_and_no_other() {
    let names = first_column(&section("docs/configuration.md", "## Commands"));
    let names = names.iter().filter_map(|name| name.split(' ').nth(1));
    assert_same("docs/configuration.md", &owned(names), &owned(commands(&help(None).await)));
}

#[tokio::test]
async fn every_flag_and_variable_is_documented_and_no_other() {
    let all = help(None).await;
    let variables = owned(words(&all, "CLOSEWATCH_", |next| next.is_ascii_uppercase() || next == '_'));
    let mut run = flags(&all);
    run.retain(|flag| !matches!(flag.as_str(), "--help" | "--version"));
    let section = section("docs/configuration.md", "## Flags");
    let rows = rows(&section);
    let column = |at: usize| rows.iter().flat_map(move |row| spans(row[at])).filter_map(|span| span.split(' ').next());
    assert_same("docs/configuration.md", &owned(column(0)), &run);
    assert_same("docs/configuration.md", &owned(column(1)), &variables);

    let mut known = run;
    known.extend(owned(["--help", "--version"]));
    for command in commands(&all) {
        known.append(&mut flags(&help(Some(command)).await));
    }
    for document in ["README.md", "docs/configuration.md"] {
        // `cargo`'s own flags are not ours.
        let text = read(document);
        let ours = text.lines().filter(|line| !line.contains("cargo ")).collect::<Vec<_>>().join("\n");
        let is_flag = |next: char| next.is_ascii_lowercase() || next == '-';
        let unknown: Vec<_> = words(&ours, "--", is_flag).into_iter().filter(|flag| !known.contains(*flag)).collect();
        assert!(unknown.is_empty(), "{unknown:?} are in {document} and in no help");
    }
}

// === endpoints ===

#[tokio::test]
async fn every_endpoint_is_documented_and_answers_where_the_table_says() {
    let table = section("docs/metrics.md", "## Endpoints");
    let source = read("src/admin/router.rs");
    let routed = source.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next());
    assert_same("docs/metrics.md", &first_column(&table), &owned(routed));

    let running = Running::start().await;
    for row in rows(&table) {
        let path = &row[0].trim_matches('`').replace("{word}", "1006");
        for (address, there) in [(running.admin, row[1]), (running.metrics, row[2])] {
            let expected = if there == "yes" { 200 } else { 404 };
            assert_eq!(status(address, path).await.unwrap(), expected, "{path} at {address}");
        }
    }

    // Until it is counted, it need not be shown.
    let _session = running.sessions(1).await;
    let sessions: Value = serde_json::from_str(&running.get("/sessions").await.body).unwrap();
    let shown = sessions["sessions"][0].as_object().unwrap();
    let missing: Vec<_> = shown.keys().filter(|name| !spans(&table).any(|span| span == **name)).collect();
    assert!(missing.is_empty(), "{missing:?} of /sessions are not in docs/metrics.md");
}

// === links ===

/// A head's anchor, as forges make it.
fn anchor(head: &str) -> String {
    let kept =
        head.trim_start_matches('#').trim().chars().filter(|next| next.is_alphanumeric() || " -_".contains(*next));
    kept.flat_map(char::to_lowercase).map(|next| if next == ' ' { '-' } else { next }).collect()
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let mut pages: Vec<_> = std::fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.extend(documents());
    pages.push(root().join("benches/README.md"));
    pages.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    let mut links = 0;
    for page in pages {
        let text = std::fs::read_to_string(&page).unwrap();
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains("://")) {
            links += 1;
            let (path, fragment) = target.split_once('#').unwrap_or((target, ""));
            let file = if path.is_empty() { page.clone() } else { page.parent().unwrap().join(path) };
            assert!(file.exists(), "{target} in {} leads nowhere", page.display());
            if !fragment.is_empty() {
                let text = std::fs::read_to_string(&file).unwrap();
                let mut heads = text.lines().filter(|line| line.starts_with('#'));
                assert!(heads.any(|head| anchor(head) == fragment), "{target} in {} has no head", page.display());
            }
        }
    }
    assert!(links > 50, "only {links} links were found");
}
