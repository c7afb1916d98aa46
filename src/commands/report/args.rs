//! The arguments of `report`.

use std::path::PathBuf;

use clap::ValueEnum;

use super::filter::{Moment, Where};

/// The arguments of `report`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Close logs, plain, gzip or zstd; `-` or none: standard input
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Only records from this time on: 2026-11-20T12:00:00Z, or 1h (ago)
    #[arg(long, value_name = "TIME")]
    pub since: Option<Moment>,
    /// Only records before this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<Moment>,
    /// Only this route
    #[arg(long, value_name = "NAME")]
    pub route: Option<String>,
    /// Only records of this instance
    #[arg(long, value_name = "NAME")]
    pub instance: Option<String>,
    /// Only records whose field has this value: class=abnormal, request.path=/chat; several must all be met
    #[arg(long = "where", value_name = "FIELD=VALUE")]
    pub conditions: Vec<Where>,
    /// JSON instead of text (docs/report.schema.json)
    #[arg(long)]
    pub json: bool,
    /// The form of the text
    #[arg(long, value_enum, default_value_t = Format::Text, conflicts_with = "json")]
    pub format: Format,
    /// Replace addresses, hosts and instances by keyed names
    #[arg(long)]
    pub anonymise: bool,
    /// Exit with 1 if there is a finding
    #[arg(long)]
    pub fail_on_findings: bool,
}

/// A form of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a terminal
    Text,
    /// For a ticket
    Markdown,
}
