//! `log.only`: the records that are written.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use toml::de::DeValue;

use super::values::{described, text};
use crate::close::{Class, Outcome};

/// The records that are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LogOnly {
    /// All of them: `"all"`.
    #[default]
    All,
    /// Those that one of these words is about, and every session whose two sides saw different codes for certain.
    These(Vec<LogWord>),
}

/// A word of `log.only`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogWord {
    /// Every record of level `warn`.
    Warn,
    /// The sessions of a class.
    Class(Class),
    /// The handshakes of an outcome.
    Outcome(Outcome),
}

/// The word for every record of level `warn`.
const WARN: &str = "warn";

// === impl LogOnly ===

impl LogOnly {
    /// A word, or a list of words.
    pub(super) fn parse(value: &DeValue<'_>) -> Result<Self, String> {
        let words = match value.as_array() {
            Some(list) => list.iter().map(|item| text(item.get_ref())).collect::<Result<Vec<_>, _>>()?,
            None if value.as_str().is_some() => vec![text(value)?],
            None => return Err(format!("expected a word or a list of words, not {}", described(value))),
        };
        match *words {
            ["all"] => Ok(Self::All),
            [] => Err("the list is empty: to write nothing is log.closes = \"off\"".to_owned()),
            _ => words.into_iter().map(LogWord::from_str).collect::<Result<_, _>>().map(Self::These),
        }
    }

    /// Whether a session of this class is written. `warn` says that its record is of that level, `disagree` that its two sides
    /// saw different codes for certain.
    pub fn takes_session(&self, class: Class, warn: bool, disagree: bool) -> bool {
        disagree || self.takes(warn, LogWord::Class(class))
    }

    /// Whether a handshake with this outcome is written.
    pub fn takes_handshake(&self, outcome: Outcome, warn: bool) -> bool {
        self.takes(warn, LogWord::Outcome(outcome))
    }

    fn takes(&self, warn: bool, word: LogWord) -> bool {
        match self {
            Self::All => true,
            Self::These(words) => words.contains(&word) || warn && words.contains(&LogWord::Warn),
        }
    }
}

impl Serialize for LogOnly {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => serializer.serialize_str("all"),
            Self::These(words) => serializer.collect_seq(words.iter().map(LogWord::to_string)),
        }
    }
}

// === impl LogWord ===

impl FromStr for LogWord {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        if word == WARN {
            return Ok(Self::Warn);
        }
        if let Ok(class) = word.parse() {
            return Ok(Self::Class(class));
        }
        // Those that led to a session have no record of their own.
        if let Some(outcome) = word.parse().ok().filter(|outcome| *outcome != Outcome::Upgraded) {
            return Ok(Self::Outcome(outcome));
        }
        let classes = Class::ALL.iter().map(|class| class.as_str());
        let outcomes = Outcome::ALL.iter().filter(|outcome| **outcome != Outcome::Upgraded).map(|it| it.as_str());
        let allowed = ["all", WARN].into_iter().chain(classes).chain(outcomes).collect::<Vec<_>>();
        Err(format!("{word:?} is none of: {}", allowed.join(", ")))
    }
}

impl fmt::Display for LogWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Warn => f.write_str(WARN),
            Self::Class(class) => class.fmt(f),
            Self::Outcome(outcome) => outcome.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(toml: &str) -> Result<LogOnly, String> {
        LogOnly::parse(DeValue::parse(toml).unwrap().get_ref())
    }

    #[test]
    fn it_is_all_or_classes_and_outcomes() {
        assert_eq!(parse(r#""all""#), Ok(LogOnly::All));
        let these = [LogWord::Class(Class::Policy), LogWord::Outcome(Outcome::Refused), LogWord::Warn];
        assert_eq!(parse(r#"["policy", "refused", "warn"]"#), Ok(LogOnly::These(these.to_vec())));
        assert_eq!(parse(r#""abnormal""#), Ok(LogOnly::These(vec![LogWord::Class(Class::Abnormal)])));
    }

    #[test]
    fn what_it_cannot_be_is_said() {
        for (toml, error) in [
            (r#""errors""#, r#""errors" is none of: all, warn, clean, planned, "#),
            (r#"["abnormal", "all"]"#, r#""all" is none of"#),
            (r#"["upgraded"]"#, r#""upgraded" is none of"#),
            ("[]", "the list is empty"),
            ("7", "expected a word or a list of words"),
            ("[7]", "expected a string"),
        ] {
            let wrong = parse(toml).unwrap_err();
            assert!(wrong.contains(error), "{toml}: {wrong}");
        }
    }

    #[test]
    fn a_session_passes_by_its_class_its_level_or_because_its_sides_disagree() {
        let only = parse(r#"["application", "refused"]"#).unwrap();
        assert!(only.takes_session(Class::Application, false, false));
        assert!(!only.takes_session(Class::Abnormal, true, false), "not asked for");
        assert!(only.takes_session(Class::Clean, true, true));
        assert!(only.takes_handshake(Outcome::Refused, false) && !only.takes_handshake(Outcome::DialFailed, true));
        let only = parse(r#""warn""#).unwrap();
        assert!(only.takes_session(Class::Overload, true, false) && only.takes_handshake(Outcome::DialFailed, true));
        assert!(!only.takes_session(Class::Clean, false, false) && !only.takes_handshake(Outcome::Refused, false));
        assert!(LogOnly::All.takes_session(Class::Clean, false, false));
    }

    #[test]
    fn it_is_shown_as_it_is_written() {
        for toml in [r#""all""#, r#"["warn","policy","refused"]"#] {
            assert_eq!(serde_json::to_string(&parse(toml).unwrap()).unwrap(), toml);
        }
    }
}
