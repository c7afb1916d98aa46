//! The keys of TLS on their way to settings: flags may still stand in for what a file says, and only then are the files
//! of TLS looked into.

use std::path::PathBuf;

use rustls::pki_types::ServerName;
use toml::de::DeValue;

use super::error::{Mistake, Place};
use super::given::Given;
use super::section::Section;
use super::tls::{Tls, TlsFault, TlsFile, UpstreamTls};
use super::values::{Parsed, switch, text};

/// `[tls]`.
#[derive(Clone, Debug, Default)]
pub(super) struct TlsDraft {
    pub(super) cert: Option<Given<Option<PathBuf>>>,
    pub(super) key: Option<Given<Option<PathBuf>>>,
}

/// `[upstream_tls]`, at the top or of a route.
#[derive(Clone, Debug, Default)]
pub(super) struct UpstreamTlsDraft {
    pub(super) ca: Option<Given<Option<PathBuf>>>,
    pub(super) cert: Option<Given<Option<PathBuf>>>,
    pub(super) key: Option<Given<Option<PathBuf>>>,
    pub(super) server_name: Option<Given<Option<ServerName<'static>>>>,
    pub(super) insecure: Option<Given<bool>>,
}

// === impl TlsDraft ===

impl TlsDraft {
    pub(super) fn read(mut section: Section<'_, '_>) -> Self {
        let draft = Self { cert: section.given("cert", file), key: section.given("key", file) };
        section.finish();
        draft
    }

    /// The settings with the content of the files.
    pub(super) fn settle(self, mistakes: &mut Vec<Mistake>) -> Tls {
        let mut tls = Tls { cert: value(self.cert.as_ref()), key: value(self.key.as_ref()), identity: None };
        match tls.load() {
            Ok(identity) => tls.identity = identity,
            Err(fault) => mistakes.extend(placed(&fault, None, self.cert.as_ref(), self.key.as_ref())),
        }
        tls
    }
}

// === impl UpstreamTlsDraft ===

impl UpstreamTlsDraft {
    pub(super) fn read(mut section: Section<'_, '_>) -> Self {
        let draft = Self {
            ca: section.given("ca", ca),
            cert: section.given("cert", file),
            key: section.given("key", file),
            server_name: section.given("server_name", |v| match text(v)? {
                "" => Ok(None),
                name => ServerName::try_from(name.to_owned())
                    .map(Some)
                    .map_err(|_| format!("{name:?} is neither a host name nor an IP address")),
            }),
            insecure: section.given("insecure", |v| switch(text(v)?)),
        };
        section.finish();
        draft
    }

    /// This route's settings; where it has none, those for all routes.
    pub(super) fn over(self, all: &Self) -> Self {
        let all = all.clone();
        Self {
            ca: self.ca.or(all.ca),
            cert: self.cert.or(all.cert),
            key: self.key.or(all.key),
            server_name: self.server_name.or(all.server_name),
            insecure: self.insecure.or(all.insecure),
        }
    }

    /// The settings without the content of the files.
    pub(super) fn settings(&self) -> UpstreamTls {
        UpstreamTls {
            ca: value(self.ca.as_ref()),
            cert: value(self.cert.as_ref()),
            key: value(self.key.as_ref()),
            server_name: value(self.server_name.as_ref()),
            insecure: self.insecure.as_ref().is_some_and(|given| given.value),
            ..UpstreamTls::default()
        }
    }

    /// The settings of an upstream with TLS, with the content of the files. `read` has those of the routes before: most routes
    /// share their files, and the roots of a system are read in milliseconds and take tens of kilobytes.
    pub(super) fn settle(&self, read: &mut Vec<UpstreamTls>, mistakes: &mut Vec<Mistake>) -> UpstreamTls {
        let settings = self.settings();
        if let Some(filled) = read.iter().find_map(|other| settings.filled_from(other)) {
            return filled;
        }
        let loaded = settings.load();
        read.extend(loaded.clone());
        loaded.unwrap_or_else(|fault| {
            let found = placed(&fault, self.ca.as_ref(), self.cert.as_ref(), self.key.as_ref());
            // `ca` is not given, and the system has no roots.
            mistakes.push(found.unwrap_or_else(|| Mistake {
                place: Place::Flag("upstream_ca"),
                key: None,
                message: fault.to_string(),
            }));
            settings
        })
    }

    /// Refuses every given setting, for an upstream without TLS.
    pub(super) fn refuse(&self, mistakes: &mut Vec<Mistake>) {
        const UNUSED: &str = "is for upstreams that begin with https://, and there is none here";
        let files = [&self.ca, &self.cert, &self.key].into_iter().flatten();
        mistakes.extend(files.filter(|given| given.value.is_some()).map(|given| given.mistake(UNUSED)));
        let name = self.server_name.as_ref().filter(|given| given.value.is_some());
        mistakes.extend(name.map(|given| given.mistake(UNUSED)));
        let insecure = self.insecure.as_ref().filter(|given| given.value);
        mistakes.extend(insecure.map(|given| given.mistake(UNUSED)));
    }
}

/// The path of a file of roots, or none: the system's.
pub(super) fn ca(value: &DeValue<'_>) -> Parsed<Option<PathBuf>> {
    match text(value)? {
        "" => Err("is empty: \"system\", or a file".to_owned()),
        "system" => Ok(None),
        path => Ok(Some(path.into())),
    }
}

/// A file's path, or none: empty.
fn file(value: &DeValue<'_>) -> Parsed<Option<PathBuf>> {
    text(value).map(path)
}

/// The same from a flag.
pub(super) fn path(text: &str) -> Option<PathBuf> {
    (!text.is_empty()).then(|| text.into())
}

fn value<T: Clone>(given: Option<&Given<Option<T>>>) -> Option<T> {
    given.and_then(|given| given.value.clone())
}

/// The mistake where the file at fault was named.
fn placed(
    fault: &TlsFault,
    ca: Option<&Given<Option<PathBuf>>>,
    cert: Option<&Given<Option<PathBuf>>>,
    key: Option<&Given<Option<PathBuf>>>,
) -> Option<Mistake> {
    let given = match fault.file {
        TlsFile::Ca => ca,
        TlsFile::Cert => cert,
        TlsFile::Key => key,
    };
    given.map(|given| given.mistake(fault.to_string()))
}
