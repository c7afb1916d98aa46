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
        is_test(&self.path)
    }
}

fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
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

/// The part that a file belongs to, `depth` levels down: of `proxy/http/head.rs` first `proxy`, then `proxy/http`. `None` for a
/// file that lies higher, and for the `mod.rs` that declares the parts.
fn part(file: &str, depth: usize) -> Option<String> {
    let path = file.strip_suffix(".rs").unwrap_or(file);
    let path = path.strip_suffix("/mod").unwrap_or(path);
    let parts: Vec<_> = path.split('/').collect();
    (parts.len() >= depth && path != "lib").then(|| parts[..depth].join("/"))
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
fn the_parts_of_a_folder_import_only_what_its_table_says() {
    let sources = sources();
    let graph = Graph::of(&sources);
    let mut seen = BTreeSet::new();
    let mut complaints = vec![];
    for (from, to, names) in graph.edges() {
        let (Some(from_part), Some(to_part)) = (part(from, 2), part(to, 2)) else { continue };
        // A test may look at anything in its folder.
        let folder = part(from, 1).unwrap_or_default();
        if is_test(from) || part(to, 1).as_deref() != Some(folder.as_str()) || !TABLE.divides(&folder) {
            continue;
        }
        if let Some(complaint) = TABLE.complaint(&from_part, &to_part) {
            complaints.push(format!("src/{from}: {complaint} ({names} of src/{to})"));
        }
        seen.insert(from_part);
    }
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
    assert!(!seen.is_empty(), "no folder has a table of its parts");
    let parts: BTreeSet<_> =
        sources.iter().flat_map(|file| [1, 2].into_iter().filter_map(|depth| part(&file.path, depth))).collect();
    for row in TABLE.parts() {
        assert!(parts.contains(row), "ARCHITECTURE.md has a row for src/{row}, which is not there");
    }
}

#[test]
fn no_file_imports_one_that_imports_it() {
    let graph = Graph::of(&sources());
    assert!(graph.edges().count() >= 100, "the graph is empty");
    let cycles: Vec<_> = graph.cycles().into_iter().collect();
    assert!(cycles.is_empty(), "\n{}\n", cycles.join("\n"));
}
