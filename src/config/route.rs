//! One route: which requests take it, and where it leads.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv6Addr;
use std::time::Duration;

use serde::{Serialize, Serializer};
use url::Url;

use super::tls::UpstreamTls;
use super::upstream::Upstream;
use super::values::show_limit;
use crate::close::{Class, CloseCode, CodeMatch, CodeRules, catalog};

/// The longest name: it is a label on every series of the route.
const LONGEST_NAME: usize = 64;

/// The longest host name (RFC 1035 §2.3.4).
const LONGEST_HOST: usize = 253;

/// A table of classes as it was written: `"4401" = "policy"`.
pub type ClassTable = BTreeMap<String, Class>;

/// Which requests go where, and how their ends are to be read.
#[derive(Clone, Debug, Serialize)]
pub struct Route {
    /// Unique: the label `route`.
    pub name: String,
    /// The hosts it is for. Default any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<HostMatch>,
    /// The path it is for, and all below it: `/chat` takes `/chat` and `/chat/x`, not `/chatty`. Compared byte by byte.
    /// Default `/`, any.
    pub path: String,
    /// Where its sessions go.
    pub upstream: Upstream,
    /// How that is verified, if it is `https://`. Default the configuration's `upstream_tls`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_tls: Option<UpstreamTls>,
    /// Without a frame either way until closewatch ends a session, or never. Default `timeouts.idle`.
    #[serde(serialize_with = "show_limit")]
    pub idle: Option<Duration>,
    /// How codes are read here: all that `named`, the configuration's `classes` and the route's own say.
    #[serde(skip)]
    pub codes: CodeRules,
    /// The items of the key `codes`, as written. Default empty.
    #[serde(rename = "codes")]
    pub named: Vec<String>,
    /// The route's own `classes`, as written. Default empty.
    pub classes: ClassTable,
}

/// The hosts that a route is for. Compared without regard to case, and without the request's port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostMatch {
    /// This one, in lower case.
    Exact(String),
    /// All below this one, at any depth, but not itself: `*.example.com` without the `*.`, in lower case.
    Below(String),
}

// === impl Route ===

impl Route {
    /// A route that takes every request to `upstream`.
    pub fn new(name: &str, upstream: Upstream) -> Self {
        Self {
            name: name.to_owned(),
            host: None,
            path: "/".to_owned(),
            upstream_tls: upstream.tls.is_some().then(UpstreamTls::default),
            upstream,
            idle: None,
            codes: CodeRules::default(),
            named: Vec::new(),
            classes: ClassTable::new(),
        }
    }

    /// Whether a request for `host` (without port) and `path` (without query) may take this route.
    pub fn matches(&self, host: Option<&str>, path: &str) -> bool {
        let host_matches = match (&self.host, host) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(rule), Some(host)) => rule.matches(host),
        };
        host_matches
            && path
                .strip_prefix(self.path.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || self.path.ends_with('/'))
    }

    /// Builds `codes` from what was written, the configuration's `classes` before the route's own.
    pub(super) fn build_rules(&mut self, classes: &ClassTable) {
        let mut rules = CodeRules::default();
        for name in &self.named {
            match (catalog::preset(name), single_code(name)) {
                (Some(preset), _) => rules.use_preset(preset),
                (None, Some(code)) => rules.name_code(code.0),
                (None, None) => {} // refused by `check_code` before
            }
        }
        for table in [classes, &self.classes] {
            let mut overrides: Vec<_> =
                table.iter().filter_map(|(codes, class)| Some((codes.parse().ok()?, *class))).collect();
            // The last that matches wins, and a table has no order: so ranges go before what is more exact.
            overrides.sort_by_key(|(codes, _)| std::cmp::Reverse(width(codes)));
            for (codes, class) in overrides {
                rules.set_class(codes, class);
            }
        }
        self.codes = rules;
    }
}

fn width(codes: &CodeMatch) -> u16 {
    match codes {
        CodeMatch::Codes(range) => range.end() - range.start(),
        CodeMatch::Invalid => 0,
    }
}

// === impl HostMatch ===

impl HostMatch {
    fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => host.eq_ignore_ascii_case(name),
            Self::Below(parent) => host.len().checked_sub(parent.len()).is_some_and(|at| {
                // By bytes: a host is whatever the client sent, and `at` may be inside one of its characters.
                let (label, rest) = host.as_bytes().split_at(at);
                label.len() > 1 && label.ends_with(b".") && rest.eq_ignore_ascii_case(parent.as_bytes())
            }),
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let allowed =
            "a host name without scheme, port or path: \"chat.example.com\", or \"*.example.com\" for all below";
        let lower = text.to_ascii_lowercase();
        let (name, below) = match lower.strip_prefix("*.") {
            Some(parent) => (parent, true),
            None => (lower.as_str(), false),
        };
        let is_ipv6 = || name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).map(str::parse::<Ipv6Addr>);
        let is_name = name.len() <= LONGEST_HOST
            && name.split('.').all(|label| {
                !label.is_empty()
                    && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            });
        match (below, is_name) {
            (true, true) => Ok(Self::Below(name.to_owned())),
            (false, true) => Ok(Self::Exact(name.to_owned())),
            (false, false) if matches!(is_ipv6(), Some(Ok(_))) => Ok(Self::Exact(name.to_owned())),
            (_, false) => Err(format!("{text:?} is not {allowed}")),
        }
    }
}

impl fmt::Display for HostMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Below(parent) => write!(f, "*.{parent}"),
        }
    }
}

