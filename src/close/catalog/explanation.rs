//! Everything that the catalog knows about one code, as one value: for `closewatch explain`, as text and as JSON.

use serde::Serialize;

use super::advice::advice;
use super::apis::APIS;
use super::lookup::entry;
use super::presets::PRESETS;
use super::products::uses;
use crate::close::{Class, CloseCode};

/// The highest number that an endpoint can mean by a close code (RFC 6455 §7.4.2).
pub const HIGHEST_CODE: u16 = 4999;

/// All that is known about one code.
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// The code.
    pub code: CloseCode,
    /// IANA's name, or that of the range.
    pub name: &'static str,
    /// The range that shares this reading, as text; equal to the code where it has one of its own.
    pub codes: String,
    /// An endpoint may put it into a Close frame (RFC 6455 §7.4).
    pub may_be_sent: bool,
    /// IANA's registry has this very code.
    pub registered: bool,
    /// Its class without a configuration. 1001 is `clean` if the client sent it.
    pub class: Class,
    /// The usual senders.
    pub sent_by: &'static str,
    /// Its meaning.
    pub meaning: &'static str,
    /// In which situations it shows up.
    pub seen_when: &'static str,
    /// Advice for the author of the client.
    pub client: &'static str,
    /// Advice for the author of the server.
    pub server: &'static str,
    /// Advice for the operator between them.
    pub operator: &'static str,
    /// The report of each API.
    pub reports: Vec<Report>,
    /// The meanings that presets give it.
    pub presets: Vec<PresetMeaning>,
    /// How well-known products use it.
    pub products: Vec<ProductUse>,
}

/// The report of one API.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The API.
    pub api: &'static str,
    /// Its report.
    pub report: String,
}

/// The meaning of a code in one preset.
#[derive(Debug, Serialize)]
pub struct PresetMeaning {
    /// The word in the configuration.
    pub preset: &'static str,
    /// The owner of these codes, for people.
    pub title: &'static str,
    /// The name of the code there.
    pub name: &'static str,
    /// Its meaning there.
    pub meaning: &'static str,
    /// Its class there.
    pub class: Class,
}

/// The use that a product makes of a code.
#[derive(Debug, Serialize)]
pub struct ProductUse {
    /// The product.
    pub product: &'static str,
    /// The meaning of the code there.
    pub meaning: &'static str,
}

// === impl Explanation ===

impl Explanation {
    /// The texts that every code has, each behind its heading.
    pub const fn texts(&self) -> [(&'static str, &'static str); 6] {
        [
            ("Meaning", self.meaning),
            ("Sent by", self.sent_by),
            ("Seen when", self.seen_when),
            ("Client", self.client),
            ("Server", self.server),
            ("Operator", self.operator),
        ]
    }
}

/// All that is known about `code`.
pub fn explanation(code: CloseCode) -> Explanation {
    let (entry, advice) = (entry(code), advice(code));
    let in_presets = PRESETS.iter().flat_map(|preset| {
        let codes = preset.codes.iter().filter(|known| known.code == code.0);
        codes.map(|known| PresetMeaning {
            preset: preset.name,
            title: preset.title,
            name: known.name,
            meaning: known.meaning,
            class: known.class,
        })
    });
    Explanation {
        code,
        name: entry.name,
        codes: entry.code.to_string(),
        may_be_sent: entry.on_wire,
        registered: entry.registered,
        class: entry.class,
        sent_by: entry.sent_by,
        meaning: entry.meaning,
        seen_when: entry.seen_when,
        client: advice.client,
        server: advice.server,
        operator: entry.action,
        reports: APIS.iter().map(|api| Report { api: api.name, report: api.reports(code) }).collect(),
        presets: in_presets.collect(),
        products: uses(code).map(|(product, meaning)| ProductUse { product, meaning }).collect(),
    }
}
