//! The graph of files: which file imports from which.
//!
//! A name belongs to the file that defines it: `super::Tap` leads through the `use` of a `mod.rs` to `tap.rs`. A `mod.rs` that
//! only hands names on is therefore imported by nobody; one that holds code and is imported by its own children is part
//! of a cycle.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::Source;
use super::tokens::{is_word, tokens};

type Path = Vec<String>;

/// Modules by path. The crate's root has the empty path.
#[derive(Debug, Default)]
struct Modules(BTreeMap<Path, Module>);

#[derive(Debug, Default)]
struct Module {
    file: String,
    /// Names that a `use` brings in, with the path that it names.
    imported: BTreeMap<String, Path>,
    /// The modules of which a `use` brings in everything.
    globs: Vec<Path>,
    /// Every path that the code names, `use` or not.
    named: BTreeSet<Path>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    Module(Path),
    /// Something defined in this file.
    Item(String),
}

/// For each file the files that it imports from, with the names it takes.
#[derive(Debug, Default)]
pub(super) struct Graph(BTreeMap<String, BTreeMap<String, BTreeSet<String>>>);

// === impl Modules ===

impl Modules {
    fn read(sources: &[Source]) -> Self {
        let mut modules = Self::default();
        // `main.rs` is a crate of its own.
        for source in sources.iter().filter(|source| source.path != "main.rs") {
            modules.read_file(source);
        }
        modules
    }

    fn read_file(&mut self, source: &Source) {
        let tokens = tokens(&source.text);
        let token = |at: usize| tokens.get(at).map_or("", String::as_str);
        let mut module = source.module();
        let enter = |modules: &mut Self, path: &Path| {
            modules.0.entry(path.clone()).or_default().file.clone_from(&source.path);
        };
        enter(self, &module);
        // The braces that are open, and whether each is a module's.
        let mut open = vec![];
        let mut at = 0;
        while at < tokens.len() {
            match token(at) {
                "{" => {
                    let is_module = at >= 2 && token(at - 2) == "mod";
                    if is_module {
                        module.push(token(at - 1).to_owned());
                        enter(self, &module);
                    }
                    open.push(is_module);
                }
                "}" => {
                    let is_module = open.pop() == Some(true);
                    module.truncate(module.len() - usize::from(is_module));
                }
                // `use<'a>` is the capture of a lifetime.
                "use" if token(at + 1) != "<" => {
                    let end = at + tokens[at..].iter().position(|token| token == ";").unwrap_or(tokens.len() - at);
                    let here = self.0.get_mut(&module).expect("it was entered");
                    let mut rest = &tokens[at + 1..end];
                    here.import(&mut rest, &[]);
                    at = end;
                    continue;
                }
                word if is_word(word) && token(at + 1) == "::" && !matches!(before(&tokens, at), "::" | ".") => {
                    let mut path = vec![word.to_owned()];
                    while token(at + 1) == "::" && is_word(token(at + 2)) {
                        path.push(token(at + 2).to_owned());
                        at += 2;
                    }
                    self.0.get_mut(&module).expect("it was entered").named.insert(path);
                }
                _ => {}
            }
            at += 1;
        }
    }

    /// The target of `path` as `module` names it; `None` if that is outside this crate.
    fn resolve(&self, module: &[String], path: &[String], seen: &mut BTreeSet<(Path, String)>) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        let mut target = match first.as_str() {
            "crate" => Target::Module(vec![]),
            "self" => Target::Module(module.to_vec()),
            "super" => Target::Module(module.split_last()?.1.to_vec()),
            name => self.find(module, name, seen)?,
        };
        for name in rest {
            let Target::Module(inner) = &target else { break };
            target = match name.as_str() {
                "self" => continue,
                "super" => Target::Module(inner.split_last()?.1.to_vec()),
                name => match self.find(inner, name, seen) {
                    Some(found) => found,
                    None if self.imports_from_outside(inner, name) => return None,
                    None => Target::Item(self.0.get(inner)?.file.clone()),
                },
            };
        }
        Some(target)
    }

    /// The module or item that a name means within `module`, unless it is defined there.
    fn find(&self, module: &[String], name: &str, seen: &mut BTreeSet<(Path, String)>) -> Option<Target> {
        if !seen.insert((module.to_vec(), name.to_owned())) {
            return None;
        }
        let here = self.0.get(module)?;
        let child = [module, &[name.to_owned()]].concat();
        if self.0.contains_key(&child) {
            return Some(Target::Module(child));
        }
        if let Some(path) = here.imported.get(name) {
            return self.resolve(module, path, seen);
        }
        here.globs.iter().find_map(|glob| match self.resolve(module, glob, seen)? {
            Target::Module(opened) => self.find(&opened, name, seen),
            Target::Item(_) => None,
        })
    }

    fn imports_from_outside(&self, module: &[String], name: &str) -> bool {
        self.0[module].imported.get(name).is_some_and(|path| path.first().is_none_or(|first| first != name))
    }
}

