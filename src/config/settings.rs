//! The configuration as the rest of closewatch sees it, with its defaults.
//!
//! Serialized, it is what a file would have to say to get the same: that is the effective configuration of the start-up
//! log.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::diagnosis::Diagnosis;
use super::error::Mistake;
use super::forwarded::Forwarded;
use super::log_only::LogOnly;
use super::otel::Otel;
use super::route::{ClassTable, Route};
use super::tls::{Tls, UpstreamTls, validity};
use super::upstream::Upstream;
use super::values::{show_address, show_count, show_duration, show_limit, show_path, show_switch};
use super::words::words;

/// The version of the configuration: what its keys mean. It changes only with a major version of closewatch.
pub(super) const VERSION: usize = 1;

/// All that a run needs to know.
#[derive(Clone, Debug, Serialize)]
pub struct Config {
    /// Version of the file, and of the keys below. Default 1, the only one so far.
    pub version: usize,
    /// Where clients come in. Port 0 lets the system choose. Default `0.0.0.0:8080`.
    pub listen: SocketAddr,
    /// Whether `listen` is given, or is the default.
    #[serde(skip)]
    pub listen_given: bool,
    /// Variables of the environment that look like ours and are not, for a warning at the start.
    #[serde(skip)]
    pub ignored: Vec<String>,
    /// Keys of the file under their former names, for a warning at the start.
    #[serde(skip)]
    pub former_names: Vec<Mistake>,
    /// Worker threads; 0 is one per core. Default 0.
    pub workers: usize,
    /// TLS in front.
    pub tls: Tls,
    /// TLS of `https://` upstreams; already part of each route's.
    pub upstream_tls: UpstreamTls,
    /// The operator's listener.
    pub admin: Admin,
    /// The second address for metrics and health.
    pub metrics: Metrics,
    /// The close log, and closewatch's own.
    pub log: Log,
    /// Every wait, and its end.
    pub timeouts: Timeouts,
    /// The Close that a drain sends.
    pub drain: Drain,
    /// How the next instance takes over.
    pub restart: Restart,
    /// Limits of numbers and sizes.
    pub limits: Limits,
    /// The hops in front that are trusted, and the headers added to requests.
    pub forwarded: Forwarded,
    /// How bytes are moved.
    pub relay: Relay,
    /// The OTLP export.
    pub otel: Otel,
    /// The live diagnosis.
    pub diagnosis: Diagnosis,
    /// Classes of codes on every route; already part of each route's rules. Default empty.
    pub classes: ClassTable,
    /// Where sessions go: at least one, with unique names, in the order of the file.
    pub routes: Vec<Route>,
}

/// The operator's HTTP: metrics, health, the live page.
#[derive(Clone, Debug, Serialize)]
pub struct Admin {
    /// Its address, or none. Port 0 lets the system choose. Default `127.0.0.1:9464`.
    #[serde(serialize_with = "show_address")]
    pub listen: Option<SocketAddr>,
    /// Host names by which it may be addressed, besides IP addresses and `localhost`. Default none.
    pub names: Vec<String>,
    /// The URL by which people reach it, for links in alerts. Default empty: there are none.
    pub url: String,
}

/// A second address with `/metrics`, `/livez` and `/readyz` only, which a pod network may see.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Metrics {
    /// Its address. Port 0 lets the system choose. Default none.
    #[serde(serialize_with = "show_address")]
    pub listen: Option<SocketAddr>,
}

/// How the next instance takes over from this one.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Restart {
    /// The unix socket on which the listening sockets are handed on. Default none.
    #[serde(serialize_with = "show_path")]
    pub socket: Option<PathBuf>,
}

/// The close log and closewatch's own log.
#[derive(Clone, Debug, Serialize)]
pub struct Log {
    /// Where close records go. Default standard output.
    pub closes: LogTarget,
    /// How much of a request's path they keep. Default `full`.
    pub path: LogPath,
    /// Whether they keep the reasons that peers gave. Default on.
    #[serde(serialize_with = "show_switch")]
    pub reason: bool,
    /// How they are written. Default `json`.
    pub closes_format: LogFormat,
    /// Those that are written. Default `all`.
    pub only: LogOnly,
    /// Whether they keep query strings, which tend to carry tokens. Default off.
    #[serde(serialize_with = "show_switch")]
    pub query: bool,
    /// How much closewatch says of itself on standard error. Default `info`.
    pub level: LogLevel,
    /// How it says that. Default `text`.
    pub own_format: OwnLogFormat,
}

/// Where close records go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LogTarget {
    /// Standard output: `-`.
    #[default]
    Stdout,
    /// Nowhere: `off`.
    Off,
    /// To the end of this file, made if there is none.
    File(PathBuf),
}

