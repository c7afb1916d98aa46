//! A reader of compact JSON, for lines whose order of fields is known.
//!
//! It allocates nothing and gives up on anything unusual: a space, an escape, an exponent. Nothing is skipped without
//! being checked, so what it accepts is JSON.

use memchr::memchr;

use super::digits;

/// A field's name and what surrounds it, as [`Scan::find`] takes it: an array, whose length the compiler knows. The first field
/// of an object has no comma before it. With a value the field has to have just that: a word, or an empty object.
macro_rules! key {
    (first $name:literal) => {
        key!(@ concat!("\"", $name, "\":"))
    };
    ($name:literal) => {
        key!(@ concat!(",\"", $name, "\":"))
    };
    ($name:literal = $value:literal) => {
        key!(@ concat!(",\"", $name, "\":", $value))
    };
    (@ $text:expr) => {{
        const TEXT: &str = $text;
        const KEY: &[u8; TEXT.len()] = TEXT.as_bytes().as_array().expect("an array of its own length");
        KEY
    }};
}
pub(super) use key;

/// A place in a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scan<'a> {
    text: &'a str,
    rest: &'a [u8],
}

/// Objects and arrays in each other that are skipped; the record has four.
const DEPTH: usize = 8;
/// Strings that are longer are left to a search that takes a while to begin.
const SHORT: usize = 4;

// === impl Scan ===

