//! `docs/record.schema.json`, and `docs/record.md`: the lines of the close log, field by field.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use closewatch::export::record_schema;
use serde_json::{Value, json};

use super::conforms;
use crate::docs::{read, rows, section, spans};
use crate::export::golden::assert_golden;

const FILE: &str = "docs/record.schema.json";
const DOCUMENT: &str = "docs/record.md";
/// Sources of a field, as the document explains them.
const SOURCES: &str = "## Sources";

/// A line of the close log, which has to fit the published schema: every record that a test reads comes through here.
#[track_caller]
pub(crate) fn read_line(line: &str) -> Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(&read(FILE)).unwrap());
    let record: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
    if let Err(error) = conforms(&record, &SCHEMA) {
        panic!("{FILE} does not take a record: {error}\n{line}");
    }
    record
}

/// One row of the document.
struct Field {
    unit: String,
    source: String,
    content: String,
    null_when: String,
}

/// The fields that the document has, by their path: `closed.client.close.code`.
fn documented() -> BTreeMap<String, Field> {
    let mut fields = BTreeMap::new();
    let mut add = |head: &str, prefixes: &[&str]| {
        for row in rows(&section(DOCUMENT, head)) {
            let [names, unit, source, content, null_when] = row[..] else { panic!("{row:?} of {head}") };
            let only = ["client", "upstream"].into_iter().find(|peer| content.starts_with(&format!("`{peer}` only")));
            for prefix in prefixes.iter().filter(|prefix| only.is_none_or(|peer| prefix.ends_with(peer))) {
                for name in spans(names) {
                    let field = Field {
                        unit: unit.to_owned(),
                        source: source.to_owned(),
                        content: plain(content),
                        null_when: plain(null_when),
                    };
                    fields.insert(format!("{prefix}.{name}"), field);
                }
            }
        }
    };
    add("## The session", &["closed"]);
    add("## A peer", &["closed.client", "closed.upstream"]);
    add("## The request", &["closed.request", "handshake_failed.request"]);
    add("## A failed handshake", &["handshake_failed"]);
    fields
}

/// Markdown without its links and code spans.
pub(super) fn plain(text: &str) -> String {
    let link = regex::Regex::new(r"\[([^\]]*)\]\([^)]*\)").unwrap();
    link.replace_all(text, "$1").replace('`', "")
}

/// Calls `visit` with the path and schema of every field.
fn each_field(schema: &mut Value, path: &str, visit: &mut impl FnMut(&str, &mut Value)) {
    for (name, field) in schema["properties"].as_object_mut().into_iter().flatten() {
        let path = format!("{path}.{name}");
        visit(&path, field);
        if field.get("properties").is_some() {
            each_field(field, &path, visit);
        }
    }
}

fn each_field_of_a_line(schema: &mut Value, mut visit: impl FnMut(&str, &mut Value)) {
    for event in ["closed", "handshake_failed"] {
        each_field(&mut schema["$defs"][event], event, &mut visit);
    }
}

#[test]
fn the_published_schema_is_made_by_what_writes_the_records_and_explains_every_field() {
    let mut documented = documented();
    let mut schema = record_schema();
    schema["description"] =
        "A field is always there. A version may add fields; one that is renamed is another schema number. \
                             See docs/record.md."
            .into();
    each_field_of_a_line(&mut schema, |path, field| {
        let Field { unit, content, null_when, .. } =
            documented.remove(path).unwrap_or_else(|| panic!("{path} is not in {DOCUMENT}"));
        let unit = if unit.is_empty() { unit } else { format!(" [{unit}]") };
        let null = if null_when.is_empty() { null_when } else { format!(". Null: {null_when}") };
        field["description"] = format!("{content}{unit}{null}").into();
    });
    let unknown: Vec<_> = documented.keys().collect();
    assert!(unknown.is_empty(), "only in {DOCUMENT}: {unknown:?}");
    assert_golden(FILE, &format!("{schema:#}\n"));
}

#[test]
fn the_document_says_unit_source_and_null_of_every_field_as_the_schema_has_them() {
    let documented = documented();
    let sources: Vec<_> = rows(&section(DOCUMENT, SOURCES)).iter().map(|row| row[0].to_owned()).collect();
    let mut schema = record_schema();
    let mut count = 0;
    each_field_of_a_line(&mut schema, |path, field| {
        count += 1;
        let Field { unit, source, null_when, .. } = &documented[path];
        let kinds = if field["type"].is_array() { field["type"].clone() } else { json!([field["type"]]) };
        let has = |kind: &str| kinds.as_array().unwrap().iter().any(|one| one == kind);
        let units: &[&str] = match () {
            () if has("number") => &["ms"],
            () if field["format"] == "date-time" => &["time of day"],
            () if has("integer") => &["count", "bytes", "code", "status"],
            () => &[""],
        };
        assert!(units.contains(&unit.as_str()), "{path}: unit {unit:?} is none of {units:?}");
        assert!(sources.contains(source), "{path}: source {source:?} is none of {sources:?}");
        // Of an object that is null, the fields are not there.
        assert_eq!(has("null"), !null_when.is_empty(), "{path}: null when {null_when:?}");
    });
    assert!(count > 100, "only {count} fields");
}

#[test]
fn a_record_with_one_field_renamed_removed_or_added_does_not_fit() {
    let schema: Value = serde_json::from_str(&read(FILE)).unwrap();
    let lines = read("tests/data/closes.golden");
    let mut changed = 0;
    for line in lines.lines() {
        let record = read_line(line);
        let mut objects = vec![String::new()];
        while let Some(place) = objects.pop() {
            let object = record.pointer(&place).unwrap().as_object().unwrap();
            for (name, value) in object {
                // Its names are kinds, not fields.
                if place.ends_with("/violations") {
                    continue;
                }
                if value.is_object() {
                    objects.push(format!("{place}/{name}"));
                }
                let change = |rename: Option<&str>| {
                    let mut other = record.clone();
                    let object = other.pointer_mut(&place).unwrap().as_object_mut().unwrap();
                    let value = object.remove(name).unwrap();
                    if let Some(name) = rename {
                        object.insert(name.to_owned(), value);
                    }
                    conforms(&other, &schema)
                };
                changed += 1;
                assert!(change(None).is_err(), "without {place}/{name}");
                assert!(change(Some(&format!("{name}_2"))).is_err(), "{place}/{name} renamed");
            }
            let mut other = record.clone();
            let object = other.pointer_mut(&place).unwrap().as_object_mut().unwrap();
            object.insert("more".to_owned(), 1.into());
            assert!(conforms(&other, &schema).is_err(), "{place} with one more");
        }
    }
    assert!(changed > 200, "only {changed} fields");
}
