//! A reader of compact JSON, for lines whose order of fields is known.
//!
//! It allocates nothing but for escapes, and gives up on anything unusual: a space, an exponent. Nothing is skipped without
//! being checked, so what it accepts is JSON.

#![expect(
    clippy::inline_always,
    reason = "the place in a line stays in registers only if what moves it is one function"
)]

use std::borrow::Cow;

use memchr::{memchr, memchr2};
use serde::de::IgnoredAny;

use super::digits;

/// A field's name and what surrounds it, as [`Scan::find`] takes it. The first field of an object has no comma before it. With a
/// value the field has to have just that: a word, or an empty object.
macro_rules! key {
    (first $name:literal) => {
        concat!("\"", $name, "\":")
    };
    ($name:literal) => {
        concat!(",\"", $name, "\":")
    };
    ($name:literal = $value:literal) => {
        concat!(",\"", $name, "\":", $value)
    };
    // Several fields that follow each other, each with its value.
    ($($name:literal = $value:literal)+) => {
        concat!($(",\"", $name, "\":", $value),+)
    };
}
pub(super) use key;

/// A place in a line: what is left of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scan<'a>(&'a str);

/// Objects and arrays in each other that are skipped; the record has four.
const DEPTH: usize = 8;
/// Strings that are longer are left to a search that takes a while to begin.
const SHORT: usize = 32;

// === impl Scan ===

impl<'a> Scan<'a> {
    /// At the beginning of `text`.
    pub(super) const fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// Nothing is left.
    pub(super) fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    /// Goes into an object.
    #[inline(always)]
    pub(super) fn enter(&mut self) -> Option<()> {
        self.expect("{")
    }

    /// Goes to the value of the next field of this name, past others.
    #[inline(always)]
    pub(super) fn find(&mut self, name: &str) -> Option<()> {
        if !self.is_at(name) {
            *self = self.seek(name)?;
        }
        Some(())
    }

    /// The same of a field that may be missing; `false` at the end of the object.
    #[inline(always)]
    pub(super) fn find_if_any(&mut self, name: &str) -> Option<bool> {
        while !self.is_at(name) {
            if self.0.starts_with('}') {
                return Some(false);
            }
            *self = self.past_field()?;
        }
        Some(true)
    }

    /// Goes past the next field, if it has this name; most have a number.
    #[inline(always)]
    pub(super) fn pass_number(&mut self, name: &str) -> Option<()> {
        if !self.is_at(name) {
            return Some(());
        }
        let Some(length) = digits::short(self.0.as_bytes()) else { return self.past() };
        self.0 = self.0.get(length..)?;
        Some(())
    }

    /// Goes past the next field, if it has this name.
    #[inline(always)]
    pub(super) fn pass(&mut self, name: &str) -> Option<()> {
        if self.is_at(name) { self.past() } else { Some(()) }
    }

    /// Goes past any value.
    #[inline(always)]
    pub(super) fn past(&mut self) -> Option<()> {
        *self = self.past_value(DEPTH)?;
        Some(())
    }

    /// Goes past a name, or a name and its value, if it is the next.
    #[inline(always)]
    pub(super) fn is_at(&mut self, name: &str) -> bool {
        // Not by its length: that would have to lie between two letters.
        let rest = self.0.strip_prefix(name);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    #[cold]
    #[inline(never)]
    fn seek(mut self, name: &str) -> Option<Self> {
        let mut is_first = !name.starts_with(',');
        let name = name.strip_prefix(",\"").or(name.strip_prefix('"'))?.strip_suffix("\":")?;
        while self.name(is_first)? != name {
            self = self.past_value(DEPTH)?;
            is_first = false;
        }
        Some(self)
    }

    /// Goes to the value of the next field, whatever its name; none at the end of the object.
    pub(super) fn name(&mut self, is_first: bool) -> Option<&'a str> {
        if !is_first {
            self.expect(",")?;
        }
        let name = self.string()?;
        self.expect(":").map(|()| name)
    }

    /// Goes past the end of the object, and of what is left of it.
    #[inline(always)]
    pub(super) fn leave(&mut self) -> Option<()> {
        if self.expect("}").is_none() {
            *self = self.past_fields(DEPTH, false)?;
        }
        Some(())
    }

