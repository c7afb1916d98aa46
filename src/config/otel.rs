//! Settings of the OTLP export: the table `[otel]`, overridden by the standard `OTEL_…` variables.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::section::{Section, read_fields};
use super::tls::{load_roots, show_ca};
use super::tls_draft::ca;
use super::values::{Parsed, number, positive, ratio, ratio_from_text, show_duration, text, text_or_number};
use super::words::words;

/// The most entries that may wait: at one or two kilobytes each, a gigabyte or two.
const MOST_QUEUED: usize = 1 << 20;

/// OpenTelemetry: traces, and, if they are asked for, logs and metrics. Without an endpoint nothing of it is done.
#[derive(Clone, Debug, Serialize)]
pub struct Otel {
    /// The collector: `http://host:port`, or `https://`. Over HTTP each signal has its usual path behind it. Default none.
    #[serde(serialize_with = "show_url")]
    pub endpoint: Option<String>,
    /// The roots that a collector with TLS is verified against (PEM). Default the system's.
    #[serde(serialize_with = "show_ca")]
    pub ca: Option<PathBuf>,
    /// The protocol spoken to it. Default `http/protobuf`.
    pub protocol: OtelProtocol,
    /// Headers, or over gRPC metadata, of every request. `OTEL_EXPORTER_OTLP_HEADERS` adds to them. Default none.
    pub headers: BTreeMap<String, Secret>,
    /// For the collector to take a request, attempts to repeat it included. Default 10 s.
    #[serde(serialize_with = "show_duration")]
    pub timeout: Duration,
    /// A span for every handshake, and one for every session. Default on.
    pub traces: OtelSignal,
    /// A log record for every line of the close log. Default off.
    pub logs: OtelSignal,
    /// Every metric. Default off.
    pub metrics: OtelSignal,
    /// Which handshakes are sampled. Default `parentbased_always_on`.
    pub sampler: OtelSampler,
    /// The share of traces that a sampler with a ratio takes. Default 1.
    pub sampler_ratio: f64,
    /// Of the sampled traces, the share that keeps the span of a session that ended well; all others are kept whole.
    /// Default 1.
    pub sample_clean: f64,
    /// The headers that carry a trace from the client and on to the upstream; of several, the first that is there counts.
    /// Default `tracecontext`.
    pub propagators: Vec<OtelPropagator>,
    /// Entries that may wait for the collector; beyond, they are dropped and counted. Default 32768.
    pub queue: usize,
    /// Between two exports of metrics. Default 60 s.
    #[serde(serialize_with = "show_duration")]
    pub interval: Duration,
    /// `OTEL_SERVICE_NAME`, over all that says the same.
    #[serde(skip)]
    pub service_name: Option<String>,
    /// Attributes of the resource, beside `service.name` (`closewatch`), `service.version`, `service.instance.id` and
    /// `host.name`, or in place of them; `OTEL_RESOURCE_ATTRIBUTES` stand in place of these.
    pub resource: BTreeMap<String, String>,
    /// Variables that cannot be followed, for a warning at the start: OpenTelemetry requires that they are ignored.
    #[serde(skip)]
    pub ignored: Vec<String>,
}

/// Whether a signal is exported, and where to if not to the common endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OtelSignal {
    /// Whether it is.
    pub on: bool,
    /// Its whole URL, path and all.
    pub endpoint: Option<String>,
    /// Its protocol, if not the common one.
    pub protocol: Option<OtelProtocol>,
}

/// A value that is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

words! {
    /// The protocol spoken to the collector.
    OtelProtocol {
        /// Protobuf over HTTP/1.1.
        Http = "http/protobuf",
        /// gRPC.
        Grpc = "grpc",
    }

    /// Which traces are sampled, as OpenTelemetry names it.
    OtelSampler {
        /// As the client's span is; all that have none.
        ParentBasedAlwaysOn = "parentbased_always_on",
        /// As the client's span is; none that has none.
        ParentBasedAlwaysOff = "parentbased_always_off",
        /// As the client's span is; of those that have none, a share.
        ParentBasedTraceIdRatio = "parentbased_traceidratio",
        /// All.
        AlwaysOn = "always_on",
        /// None.
        AlwaysOff = "always_off",
        /// A share.
        TraceIdRatio = "traceidratio",
    }

    /// A format in which headers carry a trace.
    OtelPropagator {
        /// W3C: `traceparent` and `tracestate`.
        TraceContext = "tracecontext",
        /// The one header `b3`.
        B3 = "b3",
        /// The headers `X-B3-…`.
        B3Multi = "b3multi",
    }
}

