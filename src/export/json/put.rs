//! Values as JSON, straight into a line; and what JSON Schema calls them.

use std::io::Write;

use jiff::tz::Offset;
use serde_json::{Value, json};
use ulid::{ULID_LEN, Ulid};

use super::escape::to_json;
use super::fields::{Millis, Rfc3339};
use crate::close::{
    Address, Cause, Class, CloseCode, End, Handshake, HttpVersion, Initiator, MAX_TEXT, Method, Outcome, SpanId, Text,
    TlsAlert, TlsFailure, TlsVersion, TraceId, Violations,
};
use crate::wire::Violation;

/// A value that has one spelling in JSON.
pub(super) trait Put {
    /// The JSON Schema of this spelling: that of every value of the type.
    fn schema() -> Value;

    /// Appends it.
    fn put(self, out: &mut Vec<u8>);
}

/// A word of a list.
pub(super) fn one_of<'a>(words: impl IntoIterator<Item = &'a str>) -> Value {
    json!({ "type": "string", "enum": words.into_iter().collect::<Vec<_>>() })
}

/// Text of exactly so many characters.
fn text_of(length: usize) -> Value {
    json!({ "type": "string", "minLength": length, "maxLength": length })
}

macro_rules! integers {
    ($($integer:ty),+) => { $(
        impl Put for $integer {
            fn schema() -> Value {
                json!({ "type": "integer", "minimum": 0 })
            }

            fn put(self, out: &mut Vec<u8>) {
                out.extend_from_slice(itoa::Buffer::new().format(self).as_bytes());
            }
        }
    )+ };
}
integers!(u16, u32, u64);

/// Labels are words of a closed set: there is nothing in them to escape.
macro_rules! labels {
    ($($label:ty),+) => { $(
        impl Put for $label {
            fn schema() -> Value {
                one_of(Self::ALL.iter().map(|word| word.as_str()))
            }

            fn put(self, out: &mut Vec<u8>) {
                quoted(self.as_str().as_bytes(), out);
            }
        }
    )+ };
}
labels!(Cause, Class, End, Handshake, HttpVersion, Initiator, Outcome, TlsFailure, TlsVersion);

impl<T: Put> Put for Option<T> {
    fn schema() -> Value {
        let mut schema = T::schema();
        schema["type"] = json!([schema["type"], "null"]);
        if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
            words.push(Value::Null);
        }
        schema
    }

    fn put(self, out: &mut Vec<u8>) {
        match self {
            Some(value) => value.put(out),
            None => out.extend_from_slice(b"null"),
        }
    }
}

impl Put for bool {
    fn schema() -> Value {
        json!({ "type": "boolean" })
    }

    fn put(self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self { b"true" } else { b"false" });
    }
}

impl Put for &str {
    fn schema() -> Value {
        json!({ "type": "string" })
    }

    fn put(self, out: &mut Vec<u8>) {
        // Nearly all text is plain.
        if is_plain(self.as_bytes()) {
            quoted(self.as_bytes(), out);
        } else {
            to_json(&self, out);
        }
    }
}

impl Put for &Text {
    fn schema() -> Value {
        json!({ "type": "string", "maxLength": MAX_TEXT })
    }

    fn put(self, out: &mut Vec<u8>) {
        self.as_str().put(out);
    }
}

impl Put for &Method {
    fn schema() -> Value {
        <&Text>::schema()
    }

    fn put(self, out: &mut Vec<u8>) {
        self.as_str().put(out);
    }
}

impl Put for &Address {
    fn schema() -> Value {
        json!({ "type": "string" })
    }

    fn put(self, out: &mut Vec<u8>) {
        match self {
            Address::Ip(_) => {
                out.push(b'"');
                self.push(out);
                out.push(b'"');
            }
            Address::Unix(_) => to_json(self, out),
        }
    }
}

impl Put for Ulid {
    fn schema() -> Value {
        text_of(ULID_LEN)
    }

    fn put(self, out: &mut Vec<u8>) {
        quoted(self.array_to_str(&mut [0; ULID_LEN]).as_bytes(), out);
    }
}

/// As the W3C spells it, and OTLP over JSON: lower-case hex.
impl Put for TraceId {
    fn schema() -> Value {
        text_of(32)
    }

    fn put(self, out: &mut Vec<u8>) {
        // Memory takes every write.
        let _ = write!(out, "\"{self}\"");
    }
}

/// The same.
impl Put for SpanId {
    fn schema() -> Value {
        text_of(16)
    }

    fn put(self, out: &mut Vec<u8>) {
        let _ = write!(out, "\"{self}\"");
    }
}

impl Put for CloseCode {
    fn schema() -> Value {
        json!({ "type": "integer", "minimum": 0, "maximum": u16::MAX })
    }

    fn put(self, out: &mut Vec<u8>) {
        self.0.put(out);
    }
}

