//! Frame opcodes (RFC 6455 §5.2).

/// The kind of a frame. Reserved values are kept as they came: an observer has no reason to refuse them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// 0x0: goes on with the message begun before.
    Continuation,
    /// 0x1: begins a text message.
    Text,
    /// 0x2: begins a binary message.
    Binary,
    /// 0x8: the closing handshake.
    Close,
    /// 0x9.
    Ping,
    /// 0xA.
    Pong,
    /// 0x3-0x7, 0xB-0xF: reserved by the RFC.
    Reserved(u8),
}

// === impl Opcode ===

impl Opcode {
    /// The opcode in the low four bits of a frame's first byte.
    pub const fn from_first_byte(byte: u8) -> Self {
        match byte & 0x0f {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            reserved => Self::Reserved(reserved),
        }
    }

    /// Whether control-frame rules apply: the opcode's highest bit is set (RFC 6455 §5.5).
    pub const fn is_control(self) -> bool {
        match self {
            Self::Close | Self::Ping | Self::Pong => true,
            Self::Reserved(value) => value & 0x8 != 0,
            Self::Continuation | Self::Text | Self::Binary => false,
        }
    }
}
