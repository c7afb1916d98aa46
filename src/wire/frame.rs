//! Whole frames, as the tap tells of them.

use super::Opcode;

/// One whole frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its kind.
    pub opcode: Opcode,
    /// The kind of message that this frame completes, if it does.
    pub completes: Option<MessageKind>,
    /// Payload bytes as the header gave them.
    pub len: u64,
    /// The unmasked payload of a Close, Ping or Pong, cut at 125 bytes; empty for all others.
    pub payload: &'a [u8],
    /// Whether a Close of the same direction came before it.
    pub after_close: bool,
    /// Bytes of this direction up to and with the last byte of this frame.
    pub end: u64,
}

/// The kind of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// UTF-8.
    Text,
    /// Bytes.
    Binary,
}

/// The RSV bits that negotiated extensions may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReservedBits {
    /// No extension: every bit is a violation.
    None,
    /// permessage-deflate: RSV1, on the first frame of a data message only (RFC 7692 §6).
    PerMessageDeflate,
    /// An extension that closewatch does not know: no bit is a violation.
    Any,
}

// === impl ReservedBits ===

impl ReservedBits {
    /// The bits that a frame may have set, in their place in its first byte.
    pub(super) const fn allowed(self, opens_message: bool) -> u8 {
        match self {
            Self::PerMessageDeflate if opens_message => 0x40,
            Self::None | Self::PerMessageDeflate => 0,
            Self::Any => 0x70,
        }
    }
}