// === impl Module ===

impl Module {
    /// Takes in one tree of a `use`, behind the path `before` it.
    fn import(&mut self, rest: &mut &[String], before: &[String]) {
        let mut path = before.to_vec();
        while let Some((token, behind)) = rest.split_first() {
            *rest = behind;
            match token.as_str() {
                // `use ::http` is of another crate.
                "::" if path.is_empty() => path.push(String::new()),
                "::" => {}
                "{" => {
                    while rest.first().is_some_and(|token| token != "}") {
                        self.import(rest, &path);
                        if rest.first().is_some_and(|token| token == ",") {
                            *rest = &rest[1..];
                        }
                    }
                    *rest = rest.get(1..).unwrap_or_default();
                    return;
                }
                "*" => {
                    self.globs.push(path);
                    return;
                }
                "as" => {
                    self.bind(rest.first().map_or("_", String::as_str), path);
                    *rest = rest.get(1..).unwrap_or_default();
                    return;
                }
                word => path.push(word.to_owned()),
            }
            if rest.first().is_none_or(|next| matches!(next.as_str(), "," | "}")) {
                break;
            }
        }
        if path.last().is_some_and(|last| last == "self") && path.len() > 1 {
            path.pop();
        }
        if let Some(name) = path.last().cloned() {
            self.bind(&name, path);
        }
    }

    fn bind(&mut self, name: &str, path: Path) {
        self.named.insert(path.clone());
        self.imported.insert(name.to_owned(), path);
    }
}

// === impl Graph ===

impl Graph {
    pub(super) fn of(sources: &[Source]) -> Self {
        let modules = Modules::read(sources);
        let mut graph = Self::default();
        for (path, module) in &modules.0 {
            let mut add = |file: &str, name: &str| {
                let files = graph.0.entry(module.file.clone()).or_default();
                if file != module.file {
                    files.entry(file.to_owned()).or_default().insert(name.to_owned());
                }
            };
            add(&module.file, "");
            for named in &module.named {
                if let Some(Target::Item(file)) = modules.resolve(path, named, &mut BTreeSet::new()) {
                    add(&file, named.last().map_or("", String::as_str));
                }
            }
            for glob in &module.globs {
                if let Some(Target::Module(opened)) = modules.resolve(path, glob, &mut BTreeSet::new()) {
                    add(&modules.0[&opened].file, "*");
                }
            }
        }
        graph
    }

    /// Every import: the file, the file it imports from, and the names that it takes.
    pub(super) fn edges(&self) -> impl Iterator<Item = (&str, &str, String)> {
        self.0.iter().flat_map(|(from, files)| {
            files.iter().map(move |(to, names)| {
                (from.as_str(), to.as_str(), names.iter().cloned().collect::<Vec<_>>().join(", "))
            })
        })
    }

    /// Cycles, one through each file that is part of any: none is told twice.
    pub(super) fn cycles(&self) -> BTreeSet<String> {
        let mut told = BTreeSet::new();
        let mut cycles = BTreeSet::new();
        for file in self.0.keys() {
            if told.contains(file.as_str()) {
                continue;
            }
            if let Some(cycle) = self.way_back(file) {
                told.extend(cycle.iter().copied());
                let arrows = cycle.windows(2).map(|pair| {
                    let names: Vec<_> = self.0[pair[0]][pair[1]].iter().cloned().collect();
                    format!("{} -> {} ({})", pair[0], pair[1], names.join(", "))
                });
                cycles.insert(arrows.collect::<Vec<_>>().join("; "));
            }
        }
        cycles
    }

    /// The shortest way from a file over its imports back to itself.
    fn way_back<'a>(&'a self, start: &'a str) -> Option<Vec<&'a str>> {
        let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
        let mut waiting = VecDeque::from([start]);
        while let Some(file) = waiting.pop_front() {
            for next in self.0.get(file).into_iter().flat_map(BTreeMap::keys) {
                if next == start {
                    let mut way = vec![start, file];
                    while let Some(before) = came_from.get(way[way.len() - 1]) {
                        way.push(before);
                    }
                    way.reverse();
                    return Some(way);
                }
                if !came_from.contains_key(next.as_str()) {
                    came_from.insert(next.as_str(), file);
                    waiting.push_back(next);
                }
            }
        }
        None
    }
}

fn before(tokens: &[String], at: usize) -> &str {
    at.checked_sub(1).map_or("", |before| &tokens[before])
}

/// The imports between files of this text, as `from > to: names`.
fn imports(files: &[(&str, &str)]) -> Vec<String> {
    let sources: Vec<_> = files.iter().map(|(path, text)| Source::new(path, text)).collect();
    Graph::of(&sources).edges().map(|(from, to, names)| format!("{from} > {to}: {names}")).collect()
}

fn cycles(files: &[(&str, &str)]) -> Vec<String> {
    let sources: Vec<_> = files.iter().map(|(path, text)| Source::new(path, text)).collect();
    Graph::of(&sources).cycles().into_iter().collect()
}

