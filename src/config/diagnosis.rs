//! Settings of the live diagnosis.

use std::time::Duration;

use ipnet::IpNet;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Serialize, Serializer};

use super::forwarded::{network, show_networks};
use super::section::{Section, read_fields};
use super::values::{self, Parsed, duration, show_switch, switch, text, text_or_number};
use crate::diagnosis::Mechanism;

/// Whether and how the records of this instance are diagnosed while it runs.
#[derive(Clone, Debug, Serialize)]
pub struct Diagnosis {
    /// Whether they are. Default on.
    #[serde(serialize_with = "show_switch")]
    pub enabled: bool,
    /// Lengths of time that are looked at, the shorter first; each from a minute to a week. Default 15 minutes and a day.
    #[serde(serialize_with = "show_windows")]
    pub windows: [Duration; 2],
    /// Bytes that the records of both may take, about. 8 MiB to 4 GiB. Default 64 MiB.
    pub memory: usize,
    /// Hops in front, whose addresses are no client's. Default none.
    #[serde(serialize_with = "show_networks")]
    pub hops: Vec<IpNet>,
    /// The cookie or header that tells clients behind one address apart. Default: nothing but their address and `User-Agent`.
    #[serde(serialize_with = "show_visitor")]
    pub client: Option<Visitor>,
    /// Findings that are known, and make neither series nor log lines. Default none.
    pub silent: Vec<Silent>,
}

/// The part of an upgrade request that tells one client from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Visitor {
    /// The value of this cookie.
    Cookie(String),
    /// The value of this header, in lower case.
    Header(String),
}

/// Findings that make neither series nor log lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Silent {
    /// Of this route; of all, and of several at once, if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// Of this mechanism.
    pub mechanism: Mechanism,
    /// Until then; for ever if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

const MEMORY: std::ops::RangeInclusive<u64> = 8 * 1024 * 1024..=4 * 1024 * 1024 * 1024;
const SHORTEST: Duration = Duration::from_mins(1);
const LONGEST: Duration = Duration::from_hours(7 * 24);

// === impl Diagnosis ===

impl Diagnosis {
    pub(super) fn read(mut section: Section<'_, '_>) -> Self {
        let mut diagnosis = Self::default();
        read_fields!(section, diagnosis, [enabled], |v| switch(text(v)?));
        diagnosis.read_windows(&mut section);
        read_fields!(section, diagnosis, [memory], |v| values::size(&text_or_number(v)?, MEMORY));
        for item in section.list("hops") {
            match text(item.value).and_then(network) {
                Ok(network) => diagnosis.hops.push(network),
                Err(message) => section.wrong(item.line, "hops", message),
            }
        }
        read_fields!(section, diagnosis, [client], |v| visitor(text(v)?));
        let silent = section.sections("silent").unwrap_or_default();
        diagnosis.silent = silent.into_iter().filter_map(Silent::read).collect();
        section.finish();
        diagnosis
    }

    fn read_windows(&mut self, section: &mut Section<'_, '_>) {
        let Some(line) = section.line_of("windows") else { return };
        let lengths = section.list("windows");
        let read = |value: &_| duration(&text_or_number(value)?);
        let mut windows = vec![];
        for item in &lengths {
            match read(item.value) {
                Ok(window) if (SHORTEST..=LONGEST).contains(&window) => windows.push(window),
                Ok(_) => section.wrong(item.line, "windows", "a window is one minute to seven days (168h)".to_owned()),
                Err(message) => section.wrong(item.line, "windows", message),
            }
        }
        match windows[..] {
            [recent, long] if recent < long => self.windows = [recent, long],
            _ if windows.len() < lengths.len() || lengths.is_empty() => {}
            _ => section.wrong(line, "windows", "two are needed, the shorter first: [\"15m\", \"24h\"]".to_owned()),
        }
    }
}

impl Default for Diagnosis {
    fn default() -> Self {
        Self {
            enabled: true,
            windows: [Duration::from_mins(15), Duration::from_hours(24)],
            memory: 64 * 1024 * 1024,
            hops: vec![],
            client: None,
            silent: vec![],
        }
    }
}

// === impl Silent ===

impl Silent {
    fn read(mut section: Section<'_, '_>) -> Option<Self> {
        let route = section.read("route", |v| text(v).map(str::to_owned));
        let mechanism = section.read("mechanism", |v| mechanism(text(v)?));
        let until = section.read("until", |v| instant(text(v)?));
        if section.line_of("mechanism").is_none() {
            section.wrong(section.line(), "mechanism", "missing: which findings are to be silent?".to_owned());
        }
        section.finish();
        Some(Self { route, mechanism: mechanism?, until })
    }

