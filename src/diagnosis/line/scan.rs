//! A reader of compact JSON, for lines whose order of fields is known.
//!
//! It allocates nothing and gives up on anything unusual: a space, an escape, a sign, an exponent. Nothing is skipped without
//! being checked, so what it accepts is JSON.

use memchr::memchr;

/// A field's name and what surrounds it, as [`Scan::find`] takes it: an array, whose length the compiler knows.
macro_rules! key {
    ($name:literal) => {{
        const TEXT: &str = concat!("\"", $name, "\":");
        const KEY: &[u8; TEXT.len()] = TEXT.as_bytes().as_array().expect("an array of its own length");
        KEY
    }};
}
pub(super) use key;

/// A place in a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scan<'a> {
    text: &'a str,
    at: usize,
}

/// Objects and arrays in each other that are skipped; the record has four.
const DEPTH: usize = 8;
/// Digits that a number may have so that it, and every power of ten in it, is exact.
const DIGITS: usize = 15;
/// Powers of ten for the digits behind a point.
const TENS: [f64; DIGITS + 1] = {
    let mut tens = [1.0; DIGITS + 1];
    let mut at = 1;
    while at <= DIGITS {
        tens[at] = tens[at - 1] * 10.0;
        at += 1;
    }
    tens
};

/// The same for up to eight digits at once.
const WHOLE_TENS: [u64; 9] = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// The number that the digits at the beginning of these bytes make, and how many they are.
fn leading_digits(bytes: [u8; 8]) -> (u64, usize) {
    const EACH: u64 = 0x0101_0101_0101_0101;
    // A digit becomes its value. Any other byte is above 9, and has its highest bit in one of both; what it may carry over goes
    // to bytes behind it.
    let values = u64::from_le_bytes(bytes) ^ (EACH * 0x30);
    let others = (values | values.wrapping_add(EACH * 0x76)) & (EACH * 0x80);
    let count = others.trailing_zeros() / 8;
    // Zeros in front, instead of what is behind.
    let digits = values.checked_shl(64 - 8 * count).unwrap_or(0);
    // Two digits make one number, then two of these, then two of those.
    let twos = (digits.wrapping_mul(10).wrapping_add(digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (twos.wrapping_mul(100).wrapping_add(twos >> 16)) & 0x0000_ffff_0000_ffff;
    let eight = (fours.wrapping_mul(10_000).wrapping_add(fours >> 32)) & 0xffff_ffff;
    (eight, count as usize)
}

// === impl Scan ===

impl<'a> Scan<'a> {
    /// At the beginning of `text`; none if it has an escape, or a byte that JSON has only escaped.
    pub(super) fn new(text: &'a str) -> Option<Self> {
        // Without an early exit, and in bytes: so the compiler does it for many of them at once.
        let odd = text.bytes().fold(0, |odd, byte| odd | u8::from(byte < b' ') | u8::from(byte == b'\\'));
        (odd == 0).then_some(Self { text, at: 0 })
    }

    /// Nothing is left.
    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    /// Goes into an object.
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
            if self.rest().first() == Some(&b'}') {
                return Some(false);
            }
            self.name()?;
            self.skip(DEPTH)?;
        }
        Some(true)
    }

    /// Goes past the next field, if it has this name.
    #[inline]
    pub(super) fn pass<const N: usize>(&mut self, name: &[u8; N]) -> Option<()> {
        if self.is_at(name) { self.skip(DEPTH) } else { Some(()) }
    }

    /// Goes past a name, if it is the next: a [`key`] with the comma before it.
    #[inline]
    fn is_at<const N: usize>(&mut self, name: &[u8; N]) -> bool {
        let bytes = self.text.as_bytes();
        // The first field has no comma.
        let is_first = bytes[self.at - 1] == b'{';
        let from = self.at + usize::from(!is_first && bytes.get(self.at) == Some(&b','));
        let is_next = is_first || from > self.at;
        let here = is_next && bytes.get(from..from + N).is_some_and(|here| here == name);
        self.at = if here { from + N } else { self.at };
        here
    }

    #[cold]
    fn seek(&mut self, name: &[u8]) -> Option<()> {
        loop {
            self.next_name()?;
            let rest = &self.text.as_bytes()[self.at - 1..];
            if rest.starts_with(name) {
                self.at += name.len() - 1;
                return Some(());
            }
            self.pass_quote()?;
            self.expect(b':')?;
            self.skip(DEPTH)?;
        }
    }

    /// Goes to the value of the next field, whatever its name; none at the end of the object.
    pub(super) fn name(&mut self) -> Option<&'a str> {
        if self.rest().first() == Some(&b'}') {
            return None;
        }
        self.next_name()?;
        let from = self.at;
        self.pass_quote()?;
        let name = &self.text[from..self.at - 1];
        self.expect(b':').map(|()| name)
    }

    /// Goes past the end of the object, and of what is left of it.
    pub(super) fn leave(&mut self) -> Option<()> {
        self.leave_at(DEPTH)
    }

    /// Goes past `null`, if that is here.
    pub(super) fn null(&mut self) -> bool {
        let null = self.rest().starts_with(b"null");
        self.at += if null { 4 } else { 0 };
        null
    }

    /// Reads a string.
    pub(super) fn string(&mut self) -> Option<&'a str> {
        self.expect(b'"')?;
        let from = self.at;
        self.pass_quote()?;
        Some(&self.text[from..self.at - 1])
    }

    /// Reads a number.
    #[inline]
    pub(super) fn number(&mut self) -> Option<f64> {
        let (whole, digits) = self.digits(0)?;
        if self.expect(b'.').is_none() {
            return Some(whole as f64);
        }
        let (all, fraction) = self.digits(whole)?;
        (digits + fraction <= DIGITS).then(|| all as f64 / TENS[fraction])
    }

    /// Reads a number without a fraction.
    pub(super) fn whole<T: TryFrom<u64>>(&mut self) -> Option<T> {
        let (number, _) = self.digits(0)?;
        T::try_from(number).ok().filter(|_| !self.rest().starts_with(b"."))
    }

    /// Goes past the comma, if there was a field before, and into the quotes of a name.
    fn next_name(&mut self) -> Option<()> {
        if self.text.as_bytes()[self.at - 1] != b'{' {
            self.expect(b',')?;
        }
        self.expect(b'"')
    }

    /// Digits that go on a number, and how many; no needless zero, no exponent.
    fn digits(&mut self, before: u64) -> Option<(u64, usize)> {
        let (bytes, from) = (self.text.as_bytes(), self.at);
        let (mut number, mut at) = (before, from);
        while let Some((eight, _)) = bytes[at..].split_first_chunk() {
            let (digits, count) = leading_digits(*eight);
            number = number.wrapping_mul(WHOLE_TENS[count]).wrapping_add(digits);
            at += count;
            if count < eight.len() {
                break;
            }
        }
        // The last few bytes of a line.
        while let Some(digit @ b'0'..=b'9') = bytes.get(at) {
            number = number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
            at += 1;
        }
        self.at = at;
        let count = at - from;
        let is_fraction = from > 0 && bytes[from - 1] == b'.';
        let needless = count > 1 && !is_fraction && bytes[from] == b'0';
        let exponent = matches!(self.rest().first(), Some(b'e' | b'E'));
        (count > 0 && count <= DIGITS && !needless && !exponent).then_some((number, count))
    }

    fn leave_at(&mut self, depth: usize) -> Option<()> {
        while self.expect(b'}').is_none() {
            self.name()?;
            self.skip(depth)?;
        }
        Some(())
    }

    /// Goes past any value.
    fn skip(&mut self, depth: usize) -> Option<()> {
        match self.rest().first()? {
            b'"' => self.string().map(drop),
            b'0'..=b'9' => {
                self.digits(0)?;
                if self.expect(b'.').is_some() { self.digits(0).map(drop) } else { Some(()) }
            }
            b'n' => self.null().then_some(()),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'{' if depth > 0 => {
                self.enter()?;
                self.leave_at(depth - 1)
            }
            _ => None,
        }
    }

    fn word(&mut self, word: &str) -> Option<()> {
        let here = self.rest().starts_with(word.as_bytes());
        self.at += if here { word.len() } else { 0 };
        here.then_some(())
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        let here = self.rest().first() == Some(&byte);
        self.at += usize::from(here);
        here.then_some(())
    }

    /// Goes past the quote that ends a string.
    fn pass_quote(&mut self) -> Option<()> {
        self.at += memchr(b'"', self.rest())? + 1;
        Some(())
    }

    fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_the_same_wherever_in_a_line_it_stands() {
        for digits in 1..=DIGITS {
            let number = &"987654321012345"[..digits];
            for behind in ["", ",", "}", ".5,\"next\":1", ",\"next\":12345678"] {
                let line = format!("{{\"a\":{number}{behind}");
                let mut scan = Scan::new(&line).unwrap();
                scan.enter().unwrap();
                scan.find(key!("a")).unwrap();
                let place = scan;
                let value = if behind.starts_with('.') { format!("{number}.5") } else { number.to_owned() };
                assert_eq!(
                    scan.number(),
                    (digits < DIGITS || value == number).then(|| value.parse().unwrap()),
                    "{line}"
                );
                let whole = (value == number).then(|| number.parse::<u64>().unwrap());
                assert_eq!({ place }.whole(), whole, "{line}");
            }
        }
        let mut scan = Scan::new("{\"a\":9876543210123456,").unwrap();
        scan.enter().unwrap();
        scan.find(key!("a")).unwrap();
        assert_eq!(scan.number(), None, "more digits than are exact");
    }
}
