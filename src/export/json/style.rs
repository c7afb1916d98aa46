//! The configuration of how records are written.

use std::borrow::Cow;
use std::sync::Arc;

use super::redact::redacted;
use crate::close::Text;
use crate::config::LogPath;

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
