//! The tables of ARCHITECTURE.md that say which part of `src/` may import which.

use std::collections::BTreeMap;

/// The parts of `src/` that have a row, each with the parts beside it that it may import.
#[derive(Debug, Default)]
pub(super) struct Table(BTreeMap<String, Allowed>);

#[derive(Debug)]
enum Allowed {
    Everything,
    These(Vec<String>),
}

impl Table {
    /// Reads every row whose first cell names a part of `src/` and whose last cell lists other parts.
    pub(super) fn read(markdown: &str) -> Self {
        let mut rows = BTreeMap::new();
        for line in markdown.lines() {
            let cells: Vec<_> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
            let ([first, .., last], true) = (&cells[..], line.starts_with("| `src/")) else { continue };
            let part = first.trim_matches('`').trim_start_matches("src/").trim_end_matches('/').trim_end_matches(".rs");
            // Remarks in parentheses are for readers.
            let names = last.split('(').map(|piece| piece.rsplit(')').next().unwrap_or_default()).collect::<String>();
            let allowed = match names.trim() {
                "everything" => Allowed::Everything,
                "nothing" => Allowed::These(vec![]),
                listed => {
                    Allowed::These(listed.split(',').map(|name| name.trim().trim_matches('`').to_owned()).collect())
                }
            };
            let earlier = rows.insert(part.to_owned(), allowed);
            assert!(earlier.is_none(), "two rows for {part}");
        }
        Self(rows)
    }

    /// The parts that have a row.
    pub(super) fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Why `from` may not import `to`, which lies beside it, if it may not.
    pub(super) fn complaint(&self, from: &str, to: &str) -> Option<String> {
        let name = to.rsplit('/').next().unwrap_or(to);
        match self.0.get(from) {
            _ if from == to => None,
            None => Some(format!("{from} is not in the table of folders")),
            Some(Allowed::Everything) => None,
            Some(Allowed::These(names)) if names.iter().any(|allowed| allowed == name) => None,
            Some(Allowed::These(_)) => Some(format!("{from} may not import {to}")),
        }
    }

    /// Whether the parts of `folder` have rows of their own.
    pub(super) fn divides(&self, folder: &str) -> bool {
        self.parts().any(|part| part.rsplit_once('/').is_some_and(|(parent, _)| parent == folder))
    }
}

#[test]
fn a_row_names_a_part_and_what_it_may_import() {
    let table = Table::read(
        "| folder | takes | may import |\n|---|---|---|\n\
         | `src/wire/` | bytes | nothing |\n\
         | `src/config/` | a file | close (names of classes), wire |\n\
         | `src/commands/` | arguments | everything |\n\
         | `src/proxy/http/` | heads | transport |\n\
         | `src/proxy/state.rs` | | http |\n\
         | `elsewhere/` | | nothing |\n",
    );
    assert_eq!(table.parts().count(), 5);
    for (from, to) in [
        ("wire", "wire"),
        ("config", "close"),
        ("config", "wire"),
        ("commands", "proxy"),
        ("proxy/http", "proxy/transport"),
        ("proxy/state", "proxy/http"),
    ] {
        assert_eq!(table.complaint(from, to), None);
    }
    for (from, to, complaint) in [
        ("wire", "close", "wire may not import close"),
        ("config", "proxy", "config may not import proxy"),
        ("proxy/http", "proxy/state", "proxy/http may not import proxy/state"),
        ("elsewhere", "wire", "elsewhere is not in the table of folders"),
    ] {
        assert_eq!(table.complaint(from, to).as_deref(), Some(complaint));
    }
    assert!(table.divides("proxy") && !table.divides("wire"));
}
