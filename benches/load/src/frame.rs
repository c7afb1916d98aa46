//! Frames as both sides of the load write them (RFC 6455 §5.2).
//!
//! The clients' mask is zero: legal on the wire, and nobody has to spend time on masking.

/// Opcode and FIN of a whole binary message.
pub(crate) const BINARY: u8 = 0x82;
/// Opcode and FIN of a Close.
pub(crate) const CLOSE: u8 = 0x88;

/// A Close 1000 as the client sends it.
pub(crate) const CLIENT_CLOSE: [u8; 8] = [CLOSE, 0x82, 0, 0, 0, 0, 0x03, 0xe8];
/// The same as the server sends it.
pub(crate) const SERVER_CLOSE: [u8; 4] = [CLOSE, 0x02, 0x03, 0xe8];

/// A frame of a client at the beginning of some bytes.
pub(crate) struct ClientFrame<'a> {
    pub(crate) first: u8,
    pub(crate) payload: &'a [u8],
    /// Header and payload.
    pub(crate) size: usize,
}

/// Appends the header of a frame.
pub(crate) fn put_header(to: &mut Vec<u8>, first: u8, len: usize, masked: bool) {
    let mask_bit = if masked { 0x80 } else { 0 };
    to.push(first);
    match len {
        0..=125 => to.push(mask_bit | len as u8),
        126..=0xffff => {
            to.push(mask_bit | 0x7e);
            to.extend_from_slice(&(len as u16).to_be_bytes());
        }
        _ => {
            to.push(mask_bit | 0x7f);
            to.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    if masked {
        to.extend_from_slice(&[0; 4]);
    }
}

/// A binary message.
pub(crate) fn binary(payload: &[u8], masked: bool) -> Vec<u8> {
    let mut frame = Vec::with_capacity(payload.len() + 14);
    put_header(&mut frame, BINARY, payload.len(), masked);
    frame.extend_from_slice(payload);
    frame
}

/// Payload that differs from place to place, so that bytes that are lost or moved are noticed.
pub(crate) fn payload(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at % 251) as u8 ^ (at >> 8) as u8).collect()
}

/// Reads a client's frame; `None` if it is not whole yet.
pub(crate) fn parse_client(bytes: &[u8]) -> Option<Result<ClientFrame<'_>, &'static str>> {
    let &[first, second, ..] = bytes else { return None };
    let (len, at) = match second & 0x7f {
        126 => (usize::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?)), 4),
        127 => (u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?) as usize, 10),
        len => (usize::from(len), 2),
    };
    let mask: &[u8; 4] = bytes.get(at..)?.first_chunk()?;
    if second & 0x80 == 0 || *mask != [0; 4] {
        return Some(Err("a frame that no client of this program sends"));
    }
    let size = at + 4 + len;
    let payload = bytes.get(at + 4..size)?;
    Some(Ok(ClientFrame { first, payload, size }))
}