impl Serialize for HostMatch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

// === what may be written ===

/// A route's name.
pub(super) fn check_name(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    if text.is_empty() || text.len() > LONGEST_NAME || !text.bytes().all(plain) {
        return Err(format!("{text:?} is not a name: 1 to {LONGEST_NAME} letters, digits, \"_\", \".\" and \"-\""));
    }
    if text == "none" {
        return Err("\"none\" is what requests without a route are counted under; choose another name".to_owned());
    }
    Ok(text.to_owned())
}

/// A route's path.
pub(super) fn check_path(text: &str) -> Result<String, String> {
    if !text.starts_with('/') || text.contains(['?', '#', ' ']) || text.contains(char::is_control) {
        return Err(format!(
            "{text:?} is not a path: it begins with \"/\" and has no query, space or control character"
        ));
    }
    if text.contains('*') {
        let below = text.split('*').next().unwrap_or_default().trim_end_matches('/');
        let below = if below.is_empty() { "/" } else { below };
        return Err(format!("{text:?} matches no request, for \"*\" is no wildcard: {below:?} takes all below it"));
    }
    if !text.is_ascii() {
        let sent = Url::parse("http://host").and_then(|base| base.join(text));
        let sent = sent.map_or_else(|_| String::new(), |url| format!(", as {:?}", url.path()));
        return Err(format!("{text:?} matches no request: clients send it percent-encoded{sent}"));
    }
    Ok(text.to_owned())
}

/// One element of `codes`: a preset, or a code.
pub(super) fn check_code(text: &str) -> Result<String, String> {
    if catalog::preset(text).is_some() || single_code(text).is_some_and(can_be_seen) {
        return Ok(text.to_owned());
    }
    Err(format!("{text:?} is neither a preset (such as \"graphql-ws\") nor a code: 3000-4999 or a registered one"))
}

/// A key of `classes`.
pub(super) fn check_codes(text: &str) -> Result<(), String> {
    text.parse::<CodeMatch>().map_err(|error| error.to_string())?;
    match single_code(text) {
        Some(code) if !can_be_seen(code) => {
            Err(format!("{text} is illegal on the wire: such codes are classed as \"invalid\""))
        }
        Some(_) | None => Ok(()),
    }
}

fn single_code(text: &str) -> Option<CloseCode> {
    match text.parse().ok()? {
        CodeMatch::Codes(range) if range.start() == range.end() => Some(CloseCode(*range.start())),
        CodeMatch::Codes(_) | CodeMatch::Invalid => None,
    }
}

/// Whether a record can have this code: 1005 and 1006 are derived, any other that may not be sent shows as `invalid`.
fn can_be_seen(code: CloseCode) -> bool {
    code.may_be_sent() || code == CloseCode::NO_STATUS || code == CloseCode::ABNORMAL
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(route: &Route, code: u16) -> Option<Class> {
        route.codes.class(route.codes.label(CloseCode(code)), Some(CloseCode(code)))
    }

    fn table(entries: &[(&str, Class)]) -> ClassTable {
        entries.iter().map(|(codes, class)| ((*codes).to_owned(), *class)).collect()
    }

    #[test]
    fn the_narrower_class_wins_and_the_route_wins_over_all() {
        let mut route = Route::new("chat", "http://127.0.0.1:9000".parse().unwrap());
        route.classes = table(&[("4500-4599", Class::Overload)]);
        route.build_rules(&table(&[
            ("4401", Class::Policy),
            ("4xxx", Class::Clean),
            ("4400-4499", Class::Planned),
            ("4501", Class::Policy),
        ]));
        for (code, expected) in [
            (4401, Some(Class::Policy)),
            (4402, Some(Class::Planned)),
            (4600, Some(Class::Clean)),
            (4501, Some(Class::Overload)),
            (3999, None),
        ] {
            assert_eq!(class(&route, code), expected, "{code}");
        }
    }

    #[test]
    fn a_listed_code_has_a_label_of_its_own() {
        let mut route = Route::new("chat", "http://127.0.0.1:9000".parse().unwrap());
        route.named = vec!["4401".to_owned()];
        route.build_rules(&ClassTable::new());
        assert_eq!(route.codes.label(CloseCode(4401)).to_string(), "4401");
        assert_eq!(route.codes.label(CloseCode(4402)).to_string(), "4xxx");
    }

    #[test]
    fn only_codes_that_can_be_seen_may_be_listed() {
        for text in ["1000", "1005", "1006", "1011", "3000", "3999", "4000", "4999"] {
            assert!(check_code(text).is_ok(), "{text}");
        }
        for text in
            ["", "999", "1004", "1015", "1016", "2999", "5000", "65536", "4400-4499", "4xxx", "invalid", "no-preset"]
        {
            assert!(check_code(text).is_err(), "{text}");
        }
        for text in ["1006", "4401", "4400-4499", "4xxx", "invalid", "1000-1015"] {
            assert!(check_codes(text).is_ok(), "{text}");
        }
        for text in ["", "999", "1015", "5000", "4499-4400", "four", "Invalid"] {
            assert!(check_codes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_is_fit_for_a_label() {
        for text in ["chat", "chat-2.eu_west", "None", &"x".repeat(64)] {
            assert!(check_name(text).is_ok(), "{text}");
        }
        for text in ["", "none", "a b", "ä", "a/b", "a\n", &"x".repeat(65)] {
            assert!(check_name(text).is_err(), "{text}");
        }
    }
}
