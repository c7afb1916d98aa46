//! A validator of the JSON Schema that this repository uses. `.ci/run` asks another one, too.

use jiff::Timestamp;
use regex::Regex;
use serde_json::Value;

/// Whether `value` is what `schema` says; if not, where it is not. A keyword that is not known here fails the test.
pub(crate) fn conforms(value: &Value, schema: &Value) -> Result<(), String> {
    Validator { root: schema }.check(value, schema, "")
}

struct Validator<'s> {
    root: &'s Value,
}

// === impl Validator ===

impl Validator<'_> {
    fn check(&self, value: &Value, schema: &Value, place: &str) -> Result<(), String> {
        if let Some(allowed) = schema.as_bool() {
            return if allowed { Ok(()) } else { Err(format!("{place} is not in the schema")) };
        }
        for (keyword, wanted) in schema.as_object().expect("a schema is an object or a boolean") {
            self.keyword(value, keyword, wanted, schema, place)?;
        }
        Ok(())
    }

    fn keyword(&self, value: &Value, word: &str, wanted: &Value, schema: &Value, place: &str) -> Result<(), String> {
        let fail = || Err(format!("{place}: {value} does not fit {word}: {wanted}"));
        let ok = match word {
            // Of `oneOf` and `anyOf`, the error of the last one, unless one fits.
            "$ref" => {
                let name = wanted.as_str().unwrap().trim_start_matches('#');
                return self.check(value, self.root.pointer(name).expect(name), place);
            }
            "oneOf" | "anyOf" => {
                let tried: Vec<_> = items(wanted).map(|one| self.check(value, one, place)).collect();
                match tried.iter().filter(|one| one.is_ok()).count() {
                    1 => true,
                    0 => return Err(tried.into_iter().filter_map(Result::err).collect::<Vec<_>>().join("; or ")),
                    _ => word == "anyOf",
                }
            }
            "not" => self.check(value, wanted, place).is_err(),
            "const" => value == wanted,
            "enum" => items(wanted).any(|one| one == value),
            "type" => {
                wanted.as_array().map_or_else(|| is(value, wanted), |kinds| kinds.iter().any(|kind| is(value, kind)))
            }
            "minimum" => value.as_f64().is_none_or(|number| number >= wanted.as_f64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|number| number <= wanted.as_f64().unwrap()),
            "exclusiveMinimum" => value.as_f64().is_none_or(|number| number > wanted.as_f64().unwrap()),
            "minLength" => value.as_str().is_none_or(|text| text.chars().count() as u64 >= wanted.as_u64().unwrap()),
            "maxLength" => value.as_str().is_none_or(|text| text.chars().count() as u64 <= wanted.as_u64().unwrap()),
            "minItems" => value.as_array().is_none_or(|list| list.len() as u64 >= wanted.as_u64().unwrap()),
            "maxItems" => value.as_array().is_none_or(|list| list.len() as u64 <= wanted.as_u64().unwrap()),
            "pattern" => value.as_str().is_none_or(|text| Regex::new(wanted.as_str().unwrap()).unwrap().is_match(text)),
            "format" => {
                assert_eq!(wanted, "date-time");
                value.as_str().is_none_or(|text| text.parse::<Timestamp>().is_ok())
            }
            "items" => {
                for (at, item) in items(value).enumerate() {
                    self.check(item, wanted, &format!("{place}[{at}]"))?;
                }
                true
            }
            "required" => match items(wanted).map(|name| name.as_str().unwrap()).find(|name| value.get(name).is_none())
            {
                Some(name) if value.is_object() => return Err(format!("{place} has no {name}")),
                Some(_) | None => true,
            },
            "properties" => {
                for (name, value) in value.as_object().into_iter().flatten() {
                    if let Some(known) = wanted.get(name) {
                        self.check(value, known, &format!("{place}.{name}"))?;
                    }
                }
                true
            }
            "propertyNames" => {
                for name in value.as_object().into_iter().flat_map(serde_json::Map::keys) {
                    self.check(&Value::from(name.as_str()), wanted, &format!("{place}.{name}"))?;
                }
                true
            }
            "additionalProperties" => {
                for (name, value) in value.as_object().into_iter().flatten() {
                    if schema["properties"].get(name).is_none() {
                        self.check(value, wanted, &format!("{place}.{name}"))?;
                    }
                }
                true
            }
            "$schema" | "$defs" | "title" | "deprecated" | "description" | "default" | "examples" => true,
            _ => panic!("the keyword {word} is not known here"),
        };
        if ok { Ok(()) } else { fail() }
    }
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn is(value: &Value, kind: &Value) -> bool {
    match kind.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        other => panic!("the type {other} is not known here"),
    }
}

#[test]
fn a_value_fits_only_what_describes_it() {
    let schema = serde_json::json!({
        "type": "object",
        "required": ["a"],
        "properties": { "a": { "type": ["integer", "null"], "minimum": 1 }, "b": { "enum": ["x"] } },
        "additionalProperties": false,
    });
    for (value, error) in [
        (r#"{"a": 1}"#, None),
        (r#"{"a": null, "b": "x"}"#, None),
        (r#"{"a": 0}"#, Some("minimum")),
        (r#"{"a": 1.5}"#, Some("type")),
        (r#"{"a": 1, "b": "y"}"#, Some("enum")),
        (r#"{"b": "x"}"#, Some("has no a")),
        (r#"{"a": 1, "c": 1}"#, Some(".c is not in the schema")),
    ] {
        let found = conforms(&serde_json::from_str(value).unwrap(), &schema);
        match error {
            None => assert_eq!(found, Ok(()), "{value}"),
            Some(error) => assert!(found.as_ref().is_err_and(|found| found.contains(error)), "{value}: {found:?}"),
        }
    }
}
