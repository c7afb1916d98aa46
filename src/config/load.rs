//! From file, environment and flags to one configuration.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::clashes;
use super::draft::{Draft, RouteDraft, TopUpstream};
use super::error::{Error, Mistake, Place};
use super::given::Given;
use super::overrides::{Overrides, UPSTREAM};
use super::route::Route;
use super::settings::Config;
use super::tls_draft::UpstreamTlsDraft;
use super::variables;

/// The largest file that is read: a thousand routes take a tenth of it, and `/dev/zero` takes no more.
const LARGEST_FILE: u64 = 4 * 1024 * 1024;

/// The configuration of a run: the file that `overrides` names, if any, the rest of `overrides` over it, and for `[otel]` the
/// variables of OpenTelemetry.
pub fn load(overrides: &Overrides) -> Result<Config, Error> {
    let (misspelt, ignored) = unknown_variables();
    let mut config = match &overrides.config {
        Some(path) => assemble(Some((path, &content(path)?)), overrides, misspelt)?,
        None => assemble(None, overrides, misspelt)?,
    };
    config.ignored = ignored;
    config.otel.apply(|name| std::env::var(name).ok());
    Ok(config)
}

/// The configuration in the file at `path`, by itself. No variable counts, but one whose name is misspelt is a mistake here as
/// in a run.
pub fn read(path: &Path) -> Result<Config, Error> {
    let (misspelt, _) = unknown_variables();
    assemble(Some((path, &content(path)?)), &Overrides::default(), misspelt)
}

/// The configuration that comes from `source`, by itself; errors call it `name`.
pub fn read_from(source: impl Read, name: &Path) -> Result<Config, Error> {
    parse(&text(Ok(source), name)?, name)
}

/// The configuration in `text`; errors say that it came from `path`.
pub fn parse(text: &str, path: &Path) -> Result<Config, Error> {
    assemble(Some((path, text)), &Overrides::default(), Vec::new())
}

/// Variables of this process's environment that begin like closewatch's: the misspelt ones, and the others.
fn unknown_variables() -> (Vec<Mistake>, Vec<String>) {
    variables::unknown(std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()))
}

fn content(path: &Path) -> Result<String, Error> {
    text(File::open(path), path)
}

fn text(source: io::Result<impl Read>, path: &Path) -> Result<String, Error> {
    let unreadable = |source| Error::Unreadable { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let read = source.and_then(|source| source.take(LARGEST_FILE + 1).read_to_end(&mut bytes));
    let length = read.map_err(unreadable)?;
    if u64::try_from(length).is_ok_and(|length| length > LARGEST_FILE) {
        return Err(unreadable(io::Error::other("larger than 4 MiB, too large for a configuration")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = valid.split(|byte| *byte == b'\n').count();
        let place = Place::File { path: path.to_owned(), line };
        Error::Invalid { mistakes: vec![Mistake { place, key: None, message: "is not UTF-8 text".to_owned() }] }
    })
}

/// The configuration of a file and what overrides it. `mistakes` are those found before.
fn assemble(file: Option<(&Path, &str)>, overrides: &Overrides, mut mistakes: Vec<Mistake>) -> Result<Config, Error> {
    let mut draft = match file {
        Some((path, text)) => {
            let (draft, found) = Draft::read(path, text).map_err(invalid)?;
            mistakes.extend(found);
            draft
        }
        None => Draft::empty(),
    };
    // Said of the file as it stands, before a flag stands in for its `upstream`.
    if let (Some(upstream), true) = (&draft.upstream, draft.has_routes) {
        let message = "either upstream or [[routes]], not both".to_owned();
        mistakes.push(Mistake { place: upstream.place.clone(), key: Some("upstream".to_owned()), message });
    }
    overrides.apply(&mut draft, &mut mistakes);

    let Draft { mut config, upstream, tls, upstream_tls, mut routes, places, has_routes } = draft;
    config.listen_given = places.listen.is_some();
    match upstream {
        Some(TopUpstream { place, value: Some(upstream) }) if !has_routes => {
            let mut route = Route { idle: config.timeouts.idle, ..Route::new("default", upstream) };
            route.build_rules(&config.classes);
            config.routes.push(route);
            let key = matches!(place, Place::File { .. }).then(|| "upstream".to_owned());
            routes.push(RouteDraft { tls: UpstreamTlsDraft::default(), upstream: Given { value: (), place, key } });
        }
        None if !has_routes => mistakes.push(missing(file)),
        Some(_) | None => {}
    }
    config.tls = tls.settle(&mut mistakes);
    clashes::find(&config, &places, &routes, &mut mistakes);
    settle_upstream_tls(&mut config, &upstream_tls, routes, &mut mistakes);
    if mistakes.is_empty() {
        return Ok(config);
    }
    Err(invalid(mistakes))
}

/// Gives each route what is said of its upstream's TLS: by itself, or for all.
fn settle_upstream_tls(
    config: &mut Config,
    all: &UpstreamTlsDraft,
    drafts: Vec<RouteDraft>,
    mistakes: &mut Vec<Mistake>,
) {
    config.upstream_tls = all.settings();
    let mut read = Vec::new();
    for (route, draft) in config.routes.iter_mut().zip(drafts) {
        match &mut route.upstream_tls {
            Some(tls) => *tls = draft.tls.over(all).settle(&mut read, mistakes),
            None => draft.tls.refuse(mistakes),
        }
    }
    if config.routes.iter().all(|route| route.upstream_tls.is_none()) {
        all.refuse(mistakes);
    }
}

fn invalid(mut mistakes: Vec<Mistake>) -> Error {
    mistakes.sort_by(|a, b| a.place.cmp(&b.place));
    // A mistake in a setting for all routes is found once for each of them.
    mistakes.dedup();
    Error::Invalid { mistakes }
}

/// Nothing says where sessions go.
fn missing(file: Option<(&Path, &str)>) -> Mistake {
    if let Some((path, _)) = file {
        let message = "missing: give upstream = \"http://host:port\", or [[routes]]".to_owned();
        in_file(path, 1, "upstream", message)
    } else {
        let message = "missing: give --upstream URL, or a file with --config FILE (CLOSEWATCH_CONFIG)".to_owned();
        Mistake { place: UPSTREAM, key: None, message }
    }
}

fn in_file(path: &Path, line: usize, key: &str, message: String) -> Mistake {
    Mistake { place: Place::File { path: path.to_owned(), line }, key: Some(key.to_owned()), message }
}
