//! The close-code catalog: what each number means, as data.
//!
//! *Takes* a [`CloseCode`](super::CloseCode), the name of a preset, or the id of a deviation. *Gives* text and a
//! default class. *May import* `close::{Class, CloseCode}`.
//!
//! Three tables. [`ENTRIES`] is the standard reading of all 65,536 codes (RFC 6455 §7.4, IANA's registry, and who sends
//! them in practice). [`PRESETS`] holds the application codes of well-known libraries and services, for routes that
//! speak them. [`DEVIATIONS`] says where a library *reports* another code than RFC 6455 §7.1.5 gives it, so that a
//! difference between our record and an application's log can be explained.
//!
//! [`explanation`] joins them with advice, with how products use a code, and with the report of each API; [`pair`] tells two codes apart; [`words`]
//! explains causes, classes and outcomes of handshakes.

mod advice;
mod apis;
mod deviations;
mod entries;
mod entry;
mod explanation;
mod lookup;
mod pairs;
mod presets;
mod products;
mod words;

pub use advice::{Advice, advice};
pub use apis::{APIS, Api};
pub use deviations::{DEVIATIONS, Deviation, deviation};
pub use entries::ENTRIES;
pub use entry::{Codes, Entry};
pub use explanation::{Explanation, HIGHEST_CODE, PresetMeaning, ProductUse, Report, explanation};
pub use lookup::{entry, is_registered, registered};
pub use pairs::{PAIRS, Pair, pair};
pub use presets::{PRESETS, Preset, PresetCode, preset};
pub use words::{Word, words};