#[test]
fn a_name_leads_to_the_file_that_defines_it_however_it_is_written() {
    let tree = [
        ("lib.rs", "pub mod wire; pub mod close;"),
        ("wire/mod.rs", "mod frame; mod tap; pub use frame::{Frame, Opcode as Kind}; pub use self::tap::Tap;"),
        ("wire/frame.rs", "pub struct Frame; pub enum Opcode { Text } pub mod deep { pub const A: u8 = 0; }"),
        ("wire/tap.rs", "pub struct Tap;"),
        ("close/mod.rs", "mod user;"),
    ];
    for (text, expected) in [
        ("use crate::wire::Frame;", "wire/frame.rs: Frame"),
        ("use super::super::wire::Frame;", "wire/frame.rs: Frame"),
        ("use crate::wire::Kind;", "wire/frame.rs: Kind"),
        ("use crate::wire::{Kind as A};", "wire/frame.rs: Kind"),
        ("use crate::wire::Kind::Text;", "wire/frame.rs: Text"),
        ("fn f(frame: &crate::wire::Frame) {}", "wire/frame.rs: Frame"),
        ("use crate::wire; fn f() { wire::Tap::new() }", "wire/tap.rs: new"),
        ("use crate::wire as w; fn f() { w::Tap }", "wire/tap.rs: Tap"),
        ("use crate::wire::{self}; fn f() { wire::Tap }", "wire/tap.rs: Tap"),
        ("mod tests { use crate::wire::frame::deep; const B: u8 = deep::A; }", "wire/frame.rs: A"),
        ("mod tests { use super::*; fn f() { Tap::new() } } use crate::wire::tap::Tap;", "wire/tap.rs: Tap, new"),
        ("use crate::wire::frame::*;", "wire/frame.rs: *"),
        ("#[doc(alias)] pub(in crate::close) use crate::wire::Tap;", "wire/tap.rs: Tap"),
        ("use crate::wire::{frame::{Frame, deep::A}, };", "wire/frame.rs: A, Frame"),
    ] {
        let found = imports(&[&tree[..], &[("close/user.rs", text)]].concat());
        let found: Vec<_> = found.iter().filter_map(|import| import.strip_prefix("close/user.rs > ")).collect();
        assert_eq!(found, [expected], "{text}");
    }
    for text in [
        "use http::HeaderMap; use ::wire::Frame; use std::fmt::{self, Write}; fn f() { fmt::format() }",
        "// crate::wire::Frame\nconst A: &str = \"crate::wire::Frame\";",
        "fn f<'a>() -> impl Iterator + use<'a> { Vec::new().into_iter() }",
        "struct Own; mod tests { use super::*; fn f() { Own::new(); super::Own::new() } }",
    ] {
        let found = imports(&[&tree[..], &[("close/user.rs", text)]].concat());
        assert!(!found.iter().any(|import| import.starts_with("close/user.rs")), "{text}: {found:?}");
    }
}

#[test]
fn a_mod_file_that_only_hands_names_on_is_part_of_no_cycle() {
    let files = [
        ("lib.rs", "pub mod wire;"),
        ("wire/mod.rs", "mod frame; mod tap; pub use frame::Frame; pub use tap::Tap;"),
        ("wire/frame.rs", "pub struct Frame;"),
        ("wire/tap.rs", "use super::Frame; pub struct Tap(Frame);"),
    ];
    assert_eq!(cycles(&files), Vec::<String>::new());
}

#[test]
fn a_cycle_is_found_and_named() {
    let two = [("lib.rs", "mod a; mod b;"), ("a.rs", "use crate::b::B;"), ("b.rs", "use crate::a::A;")];
    assert_eq!(cycles(&two), ["a.rs -> b.rs (B); b.rs -> a.rs (A)"]);

    // The parent calls its child and is imported by it.
    let parent = [
        ("lib.rs", "mod relay;"),
        ("relay/mod.rs", "mod closing; pub struct Relay; fn run() { closing::close(); }"),
        ("relay/closing.rs", "use super::Relay; pub fn close() {}"),
    ];
    assert_eq!(cycles(&parent), ["relay/closing.rs -> relay/mod.rs (Relay); relay/mod.rs -> relay/closing.rs (close)"]);

    // Hidden behind names that are handed on.
    let three = [
        ("lib.rs", "mod x; mod y;"),
        ("x/mod.rs", "mod a; mod b; pub use a::A; pub use self::b::B;"),
        ("x/a.rs", "use super::B; pub struct A(B);"),
        ("x/b.rs", "use crate::y; pub struct B(y::C);"),
        ("y/mod.rs", "mod c; pub use c::C;"),
        ("y/c.rs", "mod tests { use crate::x::A; } pub struct C;"),
    ];
    assert_eq!(cycles(&three), ["x/a.rs -> x/b.rs (B); x/b.rs -> y/c.rs (C); y/c.rs -> x/a.rs (A)"]);
}
