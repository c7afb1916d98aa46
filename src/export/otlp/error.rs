//! The reasons why nothing can be exported over OTLP.

use std::io;

use opentelemetry_otlp::ExporterBuildError;

use crate::config::TlsFault;

/// Why nothing can be exported.
#[derive(Debug, thiserror::Error)]
pub enum OtlpError {
    /// The configuration, or a variable of the environment, cannot be followed.
    #[error("the OTLP exporter cannot be built")]
    Build(#[from] ExporterBuildError),
    /// Nobody can vouch for a collector with TLS.
    #[error("the OTLP exporter has no roots of trust")]
    Roots(#[from] TlsFault),
    /// There is no thread or runtime to be had.
    #[error("the OTLP exporter cannot be started")]
    Start(#[from] io::Error),
}