impl<'a> Scan<'a> {
    /// At the beginning of `text`.
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, rest: text.as_bytes() }
    }

    /// Nothing is left.
    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Goes into an object.
    #[inline]
    pub(super) fn enter(&mut self) -> Option<()> {
        self.expect(b'{')
    }

    /// Goes to the value of the next field of this name, past others.
    #[inline]
    pub(super) fn find<const N: usize>(&mut self, name: &[u8; N]) -> Option<()> {
        if self.is_at(name) { Some(()) } else { self.seek(name) }
    }

    /// The same of a field that may be missing; `false` at the end of the object.
    #[inline]
    pub(super) fn find_if_any<const N: usize>(&mut self, name: &[u8; N]) -> Option<bool> {
        while !self.is_at(name) {
            if self.rest.first() == Some(&b'}') {
                return Some(false);
            }
            self.name()?;
            self.skip()?;
        }
        Some(true)
    }

    /// Goes past the next field, if it has this name.
    #[inline]
    pub(super) fn pass<const N: usize>(&mut self, name: &[u8; N]) -> Option<()> {
        if self.is_at(name) { self.skip() } else { Some(()) }
    }

    /// Goes past a name, if it is the next.
    #[inline]
    pub(super) fn is_at<const N: usize>(&mut self, name: &[u8; N]) -> bool {
        let Some(rest) = self.rest.strip_prefix(name) else { return false };
        self.rest = rest;
        true
    }

    #[cold]
    #[inline(never)]
    fn seek(&mut self, name: &[u8]) -> Option<()> {
        let name = name.strip_prefix(b",\"").or(name.strip_prefix(b"\""))?.strip_suffix(b"\":")?;
        while self.name()?.as_bytes() != name {
            self.skip()?;
        }
        Some(())
    }

    /// Goes to the value of the next field, whatever its name; none at the end of the object.
    pub(super) fn name(&mut self) -> Option<&'a str> {
        let is_first = self.text.as_bytes()[..self.at()].last() == Some(&b'{');
        if !is_first {
            self.expect(b',')?;
        }
        let name = self.string()?;
        self.expect(b':').map(|()| name)
    }

    /// Goes past the end of the object, and of what is left of it.
    #[inline]
    pub(super) fn leave(&mut self) -> Option<()> {
        if self.expect(b'}').is_some() { Some(()) } else { self.leave_at(DEPTH) }
    }

    /// Goes past `null`, if that is here.
    #[inline]
    pub(super) fn null(&mut self) -> bool {
        self.word(b"null").is_some()
    }

    /// Reads a string.
    #[inline]
    pub(super) fn string(&mut self) -> Option<&'a str> {
        self.expect(b'"')?;
        let from = self.at();
        self.pass_quote()?;
        self.text.get(from..self.at() - 1)
    }

    /// Reads a number.
    #[inline]
    pub(super) fn number(&mut self) -> Option<f64> {
        if self.rest.first() == Some(&b'-') {
            return self.negative();
        }
        self.positive()
    }

    #[cold]
    #[inline(never)]
    fn negative(&mut self) -> Option<f64> {
        self.expect(b'-')?;
        self.positive().map(|number| -number)
    }

    #[inline]
    fn positive(&mut self) -> Option<f64> {
        let (whole, behind) = digits::whole(self.rest)?;
        let Some(fraction) = behind.strip_prefix(b".") else {
            self.rest = behind;
            return Some(whole as f64);
        };
        let (number, behind) = digits::fraction(whole, self.rest, fraction)?;
        self.rest = behind;
        Some(number)
    }

    /// Reads a number without a fraction.
    #[inline]
    pub(super) fn whole<T: TryFrom<u64>>(&mut self) -> Option<T> {
        let (number, behind) = digits::whole(self.rest)?;
        self.rest = behind;
        T::try_from(number).ok()
    }

    fn leave_at(&mut self, depth: usize) -> Option<()> {
        while self.expect(b'}').is_none() {
            self.name()?;
            self.skip_at(depth)?;
        }
        Some(())
    }

    /// Goes past any value.
    #[inline]
    fn skip(&mut self) -> Option<()> {
        self.skip_at(DEPTH)
    }

    #[inline]
    fn skip_at(&mut self, depth: usize) -> Option<()> {
        match self.rest.first()? {
            b'"' => {
                self.expect(b'"')?;
                self.pass_quote()
            }
            b'0'..=b'9' => {
                self.rest = digits::skip(self.rest)?;
                Some(())
            }
            b'-' => {
                self.rest = digits::skip(&self.rest[1..])?;
                Some(())
            }
            b'n' => self.word(b"null"),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'{' if depth > 0 => {
                self.enter()?;
                self.leave_at(depth - 1)
            }
            _ => None,
        }
    }

    #[inline]
    fn word<const N: usize>(&mut self, word: &[u8; N]) -> Option<()> {
        self.rest = self.rest.strip_prefix(word)?;
        Some(())
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Option<()> {
        let (first, rest) = self.rest.split_first()?;
        if *first != byte {
            return None;
        }
        self.rest = rest;
        Some(())
    }

    /// Goes past the quote that ends a string; none if there is an escape before it, or a byte that JSON has only escaped.
    #[inline]
    fn pass_quote(&mut self) -> Option<()> {
        let mut rest = self.rest;
        for _ in 0..SHORT {
            let Some((eight, behind)) = rest.split_first_chunk() else { break };
            if let Some(at) = special(*eight) {
                self.rest = rest[at..].strip_prefix(b"\"")?;
                return Some(());
            }
            rest = behind;
        }
        let (text, behind) = rest.split_at(memchr(b'"', rest)?);
        self.rest = &behind[1..];
        // Without an early exit, and in bytes: so the compiler does it for many of them at once.
        let odd = text.iter().fold(0, |odd, byte| odd | u8::from(*byte < b' ') | u8::from(*byte == b'\\'));
        (odd == 0).then_some(())
    }

    /// The place in the line.
    #[inline]
    fn at(&self) -> usize {
        self.text.len() - self.rest.len()
    }
}

/// The first quote, backslash or control character among eight bytes.
#[inline]
fn special(bytes: [u8; 8]) -> Option<usize> {
    const EACH: u64 = 0x0101_0101_0101_0101;
    // The highest bit of each byte that is less than `bound`; bytes behind the first of them do not matter.
    let below = |word: u64, bound: u64| word.wrapping_sub(EACH * bound) & !word;
    let word = u64::from_le_bytes(bytes);
    let (quote, backslash) = (word ^ (EACH * 0x22), word ^ (EACH * 0x5c));
    let found = (below(quote, 1) | below(backslash, 1) | below(word, 0x20)) & (EACH * 0x80);
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
                assert_eq!(scan.rest, behind.as_bytes());
            }
        }
        let mut scan = Scan::new("{\"a\":9876543210123456,");
        scan.enter().unwrap();
        scan.find(key!(first "a")).unwrap();
        assert_eq!(scan.number(), None, "more digits than are exact");
    }
}