/// Every wait. Where 0 means never the type is an `Option`; where 0 means none it is not.
#[derive(Clone, Debug, Serialize)]
pub struct Timeouts {
    /// For the upstream to accept a connection. More than 0. Default 5 s.
    #[serde(serialize_with = "show_duration")]
    pub dial: Duration,
    /// For a client to send a request's head. More than 0. Default 10 s.
    #[serde(serialize_with = "show_duration")]
    pub head: Duration,
    /// For a client to ask again on a connection that is kept. More than 0. Default 75 s: more than the 60 s after which
    /// common balancers give up theirs, so that none sends a request into a connection that is just being closed.
    #[serde(serialize_with = "show_duration")]
    pub keep_alive: Duration,
    /// For a peer to come to the end of its TLS handshake. More than 0. Default 10 s.
    #[serde(serialize_with = "show_duration")]
    pub tls: Duration,
    /// For the upstream to answer an upgrade. More than 0. Default 30 s.
    #[serde(serialize_with = "show_duration")]
    pub handshake: Duration,
    /// Without a frame either way until closewatch ends a session; a route can say otherwise. Default never.
    #[serde(serialize_with = "show_limit")]
    pub idle: Option<Duration>,
    /// For the transports to end once both Closes were written on. Default 5 s.
    #[serde(serialize_with = "show_duration")]
    pub linger: Duration,
    /// Without a byte either way once one side ended or sent a Close. Default 75 s: more than the 60 s that Chromium
    /// waits for the other side's Close.
    #[serde(serialize_with = "show_limit")]
    pub half_closed: Option<Duration>,
    /// For a peer to answer closewatch's own Close. Default 5 s.
    #[serde(serialize_with = "show_duration")]
    pub close_reply: Duration,
    /// Without an acknowledgement of sent bytes until a peer counts as gone. Default 60 s.
    #[serde(serialize_with = "show_limit")]
    pub dead_peer: Option<Duration>,
    /// From not ready to no longer accepting, for load balancers to notice. Default 0: none.
    #[serde(serialize_with = "show_duration")]
    pub unready: Duration,
    /// For sessions to end by themselves once a drain began. Default 15 s.
    #[serde(serialize_with = "show_duration")]
    pub drain: Duration,
    /// Over which a drain's Closes are spread, so that clients do not come back all at once. Default 0: none.
    #[serde(serialize_with = "show_duration")]
    pub drain_jitter: Duration,
    /// From the last session's end to the exit, for a last scrape. Default 0: none.
    #[serde(serialize_with = "show_duration")]
    pub final_scrape: Duration,
}

/// The Close that a drain, or the idle limit, sends.
#[derive(Clone, Debug, Serialize)]
pub struct Drain {
    /// Its code, one that may stand in a Close; none sends no Close. Default 1001, Going Away.
    #[serde(serialize_with = "show_count")]
    pub code: Option<u16>,
    /// Its reason, at most 123 bytes. Default empty.
    pub reason: String,
}

/// Limits of numbers and sizes.
#[derive(Clone, Debug, Serialize)]
pub struct Limits {
    /// Sessions at a time; more are refused with 503. Default none.
    #[serde(serialize_with = "show_count")]
    pub sessions: Option<usize>,
    /// Connections at a time that are no session: silent, asking, answered or kept alive. More are closed. Default none.
    #[serde(serialize_with = "show_count")]
    pub connections: Option<usize>,
    /// Connections at a time to upstreams that are no session's: of plain requests, in use or kept. Requests that need one more
    /// are answered 503. Default none.
    #[serde(serialize_with = "show_count")]
    pub upstream_connections: Option<usize>,
    /// Connections at a time from one source, sessions included: an IPv4 address, or an IPv6 network of 64 bits. More are
    /// closed. Default none.
    #[serde(serialize_with = "show_count")]
    pub connections_per_source: Option<usize>,
    /// Bytes of a request's or response's head, 8 KiB to 1 MiB. Default 64 KiB.
    pub header_bytes: usize,
    /// Header lines of a request's or response's head, 16 to 1000. Default 100.
    pub header_lines: usize,
    /// Routes in the configuration: each is a value of a label. Default 200.
    pub routes: usize,
}

/// How bytes are moved: the fast paths, each of which can be turned off.
#[derive(Clone, Debug, Serialize)]
pub struct Relay {
    /// Whether a valid upgrade is relayed byte for byte and a simple request line by line, or every one goes through hyper.
    /// Default on.
    #[serde(serialize_with = "show_switch")]
    pub verbatim: bool,
    /// Whether the payload of large frames is moved within the kernel, or all of it through a buffer. Default on.
    #[serde(serialize_with = "show_switch")]
    pub splice: bool,
}