/// Words, too, or a number behind one.
impl Put for TlsAlert {
    fn schema() -> Value {
        json!({ "type": "string" })
    }

    fn put(self, out: &mut Vec<u8>) {
        // Memory takes every write.
        let _ = write!(out, "\"{self}\"");
    }
}

/// Six decimals, always: a column of times lines up, and sorts as text. Each line has three, so they are not left to a general printer.
impl Put for Rfc3339 {
    fn schema() -> Value {
        json!({ "type": "string", "format": "date-time" })
    }

    fn put(self, out: &mut Vec<u8>) {
        let at = Offset::UTC.to_datetime(self.0);
        let Ok(year) = u32::try_from(at.year()) else {
            // Before the year 0, where years have a sign. Memory takes every write.
            let _ = write!(out, "\"{:.6}\"", self.0);
            return;
        };
        let mut text = *b"\"0000-00-00T00:00:00.000000Z\"";
        digits(&mut text[1..5], year);
        for (place, number) in [(6, at.month()), (9, at.day()), (12, at.hour()), (15, at.minute()), (18, at.second())] {
            digits(&mut text[place..place + 2], number.unsigned_abs().into());
        }
        digits(&mut text[21..27], at.subsec_nanosecond().unsigned_abs() / 1000);
        out.extend_from_slice(&text);
    }
}

impl Put for Millis {
    fn schema() -> Value {
        json!({ "type": "number", "minimum": 0 })
    }

    fn put(self, out: &mut Vec<u8>) {
        // More microseconds than that have not passed since the beginning of time.
        let micros = self.0.as_secs().saturating_mul(1_000_000) + u64::from(self.0.subsec_micros());
        if micros == 0 {
            return out.extend_from_slice(b"0.0");
        }
        (micros / 1000).put(out);
        let [hundreds, tens, ones] = [100, 10, 1].map(|unit| b'0' + (micros / unit % 10) as u8);
        let decimals = [b'.', hundreds, tens, ones];
        let zeros = decimals[2..].iter().rev().take_while(|digit| **digit == b'0').count();
        out.extend_from_slice(&decimals[..decimals.len() - zeros]);
    }
}

/// Kinds and their counts, without those that did not happen.
impl Put for &Violations {
    fn schema() -> Value {
        let kinds = one_of(Violation::ALL.iter().map(|kind| kind.as_str()));
        json!({
            "type": "object",
            "propertyNames": kinds,
            "additionalProperties": { "type": "integer", "minimum": 1 },
        })
    }

    fn put(self, out: &mut Vec<u8>) {
        out.push(b'{');
        for (number, (kind, count)) in self.iter().enumerate() {
            if number > 0 {
                out.push(b',');
            }
            kind.as_str().put(out);
            out.push(b':');
            count.put(out);
        }
        out.push(b'}');
    }
}

/// Whether nothing in a text has to be escaped.
fn is_plain(text: &[u8]) -> bool {
    // No early return: the compiler then compares many bytes at a time.
    let is_plain = |byte: u8| u8::from(matches!(byte, b' '..=b'~')) & u8::from(byte != b'"') & u8::from(byte != b'\\');
    text.iter().fold(1, |all, byte| all & is_plain(*byte)) == 1
}

/// Writes a number into all of a place, with zeros in front.
fn digits(place: &mut [u8], mut number: u32) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

fn quoted(plain: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(plain);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use jiff::Timestamp;
    use proptest::prelude::*;
    use serde::Serialize;

    use super::*;

    fn written(value: impl Put) -> String {
        let mut out = Vec::new();
        value.put(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn described(value: impl Serialize) -> String {
        let mut out = Vec::new();
        to_json(&value, &mut out);
        String::from_utf8(out).unwrap()
    }

    proptest! {
        #[test]
        fn every_value_is_spelt_as_serde_json_spells_it(
            text in any::<String>(), number in any::<u64>(), micros in 0_u64..1 << 50, seconds in -377_705_023_201_i64..=253_402_207_200,
            address in any::<SocketAddr>(), id in any::<u128>(), alert in any::<u8>(),
        ) {
            prop_assert_eq!(written(&*text), described(&text));
            prop_assert_eq!(written(number), described(number));
            let time = Duration::from_micros(micros);
            prop_assert_eq!(written(Millis(time)), described(Millis(time)));
            let time = Timestamp::new(seconds, 123_456_789 * if seconds < 0 { -1 } else { 1 }).unwrap();
            prop_assert_eq!(written(Rfc3339(time)), described(Rfc3339(time)));
            let address = Address::Ip(address);
            prop_assert_eq!(written(&address), described(&address));
            prop_assert_eq!(written(TlsAlert(alert)), described(TlsAlert(alert)));
            prop_assert_eq!(written(Ulid(id)), described(Ulid(id).to_string()));
        }
    }
}
