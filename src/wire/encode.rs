//! The one frame that closewatch ever writes itself: a Close, when it is closewatch that ends the session.

use super::{MAX_CONTROL_PAYLOAD, Peer};

/// A Close frame towards `to`: masked with `mask` if `to` is the upstream (RFC 6455 §5.1), in the clear otherwise.
///
/// `reason` is cut at a character boundary so that the body keeps to 125 bytes.
pub fn close_frame(to: Peer, code: u16, reason: &str, mask: [u8; 4]) -> Vec<u8> {
    let reason = &reason[..reason.floor_char_boundary(MAX_CONTROL_PAYLOAD - 2)];
    let mut body = Vec::with_capacity(2 + reason.len());
    body.extend_from_slice(&code.to_be_bytes());
    body.extend_from_slice(reason.as_bytes());
    let mut frame = vec![0x88, body.len() as u8];
    if to == Peer::Upstream {
        frame[1] |= 0x80;
        frame.extend_from_slice(&mask);
        for (byte, key) in body.iter_mut().zip(mask.iter().cycle()) {
            *byte ^= key;
        }
    }
    frame.extend_from_slice(&body);
    frame
}
