//! Tests of the wire: frames are built here byte by byte, by rules written down a second time.

mod boundaries;
mod close;
mod frames;
mod oracle;
mod properties;
mod violations;

use super::{Frame, MessageKind, Observe, Opcode, Peer, ReservedBits, Tap, Violation};

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Opcodes as numbers: what they are called is under test.
const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

/// One observation, kept.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Frame { opcode: Opcode, completes: Option<MessageKind>, len: u64, payload: Vec<u8>, after_close: bool, end: u64 },
    Violation(Violation),
    Blind,
}

/// Everything that a tap told.
#[derive(Debug, Default)]
struct Log(Vec<Seen>);

/// A frame to be put on the wire, right or wrong.
#[derive(Clone, Debug)]
struct Raw {
    first: u8,
    mask: Option<[u8; 4]>,
    payload: Vec<u8>,
    form: Form,
    /// The length that the header gives, if it is not the payload's.
    declared: Option<u64>,
}

/// How many bytes the length takes.
#[derive(Clone, Copy, Debug)]
enum Form {
    Shortest,
    Two,
    Eight,
}

// === impl Log ===

impl Observe for Log {
    fn frame(&mut self, frame: &Frame<'_>) {
        let Frame { opcode, completes, len, payload, after_close, end } = *frame;
        self.0.push(Seen::Frame { opcode, completes, len, payload: payload.to_vec(), after_close, end });
    }

    fn violation(&mut self, violation: Violation) {
        self.0.push(Seen::Violation(violation));
    }

    fn blind(&mut self) {
        self.0.push(Seen::Blind);
    }
}

impl Log {
    fn violations(&self) -> Vec<Violation> {
        let violation = |seen: &Seen| match seen {
            Seen::Violation(violation) => Some(*violation),
            Seen::Frame { .. } | Seen::Blind => None,
        };
        self.0.iter().filter_map(violation).collect()
    }

    fn opcodes(&self) -> Vec<Opcode> {
        self.frames(|seen| match seen {
            Seen::Frame { opcode, .. } => Some(*opcode),
            Seen::Violation(_) | Seen::Blind => None,
        })
    }

    fn lens(&self) -> Vec<u64> {
        self.frames(|seen| match seen {
            Seen::Frame { len, .. } => Some(*len),
            Seen::Violation(_) | Seen::Blind => None,
        })
    }

    fn ends(&self) -> Vec<u64> {
        self.frames(|seen| match seen {
            Seen::Frame { end, .. } => Some(*end),
            Seen::Violation(_) | Seen::Blind => None,
        })
    }

    fn payloads(&self) -> Vec<Vec<u8>> {
        self.frames(|seen| match seen {
            Seen::Frame { payload, .. } => Some(payload.clone()),
            Seen::Violation(_) | Seen::Blind => None,
        })
    }

    fn completed(&self) -> Vec<MessageKind> {
        self.frames(|seen| match seen {
            Seen::Frame { completes, .. } => *completes,
            Seen::Violation(_) | Seen::Blind => None,
        })
    }

    fn frames<T>(&self, field: impl FnMut(&Seen) -> Option<T>) -> Vec<T> {
        self.0.iter().filter_map(field).collect()
    }
}

// === impl Raw ===

/// A client's frame: final, masked, its length in the shortest form.
fn frame(opcode: u8, payload: impl AsRef<[u8]>) -> Raw {
    Raw {
        first: 0x80 | opcode,
        mask: Some(MASK),
        payload: payload.as_ref().to_vec(),
        form: Form::Shortest,
        declared: None,
    }
}

impl Raw {
    /// Not the last of its message.
    fn unfinished(mut self) -> Self {
        self.first &= 0x7f;
        self
    }

    fn reserved_bits(mut self, bits: u8) -> Self {
        self.first |= bits;
        self
    }

    /// As an upstream sends it.
    fn unmasked(mut self) -> Self {
        self.mask = None;
        self
    }

    fn len_in(mut self, form: Form) -> Self {
        self.form = form;
        self
    }

    fn declaring(mut self, len: u64) -> Self {
        self.declared = Some(len);
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let len = self.declared.unwrap_or(self.payload.len() as u64);
        let mut bytes = vec![self.first];
        match (self.form, len) {
            (Form::Shortest, 0..126) => bytes.push(len as u8),
            (Form::Shortest | Form::Two, 0..0x1_0000) => {
                bytes.push(126);
                bytes.extend((len as u16).to_be_bytes());
            }
            (Form::Shortest | Form::Two | Form::Eight, _) => {
                bytes.push(127);
                bytes.extend(len.to_be_bytes());
            }
        }
        match self.mask {
            None => bytes.extend(&self.payload),
            Some(mask) => {
                bytes[1] |= 0x80;
                bytes.extend(mask);
                bytes.extend(self.payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
            }
        }
        bytes
    }
}

fn wire<'a>(frames: impl IntoIterator<Item = &'a Raw>) -> Vec<u8> {
    frames.into_iter().flat_map(Raw::bytes).collect()
}

/// A client's tap without extensions.
fn tap() -> Tap {
    Tap::new(Peer::Client, ReservedBits::None)
}

/// The reports of `tap` on `bytes` in one slice.
fn feed(tap: &mut Tap, bytes: &[u8]) -> Log {
    let mut log = Log::default();
    tap.feed(bytes, &mut log);
    log
}

/// The reports of a new client's tap on these frames.
fn see(frames: &[Raw]) -> Log {
    feed(&mut tap(), &wire(frames))
}

#[test]
fn the_frames_built_here_are_those_of_the_rfc() {
    // RFC 6455 §5.7.
    let masked_hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(frame(TEXT, "Hello").bytes(), masked_hello);
    assert_eq!(frame(TEXT, "Hello").unmasked().bytes(), *b"\x81\x05Hello");
    assert_eq!(frame(TEXT, "Hel").unmasked().unfinished().bytes(), *b"\x01\x03Hel");
    assert_eq!(frame(BINARY, [7; 256]).unmasked().bytes()[..5], [0x82, 0x7e, 0x01, 0x00, 7]);
    assert_eq!(frame(BINARY, vec![7; 65536]).unmasked().bytes()[..11], [0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0, 7]);
}
