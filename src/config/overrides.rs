//! What the command line and the environment say, over the file.

use std::path::PathBuf;

use super::draft::{Draft, MOST_WORKERS, TopUpstream, upstream};
use super::error::{Mistake, Place};
use super::given::Given;
use super::settings::{LogLevel, LogTarget};
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

    /// Who may vouch for https:// upstreams (PEM) [default: the system's roots]
    #[arg(long, value_name = "FILE", env = "CLOSEWATCH_UPSTREAM_CA")]
    pub upstream_ca: Option<String>,

    /// Take any certificate of an https:// upstream: whoever is in between can read and change everything
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

    /// Worker threads, 0 for one per core [default: 0]
    #[arg(long, value_name = "N", env = "CLOSEWATCH_WORKERS")]
    pub workers: Option<String>,

    /// closewatch's own log, on standard error: off, error, warn, info, debug, trace [default: info]
    #[arg(long, value_name = "LEVEL", env = "CLOSEWATCH_LOG_LEVEL")]
    pub log_level: Option<String>,
}

/// The flag and variable for the upstream: also what is missing when nothing says where sessions go.
pub(super) const UPSTREAM: Place = Place::Flag { flag: "--upstream", variable: "CLOSEWATCH_UPSTREAM" };

impl Overrides {
    /// Puts what is given over what the file said.
    pub(super) fn apply(&self, draft: &mut Draft, mistakes: &mut Vec<Mistake>) {
        let config = &mut draft.config;
        let mut set = Setter { mistakes };
        set.put("--listen", "CLOSEWATCH_LISTEN", self.listen.as_deref(), &mut config.listen, address);
        set.put("--admin", "CLOSEWATCH_ADMIN", self.admin.as_deref(), &mut config.admin.listen, optional_address);
        set.put(
            "--metrics",
            "CLOSEWATCH_METRICS",
            self.metrics.as_deref(),
            &mut config.metrics.listen,
            optional_address,
        );
        let close_log = self.close_log.as_deref();
        set.put("--close-log", "CLOSEWATCH_CLOSE_LOG", close_log, &mut config.log.closes, LogTarget::parse);
        let workers = |text: &str| number_from_text(text, 0..=MOST_WORKERS);
        set.put("--workers", "CLOSEWATCH_WORKERS", self.workers.as_deref(), &mut config.workers, workers);
        let log_level = self.log_level.as_deref();
        set.put("--log-level", "CLOSEWATCH_LOG_LEVEL", log_level, &mut config.log.level, LogLevel::parse);

        let file = |text: &str| Ok(Some(path(text)));
        for (flag, variable, given, slot) in [
            ("--tls-cert", "CLOSEWATCH_TLS_CERT", &self.tls_cert, &mut draft.tls.cert),
            ("--tls-key", "CLOSEWATCH_TLS_KEY", &self.tls_key, &mut draft.tls.key),
            ("--upstream-ca", "CLOSEWATCH_UPSTREAM_CA", &self.upstream_ca, &mut draft.upstream_tls.ca),
        ] {
            set.place(flag, variable, given.as_deref(), slot, file);
        }
        let insecure = self.insecure.as_deref();
        let slot = &mut draft.upstream_tls.insecure;
        set.place("--insecure", "CLOSEWATCH_INSECURE", insecure, slot, |text| switch(text).map(Some));
        for own in &mut draft.route_tls {
            own.ca = own.ca.take().filter(|_| self.upstream_ca.is_none());
            own.insecure = own.insecure.take().filter(|_| self.insecure.is_none());
        }

        if let Some(given) = &self.upstream {
            let mut value = None;
            let parse = |text: &str| upstream(text).map(Some);
            set.put("--upstream", "CLOSEWATCH_UPSTREAM", Some(given), &mut value, parse);
            if draft.has_routes {
                let message = "the file has [[routes]], each with an upstream of its own".to_owned();
                mistakes.push(Mistake { place: UPSTREAM, key: None, message });
            } else {
                draft.upstream = Some(TopUpstream { line: 1, value });
            }
        }
    }
}

/// Parses values into their settings, and notes what does not parse.
struct Setter<'m> {
    mistakes: &'m mut Vec<Mistake>,
}

impl Setter<'_> {
    /// As [`Setter::put`], and keeps that it was the flag.
    fn place<T>(
        &mut self,
        flag: &'static str,
        variable: &'static str,
        given: Option<&str>,
        slot: &mut Option<Given<T>>,
        parse: impl FnOnce(&str) -> Parsed<Option<T>>,
    ) {
        let mut value = None;
        self.put(flag, variable, given, &mut value, parse);
        if let Some(value) = value {
            *slot = Some(Given { value, place: Place::Flag { flag, variable }, key: None });
        }
    }

    fn put<T>(
        &mut self,
        flag: &'static str,
        variable: &'static str,
        given: Option<&str>,
        slot: &mut T,
        parse: impl FnOnce(&str) -> Parsed<T>,
    ) {
        match given.map(parse) {
            None => {}
            Some(Ok(value)) => *slot = value,
            Some(Err(message)) => {
                self.mistakes.push(Mistake { place: Place::Flag { flag, variable }, key: None, message });
            }
        }
    }
}
