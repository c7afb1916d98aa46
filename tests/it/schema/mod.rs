//! The published JSON Schemas: made by what writes or reads, and fitted by what was written.

mod config;
mod conforms;
mod record;

pub(crate) use conforms::conforms;
pub(crate) use record::read_line;
