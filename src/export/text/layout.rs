//! How the values of a line are set: beside each other, in columns, and no wider than a terminal.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::Row;
use crate::close::Class;

/// Terminals of at least this many columns get the wide columns.
const WIDE: usize = 110;
/// Where the rest of a line goes on if its values do not fit in one: under the route.
const INDENT: usize = 9;
const RESET: &str = "\x1b[0m";

/// The heads of the columns but the last, with their widths in a narrow and in a wide terminal.
///
/// The wide ones have room for the longest value there is, but for the route's; the narrow ones for those that are usual. A
/// longer value moves the next ones on, and is never cut.
const COLUMNS: [(&str, usize, usize); 7] = [
    ("TIME", 8, 8),
    ("ROUTE", 7, 10),
    ("CLASS", 8, 11),
    ("CODE", 4, 7),
    ("INITIATOR", 9, 9),
    ("CAUSE", 16, 21),
    ("AFTER", 6, 7),
];
const LAST: &str = "[SAW] REASON";

/// The shape of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Columns of the terminal; `None` where nobody counts them: a pipe, or a file.
    pub width: Option<usize>,
    /// Whether lines are coloured by their class.
    pub colour: bool,
}

// === impl Layout ===

impl Layout {
    /// For a pipe or a file: nothing is cut, and the time has its date.
    pub const PLAIN: Self = Self { width: None, colour: false };

    /// The heads of the columns, without a line break.
    pub fn heading(self) -> String {
        let mut setter = Setter::new(self);
        for (head, ..) in COLUMNS {
            setter.value(head);
        }
        setter.value(LAST);
        setter.text
    }

    /// The line of a row, without a line break at its end. Only the reason is cut. Values that do not fit beside each other
    /// go on in a line below, indented.
    pub fn line(self, row: &Row) -> String {
        let mut setter = Setter::new(self);
        let format = if self.width.is_none() { "%Y-%m-%dT%H:%M:%SZ" } else { "%H:%M:%S" };
        setter.value(&row.time.strftime(format).to_string());
        let [_, values @ .., _, _] = row.cells();
        for value in &values {
            setter.value(value);
        }
        if let Some(saw) = &row.saw {
            setter.value(&format!("[{saw}]"));
        }
        setter.rest(&row.reason);
        let text = setter.text;
        if !self.colour {
            return text;
        }
        // Line by line: a pager that begins at the second one shows it in its colour too.
        let paint = paint_of(row.class);
        let lines: Vec<_> = text.split('\n').map(|line| format!("{paint}{line}{RESET}")).collect();
        lines.join("\n")
    }
}

const fn paint_of(class: Option<Class>) -> &'static str {
    match class {
        Some(Class::Clean) => "\x1b[32m",
        Some(Class::Planned | Class::Application) => "\x1b[36m",
        Some(Class::Policy | Class::Protocol | Class::Overload) => "\x1b[33m",
        Some(Class::Abnormal) => "\x1b[31m",
        Some(Class::Unknown) | None => "\x1b[35m",
    }
}

/// Sets one value after the other.
struct Setter {
    text: String,
    /// Columns of the present line that are taken.
    taken: usize,
    /// Where the next value's column begins.
    column: usize,
    widths: std::array::IntoIter<usize, { COLUMNS.len() }>,
    gap: usize,
    limit: usize,
}

// === impl Setter ===

impl Setter {
    fn new(layout: Layout) -> Self {
        let wide = layout.width.is_none_or(|width| width >= WIDE);
        let mut widths = COLUMNS.map(|(_, narrow, full)| if wide { full } else { narrow });
        if layout.width.is_none() {
            widths[0] = "2026-11-20T12:01:12Z".len();
        }
        Self {
            text: String::new(),
            taken: 0,
            column: 0,
            widths: widths.into_iter(),
            gap: if wide { 2 } else { 1 },
            limit: layout.width.unwrap_or(usize::MAX),
        }
    }

    /// A value, whole: at its column, or as near behind it as the values before it leave.
    fn value(&mut self, value: &str) {
        let (column, width) = (self.column, value.width());
        self.column += self.widths.next().map_or(0, |width| width + self.gap);
        let fits = |at: &usize| at + width <= self.limit;
        let beside = if self.taken == 0 { 0 } else { self.taken + self.gap };
        let at = [beside.max(column), beside].into_iter().find(fits);
        let at = at.unwrap_or_else(|| {
            // Nothing is before the first value that it could make way for.
            if self.taken > 0 {
                self.text.push('\n');
                self.taken = 0;
            }
            if fits(&column) { column } else { INDENT }
        });
        self.put(at, value, width);
    }

    /// The last value, cut if it does not fit.
    fn rest(&mut self, value: &str) {
        let at = if self.taken > self.column { self.taken + 1 } else { self.column.max(self.taken + self.gap) };
        let room = self.limit.saturating_sub(at);
        if value.width() <= room {
            self.put(at, value, value.width());
            return;
        }
        let Some(mut left) = room.checked_sub("…".width()) else { return };
        let fits = |character: &char| {
            let rest = left.checked_sub(character.width().unwrap_or(0));
            left = rest.unwrap_or(0);
            rest.is_some()
        };
        let kept: String = value.chars().take_while(fits).chain(['…']).collect();
        self.put(at, &kept, room);
    }

    fn put(&mut self, at: usize, value: &str, width: usize) {
        if width > 0 {
            self.text.extend(std::iter::repeat_n(' ', at - self.taken));
            self.text.push_str(value);
            self.taken = at + width;
        }
    }
}
