//! The close-code catalog (skeleton).

use super::{Class, CloseCode};

/// What is known about a code, or about a range of codes.
#[derive(Debug)]
pub struct Entry {
    /// The registered name.
    pub name: &'static str,
    /// Whether it may stand in a Close frame.
    pub on_wire: bool,
    /// Its class, where neither initiator nor configuration says otherwise.
    pub class: Class,
}

/// The application codes of one well-known library or service.
#[derive(Debug)]
pub struct Preset {
    /// The word in the configuration.
    pub name: &'static str,
    /// Its codes.
    pub codes: &'static [PresetCode],
}

/// One code of a preset.
#[derive(Debug)]
pub struct PresetCode {
    /// 3000-4999.
    pub code: u16,
    /// What its authors call it.
    pub name: &'static str,
    /// Its class.
    pub class: Class,
}

/// Whether IANA's registry has this very code (1005, 1006 and 1015 included).
pub fn is_registered(code: CloseCode) -> bool {
    matches!(code.0, 1000..=1015 | 3000 | 3003 | 3008)
}

/// What is known about `code`; total.
pub fn entry(_code: CloseCode) -> &'static Entry {
    &Entry { name: "", on_wire: true, class: Class::Clean }
}

/// The preset of that name.
pub fn preset(_name: &str) -> Option<&'static Preset> {
    None
}
