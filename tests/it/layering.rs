//! The stages import each other one way only; this test reads `src/` and fails on any other edge.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

/// Which folders of `src/` may import which. Files at the root (`lib.rs`, `main.rs`) join all.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("wire", &[]),
    ("close", &["wire"]),
    ("config", &["close"]),
    ("shutdown", &[]),
    ("export", &["close", "config", "wire"]),
    ("proxy", &["wire", "close", "config", "shutdown"]),
    ("admin", &["export", "close", "config", "shutdown", "wire"]),
    ("commands", &["wire", "close", "config", "shutdown", "export", "proxy", "admin"]),
];

/// Folders without I/O, runtime or clock: time is an argument there.
const PURE: [&str; 2] = ["wire", "close"];

const RUNTIMES: [&str; 2] = ["tokio", "hyper"];

const CLOCKS: [&str; 3] = ["SystemTime", "Instant", "Timestamp"];

/// A source file: its path under `src/`, with `/`, and its text.
struct Source {
    path: String,
    text: String,
}

/// What one file imports, and what is wrong with that.
#[derive(Debug, Default)]
struct Reading {
    /// Folders of ours, its own included.
    imports: BTreeSet<String>,
    complaints: Vec<String>,
}

// === impl Source ===

impl Source {
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

    fn read(&self) -> Reading {
        let mut reading = Reading::default();
        let tokens = tokens(&self.text);
        let token = |at: usize| tokens.get(at).map_or("", String::as_str);
        let mut module = self.module();
        let folder = module.first().cloned();
        let mut complaints = vec![];
        // Braces that are open, and whether each is a module's.
        let mut open = vec![];
        for at in 0..tokens.len() {
            let before = at.checked_sub(1).map_or("", token);
            // The token behind the path's own beginning, if this is a beginning.
            let behind = match token(at) {
                "{" => {
                    let is_module = at >= 2 && token(at - 2) == "mod";
                    if is_module {
                        module.push(before.to_owned());
                    }
                    open.push(is_module);
                    continue;
                }
                "}" => {
                    if open.pop() == Some(true) {
                        module.pop();
                    }
                    continue;
                }
                "path" if before == "[" && token(at + 1) == "=" => {
                    complaints.push("a module with a path of its own".to_owned());
                    continue;
                }
                "include" if token(at + 1) == "!" => {
                    complaints.push("source that is included".to_owned());
                    continue;
                }
                "crate" | "super" if before == "(" && token(at + 1) == ")" => continue,
                "crate" => at + 1,
                "super" if before == "::" && at >= 2 && token(at - 2) == "super" => continue,
                "super" => {
                    let chain = tokens[at..].chunks(2).take_while(|pair| pair[0] == "super");
                    let supers = chain.count();
                    if supers < module.len() {
                        continue;
                    }
                    at + 2 * supers - 1
                }
                _ => continue,
            };
            // From the root of the crate: the next word must be the folder.
            let target = token(behind + 1);
            if token(behind) == "::" && is_word(target) && target != "super" {
                reading.imports.insert(target.to_owned());
            } else {
                let shown = tokens[at..].iter().take(6).map(String::as_str).collect::<Vec<_>>().join(" ");
                complaints.push(format!("an import that this test cannot read: {shown}"));
            }
        }
        if let Some(folder) = folder {
            self.judge(&folder, &tokens, &reading.imports, &mut complaints);
        }
        reading.complaints =
            complaints.into_iter().map(|complaint| format!("src/{}: {complaint}", self.path)).collect();
        reading
    }

    fn judge(&self, folder: &str, tokens: &[String], imports: &BTreeSet<String>, complaints: &mut Vec<String>) {
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == folder) else {
            complaints.push(format!("{folder} is not in the table of folders"));
            return;
        };
        for import in imports.iter().filter(|import| *import != folder && !allowed.contains(&import.as_str())) {
            complaints.push(format!("{folder} may not import {import}"));
        }
        if !PURE.contains(&folder) {
            return;
        }
        for window in tokens.windows(3) {
            if CLOCKS.contains(&&*window[0]) && window[1..] == ["::", "now"] {
                complaints.push(format!("{folder} has no clock, so no {}::now", window[0]));
            }
        }
        for word in tokens {
            let runtime = RUNTIMES.iter().find(|runtime| {
                let rest = word.strip_prefix(*runtime);
                // Tests may have tokio_tungstenite for an oracle.
                rest == Some("") || !self.is_test() && rest.is_some_and(|rest| rest.starts_with('_'))
            });
            if runtime.is_some() {
                complaints.push(format!("{folder} is pure, so no {word}"));
            }
        }
    }
}

