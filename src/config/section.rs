//! TOML tables, read key by key: a mistake is noted with its line and key, and reading goes on.

use std::cell::RefCell;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Mistake, Place};
use super::given::Given;
use super::spelling::closest;
use super::values::{Parsed, described};

/// A file's text, and what was found in it so far.
pub(super) struct Document<'t> {
    path: &'t Path,
    text: &'t str,
    /// Where its lines end. A file of a thousand routes asks for ten thousand lines.
    line_ends: Vec<usize>,
    findings: RefCell<Findings>,
}

/// Remarks on a file.
#[derive(Default)]
pub(super) struct Findings {
    /// All that is wrong.
    pub(super) mistakes: Vec<Mistake>,
    /// Keys under their former names, which are right for now.
    pub(super) former_names: Vec<Mistake>,
}

/// One table of a document. It may hold the keys that were asked for; [`Section::finish`] refuses all others.
pub(super) struct Section<'d, 't> {
    document: &'d Document<'t>,
    name: String,
    line: usize,
    entries: &'d DeTable<'t>,
    known: Vec<&'static str>,
    /// Keys that stand here under a former name: the name of today, and that one.
    renamed: Vec<(&'static str, &'static str)>,
}

/// A value of a list or of a table with free keys, and where it stands.
pub(super) struct Item<'d, 't> {
    /// From 1.
    pub line: usize,
    /// Its key, empty in a list.
    pub key: &'d str,
    /// The value.
    pub value: &'d DeValue<'t>,
}

/// Reads settings whose keys are the names of their fields, all parsed in one way.
macro_rules! read_fields {
    ($section:expr, $settings:expr, [$($field:ident),+], $parse:expr) => {
        $( $section.set(stringify!($field), &mut $settings.$field, $parse); )+
    };
}

pub(super) use read_fields;

// === impl Document ===

impl<'t> Document<'t> {
    /// Begins to read `text`, which came from `path`.
    pub(super) fn new(path: &'t Path, text: &'t str) -> Self {
        let line_ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect();
        Self { path, text, line_ends, findings: RefCell::default() }
    }

    /// The tables of the text, or everything that keeps it from being TOML.
    pub(super) fn tables(&self) -> Option<DeTable<'t>> {
        let (tables, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            let line = self.line_at(error.span().map_or(0, |span| span.start));
            let key = self.key_on(line);
            self.note(line, key.as_deref().unwrap_or_default(), error.message().replace('\n', ", "));
        }
        errors.is_empty().then(|| tables.into_inner())
    }

    /// The table at the top.
    pub(super) fn top<'d>(&'d self, entries: &'d DeTable<'t>) -> Section<'d, 't> {
        Section { document: self, name: String::new(), line: 1, entries, known: Vec::new(), renamed: Vec::new() }
    }

    /// Notes a mistake; `key` may be empty.
    pub(super) fn note(&self, line: usize, key: &str, message: String) {
        let mistake = self.remark(line, key, message);
        self.findings.borrow_mut().mistakes.push(mistake);
    }

    fn remark(&self, line: usize, key: &str, message: String) -> Mistake {
        let place = Place::File { path: self.path.to_owned(), line };
        // A quoted key can be anything, and a mistake is one line.
        let escape = key.contains(char::is_control);
        let key = (!key.is_empty()).then(|| if escape { key.escape_debug().to_string() } else { key.to_owned() });
        Mistake { place, key, message }
    }

    /// All that was noted.
    pub(super) fn into_findings(self) -> Findings {
        self.findings.into_inner()
    }

    fn line_at(&self, offset: usize) -> usize {
        self.line_ends.partition_point(|end| *end < offset) + 1
    }

    /// The key that a line of broken TOML seems to set: what the parser says of it names no key.
    fn key_on(&self, line: usize) -> Option<String> {
        let (key, _) = self.text.lines().nth(line - 1)?.split_once('=')?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'"');
        let key = key.trim();
        (!key.is_empty() && key.bytes().all(plain)).then(|| key.replace('"', ""))
    }
}

// === impl Section ===

impl<'d, 't> Section<'d, 't> {
    /// The line that the table begins on.
    pub(super) fn line(&self) -> usize {
        self.line
    }

    /// Whether `key` is there, and on which line.
    pub(super) fn line_of(&mut self, key: &'static str) -> Option<usize> {
        self.value(key).map(|value| self.document.line_at(value.span().start))
    }

    /// Where `key` is given, if it is.
    pub(super) fn place_of(&mut self, key: &'static str) -> Option<Place> {
        self.line_of(key).map(|line| Place::File { path: self.document.path.to_owned(), line })
    }

    /// The place of `key` without its value, if it is given.
    pub(super) fn mark(&mut self, key: &'static str) -> Option<Given<()>> {
        Some(Given { value: (), place: self.place_of(key)?, key: Some(self.full(key)) })
    }

