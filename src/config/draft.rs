//! A file's keys, read into the settings they change.

use std::path::Path;

use toml::de::DeValue;

use super::diagnosis::Diagnosis;
use super::error::{Mistake, Place};
use super::forwarded::Forwarded;
use super::given::Given;
use super::log_only::LogOnly;
use super::route::{ClassTable, HostMatch, Route, check_code, check_codes, check_name, check_path};
use super::section::{Document, Section, read_fields};
use super::settings::{
    Config, Drain, Limits, Log, LogFormat, LogLevel, LogPath, LogTarget, OwnLogFormat, Timeouts, VERSION,
};
use super::tls_draft::{TlsDraft, UpstreamTlsDraft};
use super::upstream::Upstream;
use super::values::{self, Parsed, duration, limit, number, optional_address, positive, switch, text, text_or_number};
use crate::close::{Class, CloseCode};

/// More threads than any machine of today has cores. A slip of the finger should not start a million.
pub(super) const MOST_WORKERS: usize = 1024;

/// hyper's smallest buffer is 8 KiB. Above 1 MiB a head is an attack: each connection may hold that much.
const HEADER_LINES: std::ops::RangeInclusive<usize> = 16..=1000;
const HEADER_BYTES: std::ops::RangeInclusive<u64> = 8 * 1024..=1024 * 1024;

/// Each route has some 420 series from the start.
pub(super) const MOST_ROUTES: usize = 10_000;

/// The rest of a control frame's 125 bytes after the code (RFC 6455 §5.5).
pub(super) const LONGEST_REASON: usize = 123;

/// Settings on their way to a configuration: what is missing may still come from flags.
pub(super) struct Draft {
    /// All but the default route.
    pub(super) config: Config,
    /// The key `upstream` at the top.
    pub(super) upstream: Option<TopUpstream>,
    pub(super) tls: TlsDraft,
    pub(super) upstream_tls: UpstreamTlsDraft,
    /// Of each route in the configuration.
    pub(super) routes: Vec<RouteDraft>,
    pub(super) places: Places,
    /// Whether there are `[[routes]]`, right or wrong.
    pub(super) has_routes: bool,
}

/// Where addresses are given, if they are.
#[derive(Default)]
pub(super) struct Places {
    pub(super) listen: Option<Given<()>>,
    pub(super) admin: Option<Given<()>>,
    pub(super) metrics: Option<Given<()>>,
}

/// The part of a route that is settled later.
pub(super) struct RouteDraft {
    pub(super) tls: UpstreamTlsDraft,
    /// Where the upstream is given.
    pub(super) upstream: Given<()>,
}

/// The key `upstream` at the top of a file.
pub(super) struct TopUpstream {
    /// Where it is given.
    pub(super) place: Place,
    /// `None` if it is wrong. That is noted already.
    pub(super) value: Option<Upstream>,
}

impl Draft {
    /// The defaults, as if from an empty file.
    pub(super) fn empty() -> Self {
        Self {
            config: Config::without_routes(),
            upstream: None,
            tls: TlsDraft::default(),
            upstream_tls: UpstreamTlsDraft::default(),
            routes: Vec::new(),
            places: Places::default(),
            has_routes: false,
        }
    }

    /// Reads a whole file, or all that is wrong with its syntax. Other mistakes come with the draft.
    pub(super) fn read(path: &Path, content: &str) -> Result<(Self, Vec<Mistake>), Vec<Mistake>> {
        let document = Document::new(path, content);
        let Some(tables) = document.tables() else { return Err(document.into_findings().mistakes) };
        let mut draft = Self::read_top(document.top(&tables));
        let found = document.into_findings();
        draft.config.former_names = found.former_names;
        Ok((draft, found.mistakes))
    }

