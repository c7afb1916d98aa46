//! Which records are read: by time, route, instance and the value of any field.

use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::diagnosis::Observation;

/// A time, as it may be written on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// With its date and zone.
    At(Timestamp),
    /// So long ago.
    Ago(SignedDuration),
}

/// A condition on a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Where {
    /// Names of nested fields.
    path: Vec<String>,
    value: String,
}

/// A flag that cannot be obeyed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFilter {
    /// A text that is no time.
    #[error("not a time: give 2026-11-20T12:00:00Z, or how long ago: 90s, 30m, 6h, 2d")]
    Time,
    /// A condition without `=`.
    #[error("not a condition: give FIELD=VALUE, as in class=abnormal")]
    Where,
    /// No record can be in that span.
    #[error("--until is not after --since")]
    Empty,
}

/// All conditions.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    pub(super) since: f64,
    pub(super) until: f64,
    pub(super) route: Option<String>,
    pub(super) instance: Option<String>,
    pub(super) conditions: Vec<Where>,
}

// === impl Moment ===

impl Moment {
    fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(ago) => now.checked_sub(ago).unwrap_or(Timestamp::MIN),
        }
    }
}

impl FromStr for Moment {
    type Err = BadFilter;

    fn from_str(text: &str) -> Result<Self, BadFilter> {
        if let Ok(at) = text.parse() {
            return Ok(Self::At(at));
        }
        let unit = match text.chars().last() {
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3600,
            Some('d') => 86_400,
            Some(_) | None => return Err(BadFilter::Time),
        };
        let number: i64 = text[..text.len() - 1].parse().map_err(|_| BadFilter::Time)?;
        let seconds = number.checked_mul(unit).filter(|seconds| *seconds >= 0).ok_or(BadFilter::Time)?;
        Ok(Self::Ago(SignedDuration::from_secs(seconds)))
    }
}

// === impl Where ===

impl FromStr for Where {
    type Err = BadFilter;

    fn from_str(text: &str) -> Result<Self, BadFilter> {
        let (path, value) = text.split_once('=').filter(|(path, _)| !path.is_empty()).ok_or(BadFilter::Where)?;
        Ok(Self { path: path.split('.').map(str::to_owned).collect(), value: value.to_owned() })
    }
}

impl Where {
    fn holds(&self, record: &Value) -> bool {
        let inner = self.path.iter().try_fold(record, |value, name| value.get(name));
        let spelt = |name: String| record.get(name);
        // In a table an inner field is a column, and in OTLP an attribute.
        let value = inner
            .or_else(|| spelt(self.path.join("_")))
            .or_else(|| spelt(self.path.join(".")))
            .or_else(|| spelt(format!("closewatch.{}", self.path.join("."))));
        let Some(value) = value else { return false };
        match value {
            Value::String(text) => *text == self.value,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                serde_json::from_str::<Value>(&self.value).is_ok_and(|wanted| wanted == *value)
            }
        }
    }
}

// === impl Filter ===

impl Filter {
    /// A span of time; the other conditions are added by the caller.
    pub(super) fn new(since: Option<Moment>, until: Option<Moment>, now: Timestamp) -> Result<Self, BadFilter> {
        let seconds = |moment: Option<Moment>| moment.map(|moment| moment.at(now).as_duration().as_secs_f64());
        let (since, until) = (seconds(since), seconds(until));
        if let (Some(since), Some(until)) = (since, until)
            && since >= until
        {
            return Err(BadFilter::Empty);
        }
        Ok(Self {
            since: since.unwrap_or(f64::NEG_INFINITY),
            until: until.unwrap_or(f64::INFINITY),
            route: None,
            instance: None,
            conditions: vec![],
        })
    }

    /// Whether a record is read; `fields` gives the JSON that it was read from.
    pub(super) fn takes(&self, seen: &Observation<'_>, fields: impl FnOnce() -> Option<Value>) -> bool {
        let named = |wanted: &Option<String>, given: &str| wanted.as_ref().is_none_or(|wanted| wanted == given);
        (self.since..self.until).contains(&seen.at)
            && named(&self.route, &seen.route)
            && named(&self.instance, &seen.instance)
            && (self.conditions.is_empty()
                || fields().is_some_and(|record| self.conditions.iter().all(|condition| condition.holds(&record))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_a_zone_or_as_an_age() {
        let now: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        for (text, at) in [
            ("2026-11-20T12:00:00+01:00", "2026-11-20T11:00:00Z"),
            ("1h", "2026-11-20T11:00:00Z"),
            ("90s", "2026-11-20T11:58:30Z"),
            ("2d", "2026-11-18T12:00:00Z"),
        ] {
            assert_eq!(text.parse::<Moment>().unwrap().at(now), at.parse::<Timestamp>().unwrap(), "{text}");
        }
        for text in ["", "h", "yesterday", "-1h", "1w", "9223372036854775807d", "1ü"] {
            assert_eq!(text.parse::<Moment>(), Err(BadFilter::Time), "{text}");
        }
    }

    #[test]
    fn conditions_look_into_nested_fields() {
        let record =
            serde_json::json!({"class": "abnormal", "code": 1006, "request": {"path": "/a=b"}, "reason": null});
        for (text, holds) in [
            ("class=abnormal", true),
            ("class=clean", false),
            ("code=1006", true),
            ("request.path=/a=b", true),
            ("request.host=x", false),
            ("reason=null", true),
        ] {
            assert_eq!(text.parse::<Where>().unwrap().holds(&record), holds, "{text}");
        }
        assert_eq!("class".parse::<Where>(), Err(BadFilter::Where));
        assert_eq!("=x".parse::<Where>(), Err(BadFilter::Where));
    }
}
