//! The imports of one file as its text spells them: which folders it names, and whether all of it can be read.

use std::collections::BTreeSet;

use super::tokens::{is_word, tokens};
use super::{Source, TABLE};

/// Folders without I/O, runtime or clock: time is an argument there.
const PURE: [&str; 3] = ["wire", "close", "diagnosis"];

const RUNTIMES: [&str; 3] = ["tokio", "hyper", "opentelemetry"];

const CLOCKS: [&str; 3] = ["SystemTime", "Instant", "Timestamp"];

/// The imports of one file, and the complaints about them.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// Folders of ours, its own included.
    pub(super) imports: BTreeSet<String>,
    pub(super) complaints: Vec<String>,
}

/// Reads the imports of one file and judges them.
pub(super) fn read(source: &Source) -> Reading {
    let mut reading = Reading::default();
    let tokens = tokens(&source.text);
    let token = |at: usize| tokens.get(at).map_or("", String::as_str);
    let mut module = source.module();
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
        judge(source, &folder, &tokens, &reading.imports, &mut complaints);
    }
    reading.complaints = complaints.into_iter().map(|complaint| format!("src/{}: {complaint}", source.path)).collect();
    reading
}

fn judge(source: &Source, folder: &str, tokens: &[String], imports: &BTreeSet<String>, complaints: &mut Vec<String>) {
    if !TABLE.parts().any(|part| part == folder) {
        complaints.push(format!("{folder} is not in the table of folders"));
        return;
    }
    complaints.extend(imports.iter().filter_map(|import| TABLE.complaint(folder, import)));
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
            rest == Some("") || !source.is_test() && rest.is_some_and(|rest| rest.starts_with('_'))
        });
        if runtime.is_some() {
            complaints.push(format!("{folder} is pure, so no {word}"));
        }
    }
}

/// The complaints about one file.
fn complaints(path: &str, text: &str) -> Vec<String> {
    read(&Source::new(path, text)).complaints
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
            ("use opentelemetry_sdk::trace::A;", "so no opentelemetry_sdk"),
            ("use opentelemetry::trace::SpanContext;", "so no opentelemetry"),
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
