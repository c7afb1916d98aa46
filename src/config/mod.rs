//! Configuration: what to run, checked before a port is bound.
//!
//! *Takes* a TOML file, the environment and flags, in that order: the later wins. *Gives* a [`Config`], or an [`Error`]
//! that names file, line and key of every mistake at once. *May import* `close`, for the catalog of codes,
//! and `diagnosis`, for the names of mechanisms.
//!
//! Units are parsed at this edge: behind it there are addresses, durations and numbers. A key that is not known is an
//! error, never ignored: a misspelt limit is worse than none.

mod changes;
mod clashes;
mod diagnosis;
mod draft;
mod error;
mod forwarded;
mod given;
mod load;
mod log_only;
mod otel;
mod overrides;
mod route;
mod routes;
mod schema;
mod section;
mod settings;
mod spelling;
mod tls;
mod tls_draft;
mod trust;
mod upstream;
mod values;
mod variables;
mod words;

pub use changes::{Pending, pending};
pub use diagnosis::{Diagnosis, Silent, Visitor};
pub use error::{Error, Mistake, Place};
pub use forwarded::{AddressHeader, Forwarded, XForwarded};
pub use load::{load, parse, read, read_from};
pub use log_only::{LogOnly, LogWord};
pub use otel::{Otel, OtelPropagator, OtelProtocol, OtelSampler, OtelSignal, Secret};
pub use overrides::Overrides;
pub use route::{ClassTable, HostMatch, Route};
pub use routes::find;
pub use schema::schema;
pub use settings::{
    Admin, Config, Drain, Limits, Log, LogFormat, LogLevel, LogPath, LogTarget, Metrics, OwnLogFormat, Relay, Timeouts,
};
pub use tls::{Tls, TlsFault, TlsFile, UpstreamTls, expiry, is_webpki, load_roots, provider, validity};
pub use trust::trust;
pub use upstream::{Target, Upstream};
