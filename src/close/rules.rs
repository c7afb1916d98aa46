//! A configuration's rules for codes: which have a label of their own, and which class they are.

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
        let speaks_of_it = |codes: &CodeMatch| match (label, codes) {
            (CodeLabel::Invalid, CodeMatch::Invalid) => true,
            (CodeLabel::Code(_) | CodeLabel::Library | CodeLabel::Private, CodeMatch::Codes(range)) => {
                code.is_some_and(|code| range.contains(&code.0))
            }
            (CodeLabel::Invalid, CodeMatch::Codes(_))
            | (CodeLabel::Code(_) | CodeLabel::Library | CodeLabel::Private, CodeMatch::Invalid)
            | (CodeLabel::Unknown, _) => false,
        };
        let configured = self.classes.iter().rev().find(|(codes, _)| speaks_of_it(codes));
        let preset = || match label {
            CodeLabel::Code(code) => self.preset_classes.get(&code).copied(),
            CodeLabel::Library | CodeLabel::Private | CodeLabel::Invalid | CodeLabel::Unknown => None,
        };
        configured.map(|(_, class)| *class).or_else(preset)
    }

    /// The class of a session that ends with `code`, where it does not hang on the side that sent it.
    pub fn class_of(&self, code: CloseCode) -> Class {
        self.class(self.label(code), Some(code)).unwrap_or_else(|| catalog::entry(code).class)
    }

    /// The label of a code as the record has it: one that was on the wire, or was derived (1005, 1006).
    ///
    /// Total, and bounded whatever is named: what may not be on the wire is `invalid`, though a configuration name it.
    /// Not for a Close with the number 1005 or 1006 in it: it would pass for derived.
    pub fn label(&self, code: CloseCode) -> CodeLabel {
        let derived = code == CloseCode::NO_STATUS || code == CloseCode::ABNORMAL;
        match code.0 {
            _ if !derived && !code.may_be_sent() => CodeLabel::Invalid,
            _ if self.named.contains_key(&code.0) || catalog::is_registered(code) => CodeLabel::Code(code.0),
            3000..=3999 => CodeLabel::Library,
            // Only 4000-4999 is left: below 3000 all that may be sent is registered.
            _ => CodeLabel::Private,
        }
    }

    /// The codes beyond the registry's that have a label of their own, in order.
    pub fn named_codes(&self) -> impl Iterator<Item = CloseCode> {
        let named = self.named.keys().copied().map(CloseCode);
        named.filter(|code| code.may_be_sent() && !catalog::is_registered(*code))
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
        let code = |text: &str| {
            // `parse` alone would take "+4401".
            if !text.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(error());
            }
            text.parse::<u16>().map_err(|_| error())
        };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::close::catalog::preset;

    fn rules(overrides: &[(&str, Class)]) -> CodeRules {
        let mut rules = CodeRules::default();
        for &(codes, class) in overrides {
            rules.set_class(codes.parse().unwrap(), class);
        }
        rules
    }

    fn class(rules: &CodeRules, code: u16) -> Option<Class> {
        rules.class(rules.label(CloseCode(code)), Some(CloseCode(code)))
    }

    #[test]
    fn every_code_has_one_of_a_bounded_set_of_labels() {
        let rules = CodeRules::default();
        for code in 0..=u16::MAX {
            let expected = match code {
                1000..=1003 | 1005..=1014 | 3000 | 3003 | 3008 => code.to_string(),
                3001..=3999 => "3xxx".to_owned(),
                4000..=4999 => "4xxx".to_owned(),
                0..=999 | 1004 | 1015..=2999 | 5000.. => "invalid".to_owned(),
            };
            assert_eq!(rules.label(CloseCode(code)).to_string(), expected);
        }
    }

    #[test]
    fn a_named_code_has_a_label_of_its_own_unless_it_is_illegal() {
        let mut rules = CodeRules::default();
        for code in [3500, 4401, 1004, 1015, 2000, 5000] {
            rules.name_code(code);
        }
        assert_eq!(rules.label(CloseCode(3500)), CodeLabel::Code(3500));
        assert_eq!(rules.label(CloseCode(4401)), CodeLabel::Code(4401));
        for illegal in [1004, 1015, 2000, 5000] {
            assert_eq!(rules.label(CloseCode(illegal)), CodeLabel::Invalid, "{illegal}");
        }
    }

    #[test]
    fn a_single_code_names_it_and_a_range_does_not() {
        let rules = rules(&[("4401", Class::Policy), ("4500-4599", Class::Abnormal)]);
        assert_eq!(rules.label(CloseCode(4401)), CodeLabel::Code(4401));
        assert_eq!(rules.label(CloseCode(4500)), CodeLabel::Private);
        assert_eq!(class(&rules, 4401), Some(Class::Policy));
        assert_eq!((class(&rules, 4499), class(&rules, 4500)), (None, Some(Class::Abnormal)));
        assert_eq!((class(&rules, 4599), class(&rules, 4600)), (Some(Class::Abnormal), None));
    }

    #[test]
    fn the_last_override_that_matches_wins() {
        let wide_first = rules(&[("4xxx", Class::Abnormal), ("4400-4499", Class::Policy), ("4408", Class::Overload)]);
        assert_eq!(class(&wide_first, 4000), Some(Class::Abnormal));
        assert_eq!(class(&wide_first, 4401), Some(Class::Policy));
        assert_eq!(class(&wide_first, 4408), Some(Class::Overload));
        assert_eq!(class(&wide_first, 3999), None);
        let wide_last = rules(&[("4408", Class::Overload), ("4xxx", Class::Abnormal)]);
        assert_eq!(class(&wide_last, 4408), Some(Class::Abnormal));
    }

    #[test]
    fn an_override_can_speak_of_derived_codes() {
        let rules = rules(&[("1006", Class::Clean), ("1005", Class::Application)]);
        assert_eq!(class(&rules, 1006), Some(Class::Clean));
        assert_eq!(class(&rules, 1005), Some(Class::Application));
        assert_eq!(
            rules.class(CodeLabel::Invalid, Some(CloseCode(1006))),
            None,
            "1006 on the wire is not 1006 derived"
        );
    }

    #[test]
    fn invalid_means_illegal_and_malformed_closes_and_nothing_else() {
        let rules = rules(&[("0-65535", Class::Clean), ("invalid", Class::Policy)]);
        assert_eq!(class(&rules, 5000), Some(Class::Policy));
        assert_eq!(rules.class(CodeLabel::Invalid, None), Some(Class::Policy), "malformed: no code at all");
        assert_eq!(class(&rules, 1011), Some(Class::Clean));
        assert_eq!(rules.class(CodeLabel::Unknown, None), None, "a blind direction is never overridden");
    }

    #[test]
    fn a_preset_names_and_classes_its_codes_and_the_configuration_outranks_it() {
        let mut rules = rules(&[("3008", Class::Policy)]);
        rules.use_preset(preset("centrifugo").unwrap());
        assert_eq!(rules.label(CloseCode(3500)), CodeLabel::Code(3500));
        assert_eq!(rules.name(CloseCode(3500)), "Invalid token");
        assert_eq!(rules.name(CloseCode(3000)), "Connection closed", "not IANA's name");
        assert_eq!((class(&rules, 3000), class(&rules, 3001)), (Some(Class::Application), Some(Class::Planned)));
        assert_eq!(class(&rules, 3008), Some(Class::Policy), "set before the preset, and still stronger");
        assert_eq!((class(&rules, 1011), rules.name(CloseCode(1011))), (None, "Internal Error"));
    }

    #[test]
    fn naming_a_code_keeps_the_name_that_a_preset_gave_it() {
        let mut rules = CodeRules::default();
        rules.use_preset(preset("graphql-ws").unwrap());
        rules.name_code(4401);
        rules.name_code(4999);
        assert_eq!(rules.name(CloseCode(4401)), "Unauthorized");
        assert_eq!(rules.name(CloseCode(4999)), "Private Use");
    }

    #[test]
    fn codes_beyond_the_registry_that_may_be_sent_have_labels_of_their_own() {
        let mut rules = CodeRules::default();
        for code in [4999, 1000, 1006, 2000, 3001] {
            rules.name_code(code);
        }
        let named: Vec<u16> = rules.named_codes().map(|code| code.0).collect();
        assert_eq!(named, [3001, 4999]);
    }

    #[test]
    fn matches_are_a_code_a_range_a_thousand_or_invalid() {
        assert_eq!("4401".parse(), Ok(CodeMatch::Codes(4401..=4401)));
        assert_eq!("4400-4499".parse(), Ok(CodeMatch::Codes(4400..=4499)));
        assert_eq!("3xxx".parse(), Ok(CodeMatch::Codes(3000..=3999)));
        assert_eq!("4xxx".parse(), Ok(CodeMatch::Codes(4000..=4999)));
        assert_eq!("invalid".parse(), Ok(CodeMatch::Invalid));
        for text in ["", "-", "4401-", "-4401", "4499-4400", "65536", "+4401", " 4401", "44xx", "1xxx", "4401,4402"] {
            let error = text.parse::<CodeMatch>().unwrap_err();
            assert!(error.to_string().starts_with(&format!("{text:?} is not")), "{error}");
        }
    }
}