/// Words, `::` and single marks; without comments, strings and characters.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = vec![];
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let size = if first.is_whitespace() {
            first.len_utf8()
        } else if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(size) = raw_string(rest) {
            size
        } else if first == '"' {
            string(rest)
        } else if first == '\'' {
            character(rest)
        } else {
            let size = match rest.find(|c| !is_word_char(c)).unwrap_or(rest.len()) {
                0 if rest.starts_with("::") => 2,
                0 => first.len_utf8(),
                size => size,
            };
            tokens.push(rest[..size].to_owned());
            size
        };
        rest = &rest[size..];
    }
    tokens
}

const fn is_word_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii()
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| is_word_char(c) && !c.is_ascii_digit())
}

/// The size of a comment that begins `text`; such comments nest.
fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    at
}

/// The size of a raw string that begins `text`, if one does.
fn raw_string(text: &str) -> Option<usize> {
    let rest = ["r", "br", "cr"].into_iter().find_map(|prefix| text.strip_prefix(prefix))?;
    let body = rest.trim_start_matches('#');
    let hashes = rest.len() - body.len();
    let body = body.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(text.len() - body.len() + body.find(&end)? + end.len())
}

/// The size of a string that begins `text`.
fn string(text: &str) -> usize {
    let mut escaped = false;
    let end = text.bytes().skip(1).position(|byte| {
        let end = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        end
    });
    end.map_or(text.len(), |end| end + 2)
}

/// The size of a character that begins `text`; 1 if it is the mark of a lifetime.
fn character(text: &str) -> usize {
    let body = &text[1..];
    if body.starts_with('\\') {
        return body.bytes().skip(2).position(|byte| byte == b'\'').map_or(text.len(), |end| end + 4);
    }
    let size = body.chars().next().map_or(0, char::len_utf8);
    if body[size..].starts_with('\'') { size + 2 } else { 1 }
}

/// Every `.rs` file below `folder`.
fn sources(folder: &Path, under: &str) -> Vec<Source> {
    let mut found = vec![];
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let entry = entry.expect("a folder can be listed").path();
        let name = entry.file_name().and_then(OsStr::to_str).expect("names of source files are UTF-8");
        if entry.is_dir() {
            found.extend(sources(&entry, &format!("{under}{name}/")));
        } else if entry.extension() == Some(OsStr::new("rs")) {
            let text = fs::read_to_string(&entry).expect("a source file can be read");
            found.push(Source { path: format!("{under}{name}"), text });
        }
    }
    found
}

#[test]
fn every_import_goes_the_way_the_table_says() {
    let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "");
    let mut folders = BTreeSet::new();
    let mut edges = BTreeSet::new();
    let mut complaints = vec![];
    for source in &sources {
        let reading = source.read();
        if let Some(folder) = source.module().first() {
            folders.insert(folder.clone());
            edges.extend(reading.imports.into_iter().map(|import| (folder.clone(), import)));
        }
        complaints.extend(reading.complaints);
    }
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
    // It looked at something.
    assert!(sources.len() >= 20, "only {} files", sources.len());
    for folder in ["wire", "close", "config", "shutdown"] {
        assert!(folders.contains(folder), "no {folder} among {folders:?}");
    }
    assert!(edges.contains(&("close".to_owned(), "wire".to_owned())), "{edges:?}");
}

/// What the test says of one file.
fn complaints(path: &str, text: &str) -> Vec<String> {
    Source { path: path.to_owned(), text: text.to_owned() }.read().complaints
}

#[test]
fn a_tree_in_order_has_no_complaints() {
    for (path, text) in [
        ("lib.rs", "pub mod wire; use self::wire::Tap; use crate::proxy::Relay;"),
        ("main.rs", "fn main() { closewatch::commands::run() }"),
        ("wire/tap.rs", "use super::{Peer, Frame}; use crate::wire::Opcode; pub(crate) fn f() {} pub(super) fn g() {}"),
        ("wire/tests/oracle.rs", "use tokio_tungstenite::tungstenite; use super::super::Tap;"),
        ("close/mod.rs", "mod tests { use super::*; mod deep { use super::super::wire; } }"),
        ("close/catalog/codes.rs", "mod tests { use super::super::entries::library; use super::super::super::Class; }"),
        ("close/ledger.rs", "use crate::wire::{Peer, Frame}; pub(in crate::close) struct A;"),
        ("close/text.rs", "// crate::proxy\n/* /* tokio */ crate::{a} */ const A: &str = \"crate::proxy \\\" tokio\";"),
        ("close/raw.rs", "const A: &str = r#\"\" use crate::proxy; \"#; const B: char = '\"'; fn f<'a>(a: &'a str) {}"),
        (
            "close/clock.rs",
            "/// See [`crate::proxy`] and Instant::now.\nfn f(now: Duration) { jiff::Timestamp::UNIX_EPOCH; }",
        ),
        ("proxy/relay.rs", "use crate::close::Ledger;"),
        ("proxy/clock.rs", "use tokio::time::Instant; fn f() { Instant::now(); }"),
        ("commands/demo.rs", "use crate::admin::A; use crate::export::B; use crate::proxy::C;"),
    ] {
        assert_eq!(complaints(path, text), Vec::<String>::new(), "{path}: {text}");
    }
}

