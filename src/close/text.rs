//! Text that a peer chose, made harmless in size.

use std::borrow::Cow;
use std::fmt;

use serde::{Serialize, Serializer};

/// At most this many bytes of any text of a peer are kept.
pub const MAX_TEXT: usize = 256;

/// A peer's text: decoded lossily, at most [`MAX_TEXT`] bytes, owning no more than it keeps.
///
/// It may still hold control and format characters: whoever prints it escapes them.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Text(Box<str>);

// === impl Text ===

impl Text {
    /// Keeps the beginning of `bytes`.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        // One character more than fits is looked at, so that a cut never falls inside one and shows as U+FFFD.
        let near = &bytes[..bytes.len().min(MAX_TEXT + 4)];
        // Nearly all text is whole UTF-8, and checked several bytes at a time.
        let text = std::str::from_utf8(near).map_or_else(|_| String::from_utf8_lossy(near), Cow::Borrowed);
        Self(text[..text.floor_char_boundary(MAX_TEXT)].into())
    }

    /// The text.
    pub const fn as_str(&self) -> &str {
        &self.0
    }

    /// The text with control and format characters escaped, fit for a terminal.
    pub fn escaped(&self) -> String {
        let mut safe = String::with_capacity(self.0.len());
        for character in self.0.chars() {
            if is_unprintable(character) {
                safe.extend(character.escape_unicode());
            } else {
                safe.push(character);
            }
        }
        safe
    }
}

/// Whether a character steers a terminal or a viewer instead of showing: Unicode categories Cc, Cf, Zl and Zp, and the
/// tags of plane 14. Every output escapes these.
pub fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{600}'..='\u{605}'
                | '\u{61c}'
                | '\u{6dd}'
                | '\u{70f}'
                | '\u{890}'..='\u{891}'
                | '\u{8e2}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{110bd}'
                | '\u{110cd}'
                | '\u{13430}'..='\u{1343f}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.escaped())
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::from_bytes(text.as_bytes())
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}
