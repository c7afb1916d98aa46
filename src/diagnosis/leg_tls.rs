//! TLS on a leg, as far as a record says.

use crate::close::TlsVersion;

/// TLS on a leg. Records of before there was such a field leave it open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LegTls {
    /// The record does not say.
    #[default]
    Unknown,
    /// No TLS.
    None,
    /// TLS of this version.
    Version(TlsVersion),
}

// === impl LegTls ===

impl LegTls {
    /// Of the word in a record: `1.3`; nothing in a table, and `none` in a log record, for a leg without TLS.
    pub(super) fn of_word(word: &str) -> Self {
        if matches!(word, "" | "none") {
            return Self::None;
        }
        let known = TlsVersion::ALL.iter().copied().find(|version| version.as_str() == word);
        known.map_or(Self::Unknown, Self::Version)
    }

    /// Its name among the things that sessions have in common.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "",
            Self::None => "none",
            Self::Version(version) => version.as_str(),
        }
    }

    /// A number for each; 0 is for what is not known.
    pub(super) const fn key(self) -> u8 {
        match self {
            Self::Unknown => 0,
            Self::None => 1,
            Self::Version(version) => 2 + version as u8,
        }
    }

    /// The one of this number.
    pub(super) fn of_key(key: u128) -> Self {
        let mut known = TlsVersion::ALL.iter().map(|version| Self::Version(*version)).chain([Self::None]);
        known.find(|tls| u128::from(tls.key()) == key).unwrap_or(Self::Unknown)
    }
}

impl From<Option<TlsVersion>> for LegTls {
    fn from(version: Option<TlsVersion>) -> Self {
        version.map_or(Self::None, Self::Version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_a_number_and_a_name_mean_the_same() {
        for (word, name) in [("", "none"), ("none", "none"), ("1.2", "1.2"), ("1.3", "1.3"), ("0.9", "")] {
            let tls = LegTls::of_word(word);
            assert_eq!(tls.as_str(), name);
            assert_eq!(LegTls::of_key(tls.key().into()), tls);
        }
        assert_eq!(LegTls::default().key(), 0);
    }
}
