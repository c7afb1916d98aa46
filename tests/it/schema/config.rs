//! `config/schema.json`, for editors: the keys of the configuration, with the text of `docs/configuration.md`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use closewatch::config;
use serde_json::Value;

use super::conforms;
use super::record::plain;
use crate::docs::{read, rows, section, spans};
use crate::export::golden::assert_golden;

const FILE: &str = "config/schema.json";

/// Wrong files whose mistake no schema can see: it is in another file, in the TOML itself, or between two keys.
const UNSEEN: &[&str] = &[
    "class_code_illegal",
    "class_code_range",
    "drain_reason_too_long",
    "drain_reason_without_code",
    "duration_too_long",
    "listen_is_the_default_of_admin",
    "listen_port_too_large",
    "listen_twice",
    "log_closes_empty",
    "log_format_twice",
    "otel_ca",
    "proxy_protocol_for_nobody",
    "route_code_illegal",
    "route_code_unknown_preset",
    "route_codes_on_lines",
    "route_duplicate_match",
    "route_duplicate_name",
    "route_upstream_tls",
    "routes_too_many",
    "size_too_large",
    "size_too_small",
    "tls_cert_missing",
    "tls_key_alone",
    "upstream_is_the_listener",
    "upstream_missing",
    "upstream_tls_files",
    "upstream_tls_unused",
];

fn published() -> Value {
    serde_json::from_str(&read(FILE)).unwrap()
}

/// The text of each key in the document.
fn documented() -> BTreeMap<String, String> {
    let section = section("docs/configuration.md", "## Keys");
    let mut texts = BTreeMap::new();
    for row in rows(&section) {
        let text = if row.len() == 4 { format!("{}. 0: {}", row[2], row[3]) } else { row[2].to_owned() };
        for key in spans(row[0]) {
            texts.insert(key.to_owned(), format!("{} [default: {}]", plain(&text), plain(row[1])));
        }
    }
    texts
}

/// Puts the text of every key into its schema.
fn describe(schema: &mut Value, prefix: &str, texts: &mut BTreeMap<String, String>) {
    for (name, key) in schema["properties"].as_object_mut().into_iter().flatten() {
        let path = format!("{prefix}{name}");
        // A former name.
        if key.get("deprecated").is_some() {
            continue;
        }
        if let Some(text) = texts.remove(&path) {
            key["description"] = text.into();
        } else if key.get("items").is_some() {
            describe(&mut key["items"], &format!("{path}."), texts);
        } else {
            assert!(
                key["properties"].as_object().is_some_and(|keys| !keys.is_empty()),
                "{path} has no kind, or no text"
            );
            describe(key, &format!("{path}."), texts);
        }
    }
}

#[test]
fn the_published_schema_has_every_key_with_its_text() {
    let mut texts = documented();
    let mut schema = config::schema();
    describe(&mut schema, "", &mut texts);
    assert!(texts.is_empty(), "only in docs/configuration.md: {texts:?}");
    assert_golden(FILE, &format!("{schema:#}\n"));
}

/// Files of a folder and of those in it.
fn toml_files(folder: &str) -> Vec<PathBuf> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "toml") {
                files.push(path);
            }
        }
    }
    files.sort();
    assert!(!files.is_empty(), "no files in {folder}");
    files
}

/// A file as the schema sees it; nothing if it is no TOML.
fn value(path: &Path) -> Option<Value> {
    let table: toml::Table = std::fs::read_to_string(path).ok()?.parse().ok()?;
    Some(serde_json::to_value(table).unwrap())
}

#[test]
fn files_that_are_shipped_fit_it() {
    let schema = published();
    for path in ["config", "deploy"].into_iter().flat_map(toml_files) {
        assert_eq!(conforms(&value(&path).unwrap(), &schema), Ok(()), "{}", path.display());
    }
}

#[test]
fn a_wrong_file_does_not_fit_it_unless_its_mistake_is_beyond_a_schema() {
    let schema = published();
    let unseen: Vec<_> = toml_files("tests/data/invalid")
        .into_iter()
        .filter(|path| value(path).is_some_and(|value| conforms(&value, &schema).is_ok()))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(unseen, UNSEEN);
}