    fn read_top(mut top: Section<'_, '_>) -> Self {
        let mut config = Config::without_routes();
        read_fields!(top, config, [version], version);
        let mut places = Places { listen: top.mark("listen"), ..Places::default() };
        read_fields!(top, config, [listen], |v| values::address(text(v)?));
        read_fields!(top, config, [workers], |v| number(v, 0..=MOST_WORKERS));
        let upstream = top
            .place_of("upstream")
            .map(|place| TopUpstream { place, value: top.read("upstream", |v| upstream(text(v)?)) });

        let tls = top.section("tls").map(TlsDraft::read).unwrap_or_default();
        let upstream_tls = top.section("upstream_tls").map(UpstreamTlsDraft::read).unwrap_or_default();
        if let Some(mut admin) = top.section("admin") {
            places.admin = admin.mark("listen");
            read_fields!(admin, config.admin, [listen], |v| optional_address(text(v)?));
            for item in admin.list("names") {
                match text(item.value).and_then(host_name) {
                    Ok(name) => config.admin.names.push(name),
                    Err(message) => admin.wrong(item.line, "names", message),
                }
            }
            read_fields!(admin, config.admin, [url], |v| base_url(text(v)?));
            admin.finish();
        }
        if let Some(mut metrics) = top.section("metrics") {
            places.metrics = metrics.mark("listen");
            read_fields!(metrics, config.metrics, [listen], |v| optional_address(text(v)?));
            metrics.finish();
        }
        if let Some(section) = top.section("log") {
            read_log(section, &mut config.log);
        }
        if let Some(section) = top.section("timeouts") {
            read_timeouts(section, &mut config.timeouts);
        }
        if let Some(section) = top.section("drain") {
            read_drain(section, &mut config.drain);
        }
        if let Some(mut restart) = top.section("restart") {
            read_fields!(restart, config.restart, [socket], |v| values::optional_path(text(v)?));
            restart.finish();
        }
        if let Some(section) = top.section("limits") {
            read_limits(section, &mut config.limits);
        }
        if let Some(section) = top.section("forwarded") {
            config.forwarded = Forwarded::read(section);
        }
        if let Some(mut relay) = top.section("relay") {
            read_fields!(relay, config.relay, [verbatim, splice], |v| switch(text(v)?));
            relay.finish();
        }
        if let Some(section) = top.section("otel") {
            config.otel.read(section);
        }
        if let Some(section) = top.section("diagnosis") {
            config.diagnosis = Diagnosis::read(section);
        }
        if let Some(section) = top.section("classes") {
            config.classes = read_classes(&section);
        }
        let has_routes = top.line_of("routes").is_some();
        let mut routes = Vec::new();
        if let Some(sections) = top.sections("routes") {
            routes = read_routes(&top, sections, &mut config);
        }
        top.finish();
        Self { config, upstream, tls, upstream_tls, routes, places, has_routes }
    }
}

/// A version that this closewatch reads. There is only one so far.
fn version(value: &DeValue<'_>) -> Parsed<usize> {
    match number(value, 1..=usize::MAX)? {
        VERSION => Ok(VERSION),
        newer => Err(format!(
            "{newer} is for a newer closewatch: this one, {}, reads version {VERSION}",
            env!("CARGO_PKG_VERSION")
        )),
    }
}

fn read_log(mut section: Section<'_, '_>, log: &mut Log) {
    section.renamed("format", "closes_format");
    read_fields!(section, log, [closes], |v| LogTarget::parse(text(v)?));
    read_fields!(section, log, [path], |v| LogPath::parse(text(v)?));
    read_fields!(section, log, [closes_format], |v| LogFormat::parse(text(v)?));
    read_fields!(section, log, [only], LogOnly::parse);
    read_fields!(section, log, [reason, query], |v| switch(text(v)?));
    read_fields!(section, log, [level], |v| LogLevel::parse(text(v)?));
    read_fields!(section, log, [own_format], |v| OwnLogFormat::parse(text(v)?));
    section.finish();
}

fn read_timeouts(mut section: Section<'_, '_>, timeouts: &mut Timeouts) {
    read_fields!(section, timeouts, [dial, head, keep_alive, tls, handshake], |v| positive(&text_or_number(v)?));
    read_fields!(section, timeouts, [idle, half_closed, dead_peer], |v| limit(&text_or_number(v)?));
    read_fields!(section, timeouts, [linger, close_reply, unready, drain, drain_jitter, final_scrape], |v| duration(
        &text_or_number(v)?
    ));
    section.finish();
}

fn read_drain(mut section: Section<'_, '_>, drain: &mut Drain) {
    read_fields!(section, drain, [code], |v| {
        let code = u16::try_from(number(v, 0..=usize::from(u16::MAX))?).unwrap_or_default();
        match code {
            0 => Ok(None),
            _ if CloseCode(code).may_be_sent() => Ok(Some(code)),
            _ => Err(format!("{code} may not stand in a Close: 1000-1003, 1007-1014, 3000-4999, or 0 to send none")),
        }
    });
    read_fields!(section, drain, [reason], |v| match text(v)? {
        reason if reason.len() <= LONGEST_REASON => Ok(reason.to_owned()),
        reason => Err(format!("has {} bytes, a Close holds {LONGEST_REASON}", reason.len())),
    });
    if let (None, false, Some(line)) = (drain.code, drain.reason.is_empty(), section.line_of("reason")) {
        section.wrong(line, "reason", "is never sent: with code = 0 there is no Close".to_owned());
    }
    section.finish();
}

fn read_limits(mut section: Section<'_, '_>, limits: &mut Limits) {
    read_fields!(section, limits, [sessions, connections, upstream_connections, connections_per_source], |v| {
        Ok(Some(number(v, 0..=usize::MAX)?).filter(|limit| *limit > 0))
    });
    read_fields!(section, limits, [header_bytes], |v| values::size(&text_or_number(v)?, HEADER_BYTES));
    read_fields!(section, limits, [header_lines], |v| number(v, HEADER_LINES));
    read_fields!(section, limits, [routes], |v| number(v, 1..=MOST_ROUTES));
    section.finish();
}

