//! The description of an object: what becomes of a line's fields where nothing is written.

use serde_json::{Map, Value, json};

use super::line::Line;
use super::put::Put;

/// The fields of an object, described.
#[derive(Debug, Default)]
pub(super) struct Properties {
    by_name: Map<String, Value>,
    /// In their order in the line.
    names: Vec<&'static str>,
}

// === impl Properties ===

impl Properties {
    /// An object with these fields.
    pub(super) fn schema(self) -> Value {
        json!({
            "type": "object",
            "properties": self.by_name,
            "required": self.names,
            "additionalProperties": false,
        })
    }

    fn add(&mut self, key: &'static str, schema: Value) {
        let name = key.trim_matches(|edge| "{,:\"".contains(edge));
        self.names.push(name);
        self.by_name.insert(name.to_owned(), schema);
    }
}

impl Line for Properties {
    fn field<V: Put>(&mut self, key: &'static str, _: V) {
        self.add(key, V::schema());
    }

    fn constant<V: Put + Into<Value>>(&mut self, key: &'static str, value: V) {
        self.add(key, json!({ "const": value.into() }));
    }

    fn object(&mut self, key: &'static str, fields: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        fields(&mut inner);
        self.add(key, inner.schema());
    }
}
