//! JSON that is harmless wherever it is printed.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

use crate::close::is_unprintable;

/// Compact JSON in which control and format characters stand as `\uXXXX`, beyond the BMP as a surrogate pair.
struct Harmless;

/// Appends `value` to `out` as JSON without a line break.
pub fn to_json(value: &impl Serialize, out: &mut Vec<u8>) {
    let start = out.len();
    if let Err(error) = value.serialize(&mut Serializer::with_formatter(&mut *out, Harmless)) {
        // Memory takes every write, and our own types serialise: this cannot come about. Half an object must not either.
        out.truncate(start);
        out.extend_from_slice(b"null");
        tracing::error!(%error, "a record cannot be written as JSON");
    }
}

// === impl Harmless ===

impl Formatter for Harmless {
    // serde_json has escaped quotes, backslashes and C0 by itself; what is left comes here.
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        // Nearly all text is plain, and knows it by a look at its bytes.
        if fragment.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return writer.write_all(fragment.as_bytes());
        }
        let mut plain = 0;
        for (at, character) in fragment.char_indices().filter(|(_, character)| is_unprintable(*character)) {
            writer.write_all(&fragment.as_bytes()[plain..at])?;
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            plain = at + character.len_utf8();
        }
        writer.write_all(&fragment.as_bytes()[plain..])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn json(text: &str) -> String {
        let mut out = Vec::new();
        to_json(&text, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn control_and_format_characters_stand_as_escapes() {
        assert_eq!(json("a\u{1b}[31mb\u{7f}"), r#""a\u001b[31mb\u007f""#);
        assert_eq!(json("\u{85}\u{9b}"), r#""\u0085\u009b""#, "C1, which terminals obey too");
        assert_eq!(json("abc\u{202e}cba"), r#""abc\u202ecba""#);
        assert_eq!(json("\u{2028}\u{feff}"), r#""\u2028\ufeff""#);
        assert_eq!(json("\u{e0041}"), r#""\udb40\udc41""#, "a surrogate pair");
        assert_eq!(json("two\nlines \"quoted\" \\"), r#""two\nlines \"quoted\" \\""#);
        assert_eq!(json("žluťoučký 🐎 كتاب"), "\"žluťoučký 🐎 كتاب\"", "letters stay letters");
    }

    proptest! {
        #[test]
        fn any_text_is_one_harmless_line_and_comes_back_whole(text in any::<String>()) {
            let line = json(&text);
            prop_assert!(!line.chars().any(is_unprintable), "{line:?}");
            prop_assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
        }
    }
}
