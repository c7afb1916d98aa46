//! Breaches of the protocol behind which a peer's frames can still be read.

use super::Peer;

/// One kind of breach of RFC 6455. Recorded, never acted upon: judging the peers is their own business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Violation {
    /// A client's frame without a mask, or an upstream's with one (§5.1).
    Mask,
    /// A reserved bit that no negotiated extension gives a meaning (§5.2, RFC 7692 §6).
    Rsv,
    /// A reserved opcode (§5.2).
    Opcode,
    /// A control frame with more than 125 bytes of payload (§5.5).
    ControlLength,
    /// A control frame without FIN (§5.5).
    ControlFragmented,
    /// A payload length not in its shortest form, or beyond 2^63 - 1 (§5.2).
    Length,
    /// A continuation of nothing, or a new message inside another (§5.4).
    Continuation,
    /// A data frame or a second Close behind a Close (§5.5.1).
    AfterClose,
    /// A Close body of one byte, or longer than a control frame may be (§5.5.1).
    CloseBody,
    /// A close code that must not be on the wire (§7.4).
    CloseCode,
    /// A close reason that is not UTF-8 (§5.5.1).
    CloseUtf8,
    /// A 101 that selects a subprotocol which was not offered, or none though some were (§4.1).
    Subprotocol,
    /// A 101 that selects an extension which was not offered, or parameters that it must not have (§4.1, RFC 7692 §7.1).
    Extension,
}

// === impl Violation ===

impl Violation {
    /// How many kinds there are.
    pub const COUNT: usize = Self::ALL.len();

    /// Every kind, in the order of [`Violation::index`].
    pub const ALL: [Self; 13] = [
        Self::Mask,
        Self::Rsv,
        Self::Opcode,
        Self::ControlLength,
        Self::ControlFragmented,
        Self::Length,
        Self::Continuation,
        Self::AfterClose,
        Self::CloseBody,
        Self::CloseCode,
        Self::CloseUtf8,
        Self::Subprotocol,
        Self::Extension,
    ];

    /// The value of the label `kind`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mask => "mask",
            Self::Rsv => "rsv",
            Self::Opcode => "opcode",
            Self::ControlLength => "control_length",
            Self::ControlFragmented => "control_fragmented",
            Self::Length => "length",
            Self::Continuation => "continuation",
            Self::AfterClose => "after_close",
            Self::CloseBody => "close_body",
            Self::CloseCode => "close_code",
            Self::CloseUtf8 => "close_utf8",
            Self::Subprotocol => "subprotocol",
            Self::Extension => "extension",
        }
    }

    /// Whether `peer` can break this rule: only an upstream answers with a 101.
    pub const fn may_be_of(self, peer: Peer) -> bool {
        match (self, peer) {
            (Self::Subprotocol | Self::Extension, Peer::Client) => false,
            (_, Peer::Client | Peer::Upstream) => true,
        }
    }

    /// Its place in [`Violation::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}