    /// Goes past `null`, if that is here.
    #[inline(always)]
    pub(super) fn null(&mut self) -> bool {
        self.is_at("null")
    }

    /// Reads a string.
    #[inline(always)]
    pub(super) fn string(&mut self) -> Option<&'a str> {
        self.expect("\"")?;
        let text = self.0;
        self.0 = past_quote(text)?;
        text.get(..text.len() - self.0.len() - 1)
    }

    /// Reads a string that may have escapes.
    #[inline(always)]
    pub(super) fn text(&mut self) -> Option<Cow<'a, str>> {
        let begin = *self;
        if let Some(text) = self.string() {
            return Some(Cow::Borrowed(text));
        }
        let (text, behind) = begin.escaped()?;
        *self = behind;
        Some(text)
    }

    #[cold]
    #[inline(never)]
    fn escaped(self) -> Option<(Cow<'a, str>, Self)> {
        let (string, rest) = self.0.split_at(string_length(self.0)?);
        Some((serde_json::from_str::<String>(string).ok()?.into(), Self(rest)))
    }

    /// Reads a string that most often is of `N` bytes.
    #[inline(always)]
    pub(super) fn string_of<const N: usize>(&mut self) -> Option<&'a str> {
        let text = self.0;
        if let Some(within) = text.as_bytes().get(1..).and_then(<[u8]>::first_chunk::<N>)
            && text.as_bytes()[0] == b'"'
            && text.as_bytes().get(N + 1) == Some(&b'"')
            && are_plain(within)
        {
            self.0 = text.get(N + 2..)?;
            return text.get(1..=N);
        }
        self.string()
    }

    /// Reads a number.
    #[inline(always)]
    pub(super) fn number(&mut self) -> Option<f64> {
        let bytes = self.0.as_bytes();
        let (number, length) = if bytes.first() == Some(&b'-') { negative(bytes)? } else { positive(bytes)? };
        self.0 = self.0.get(length..)?;
        Some(number)
    }

    /// Reads a number without a fraction.
    #[inline(always)]
    pub(super) fn whole<T: TryFrom<u64>>(&mut self) -> Option<T> {
        let (number, length) = digits::whole(self.0.as_bytes())?;
        self.0 = self.0.get(length..)?;
        T::try_from(number).ok()
    }

    #[inline(never)]
    fn past_fields(mut self, depth: usize, mut is_first: bool) -> Option<Self> {
        while self.expect("}").is_none() {
            self.name(is_first)?;
            self = self.past_value(depth)?;
            is_first = false;
        }
        Some(self)
    }

    #[cold]
    #[inline(never)]
    fn past_field(mut self) -> Option<Self> {
        self.name(false)?;
        self.past_value(DEPTH)
    }

    #[inline(always)]
    fn past_value(mut self, depth: usize) -> Option<Self> {
        let Some(rest) = past_plain(self.0) else {
            self.expect("{")?;
            return self.past_fields(depth.checked_sub(1)?, true);
        };
        Some(Self(rest))
    }

    #[inline(always)]
    fn expect(&mut self, sign: &str) -> Option<()> {
        self.is_at(sign).then_some(())
    }
}

/// Goes past any value but an object; none if there is no such value.
#[inline(never)]
fn past_plain(rest: &str) -> Option<&str> {
    let bytes = rest.as_bytes();
    match bytes.first()? {
        b'"' => past_quote(&rest[1..]).or_else(|| past_escapes(rest)),
        b'0'..=b'9' => rest.get(digits::length(bytes)?..),
        b'-' => rest.get(1 + digits::length(&bytes[1..])?..),
        b'n' => rest.strip_prefix("null"),
        b't' => rest.strip_prefix("true"),
        b'f' => rest.strip_prefix("false"),
        _ => None,
    }
}

