//! Blocks of code in Markdown: fenced, or indented by four blanks behind an empty line.

use std::path::{Path, PathBuf};

/// A block of code.
pub(super) struct Block {
    /// The document and the line.
    pub(super) place: String,
    /// The word behind the fence; empty if there is none.
    pub(super) language: String,
    pub(super) text: String,
}

/// Code within a sentence.
pub(super) struct Span {
    /// The document and the line.
    pub(super) place: String,
    pub(super) text: String,
}

pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The documents for those who run closewatch or work on it.
pub(super) fn documents() -> Vec<PathBuf> {
    let mut found: Vec<_> =
        ["README.md", "CONTRIBUTING.md", "benches/README.md", "deploy/README.md"].map(|file| root().join(file)).into();
    found.extend(
        ["SECURITY.md", "deploy/clickhouse/README.md", "deploy/helm/closewatch/README.md"]
            .map(|file| root().join(file)),
    );
    for folder in ["docs", "docs/runbooks"] {
        let files = std::fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
        found.extend(files.filter(|file| file.extension().is_some_and(|extension| extension == "md")));
    }
    assert!(found.len() > 40, "only {} documents", found.len());
    found
}

/// The blocks and the spans of a document.
pub(super) fn code(document: &Path) -> (Vec<Block>, Vec<Span>) {
    let text = std::fs::read_to_string(document).unwrap();
    let name = document.strip_prefix(root()).unwrap().display();
    let lines: Vec<_> = text.lines().collect();
    let mut found = Vec::new();
    // The sentences alone, each on its line.
    let mut prose = String::new();
    let mut at = 0;
    while at < lines.len() {
        let (begin, place) = (at, format!("{name}:{}", at + 1));
        if let Some(language) = lines[at].trim_start().strip_prefix("```") {
            let inside: Vec<_> =
                lines[at + 1..].iter().take_while(|line| !line.trim_start().starts_with("```")).collect();
            at += inside.len() + 2;
            let text = inside.into_iter().flat_map(|line| [*line, "\n"]).collect();
            found.push(Block { place, language: language.to_owned(), text });
        } else if lines[at].starts_with("    ") && (at == 0 || lines[at - 1].is_empty()) {
            let inside: Vec<_> =
                lines[at..].iter().take_while(|line| line.starts_with("    ") || line.is_empty()).collect();
            at += inside.len();
            let text: String = inside.into_iter().flat_map(|line| [line.get(4..).unwrap_or_default(), "\n"]).collect();
            found.push(Block { place, language: String::new(), text: text.trim_end().to_owned() });
        } else {
            prose += lines[at];
            at += 1;
        }
        prose.extend((begin..at).map(|_| '\n'));
    }
    assert_eq!(prose.matches('`').count() % 2, 0, "{name}: a backtick has no other");
    let mut line = 1;
    let mut spans = Vec::new();
    for (at, piece) in prose.split('`').enumerate() {
        if at % 2 == 1 {
            let text = piece.split_whitespace().collect::<Vec<_>>().join(" ");
            spans.push(Span { place: format!("{name}:{line}"), text });
        }
        line += piece.matches('\n').count();
    }
    (found, spans)
}