fn read_classes(section: &Section<'_, '_>) -> ClassTable {
    let mut table = ClassTable::new();
    for item in section.entries() {
        let class =
            check_codes(item.key).and_then(|()| text(item.value)?.parse::<Class>().map_err(|error| error.to_string()));
        match class {
            Ok(class) => drop(table.insert(item.key.to_owned(), class)),
            Err(message) => section.wrong(item.line, item.key, message),
        }
    }
    table
}

/// A route that was read before, to compare the next ones with.
struct Earlier {
    line: usize,
    name: String,
    takes: Option<(Option<HostMatch>, String)>,
}

fn read_routes(top: &Section<'_, '_>, sections: Vec<Section<'_, '_>>, config: &mut Config) -> Vec<RouteDraft> {
    if sections.is_empty() {
        top.wrong(top.line(), "routes", "is empty: at least one is needed".to_owned());
    }
    if let Some(excess) = sections.get(config.limits.routes) {
        let (count, most) = (sections.len(), config.limits.routes);
        excess.wrong(excess.line(), "", format!("{count} routes are more than limits.routes = {most}"));
    }
    let mut earlier: Vec<Earlier> = Vec::new();
    sections.into_iter().filter_map(|section| read_route(section, &mut earlier, config)).collect()
}

/// Adds a route, and gives the part that is settled later.
fn read_route(mut section: Section<'_, '_>, earlier: &mut Vec<Earlier>, config: &mut Config) -> Option<RouteDraft> {
    let name = section.read("name", |v| check_name(text(v)?));
    let host = section.read("host", |v| HostMatch::parse(text(v)?));
    let path = section.read("path", |v| check_path(text(v)?));
    let upstream = section.given("upstream", |v| upstream(text(v)?));
    let idle = section.read("idle", |v| limit(&text_or_number(v)?));
    let tls = section.section("upstream_tls").map(UpstreamTlsDraft::read).unwrap_or_default();
    let named = read_codes(&mut section);
    let classes = section.section("classes").map_or_else(ClassTable::new, |table| read_classes(&table));
    for key in ["name", "upstream"] {
        if section.line_of(key).is_none() {
            section.wrong(section.line(), key, "missing: every route needs one".to_owned());
        }
    }

    if let (Some(name), Some(line)) = (&name, section.line_of("name"))
        && let Some(other) = earlier.iter().find(|other| other.name == *name)
    {
        section.wrong(line, "name", format!("{name:?} is the name of the route on line {} already", other.line));
    }
    // A host or path that is wrong is noted; it says nothing of what the route takes.
    let understood =
        (host.is_some() || section.line_of("host").is_none()) && (path.is_some() || section.line_of("path").is_none());
    let path = path.unwrap_or_else(|| "/".to_owned());
    let takes = understood.then(|| (host.clone(), path.clone()));
    if takes.is_some()
        && let Some(other) = earlier.iter().find(|other| other.takes == takes)
    {
        let message = format!("host and path are those of the route on line {}: this one is never taken", other.line);
        let line = section.line_of("path").unwrap_or(section.line());
        section.wrong(line, "path", message);
    }
    earlier.push(Earlier { line: section.line(), name: name.clone().unwrap_or_default(), takes });
    section.finish();

    let (name, Given { value: upstream, place, key }) = (name?, upstream?);
    let idle = idle.unwrap_or(config.timeouts.idle);
    let mut route = Route { host, path, idle, named, classes, ..Route::new(&name, upstream) };
    route.build_rules(&config.classes);
    config.routes.push(route);
    Some(RouteDraft { tls, upstream: Given { value: (), place, key } })
}

fn read_codes(section: &mut Section<'_, '_>) -> Vec<String> {
    let mut named = Vec::new();
    for item in section.list("codes") {
        match text_or_number(item.value).and_then(|code| check_code(&code)) {
            Ok(code) => named.push(code),
            Err(message) => section.wrong(item.line, "codes", message),
        }
    }
    named
}

/// A host name that stands for itself alone.
fn host_name(text: &str) -> Parsed<String> {
    match HostMatch::parse(text) {
        Ok(HostMatch::Exact(name)) => Ok(name),
        Ok(HostMatch::Below(_)) | Err(_) => Err(format!("{text:?} is not a host name: \"closewatch.example.com\"")),
    }
}

/// A URL that paths are put behind: without a slash at its end.
fn base_url(text: &str) -> Parsed<String> {
    let wrong = || format!("{text:?} is not a URL such as \"https://closewatch.example.com\"");
    let uri = text.parse::<http::Uri>().ok();
    let is_base = |uri: &http::Uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.authority().is_some() && uri.query().is_none()
    };
    match uri {
        _ if text.is_empty() => Ok(String::new()),
        Some(uri) if is_base(&uri) => Ok(text.trim_end_matches('/').to_owned()),
        Some(_) | None => Err(wrong()),
    }
}

/// An upstream, from a file or a flag.
pub(super) fn upstream(text: &str) -> Parsed<Upstream> {
    text.parse().map_err(|error: super::upstream::UpstreamError| error.to_string())
}
