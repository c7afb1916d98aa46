//! Frames, legal or not, as bytes.

use closewatch::wire::Peer;

/// The mask of every frame from a client: known, so that whoever gets the frame knows all of its bytes. From RFC 6455 §5.7.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// One frame, masked or not according to who sends it.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    first: u8,
    payload: Vec<u8>,
    mask_is_wrong: bool,
}

pub(crate) fn text(payload: &str) -> Frame {
    Frame::new(0x1, payload.as_bytes())
}

pub(crate) fn binary(payload: &[u8]) -> Frame {
    Frame::new(0x2, payload)
}

pub(crate) fn continuation(payload: &[u8]) -> Frame {
    Frame::new(0x0, payload)
}

pub(crate) fn ping(payload: &[u8]) -> Frame {
    Frame::new(0x9, payload)
}

pub(crate) fn pong(payload: &[u8]) -> Frame {
    Frame::new(0xa, payload)
}

pub(crate) fn close(code: u16, reason: &str) -> Frame {
    close_body(&[&code.to_be_bytes()[..], reason.as_bytes()].concat())
}

pub(crate) fn empty_close() -> Frame {
    close_body(&[])
}

pub(crate) fn close_body(body: &[u8]) -> Frame {
    Frame::new(0x8, body)
}

/// A payload of `len` bytes, in which no two places near each other look alike.
pub(crate) fn payload(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8).collect()
}

// === impl Frame ===

impl Frame {
    pub(crate) fn new(opcode: u8, payload: &[u8]) -> Self {
        Self { first: 0x80 | opcode, payload: payload.to_vec(), mask_is_wrong: false }
    }

    /// Without FIN: the message goes on.
    #[must_use]
    pub(crate) fn unfinished(mut self) -> Self {
        self.first &= 0x7f;
        self
    }

    /// With these of the bits 0x40, 0x20, 0x10 too.
    #[must_use]
    pub(crate) fn reserved(mut self, bits: u8) -> Self {
        self.first |= bits & 0x70;
        self
    }

    /// Unmasked from a client, masked from an upstream.
    #[must_use]
    pub(crate) fn wrongly_masked(mut self) -> Self {
        self.mask_is_wrong = true;
        self
    }

    /// The bytes, as `from` sends them.
    pub(crate) fn bytes(&self, from: Peer) -> Vec<u8> {
        let masked = (from == Peer::Client) != self.mask_is_wrong;
        let mask_bit = if masked { 0x80 } else { 0 };
        let mut bytes = vec![self.first];
        match self.payload.len() {
            len @ 0..=125 => bytes.push(mask_bit | u8::try_from(len).unwrap()),
            len @ 126..=0xffff => {
                bytes.push(mask_bit | 0x7e);
                bytes.extend(u16::try_from(len).unwrap().to_be_bytes());
            }
            len => {
                bytes.push(mask_bit | 0x7f);
                bytes.extend((len as u64).to_be_bytes());
            }
        }
        if masked {
            bytes.extend(MASK);
            bytes.extend(self.payload.iter().zip(MASK.iter().cycle()).map(|(byte, key)| byte ^ key));
        } else {
            bytes.extend(&self.payload);
        }
        bytes
    }
}
