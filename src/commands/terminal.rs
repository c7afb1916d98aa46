//! The terminal that standard output, or standard error, may be.

use std::env;
use std::io::{self, IsTerminal};

use terminal_size::terminal_size_of;

use crate::export::Layout;

/// The width of a terminal that does not know it.
const USUAL_WIDTH: usize = 80;

/// How lines are set on standard output, at its present width.
pub(super) fn layout() -> Layout {
    let output = io::stdout();
    if !output.is_terminal() {
        return Layout::PLAIN;
    }
    let width = terminal_size_of(&output).map(|(width, _)| usize::from(width.0)).filter(|width| *width > 0);
    Layout { width: Some(width.unwrap_or(USUAL_WIDTH)), colour: has_colours(|name| env::var(name).ok()) }
}

/// A line for standard error, in as many lines as its terminal needs.
pub(super) fn wrapped(line: &str) -> String {
    let output = io::stderr();
    match terminal_size_of(&output).map(|(width, _)| usize::from(width.0)).filter(|width| *width > 0) {
        Some(width) => textwrap::fill(line, width),
        None => line.to_owned(),
    }
}

/// Whether a terminal shows colours, and its user wants them: see <https://no-color.org>.
fn has_colours(variable: impl Fn(&str) -> Option<String>) -> bool {
    variable("NO_COLOR").is_none_or(|value| value.is_empty()) && variable("TERM").is_none_or(|value| value != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_left_out_where_they_are_not_wanted() {
        for (name, value, expected) in
            [("TERM", "xterm", true), ("TERM", "dumb", false), ("NO_COLOR", "1", false), ("NO_COLOR", "", true)]
        {
            let variable = |asked: &str| (asked == name).then(|| value.to_owned());
            assert_eq!(has_colours(variable), expected, "{name}={value}");
        }
    }
}
