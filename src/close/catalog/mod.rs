//! The close-code catalog: what each number means, as data.
//!
//! *Takes* a [`CloseCode`](super::CloseCode) or the name of a preset. *Gives* text and a
//! default class. *May import* `close::{Class, CloseCode}`.
//!
//! Two tables. [`ENTRIES`] is the standard reading of all 65,536 codes (RFC 6455 §7.4, IANA's registry, and who sends
//! them in practice). [`PRESETS`] holds the application codes of well-known libraries and services, for routes that
//! speak them.

mod codes;
mod entries;
mod presets;

pub use codes::{Codes, Entry, entry, is_registered};
pub use entries::ENTRIES;
pub use presets::{PRESETS, Preset, PresetCode, preset};
