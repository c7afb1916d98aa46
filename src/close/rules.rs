//! What a configuration may say about codes: which have a label of their own, and which class they are.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::catalog::{self, Preset};
use super::{Class, CloseCode};

/// A route's own reading of close codes, on top of the catalog.
///
/// Bounded by the configuration: nothing a peer sends adds to it.
#[derive(Clone, Debug, Default)]
pub struct CodeRules {
    /// Codes with a label of their own, and their names where a preset gives one.
    named: BTreeMap<u16, Option<&'static str>>,
    /// Classes that presets give.
    preset_classes: BTreeMap<u16, Class>,
    /// Classes that the configuration sets, in order; the last that matches wins.
    classes: Vec<(CodeMatch, Class)>,
}

/// The codes that a class override speaks of: `4401`, `4400-4499`, `4xxx`, `invalid`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeMatch {
    /// These codes, as the record's `code` has them (so 1005 and 1006 mean *derived*).
    Codes(RangeInclusive<u16>),
    /// A Close with a malformed body, or a code that must not be on the wire.
    Invalid,
}

/// The value of the label `code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CodeLabel {
    /// A registered code, or one that the configuration names.
    Code(u16),
    /// Any other code of 3000-3999.
    Library,
    /// Any other code of 4000-4999.
    Private,
    /// Malformed, or illegal on the wire.
    Invalid,
    /// The tap was blind.
    Unknown,
}

/// Not a code, a range, `3xxx`, `4xxx` or `invalid`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a close code (\"4401\"), a range (\"4400-4499\", \"4xxx\") or \"invalid\"")]
pub struct CodeMatchError(String);

// === impl CodeRules ===

impl CodeRules {
    /// Gives `code` a label of its own.
    pub fn name_code(&mut self, code: u16) {
        self.named.entry(code).or_insert(None);
    }

    /// Names every code of `preset`, and takes its classes.
    pub fn use_preset(&mut self, preset: &'static Preset) {
        for entry in preset.codes {
            self.named.insert(entry.code, Some(entry.name));
            self.preset_classes.insert(entry.code, entry.class);
        }
    }

    /// Puts `codes` into `class`, whatever was said before. A single code gets a label of its own too.
    pub fn set_class(&mut self, codes: CodeMatch, class: Class) {
        if let CodeMatch::Codes(range) = &codes
            && range.start() == range.end()
        {
            self.name_code(*range.start());
        }
        self.classes.push((codes, class));
    }

    /// The class that the configuration gives this label, if it says anything. `code` is the number behind the label.
    pub fn class(&self, label: CodeLabel, code: Option<CloseCode>) -> Option<Class> {
        let configured = self.classes.iter().rev().find(|(codes, _)| match (codes, label) {
            (_, CodeLabel::Unknown) => false,
            (CodeMatch::Invalid, CodeLabel::Invalid) => true,
            (CodeMatch::Invalid, CodeLabel::Code(_) | CodeLabel::Library | CodeLabel::Private) => false,
            (CodeMatch::Codes(_), CodeLabel::Invalid) => false,
            (CodeMatch::Codes(range), CodeLabel::Code(_) | CodeLabel::Library | CodeLabel::Private) => {
                code.is_some_and(|code| range.contains(&code.0))
            }
        });
        let preset = || match label {
            CodeLabel::Code(code) => self.preset_classes.get(&code).copied(),
            CodeLabel::Library | CodeLabel::Private | CodeLabel::Invalid | CodeLabel::Unknown => None,
        };
        configured.map(|(_, class)| *class).or_else(preset)
    }

    /// The label of a code that may be on the wire, or was derived (1005, 1006).
    pub fn label(&self, code: CloseCode) -> CodeLabel {
        let derived = code == CloseCode::NO_STATUS || code == CloseCode::ABNORMAL;
        match code.0 {
            _ if derived || self.named.contains_key(&code.0) || catalog::is_registered(code) => CodeLabel::Code(code.0),
            3000..=3999 => CodeLabel::Library,
            4000..=4999 => CodeLabel::Private,
            _ => CodeLabel::Invalid,
        }
    }

    /// The name a preset gives `code`, else the catalog's.
    pub fn name(&self, code: CloseCode) -> &'static str {
        self.named.get(&code.0).copied().flatten().unwrap_or_else(|| catalog::entry(code).name)
    }
}

// === impl CodeMatch ===

impl FromStr for CodeMatch {
    type Err = CodeMatchError;

    fn from_str(text: &str) -> Result<Self, CodeMatchError> {
        let error = || CodeMatchError(text.to_owned());
        let code = |text: &str| text.parse::<u16>().map_err(|_| error());
        match text {
            "invalid" => Ok(Self::Invalid),
            "3xxx" => Ok(Self::Codes(3000..=3999)),
            "4xxx" => Ok(Self::Codes(4000..=4999)),
            _ => match text.split_once('-') {
                None => code(text).map(|code| Self::Codes(code..=code)),
                Some((first, last)) => {
                    let (first, last) = (code(first)?, code(last)?);
                    if first <= last { Ok(Self::Codes(first..=last)) } else { Err(error()) }
                }
            },
        }
    }
}

// === impl CodeLabel ===

impl fmt::Display for CodeLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => code.fmt(f),
            Self::Library => f.write_str("3xxx"),
            Self::Private => f.write_str("4xxx"),
            Self::Invalid => f.write_str("invalid"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}
