//! Comparison with a file of the repository.

use std::fmt::Write;
use std::path::Path;

/// Asserts that `actual` is the file's content; with `BLESS=1` in the environment, makes it so.
#[track_caller]
pub(crate) fn assert_golden(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    assert!(!expected.is_empty(), "{name} is empty");
    assert!(expected == actual, "{name} differs (BLESS=1 takes the new one):\n{}", difference(&expected, actual));
}

/// The lines that only one of the two has, in order, with their numbers.
fn difference(expected: &str, actual: &str) -> String {
    let (expected, actual): (Vec<_>, Vec<_>) = (expected.lines().collect(), actual.lines().collect());
    let mut text = String::new();
    for (sign, lines, others) in [('-', &expected, &actual), ('+', &actual, &expected)] {
        for (number, line) in lines.iter().enumerate().filter(|(_, line)| !others.contains(line)) {
            writeln!(text, "{sign}{:4} {line}", number + 1).unwrap();
        }
    }
    if text.is_empty() { "the same lines in another order, or another number of them".to_owned() } else { text }
}
