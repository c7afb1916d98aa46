//! Records as JSON, one object a line, schema 1.
//!
//! Field names and their order are public. Numbers are numbers, absent things are `null`, and no text that a peer chose
//! can end a line or steer the terminal that shows it.

mod escape;
mod fields;
mod line;
mod properties;
mod put;
mod record;
mod redact;
mod schema;
mod session;
mod style;

pub use escape::to_json;
pub use schema::record_schema;
pub use session::SessionFields;
pub use style::JsonStyle;
