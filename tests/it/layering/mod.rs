//! The order of `src/`: its parts import each other one way only. These tests read the code and fail on any other import.

mod graph;
mod imports;
mod table;
mod tokens;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use self::graph::Graph;
use self::table::Table;

/// A source file: its path under `src/`, with `/`, and its text.
struct Source {
    path: String,
    text: String,
}

/// Folders whose cycles are being taken apart.
const UNFINISHED: [&str; 3] = ["proxy/", "close/catalog/", "export/json/"];

/// The tables of ARCHITECTURE.md.
static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
    Table::read(&fs::read_to_string(path).expect("ARCHITECTURE.md can be read"))
});

// === impl Source ===

impl Source {
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// Its place in the tree of modules: `close`, `catalog`, `codes`.
    fn module(&self) -> Vec<String> {
        let path = self.path.strip_suffix(".rs").expect("only .rs files are read");
        let path = path.strip_suffix("/mod").unwrap_or(path);
        let path = if matches!(path, "lib" | "main") { "" } else { path };
        path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }
}

/// Every `.rs` file of `src/`.
fn sources() -> Vec<Source> {
    let mut found = vec![];
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut found);
    // It looked at something.
    assert!(found.len() >= 20, "only {} files", found.len());
    found
}

fn collect(folder: &Path, under: &str, found: &mut Vec<Source>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let entry = entry.expect("a folder can be listed").path();
        let name = entry.file_name().and_then(OsStr::to_str).expect("names of source files are UTF-8");
        if entry.is_dir() {
            collect(&entry, &format!("{under}{name}/"), found);
        } else if entry.extension() == Some(OsStr::new("rs")) {
            let text = fs::read_to_string(&entry).expect("a source file can be read");
            found.push(Source { path: format!("{under}{name}"), text });
        }
    }
}

#[test]
fn every_folder_imports_only_what_the_table_says() {
    let mut folders = BTreeSet::new();
    let mut edges = BTreeSet::new();
    let mut complaints = vec![];
    for source in &sources() {
        let reading = imports::read(source);
        if let Some(folder) = source.module().first() {
            folders.insert(folder.clone());
            edges.extend(reading.imports.into_iter().map(|import| (folder.clone(), import)));
        }
        complaints.extend(reading.complaints);
    }
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
    for folder in ["wire", "close", "config", "shutdown"] {
        assert!(folders.contains(folder), "no {folder} among {folders:?}");
    }
    assert!(edges.contains(&("close".to_owned(), "wire".to_owned())), "{edges:?}");
}

#[test]
fn no_file_imports_one_that_imports_it() {
    let graph = Graph::of(&sources());
    assert!(graph.edges().count() >= 100, "the graph is empty");
    let unfinished = |cycle: &String| UNFINISHED.iter().any(|folder| cycle.starts_with(folder));
    let cycles: Vec<_> = graph.cycles().into_iter().filter(|cycle| !unfinished(cycle)).collect();
    assert!(cycles.is_empty(), "\n{}\n", cycles.join("\n"));
}