#[test]
fn a_bad_edge_is_found_in_whatever_form_it_comes() {
    for (path, text, complaint) in [
        ("wire/tap.rs", "use crate::close::Ledger;", "wire may not import close"),
        ("wire/tap.rs", "fn f() -> crate :: close :: Ledger {}", "wire may not import close"),
        ("wire/mod.rs", "use super::close::Ledger;", "wire may not import close"),
        ("wire/tap.rs", "use super::super::close::Ledger;", "wire may not import close"),
        ("wire/tap.rs", "mod tests { use super::super::super::close::Ledger; }", "wire may not import close"),
        ("wire/tap.rs", "mod tests { mod a {} } use super::super::proxy::A;", "wire may not import proxy"),
        ("wire/tests/mod.rs", "use crate::close::Ledger;", "wire may not import close"),
        ("wire/tap.rs", "const A: &str = \"\\\\\"; use crate::close::Ledger;", "wire may not import close"),
        ("wire/tap.rs", "const A: char = '\\''; use crate::close::Ledger;", "wire may not import close"),
        ("wire/tap.rs", "macro_rules! m { () => { $crate::close::Ledger } }", "wire may not import close"),
        ("close/sink.rs", "use crate::export::Metrics;", "close may not import export"),
        ("close/sink.rs", "use crate::unheard_of::A;", "close may not import unheard_of"),
        ("config/mod.rs", "use crate::wire::Peer;", "config may not import wire"),
        ("shutdown/mod.rs", "use crate::wire::Peer;", "shutdown may not import wire"),
        ("export/log.rs", "use crate::proxy::A;", "export may not import proxy"),
        ("proxy/relay.rs", "use crate::export::A;", "proxy may not import export"),
        ("admin/live.rs", "use crate::proxy::A;", "admin may not import proxy"),
        ("helpers/mod.rs", "", "helpers is not in the table"),
        ("helpers.rs", "", "helpers is not in the table"),
    ] {
        assert_complains(path, text, complaint);
    }
}

#[test]
fn imports_that_hide_their_folder_are_refused() {
    for text in [
        "use crate::{close::Ledger, wire::Peer};",
        "use crate::*;",
        "use crate as all;",
        "extern crate self as all;",
        "use super::super::{close::Ledger};",
        "use super::super::*;",
        "use super::super as all;",
    ] {
        assert_complains("wire/tap.rs", text, "cannot read");
    }
    assert_complains("wire/mod.rs", "use super::{close::Ledger};", "cannot read");
    assert_complains("wire/mod.rs", "#[path = \"../close/ledger.rs\"] mod ledger;", "a path of its own");
    assert_complains("wire/mod.rs", "include!(\"../close/ledger.rs\");", "included");
}

#[test]
fn runtimes_and_clocks_are_refused_where_all_is_pure() {
    for folder in PURE {
        for (text, complaint) in [
            ("use tokio::net::TcpStream;", "so no tokio"),
            ("use tokio_util::sync::A;", "so no tokio_util"),
            ("fn f(a: hyper::Request<()>) {}", "so no hyper"),
            ("use hyper_util::rt::A;", "so no hyper_util"),
            ("fn f() { std::time::SystemTime::now(); }", "no SystemTime::now"),
            ("fn f() { Instant::now(); }", "no Instant::now"),
            ("fn f() { jiff::Timestamp::now(); }", "no Timestamp::now"),
        ] {
            assert_complains(&format!("{folder}/a.rs"), text, complaint);
        }
        assert_complains(&format!("{folder}/tests/a.rs"), "use tokio::time::sleep;", "so no tokio");
    }
}

#[track_caller]
fn assert_complains(path: &str, text: &str, complaint: &str) {
    let complaints = complaints(path, text);
    assert!(complaints.len() == 1 && complaints[0].contains(complaint), "{path}: {text}\n{complaints:?}");
}