// === impl Otel ===

impl Default for Otel {
    fn default() -> Self {
        Self {
            endpoint: None,
            ca: None,
            protocol: OtelProtocol::default(),
            headers: BTreeMap::new(),
            timeout: Duration::from_secs(10),
            traces: OtelSignal { on: true, ..OtelSignal::default() },
            logs: OtelSignal::default(),
            metrics: OtelSignal::default(),
            sampler: OtelSampler::default(),
            sampler_ratio: 1.0,
            sample_clean: 1.0,
            propagators: vec![OtelPropagator::default()],
            queue: 32_768,
            interval: Duration::from_mins(1),
            service_name: None,
            resource: BTreeMap::new(),
            ignored: Vec::new(),
        }
    }
}

impl Otel {
    /// Reads the table.
    pub(super) fn read(&mut self, mut section: Section<'_, '_>) {
        read_fields!(section, self, [endpoint], |v| match text(v)? {
            "" | "off" => Ok(None),
            url => check_url(url).map(Some),
        });
        read_fields!(section, self, [ca], ca);
        read_fields!(section, self, [protocol], |v| OtelProtocol::parse(text(v)?));
        read_fields!(section, self, [timeout, interval], |v| positive(&text_or_number(v)?));
        read_fields!(section, self, [traces, logs, metrics], |v| OtelSignal::parse(text(v)?));
        read_fields!(section, self, [sampler], |v| OtelSampler::parse(text(v)?));
        read_fields!(section, self, [sampler_ratio, sample_clean], ratio);
        read_fields!(section, self, [queue], |v| number(v, 1..=MOST_QUEUED));
        if section.line_of("propagators").is_some() {
            self.propagators.clear();
        }
        for item in section.list("propagators") {
            match text(item.value).and_then(OtelPropagator::parse) {
                Ok(propagator) => self.propagators.push(propagator),
                Err(message) => section.wrong(item.line, "propagators", message),
            }
        }
        let headers = read_texts(&mut section, "headers", check_header);
        self.headers.extend(headers.into_iter().map(|(name, value)| (name, Secret(value))));
        self.resource.extend(read_texts(&mut section, "resource", |_, _| Ok(())));
        if self.has_tls()
            && let Err(fault) = load_roots(self.ca.as_deref())
        {
            let line = section.line_of("ca").unwrap_or_else(|| section.line());
            section.wrong(line, "ca", fault.to_string());
        }
        section.finish();
    }

    /// Whether TLS is spoken to any collector.
    pub fn has_tls(&self) -> bool {
        let signals = [&self.traces, &self.logs, &self.metrics].into_iter();
        signals.filter_map(|signal| self.target(signal, "")).any(|(url, _)| url.starts_with("https:"))
    }

    /// Where a signal goes, and how; `None` if it goes nowhere. `path` is its usual one over HTTP.
    pub fn target(&self, signal: &OtelSignal, path: &str) -> Option<(String, OtelProtocol)> {
        let protocol = signal.protocol.unwrap_or(self.protocol);
        if !signal.on {
            return None;
        }
        let url = signal.endpoint.clone().or_else(|| {
            let base = self.endpoint.as_deref()?;
            Some(match protocol {
                OtelProtocol::Http => format!("{}{path}", base.trim_end_matches('/')),
                OtelProtocol::Grpc => base.to_owned(),
            })
        })?;
        Some((url, protocol))
    }