    /// Whether findings of this route (none: of several) and mechanism are silent at this time.
    pub fn covers(&self, route: Option<&str>, mechanism: Mechanism, now: Timestamp) -> bool {
        self.mechanism == mechanism
            && self.route.as_deref().is_none_or(|silent| route == Some(silent))
            && self.until.is_none_or(|until| now < until)
    }
}

fn visitor(text: &str) -> Parsed<Option<Visitor>> {
    if text.is_empty() {
        return Ok(None);
    }
    let name = |name: &str| name.parse::<http::HeaderName>().ok();
    let known = match text.split_once(':') {
        // The name of a cookie is a token too, but its case matters (RFC 6265 §4.1.1).
        Some(("cookie", rest)) => name(rest).map(|_| Visitor::Cookie(rest.to_owned())),
        Some(("header", rest)) => name(rest).map(|name| Visitor::Header(name.as_str().to_owned())),
        Some(_) | None => None,
    };
    known.map(Some).ok_or_else(|| format!("{text:?} is neither \"cookie:NAME\" nor \"header:NAME\""))
}

fn mechanism(word: &str) -> Parsed<Mechanism> {
    let found = Mechanism::ALL.iter().copied().find(|mechanism| mechanism.as_str() == word);
    found.ok_or_else(|| {
        let all: Vec<_> = Mechanism::ALL.iter().map(|mechanism| mechanism.as_str()).collect();
        format!("{word:?} is none of: {}", all.join(", "))
    })
}

/// An instant, or the first of a day in UTC.
fn instant(text: &str) -> Parsed<Timestamp> {
    let day = |day: Date| day.to_zoned(TimeZone::UTC).map(|day| day.timestamp());
    // A day with a time and no zone would be read as a day.
    let is_day = text.len() == "2026-12-24".len();
    let instant = if is_day { text.parse::<Date>().and_then(day) } else { text.parse() };
    instant.map_err(|_: jiff::Error| {
        format!("{text:?} is neither an instant nor a day, as in \"2026-12-24T12:00:00Z\" and \"2026-12-24\"")
    })
}

fn show_windows<S: Serializer>(windows: &[Duration; 2], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(windows.iter().map(|window| values::duration_text(*window)))
}

#[expect(clippy::ref_option, reason = "serde gives a reference to the field")]
fn show_visitor<S: Serializer>(visitor: &Option<Visitor>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&match visitor {
        None => String::new(),
        Some(Visitor::Cookie(name)) => format!("cookie:{name}"),
        Some(Visitor::Header(name)) => format!("header:{name}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_known_by_a_cookie_or_a_header() {
        assert_eq!(visitor("cookie:Sid"), Ok(Some(Visitor::Cookie("Sid".to_owned()))));
        assert_eq!(visitor("header:X-Device"), Ok(Some(Visitor::Header("x-device".to_owned()))));
        assert_eq!(visitor(""), Ok(None));
        for wrong in ["sid", "cookie:", "cookie:a b", "query:token", "header:a\r\nb"] {
            assert!(visitor(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_finding_is_silent_on_its_route_until_its_day() {
        let silent = Silent {
            route: Some("chat".to_owned()),
            mechanism: Mechanism::IdleCut,
            until: Some(instant("2026-12-24").unwrap()),
        };
        let before = instant("2026-12-23T23:59:59Z").unwrap();
        assert!(silent.covers(Some("chat"), Mechanism::IdleCut, before));
        assert!(!silent.covers(Some("chat"), Mechanism::IdleCut, instant("2026-12-24T00:00:00Z").unwrap()));
        assert!(!silent.covers(Some("chat"), Mechanism::Crash, before));
        assert!(
            !silent.covers(Some("feed"), Mechanism::IdleCut, before)
                && !silent.covers(None, Mechanism::IdleCut, before)
        );
        let everywhere = Silent { route: None, until: None, ..silent };
        assert!(
            everywhere.covers(None, Mechanism::IdleCut, before)
                && everywhere.covers(Some("feed"), Mechanism::IdleCut, before)
        );
    }

    #[test]
    fn an_instant_is_a_time_with_a_zone_or_a_day() {
        assert_eq!(instant("2026-12-24").unwrap(), instant("2026-12-24T01:00:00+01:00").unwrap());
        assert!(instant("tomorrow").is_err() && instant("2026-12-24T12:00").is_err() && mechanism("idle").is_err());
    }
}
