//! The ways to the collector, one a signal.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_otlp::tonic_types::metadata::MetadataMap;
use opentelemetry_otlp::tonic_types::transport::ClientTlsConfig;
use opentelemetry_otlp::{
    LogExporter, MetricExporter, Protocol, RetryPolicy, SpanExporter, WithExportConfig, WithHttpConfig, WithTonicConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::LogExporter as _;
use opentelemetry_sdk::resource::{EnvResourceDetector, TelemetryResourceDetector};
use opentelemetry_sdk::trace::SpanExporter as _;
use rustls::{ClientConfig, RootCertStore};

use super::error::OtlpError;
use crate::config::{Otel, OtelProtocol, OtelSignal, load_roots, provider, trust};

/// The exporter of each signal; `None` for those that are off.
#[derive(Debug)]
pub(super) struct Collector {
    pub(super) spans: Option<SpanExporter>,
    pub(super) logs: Option<LogExporter>,
    pub(super) metrics: Option<MetricExporter>,
    /// Whether spans go over gRPC; else over HTTP.
    pub(super) spans_over_grpc: bool,
    /// Whether log records do.
    pub(super) logs_over_grpc: bool,
}

/// Builds the exporter of one signal, for whichever protocol it is to speak.
macro_rules! exporter {
    ($exporter:ident, $otel:expr, $roots:expr, $signal:expr, $path:literal) => {
        match $otel.target($signal, $path) {
            None => None,
            Some((url, OtelProtocol::Http)) => Some(
                $exporter::builder()
                    .with_http()
                    .with_http_client(HyperClient::new(connector($roots), $otel.timeout, None))
                    .with_protocol(Protocol::HttpBinary)
                    .with_endpoint(url)
                    .with_timeout($otel.timeout)
                    .with_headers(headers($otel))
                    .with_retry_policy(patience())
                    .build()?,
            ),
            Some((url, OtelProtocol::Grpc)) => Some(
                $exporter::builder()
                    .with_tonic()
                    .with_tls_config(ClientTlsConfig::new().trust_anchors($roots.roots.clone()))
                    .with_protocol(Protocol::Grpc)
                    .with_endpoint(url)
                    .with_timeout($otel.timeout)
                    .with_metadata(metadata($otel))
                    .with_retry_policy(patience())
                    .build()?,
            ),
        }
    };
}

// === impl Collector ===

impl Collector {
    /// Nothing is sent yet. To be called within the runtime that will send.
    pub(super) fn new(otel: &Otel, resource: &Resource) -> Result<Self, OtlpError> {
        // Without TLS nobody asks them.
        let roots = if otel.has_tls() { load_roots(otel.ca.as_deref())? } else { RootCertStore::empty().into() };
        let mut spans = exporter!(SpanExporter, otel, &roots, &otel.traces, "/v1/traces");
        let mut logs = exporter!(LogExporter, otel, &roots, &otel.logs, "/v1/logs");
        let metrics = exporter!(MetricExporter, otel, &roots, &otel.metrics, "/v1/metrics");
        if let Some(spans) = &mut spans {
            spans.set_resource(resource);
        }
        if let Some(logs) = &mut logs {
            logs.set_resource(resource);
        }
        let over_grpc = |signal| otel.target(signal, "").is_some_and(|(_, protocol)| protocol == OtelProtocol::Grpc);
        let (spans_over_grpc, logs_over_grpc) = (over_grpc(&otel.traces), over_grpc(&otel.logs));
        Ok(Self { spans, logs, metrics, spans_over_grpc, logs_over_grpc })
    }

    /// Whether any signal goes anywhere.
    pub(super) fn is_wanted(otel: &Otel) -> bool {
        let goes = |signal: &OtelSignal| otel.target(signal, "").is_some();
        goes(&otel.traces) || goes(&otel.logs) || goes(&otel.metrics)
    }
}

/// The resource that sends: closewatch's own attributes, overridden by the configuration's, and those by the environment's.
pub(super) fn resource(otel: &Otel, instance: Option<&str>) -> Resource {
    let own = [("service.name", Some("closewatch")), ("service.version", Some(env!("CARGO_PKG_VERSION")))];
    let host = [("service.instance.id", instance), ("host.name", instance)];
    let own = own.into_iter().chain(host).filter_map(|(key, value)| Some(KeyValue::new(key, value?.to_owned())));
    let configured = otel.resource.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    Resource::builder_empty()
        .with_attributes(own)
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_attributes(configured)
        .with_detector(Box::new(EnvResourceDetector::new()))
        .with_attributes(otel.service_name.iter().map(|name| KeyValue::new("service.name", name.clone())))
        .build()
}

/// The instrumentation scope of all signals.
pub(super) fn scope() -> InstrumentationScope {
    InstrumentationScope::builder("closewatch").with_version(env!("CARGO_PKG_VERSION")).build()
}

/// Connects over HTTP, with TLS to `https://`.
fn connector(roots: &Arc<RootCertStore>) -> HttpsConnector<HttpConnector> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("the provider has cipher suites for TLS 1.2 and 1.3");
    let tls = trust(builder, roots).with_no_client_auth();
    HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build()
}

/// Until its time is over, a request is repeated that found no collector, or one that asks for patience: over HTTP by 429, 502, 503
/// or 504 with `Retry-After`, else after pauses that grow, with jitter. No other answer is repeated (OTLP 1.7, "Failures").
fn patience() -> RetryPolicy {
    RetryPolicy::recommended().with_max_retries(usize::MAX).with_max_delay(Duration::from_secs(1))
}

fn headers(otel: &Otel) -> HashMap<String, String> {
    otel.headers.iter().map(|(name, value)| (name.clone(), value.0.clone())).collect()
}

fn metadata(otel: &Otel) -> MetadataMap {
    let header = |(name, value): (&String, &crate::config::Secret)| {
        Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(&value.0).ok()?))
    };
    MetadataMap::from_headers(otel.headers.iter().filter_map(header).collect::<HeaderMap>())
}