words! {
    /// How much of a request's path a record keeps.
    LogPath {
        /// All of it.
        Full = "full",
        /// All but segments that look like secrets.
        Redacted = "redacted",
    }

    /// How records are written.
    LogFormat {
        /// A JSON object a line.
        Json = "json",
        /// A line for people, as `closewatch tail` prints it.
        Text = "text",
    }

    /// How closewatch's own log is written.
    OwnLogFormat {
        /// A line for people.
        Text = "text",
        /// A JSON object a line, which one pipe can carry beside the records.
        Json = "json",
    }

    /// How much closewatch says of itself: this level, and all that are graver.
    LogLevel {
        /// Start, stop, drain.
        Info = "info",
        /// Nothing.
        Off = "off",
        /// A failure that stops part of the service.
        Error = "error",
        /// A failure that closewatch recovered from.
        Warn = "warn",
        /// Each session.
        Debug = "debug",
        /// Each frame.
        Trace = "trace",
    }
}

// === impl Config ===

impl Config {
    /// The defaults, with one route, named `default`, to `upstream`.
    pub fn new(upstream: Upstream) -> Self {
        let mut config = Self::without_routes();
        config.routes.push(Route::new("default", upstream));
        config
    }

    /// The route that a request takes; see [`find`](super::find).
    pub fn route(&self, host: Option<&str>, path: &str) -> Option<&Route> {
        super::routes::find(self.routes.iter().map(|route| (route, route)), host, path)
    }

    /// The certificates that closewatch shows, to clients or to upstreams: their files, and until when they are valid.
    pub fn certificates(&self) -> Vec<(PathBuf, Timestamp)> {
        let upstreams = self.routes.iter().filter_map(|route| route.upstream_tls.as_ref());
        let upstreams = upstreams.filter_map(|tls| validity(tls.cert.as_deref(), tls.identity.as_deref()));
        validity(self.tls.cert.as_deref(), self.tls.identity.as_deref()).into_iter().chain(upstreams).collect()
    }

    /// The defaults, before anything says where sessions go.
    pub(super) fn without_routes() -> Self {
        Self {
            version: VERSION,
            listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8080)),
            listen_given: false,
            ignored: Vec::new(),
            former_names: Vec::new(),
            workers: 0,
            tls: Tls::default(),
            upstream_tls: UpstreamTls::default(),
            admin: Admin::default(),
            metrics: Metrics::default(),
            log: Log::default(),
            timeouts: Timeouts::default(),
            drain: Drain::default(),
            restart: Restart::default(),
            limits: Limits::default(),
            forwarded: Forwarded::default(),
            relay: Relay::default(),
            otel: Otel::default(),
            diagnosis: Diagnosis::default(),
            classes: BTreeMap::new(),
            routes: Vec::new(),
        }
    }
}

/// The effective configuration, as one line of JSON with the keys of the file.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

// === the other defaults ===

impl Default for Admin {
    fn default() -> Self {
        Self { listen: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 9464))), names: Vec::new(), url: String::new() }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            closes: LogTarget::Stdout,
            path: LogPath::default(),
            reason: true,
            closes_format: LogFormat::default(),
            only: LogOnly::default(),
            query: false,
            level: LogLevel::default(),
            own_format: OwnLogFormat::default(),
        }
    }
}

impl Default for Relay {
    fn default() -> Self {
        Self { verbatim: true, splice: true }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            dial: seconds(5),
            head: seconds(10),
            keep_alive: seconds(75),
            tls: seconds(10),
            handshake: seconds(30),
            idle: None,
            linger: seconds(5),
            half_closed: Some(seconds(75)),
            close_reply: seconds(5),
            dead_peer: Some(seconds(60)),
            unready: Duration::ZERO,
            drain: seconds(15),
            drain_jitter: Duration::ZERO,
            final_scrape: Duration::ZERO,
        }
    }
}

impl Default for Drain {
    fn default() -> Self {
        Self { code: Some(1001), reason: String::new() }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions: None,
            connections: None,
            upstream_connections: None,
            connections_per_source: None,
            header_bytes: 64 * 1024,
            header_lines: 100,
            routes: 200,
        }
    }
}

impl LogTarget {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "" => Err("is empty: \"-\" is standard output, \"off\" is none, anything else is a file".to_owned()),
            "-" => Ok(Self::Stdout),
            "off" => Ok(Self::Off),
            path => Ok(Self::File(path.into())),
        }
    }
}

/// As in the file.
impl fmt::Display for LogTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("-"),
            Self::Off => f.write_str("off"),
            Self::File(path) => f.write_str(&path.to_string_lossy()),
        }
    }
}

impl Serialize for LogTarget {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