    /// Overrides the file with the environment. Variables that cannot be followed are noted in `ignored`.
    pub(super) fn apply(&mut self, variable: impl Fn(&str) -> Option<String>) {
        // An empty variable counts as none (OpenTelemetry, "Environment Variable Specification").
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let mut env = Environment { variable, ignored: Vec::new() };
        env.put("OTEL_EXPORTER_OTLP_ENDPOINT", &mut self.endpoint, |url| check_url(url).map(Some));
        env.put("OTEL_EXPORTER_OTLP_CERTIFICATE", &mut self.ca, |path| {
            let path = PathBuf::from(path);
            load_roots(Some(&path)).map(|_| Some(path)).map_err(|fault| fault.to_string())
        });
        env.put("OTEL_EXPORTER_OTLP_PROTOCOL", &mut self.protocol, OtelProtocol::parse);
        env.put("OTEL_EXPORTER_OTLP_TIMEOUT", &mut self.timeout, millis);
        for (name, signal) in [("TRACES", &mut self.traces), ("LOGS", &mut self.logs), ("METRICS", &mut self.metrics)] {
            let exporter = |text: &str| match text {
                "otlp" => Ok(true),
                "none" => Ok(false),
                _ => Err(format!("{text:?} is neither otlp nor none")),
            };
            env.put(&format!("OTEL_{name}_EXPORTER"), &mut signal.on, exporter);
            let own = |part| format!("OTEL_EXPORTER_OTLP_{name}_{part}");
            env.put(&own("ENDPOINT"), &mut signal.endpoint, |url| check_url(url).map(Some));
            env.put(&own("PROTOCOL"), &mut signal.protocol, |text| OtelProtocol::parse(text).map(Some));
        }
        env.put("OTEL_TRACES_SAMPLER", &mut self.sampler, OtelSampler::parse);
        env.put("OTEL_TRACES_SAMPLER_ARG", &mut self.sampler_ratio, ratio_from_text);
        env.put("OTEL_PROPAGATORS", &mut self.propagators, propagators);
        env.put("OTEL_BSP_MAX_QUEUE_SIZE", &mut self.queue, |text| {
            super::values::number_from_text(text, 1..=MOST_QUEUED)
        });
        env.put("OTEL_METRIC_EXPORT_INTERVAL", &mut self.interval, millis);
        env.put("OTEL_SERVICE_NAME", &mut self.service_name, |text| Ok(Some(text.to_owned())));
        let mut disabled = false;
        env.put("OTEL_SDK_DISABLED", &mut disabled, |text| Ok(text.eq_ignore_ascii_case("true")));
        if disabled {
            for signal in [&mut self.traces, &mut self.logs, &mut self.metrics] {
                signal.on = false;
            }
        }
        self.ignored = env.ignored;
    }
}

/// The environment, and its variables that cannot be followed.
struct Environment<F> {
    variable: F,
    ignored: Vec<String>,
}

impl<F: Fn(&str) -> Option<String>> Environment<F> {
    fn put<T>(&mut self, name: &str, slot: &mut T, parse: impl FnOnce(&str) -> Parsed<T>) {
        match (self.variable)(name).map(|value| parse(value.trim())) {
            None => {}
            Some(Ok(value)) => *slot = value,
            Some(Err(message)) => self.ignored.push(format!("{name}: {message}")),
        }
    }
}

/// The texts of the table `[otel.key]`.
fn read_texts(
    section: &mut Section<'_, '_>,
    key: &'static str,
    check: impl Fn(&str, &str) -> Parsed<()>,
) -> Vec<(String, String)> {
    let mut texts = Vec::new();
    if let Some(table) = section.section(key) {
        for item in table.entries() {
            match text(item.value).and_then(|value| check(item.key, value).map(|()| value.to_owned())) {
                Ok(value) => texts.push((item.key.to_owned(), value)),
                Err(message) => table.wrong(item.line, item.key, message),
            }
        }
    }
    texts
}

/// A header that can be sent, over HTTP and as the metadata of gRPC.
fn check_header(name: &str, value: &str) -> Parsed<()> {
    let named = http::HeaderName::try_from(name).is_ok() && !name.ends_with("-bin");
    if named && http::HeaderValue::try_from(value).is_ok() { Ok(()) } else { Err("is not a header".to_owned()) }
}

/// A collector's URL.
fn check_url(url: &str) -> Parsed<String> {
    let uri: http::Uri = url.parse().map_err(|_| format!("{url:?} is not a URL: \"http://host:port\""))?;
    match uri.scheme_str() {
        Some("http" | "https") => Ok(url.to_owned()),
        _ => Err(format!("{url:?} does not begin with http:// or https://")),
    }
}

/// A list with commas. Baggage is left to the peers, and `none` is none.
fn propagators(text: &str) -> Parsed<Vec<OtelPropagator>> {
    let names = text.split(',').map(str::trim).filter(|name| !matches!(*name, "none" | "baggage"));
    names.map(OtelPropagator::parse).collect()
}

fn millis(text: &str) -> Parsed<Duration> {
    match text.parse() {
        Ok(millis @ 1..=86_400_000) => Ok(Duration::from_millis(millis)),
        _ => Err(format!("{text:?} is not a number of milliseconds, at most a day")),
    }
}

#[expect(clippy::ref_option, reason = "the signature that serde asks for")]
fn show_url<S: Serializer>(url: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(url.as_deref().unwrap_or("off"))
}

// === impl OtelSignal ===

