//! The body of a Close frame (RFC 6455 §5.5.1).

use std::borrow::Cow;

use super::{MAX_CONTROL_PAYLOAD, Violation};

/// The body of a Close, as far as it can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseBody<'a> {
    /// The code, legal or not; `None` if the body is empty or has a single byte.
    pub code: Option<u16>,
    /// The reason, decoded lossily.
    pub reason: Cow<'a, str>,
    /// The first thing that is wrong with it.
    pub fault: Option<Violation>,
}

/// Whether an endpoint may put this code into a Close frame (RFC 6455 §7.4 and IANA's registry).
///
/// 1016-2999 are unassigned, so illegal today; 3000-3999 are registered first come, first served; 4000-4999 are private.
pub const fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

// === impl CloseBody ===

impl<'a> CloseBody<'a> {
    /// Reads an unmasked body; `len` is the frame's own payload length, of which `payload` is the beginning.
    pub fn parse(payload: &'a [u8], len: u64) -> Self {
        let oversize = len > MAX_CONTROL_PAYLOAD as u64;
        match payload {
            [] => Self { code: None, reason: Cow::Borrowed(""), fault: None },
            [_] => Self { code: None, reason: Cow::Borrowed(""), fault: Some(Violation::CloseBody) },
            [high, low, reason @ ..] => {
                let code = u16::from_be_bytes([*high, *low]);
                // A reason that was cut at 123 bytes may end inside a character: that is the cut's fault, not the peer's.
                let utf8 = oversize || std::str::from_utf8(reason).is_ok();
                let fault = if oversize {
                    Some(Violation::CloseBody)
                } else if !may_be_sent(code) {
                    Some(Violation::CloseCode)
                } else if !utf8 {
                    Some(Violation::CloseUtf8)
                } else {
                    None
                };
                Self { code: Some(code), reason: String::from_utf8_lossy(reason), fault }
            }
        }
    }
}
