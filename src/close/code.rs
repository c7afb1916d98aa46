//! Close codes as numbers (RFC 6455 §7.4).

use std::fmt;

use serde::{Serialize, Serializer};

use crate::wire::may_be_sent;

/// A close code: on the wire, or derived (1005 for a Close without a code, 1006 for no Close).
///
/// Any `u16`: peers send what they like, and the record keeps it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CloseCode(pub u16);

// === impl CloseCode ===

impl CloseCode {
    /// 1000, Normal Closure.
    pub const NORMAL: Self = Self(1000);
    /// 1001, Going Away.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1005, No Status Rcvd: a Close without a code was received. Never on the wire.
    pub const NO_STATUS: Self = Self(1005);
    /// 1006, Abnormal Closure: no Close was received. Never on the wire.
    pub const ABNORMAL: Self = Self(1006);

    /// Whether an endpoint may put this code into a Close frame; see [`may_be_sent`].
    pub const fn may_be_sent(self) -> bool {
        may_be_sent(self.0)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for CloseCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(self.0)
    }
}

impl From<u16> for CloseCode {
    fn from(code: u16) -> Self {
        Self(code)
    }
}