impl OtelSignal {
    fn parse(text: &str) -> Parsed<Self> {
        let (on, endpoint) = match text {
            "on" => (true, None),
            "off" => (false, None),
            url if url.contains("://") => (true, Some(check_url(url)?)),
            _ => return Err(format!("{text:?} is neither \"on\", \"off\" nor a URL")),
        };
        Ok(Self { on, endpoint, protocol: None })
    }
}

impl Serialize for OtelSignal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match &self.endpoint {
            _ if !self.on => "off",
            Some(url) => url,
            None => "on",
        })
    }
}

// === impl Secret ===

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Otel {
        let mut otel = Otel::default();
        otel.apply(|name| variables.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned()));
        otel
    }

    fn targets(otel: &Otel) -> [Option<String>; 3] {
        [(&otel.traces, "/v1/traces"), (&otel.logs, "/v1/logs"), (&otel.metrics, "/v1/metrics")].map(
            |(signal, path)| otel.target(signal, path).map(|(url, protocol)| format!("{} {url}", protocol.as_str())),
        )
    }

    #[test]
    fn without_an_endpoint_nothing_goes_anywhere() {
        assert_eq!(targets(&with(&[])), [None, None, None]);
        assert_eq!(targets(&with(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")])), [None, None, None]);
        let asked = [("OTEL_LOGS_EXPORTER", "otlp"), ("OTEL_METRICS_EXPORTER", "otlp")];
        assert_eq!(targets(&with(&asked)), [None, None, None]);
    }

    #[test]
    fn an_endpoint_turns_traces_on_and_the_rest_only_if_asked_for() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:4318/");
        let traces = Some("http/protobuf http://a:4318/v1/traces".to_owned());
        assert_eq!(targets(&with(&[endpoint])), [traces.clone(), None, None]);
        let logs = Some("http/protobuf http://a:4318/v1/logs".to_owned());
        assert_eq!(targets(&with(&[endpoint, ("OTEL_LOGS_EXPORTER", "otlp")])), [traces, logs, None]);
        assert_eq!(targets(&with(&[endpoint, ("OTEL_TRACES_EXPORTER", "none")])), [None, None, None]);
        assert_eq!(targets(&with(&[endpoint, ("OTEL_SDK_DISABLED", "true")])), [None, None, None]);
    }

    #[test]
    fn a_signal_has_its_own_endpoint_and_protocol_as_they_are() {
        let otel = with(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:4317"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_METRICS_EXPORTER", "otlp"),
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://b:9090/otlp"),
            ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/protobuf"),
        ]);
        let metrics = Some("http/protobuf http://b:9090/otlp".to_owned());
        assert_eq!(targets(&otel), [Some("grpc http://a:4317".to_owned()), None, metrics]);
        assert!(otel.ignored.is_empty());
    }

    #[test]
    fn samplers_propagators_and_limits_come_from_the_environment() {
        let otel = with(&[
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
            ("OTEL_PROPAGATORS", "b3multi, baggage,tracecontext"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "4096"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "5000"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
            ("OTEL_SERVICE_NAME", "edge"),
        ]);
        assert!(otel.ignored.is_empty(), "{:?}", otel.ignored);
        assert_eq!((otel.sampler, otel.sampler_ratio), (OtelSampler::ParentBasedTraceIdRatio, 0.25));
        assert_eq!(otel.propagators, [OtelPropagator::B3Multi, OtelPropagator::TraceContext]);
        assert_eq!((otel.queue, otel.interval, otel.timeout.as_millis()), (4096, Duration::from_secs(5), 2500));
        assert_eq!(otel.service_name.as_deref(), Some("edge"));
        assert_eq!(with(&[("OTEL_PROPAGATORS", "none")]).propagators, []);
    }

    #[test]
    fn what_cannot_be_followed_is_said_and_changes_nothing() {
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.pem"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "a:4318"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
            ("OTEL_TRACES_EXPORTER", "zipkin"),
            ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
            ("OTEL_TRACES_SAMPLER_ARG", "2"),
            ("OTEL_PROPAGATORS", "tracecontext,jaeger"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
        ] {
            let otel = with(&[(name, value)]);
            assert_eq!(otel.ignored.len(), 1, "{name}={value}");
            assert!(otel.ignored[0].starts_with(name), "{:?}", otel.ignored);
            let shown = |otel: &Otel| serde_json::to_string(otel).unwrap();
            assert_eq!(shown(&otel), shown(&Otel::default()), "{name}={value}");
        }
    }
}