    /// Lets `key` stand under its `former` name as well, with a warning, until the next major version.
    pub(super) fn renamed(&mut self, former: &'static str, key: &'static str) {
        let Some((name, _)) = self.entries.get_key_value(former) else { return };
        let line = self.document.line_at(name.span().start);
        if self.value(key).is_some() {
            self.known.push(former);
            self.wrong(line, former, format!("is the former name of \"{key}\", which is given too"));
            return;
        }
        self.renamed.push((key, former));
        let message = format!("is called \"{key}\" now; the former name goes with the next major version");
        let remark = self.document.remark(line, &self.full(former), message);
        self.document.findings.borrow_mut().former_names.push(remark);
    }

    /// The value of `key`, if it is there and right.
    pub(super) fn read<T>(&mut self, key: &'static str, parse: impl FnOnce(&DeValue<'t>) -> Parsed<T>) -> Option<T> {
        let value = self.value(key)?;
        match parse(value.get_ref()) {
            Ok(value) => Some(value),
            Err(message) => {
                self.wrong(self.document.line_at(value.span().start), self.written(key), message);
                None
            }
        }
    }

    /// The value of `key` with its place, if it is there and right.
    pub(super) fn given<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&DeValue<'t>) -> Parsed<T>,
    ) -> Option<Given<T>> {
        let value = self.read(key, parse)?;
        Some(Given { value, place: self.place_of(key)?, key: Some(self.full(key)) })
    }

    /// Puts the value of `key` into `slot`; if it is not there, or wrong, the default stays.
    pub(super) fn set<T>(
        &mut self,
        key: &'static str,
        slot: &mut T,
        parse: impl FnOnce(&DeValue<'t>) -> Parsed<T>,
    ) -> Option<()> {
        self.read(key, parse).map(|value| *slot = value)
    }

    /// The table `[key]`, if it is there.
    pub(super) fn section(&mut self, key: &'static str) -> Option<Self> {
        let value = self.value(key)?;
        let section = self.table_in(key, value);
        if section.is_none() {
            let message = format!("expected a table, [{}], not {}", self.full(key), described(value.get_ref()));
            self.wrong(self.document.line_at(value.span().start), key, message);
        }
        section
    }

    /// The tables `[[key]]`, if there are any.
    pub(super) fn sections(&mut self, key: &'static str) -> Option<Vec<Self>> {
        let value = self.value(key)?;
        let tables = value.get_ref().as_array();
        let sections: Option<Vec<_>> =
            tables.and_then(|list| list.iter().map(|item| self.table_in(key, item)).collect());
        if sections.is_none() {
            let message = format!("expected tables, [[{}]], not {}", self.full(key), described(value.get_ref()));
            self.wrong(self.document.line_at(value.span().start), key, message);
        }
        sections
    }

    /// The elements of the list `key`; none if it is not there.
    pub(super) fn list(&mut self, key: &'static str) -> Vec<Item<'d, 't>> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let line = |item: &Spanned<DeValue<'t>>| self.document.line_at(item.span().start);
        if let Some(list) = value.get_ref().as_array() {
            return list.iter().map(|item| Item { line: line(item), key: "", value: item.get_ref() }).collect();
        }
        self.wrong(line(value), key, format!("expected a list in brackets, not {}", described(value.get_ref())));
        Vec::new()
    }

    /// All entries, for a table whose keys are free.
    pub(super) fn entries(&self) -> impl Iterator<Item = Item<'d, 't>> + use<'d, 't> {
        let document = self.document;
        self.entries.iter().map(move |(key, value)| Item {
            line: document.line_at(key.span().start),
            key: key.get_ref().as_ref(),
            value: value.get_ref(),
        })
    }

    /// Notes a mistake at a key of this table, or at the table itself if `key` is empty.
    pub(super) fn wrong(&self, line: usize, key: &str, message: String) {
        self.document.note(line, &self.full(key), message);
    }

    /// Refuses every key that was not asked for.
    pub(super) fn finish(self) {
        for Item { line, key, .. } in self.entries() {
            if self.known.contains(&key) || self.renamed.iter().any(|(_, former)| *former == key) {
                continue;
            }
            let message = match closest(key, &self.known) {
                Some(known) => format!("unknown key; did you mean \"{known}\"?"),
                None => format!("unknown key; known here: {}", self.known.join(", ")),
            };
            self.wrong(line, key, message);
        }
    }

    fn value(&mut self, key: &'static str) -> Option<&'d Spanned<DeValue<'t>>> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        self.entries.get(self.written(key))
    }

    /// The name under which `key` stands here.
    fn written(&self, key: &'static str) -> &'static str {
        self.renamed.iter().find(|(name, _)| *name == key).map_or(key, |(_, former)| former)
    }

    fn table_in(&self, key: &str, value: &'d Spanned<DeValue<'t>>) -> Option<Self> {
        let entries = value.get_ref().as_table()?;
        let line = self.document.line_at(value.span().start);
        Some(Section {
            document: self.document,
            name: self.full(key),
            line,
            entries,
            known: Vec::new(),
            renamed: Vec::new(),
        })
    }

    fn full(&self, key: &str) -> String {
        match (self.name.as_str(), key) {
            ("", key) => key.to_owned(),
            (name, "") => name.to_owned(),
            (name, key) => format!("{name}.{key}"),
        }
    }
}
