//! What the configuration says about how records are written.

use std::borrow::Cow;
use std::sync::Arc;

use super::record;
use super::redact::redacted;
use crate::close::{CloseRecord, HandshakeRecord, Text};
use crate::config::LogPath;
use crate::export::Event;

/// How records are written: in the close log and at the admin address alike.
#[derive(Clone, Debug)]
pub struct JsonStyle {
    /// How paths are written.
    pub path: LogPath,
    /// Whether close reasons are written; they are `null` if not.
    pub reason: bool,
    /// The name of this process among its likes; `null` if it has none.
    pub instance: Option<Arc<str>>,
}

// === impl JsonStyle ===

impl JsonStyle {
    /// Appends the line of an event to `out`, its line break included.
    pub fn write(&self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Closed(record) => self.write_closed(record, out),
            Event::HandshakeFailed { route, record } => self.write_handshake_failed(route, record, out),
        }
    }

    /// Appends the line of an ended session.
    pub fn write_closed(&self, record: &CloseRecord, out: &mut Vec<u8>) {
        record::closed(record, self, out);
        out.push(b'\n');
    }

    /// Appends the line of a handshake that led to no session.
    pub fn write_handshake_failed(&self, route: &str, record: &HandshakeRecord, out: &mut Vec<u8>) {
        record::handshake_failed(route, record, self, out);
        out.push(b'\n');
    }

    /// A request's path as this style has it.
    pub fn path<'a>(&self, path: &'a Text) -> Cow<'a, str> {
        match self.path {
            LogPath::Full => Cow::Borrowed(path.as_str()),
            LogPath::Redacted => redacted(path.as_str()),
        }
    }

    /// A close reason as this style has it.
    pub fn reason<'a>(&self, reason: &'a str) -> Option<&'a str> {
        self.reason.then_some(reason)
    }
}

impl Default for JsonStyle {
    /// Everything as it is.
    fn default() -> Self {
        Self { path: LogPath::Full, reason: true, instance: None }
    }
}
