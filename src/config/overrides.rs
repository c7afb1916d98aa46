//! Flags and environment variables, which override the file.

use std::path::PathBuf;

use super::draft::{Draft, MOST_WORKERS, TopUpstream, upstream};
use super::error::{Mistake, Place};
use super::given::Given;
use super::settings::{LogFormat, LogLevel, LogTarget, OwnLogFormat};
use super::tls_draft::path;
use super::values::{Parsed, address, number_from_text, optional_address, switch};

/// The flags of a run, each with its variable in the environment; a flag wins over its variable.
///
/// Values are text as given: they are parsed by what parses the file, so that all mistakes are reported together.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Overrides {
    /// Configuration file (TOML); see `closewatch check`
    #[arg(long, value_name = "FILE", env = "CLOSEWATCH_CONFIG")]
    pub config: Option<PathBuf>,

    /// Where clients come in [default: 0.0.0.0:8080]
    #[arg(long, value_name = "ADDR", env = "CLOSEWATCH_LISTEN")]
    pub listen: Option<String>,

    /// Where sessions go: http://host:port, https://host:port, or unix:/path/to.sock
    #[arg(long, value_name = "URL", env = "CLOSEWATCH_UPSTREAM")]
    pub upstream: Option<String>,

    /// TLS in front: the certificate and its chain (PEM)
    #[arg(long, value_name = "FILE", env = "CLOSEWATCH_TLS_CERT")]
    pub tls_cert: Option<String>,

    /// TLS in front: the certificate's private key (PEM)
    #[arg(long, value_name = "FILE", env = "CLOSEWATCH_TLS_KEY")]
    pub tls_key: Option<String>,

    /// Roots that https:// upstreams are verified against (PEM) [default: the system's]
    #[arg(long, value_name = "FILE", env = "CLOSEWATCH_UPSTREAM_CA")]
    pub upstream_ca: Option<String>,

    /// Take any certificate of an https:// upstream: anybody on the path can read and change everything
    #[arg(
        long,
        value_name = "on|off",
        env = "CLOSEWATCH_INSECURE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "on"
    )]
    pub insecure: Option<String>,

    /// The operator's listener, or "off" [default: 127.0.0.1:9464]
    #[arg(long, value_name = "ADDR", env = "CLOSEWATCH_ADMIN")]
    pub admin: Option<String>,

    /// A second address with /metrics, /livez and /readyz only [default: off]
    #[arg(long, value_name = "ADDR", env = "CLOSEWATCH_METRICS")]
    pub metrics: Option<String>,

    /// Where close records go: a file, "-" for standard output, or "off" [default: -]
    #[arg(long, value_name = "PATH", env = "CLOSEWATCH_CLOSE_LOG")]
    pub close_log: Option<String>,

    /// How close records are written: json, or text, a line for people as `closewatch tail` prints it [default: json]
    #[arg(long, value_name = "FORMAT", env = "CLOSEWATCH_CLOSE_LOG_FORMAT")]
    pub close_log_format: Option<String>,

    /// Worker threads, 0 for one per core [default: 0]
    #[arg(long, value_name = "N", env = "CLOSEWATCH_WORKERS")]
    pub workers: Option<String>,

    /// closewatch's own log, on standard error: off, error, warn, info, debug, trace [default: info]
    #[arg(long, value_name = "LEVEL", env = "CLOSEWATCH_LOG_LEVEL")]
    pub log_level: Option<String>,

    /// How that is written: text, or json, which one pipe can carry beside the records [default: text]
    #[arg(long, value_name = "FORMAT", env = "CLOSEWATCH_LOG_FORMAT")]
    pub log_format: Option<String>,
}

/// The place to name when nothing says where sessions go.
pub(super) const UPSTREAM: Place = Place::Flag("upstream");

/// Parses the flag of this name into a setting, and notes what does not parse.
macro_rules! put {
    ($overrides:ident . $name:ident => $slot:expr, $parse:expr, $mistakes:expr) => {
        if let Some(value) = parsed(stringify!($name), $overrides.$name.as_deref(), $parse, $mistakes) {
            $slot = value;
        }
    };
}

/// As `put`, for a setting that is checked later and remembers that it came from the flag.
macro_rules! give {
    ($overrides:ident . $name:ident => $slot:expr, $parse:expr, $mistakes:expr) => {
        if let Some(value) = parsed(stringify!($name), $overrides.$name.as_deref(), $parse, $mistakes) {
            $slot = Some(Given { value, place: Place::Flag(stringify!($name)), key: None });
        }
    };
}

impl Overrides {
    /// Puts the given flags and variables over the file's settings.
    pub(super) fn apply(&self, draft: &mut Draft, mistakes: &mut Vec<Mistake>) {
        let config = &mut draft.config;
        put!(self.listen => config.listen, address, mistakes);
        put!(self.admin => config.admin.listen, optional_address, mistakes);
        put!(self.metrics => config.metrics.listen, optional_address, mistakes);
        put!(self.close_log => config.log.closes, LogTarget::parse, mistakes);
        put!(self.close_log_format => config.log.closes_format, LogFormat::parse, mistakes);
        put!(self.workers => config.workers, |text| number_from_text(text, 0..=MOST_WORKERS), mistakes);
        put!(self.log_level => config.log.level, LogLevel::parse, mistakes);
        put!(self.log_format => config.log.own_format, OwnLogFormat::parse, mistakes);

        for (name, given, place) in [
            ("listen", &self.listen, &mut draft.places.listen),
            ("admin", &self.admin, &mut draft.places.admin),
            ("metrics", &self.metrics, &mut draft.places.metrics),
        ] {
            if given.is_some() {
                *place = Some(Given { value: (), place: Place::Flag(name), key: None });
            }
        }

        let file = |text: &str| Ok(path(text));
        give!(self.tls_cert => draft.tls.cert, file, mistakes);
        give!(self.tls_key => draft.tls.key, file, mistakes);
        give!(self.upstream_ca => draft.upstream_tls.ca, file, mistakes);
        give!(self.insecure => draft.upstream_tls.insecure, switch, mistakes);
        for own in draft.routes.iter_mut().map(|route| &mut route.tls) {
            own.ca = own.ca.take().filter(|_| self.upstream_ca.is_none());
            own.insecure = own.insecure.take().filter(|_| self.insecure.is_none());
        }

        if self.upstream.is_none() {
            return;
        }
        let mut value = None;
        put!(self.upstream => value, |text| upstream(text).map(Some), mistakes);
        if draft.has_routes {
            let message = "the file has [[routes]], each with an upstream of its own".to_owned();
            mistakes.push(Mistake { place: UPSTREAM, key: None, message });
        } else {
            draft.upstream = Some(TopUpstream { place: UPSTREAM, value });
        }
    }
}

/// The value of a flag, if it is given and right. A wrong one is noted.
fn parsed<T>(
    name: &'static str,
    given: Option<&str>,
    parse: impl FnOnce(&str) -> Parsed<T>,
    mistakes: &mut Vec<Mistake>,
) -> Option<T> {
    match parse(given?) {
        Ok(value) => Some(value),
        Err(message) => {
            mistakes.push(Mistake { place: Place::Flag(name), key: None, message });
            None
        }
    }
}
