//! Frame headers (RFC 6455 §5.2).

use super::Opcode;

/// The longest frame header: 2 bytes, a 64-bit length, a mask (RFC 6455 §5.2).
pub const MAX_HEADER: usize = 14;

/// The longest payload a control frame may have (RFC 6455 §5.5).
pub const MAX_CONTROL_PAYLOAD: usize = 125;

/// A frame header taken apart.
pub(super) struct Header {
    /// FIN, the reserved bits, the opcode.
    pub(super) first: u8,
    pub(super) mask: Option<[u8; 4]>,
    /// The 7 bits of the second byte.
    pub(super) short_len: u8,
    /// The payload's length.
    pub(super) len: u64,
    /// The header's own.
    pub(super) size: usize,
}

// === impl Header ===

impl Header {
    /// The header at the beginning of `bytes`, if it is whole.
    #[inline]
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let &[first, second, ref rest @ ..] = bytes else { return None };
        let short_len = second & 0x7f;
        let (len, rest) = match short_len {
            126 => {
                let (len, rest) = rest.split_first_chunk::<2>()?;
                (u64::from(u16::from_be_bytes(*len)), rest)
            }
            127 => {
                let (len, rest) = rest.split_first_chunk::<8>()?;
                (u64::from_be_bytes(*len), rest)
            }
            _ => (u64::from(short_len), rest),
        };
        let (mask, rest) = if second & 0x80 == 0 {
            (None, rest)
        } else {
            let (mask, rest) = rest.split_first_chunk::<4>()?;
            (Some(*mask), rest)
        };
        Some(Self { first, mask, short_len, len, size: bytes.len() - rest.len() })
    }

    pub(super) const fn opcode(&self) -> Opcode {
        Opcode::from_first_byte(self.first)
    }

    pub(super) const fn fin(&self) -> bool {
        self.first & 0x80 != 0
    }

    /// The three bits between FIN and the opcode, in their place.
    pub(super) const fn reserved_bits(&self) -> u8 {
        self.first & 0x70
    }

    /// Whether the length has its shortest form.
    pub(super) const fn is_shortest(&self) -> bool {
        match self.short_len {
            126 => self.len > 125,
            127 => self.len > 0xffff,
            _ => true,
        }
    }

    /// Whether the length has the top bit, which it must not have: there is no knowing where the next header begins.
    pub(super) const fn is_impossible(&self) -> bool {
        self.len > i64::MAX as u64
    }
}
