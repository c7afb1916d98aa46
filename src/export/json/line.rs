//! A line in the making: its bytes, or its description.
//!
//! The fields of a record are listed once, in `record`. Into a `Vec<u8>` they are written; into
//! [`Properties`](super::properties::Properties) they are described. So the published schema cannot differ from the lines.

use serde_json::Value;

use super::put::Put;

/// Takes the fields of an object, one after the other. Keys come as the line has them: `{"name":` or `,"name":`.
pub(super) trait Line {
    /// A field.
    fn field<V: Put>(&mut self, key: &'static str, value: V);

    /// A field that is the same in every line.
    fn constant<V: Put + Into<Value>>(&mut self, key: &'static str, value: V);

    /// A field that is an object; `fields` gives its fields.
    fn object(&mut self, key: &'static str, fields: impl FnOnce(&mut Self));
}

/// `put!(line, before, name: value, …)`: goes on in a line with fields, with `before` (`{` or `,`) in front of the first.
macro_rules! put {
    ($line:expr, $before:literal, $name:literal: $value:expr $(, $more:literal: $others:expr)* $(,)?) => {{
        $crate::export::json::line::Line::field($line, concat!($before, "\"", $name, "\":"), $value);
        $( $crate::export::json::line::Line::field($line, concat!(",\"", $more, "\":"), $others); )*
    }};
}
pub(super) use put;

impl Line for Vec<u8> {
    #[inline]
    fn field<V: Put>(&mut self, key: &'static str, value: V) {
        self.extend_from_slice(key.as_bytes());
        value.put(self);
    }

    #[inline]
    fn constant<V: Put + Into<Value>>(&mut self, key: &'static str, value: V) {
        self.field(key, value);
    }

    #[inline]
    fn object(&mut self, key: &'static str, fields: impl FnOnce(&mut Self)) {
        self.extend_from_slice(key.as_bytes());
        fields(self);
        self.push(b'}');
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn fields_are_an_object() {
        let mut out = Vec::new();
        put!(&mut out, "{", "a": 1_u32, "b": None::<u32>, "c": true);
        put!(&mut out, ",", "d": "x\"y");
        assert_eq!(String::from_utf8(out).unwrap() + "}", r#"{"a":1,"b":null,"c":true,"d":"x\"y"}"#);
    }
}