/// Goes past the quote that ends a string; none if there is an escape before it, or a byte that JSON has only escaped.
#[inline(never)]
fn past_quote(rest: &str) -> Option<&str> {
    let bytes = rest.as_bytes();
    let mut from = 0;
    for eight in bytes.as_chunks().0.iter().take(SHORT / 8) {
        if let Some(at) = special(*eight) {
            return if eight[at] == b'"' { rest.get(from + at + 1..) } else { None };
        }
        from += eight.len();
    }
    let end = from + memchr(b'"', &bytes[from..])?;
    // Without an early exit, and in bytes: so the compiler does it for many of them at once.
    let odd = bytes[from..end].iter().fold(0, |odd, byte| odd | u8::from(*byte < b' ') | u8::from(*byte == b'\\'));
    if odd == 0 { rest.get(end + 1..) } else { None }
}

/// Goes past a string that has escapes.
#[cold]
#[inline(never)]
fn past_escapes(rest: &str) -> Option<&str> {
    let (string, rest) = rest.split_at(string_length(rest)?);
    serde_json::from_str::<IgnoredAny>(string).ok().map(|_| rest)
}

/// The length of the string at the beginning, with both of its quotes.
fn string_length(text: &str) -> Option<usize> {
    let mut at = 1;
    loop {
        at += 1 + memchr2(b'"', b'\\', text.as_bytes().get(at..)?)?;
        if text.as_bytes()[at - 1] == b'"' {
            return Some(at);
        }
        // Whatever is escaped.
        at += 1;
    }
}

/// Whether none of these bytes ends a string, or is escaped in it.
#[inline(always)]
fn are_plain<const N: usize>(bytes: &[u8; N]) -> bool {
    bytes.iter().fold(0, |odd, byte| odd | u8::from(*byte < b' ') | u8::from(matches!(byte, b'"' | b'\\'))) == 0
}

/// The number at the beginning, and its length.
#[inline(always)]
fn positive(bytes: &[u8]) -> Option<(f64, usize)> {
    let (whole, length) = digits::whole(bytes)?;
    if bytes.get(length) == Some(&b'.') { digits::fraction(whole, length, bytes) } else { Some((whole as f64, length)) }
}

#[cold]
#[inline(never)]
fn negative(bytes: &[u8]) -> Option<(f64, usize)> {
    positive(&bytes[1..]).map(|(number, length)| (-number, length + 1))
}

/// The first quote, backslash or control character among eight bytes.
#[inline]
fn special(bytes: [u8; 8]) -> Option<usize> {
    const EACH: u64 = 0x0101_0101_0101_0101;
    // The highest bit of each byte that is less than `bound`; bytes behind the first of them do not matter.
    let below = |word: u64, bound: u64| word.wrapping_sub(EACH * bound) & !word;
    let word = u64::from_le_bytes(bytes);
    // With that bit turned, a quote is the next behind the control characters.
    let found = (below(word ^ (EACH * 0x02), 0x21) | below(word ^ (EACH * 0x5c), 0x01)) & (EACH * 0x80);
    (found != 0).then(|| found.trailing_zeros() as usize / 8)
}

#[cfg(test)]
mod tests {
    use super::digits::DIGITS;
    use super::*;

    #[test]
    fn a_number_is_the_same_wherever_in_a_line_it_stands() {
        for digits in 1..=DIGITS {
            let number = &"987654321012345"[..digits];
            for behind in ["", ",", "}", ".5,\"next\":1", ",\"next\":12345678"] {
                let line = format!("{{\"a\":{number}{behind}");
                let mut scan = Scan::new(&line);
                scan.enter().unwrap();
                scan.find(key!(first "a")).unwrap();
                let place = scan;
                let value = if behind.starts_with('.') { format!("{number}.5") } else { number.to_owned() };
                assert_eq!(
                    scan.number(),
                    (digits < DIGITS || value == number).then(|| value.parse().unwrap()),
                    "{line}"
                );
                let mut scan = place;
                assert_eq!(scan.whole(), number.parse::<u64>().ok(), "{line}");
                assert_eq!(scan.0, behind);
            }
        }
        let mut scan = Scan::new("{\"a\":9876543210123456,");
        scan.enter().unwrap();
        scan.find(key!(first "a")).unwrap();
        assert_eq!(scan.number(), None, "more digits than are exact");
    }
}
