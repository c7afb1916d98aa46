//! The tap: one direction's bytes in, its frames out.

use super::header::{Header, MAX_CONTROL_PAYLOAD, MAX_HEADER};
use super::{CloseBody, Frame, MessageKind, Opcode, Peer, ReservedBits, Violation};

/// Receives what a [`Tap`] sees, in the order of the bytes.
pub trait Observe {
    /// The last byte of a frame went by.
    fn frame(&mut self, frame: &Frame<'_>);

    /// The peer broke a rule, and reading goes on.
    fn violation(&mut self, violation: Violation);

    /// From here on nothing of this direction can be read.
    fn blind(&mut self);
}

/// Where the bytes seen so far end. In this order each place is also all the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Boundary {
    /// In the middle of a frame.
    Inside,
    /// Between two frames of one message, where only a control frame may come.
    Frame,
    /// Between two messages.
    Message,
}

/// Reads one direction of a session as its bytes go by. Remembers at most a split header and a split control payload.
///
/// One byte string gives the same observations however it is sliced.
#[derive(Debug)]
pub struct Tap {
    from: Peer,
    reserved_bits: ReservedBits,
    /// The message that a continuation would go on with.
    message: Option<MessageKind>,
    close_seen: bool,
    blind: bool,
    /// The frame whose payload is going by, while `remaining` is not 0.
    opcode: Opcode,
    fin: bool,
    mask: Option<[u8; 4]>,
    /// Bytes kept in `header` of a header that is not whole yet.
    header_len: u8,
    header: [u8; MAX_HEADER],
    control_len: u8,
    /// A control payload that came in pieces. Allocated at the first one of the session, then kept.
    control: Option<Box<[u8; MAX_CONTROL_PAYLOAD]>>,
    payload_len: u64,
    remaining: u64,
    seen: u64,
}

// === impl Tap ===

impl Tap {
    /// A tap at the first byte behind the handshake.
    pub fn new(from: Peer, reserved_bits: ReservedBits) -> Self {
        Self {
            from,
            reserved_bits,
            message: None,
            close_seen: false,
            blind: false,
            opcode: Opcode::Continuation,
            fin: false,
            mask: None,
            header_len: 0,
            header: [0; MAX_HEADER],
            control_len: 0,
            control: None,
            payload_len: 0,
            remaining: 0,
            seen: 0,
        }
    }

    /// Reads all of `bytes`. Gives whether any of them belonged to a frame other than a Close.
    pub fn feed(&mut self, bytes: &[u8], observer: &mut impl Observe) -> bool {
        self.read::<false>(bytes, Boundary::Message, observer).1
    }

    /// Like [`Tap::feed`], but reads no further than the first `boundary`, which may be where the tap already stands.
    /// Gives the bytes read too.
    pub fn feed_until(&mut self, boundary: Boundary, bytes: &[u8], observer: &mut impl Observe) -> (usize, bool) {
        if self.boundary() >= boundary {
            return (0, false);
        }
        self.read::<true>(bytes, boundary, observer)
    }

    /// Where the bytes read so far end; [`Boundary::Inside`] once blind.
    pub fn boundary(&self) -> Boundary {
        match (self.blind || self.remaining > 0 || self.header_len > 0, self.message) {
            (true, _) => Boundary::Inside,
            (false, Some(_)) => Boundary::Frame,
            (false, None) => Boundary::Message,
        }
    }

    /// Payload bytes up to the end of this frame that mean nothing to the tap, so that [`Tap::skip`] can take them instead
    /// of [`Tap::feed`]. 0 between frames, in a control frame, and once blind.
    pub const fn ahead(&self) -> u64 {
        if self.blind || self.keeps_payload() { 0 } else { self.remaining }
    }

    /// Lets `bytes` go by that nobody has looked at: at most [`Tap::ahead`].
    pub fn skip(&mut self, bytes: u64, observer: &mut impl Observe) {
        let bytes = bytes.min(self.ahead());
        self.seen += bytes;
        self.remaining -= bytes;
        if bytes > 0 && self.remaining == 0 {
            self.end_of_frame(&[], observer);
        }
    }

    /// Whether a Close went by.
    pub const fn close_seen(&self) -> bool {
        self.close_seen
    }

    /// Whether reading has come to an end.
    pub const fn is_blind(&self) -> bool {
        self.blind
    }

    /// Bytes of this direction so far.
    pub const fn seen(&self) -> u64 {
        self.seen
    }

    /// Bytes of the peer's that it keeps.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        usize::from(self.header_len) + usize::from(self.control_len)
    }

    fn read<const STOP: bool>(
        &mut self,
        bytes: &[u8],
        boundary: Boundary,
        observer: &mut impl Observe,
    ) -> (usize, bool) {
        let begin = self.seen;
        let mut active = false;
        let mut at = 0;
        while at < bytes.len() {
            // Never where a boundary is looked for: reading ends at the first.
            if !self.close_seen && self.boundary() == Boundary::Message {
                let ordinary = self.ordinary_messages(&bytes[at..], observer);
                if ordinary > 0 {
                    active = true;
                    at += ordinary;
                    continue;
                }
            }
            if self.blind {
                active = true;
                at = bytes.len();
                break;
            }
            if self.remaining > 0 {
                active |= self.opcode != Opcode::Close;
                at += self.payload(&bytes[at..]);
            } else {
                at += match self.header(&bytes[at..], observer) {
                    Ok(size) => size,
                    Err(first) => {
                        // Not whole yet: all of the slice is kept.
                        active |= Opcode::from_first_byte(first) != Opcode::Close;
                        at = bytes.len();
                        break;
                    }
                };
                active |= self.opcode != Opcode::Close;
            }
            if self.remaining == 0 && !self.blind {
                self.seen = begin + at as u64;
                self.end_of_frame(&bytes[..at], observer);
                if STOP && self.boundary() >= boundary {
                    break;
                }
            }
        }
        self.seen = begin + at as u64;
        (at, active)
    }

    /// Takes the messages at the beginning of `bytes` that are one frame each, whole, no longer than 65535 bytes, and
    /// against no rule: nearly all traffic, and the short way past it. Gives the bytes they take. Only between messages,
    /// with no Close seen, and with `bytes` right behind those that [`Tap::seen`] counts.
    fn ordinary_messages(&self, bytes: &[u8], observer: &mut impl Observe) -> usize {
        let allowed = self.reserved_bits.allowed(true);
        let (mask_bit, mask_size) = match self.from {
            Peer::Client => (0x80, 4),
            Peer::Upstream => (0, 0),
        };
        let mut rest = bytes;
        while let &[first, second, ..] = rest {
            let (opcode, kind) = match first & !allowed {
                0x81 => (Opcode::Text, MessageKind::Text),
                0x82 => (Opcode::Binary, MessageKind::Binary),
                _ => break,
            };
            // With the mask bit as it must be, this is the short length; otherwise more than 127.
            let (size, len) = match (second ^ mask_bit, rest) {
                (len @ 0..=125, _) => (2 + mask_size, usize::from(len)),
                (126, &[_, _, high, low, ..]) => match u16::from_be_bytes([high, low]) {
                    0..=125 => break,
                    len => (4 + mask_size, usize::from(len)),
                },
                _ => break,
            };
            let Some(behind) = rest.get(size + len..) else { break };
            rest = behind;
            let end = self.seen + (bytes.len() - rest.len()) as u64;
            let len = len as u64;
            observer.frame(&Frame { opcode, completes: Some(kind), len, payload: &[], after_close: false, end });
        }
        bytes.len() - rest.len()
    }

    /// Takes the header at the beginning of `bytes`, after what is kept of it. Gives the bytes used of the slice; or, if it
    /// is not whole yet, keeps them and gives its first byte.
    fn header(&mut self, bytes: &[u8], observer: &mut impl Observe) -> Result<usize, u8> {
        let kept = usize::from(self.header_len);
        let header = if kept == 0 {
            Header::parse(bytes)
        } else {
            let more = bytes.len().min(MAX_HEADER - kept);
            self.header[kept..kept + more].copy_from_slice(&bytes[..more]);
            Header::parse(&self.header[..kept + more])
        };
        let Some(header) = header else {
            // Not whole, so all of the slice belongs to it.
            let len = kept + bytes.len();
            self.header[kept..len].copy_from_slice(bytes);
            self.header_len = len as u8;
            return Err(self.header[0]);
        };
        self.header_len = 0;
        self.begin_frame(&header, observer);
        Ok(header.size - kept)
    }

    fn begin_frame(&mut self, header: &Header, observer: &mut impl Observe) {
        let opcode = header.opcode();
        self.opcode = opcode;
        self.fin = header.fin();
        self.mask = header.mask;
        self.payload_len = header.len;
        self.remaining = header.len;
        self.control_len = 0;

        if header.mask.is_some() != (self.from == Peer::Client) {
            observer.violation(Violation::Mask);
        }
        let allowed = self.reserved_bits.allowed(matches!(opcode, Opcode::Text | Opcode::Binary));
        if header.reserved_bits() & !allowed != 0 {
            observer.violation(Violation::Rsv);
        }
        if !header.is_shortest() || header.is_impossible() {
            observer.violation(Violation::Length);
        }
        if header.is_impossible() {
            observer.blind();
            self.blind = true;
            return;
        }
        if matches!(opcode, Opcode::Reserved(_)) {
            observer.violation(Violation::Opcode);
        }
        if opcode.is_control() {
            if !self.fin {
                observer.violation(Violation::ControlFragmented);
            }
            if header.len > MAX_CONTROL_PAYLOAD as u64 {
                observer.violation(Violation::ControlLength);
            }
        }
        let continues = match opcode {
            Opcode::Continuation => self.message.is_some(),
            Opcode::Text | Opcode::Binary => self.message.is_none(),
            Opcode::Close | Opcode::Ping | Opcode::Pong | Opcode::Reserved(_) => true,
        };
        if !continues {
            observer.violation(Violation::Continuation);
        }
        if self.close_seen && !matches!(opcode, Opcode::Ping | Opcode::Pong) {
            observer.violation(Violation::AfterClose);
        }
        match opcode {
            Opcode::Text => self.message = Some(MessageKind::Text),
            Opcode::Binary => self.message = Some(MessageKind::Binary),
            Opcode::Continuation | Opcode::Close | Opcode::Ping | Opcode::Pong | Opcode::Reserved(_) => {}
        }
    }

    /// Lets payload go by; gives how much of `bytes` it was. Only control payloads that come in pieces are kept.
    fn payload(&mut self, bytes: &[u8]) -> usize {
        let here = usize::try_from(self.remaining).map_or(bytes.len(), |remaining| remaining.min(bytes.len()));
        let whole = here as u64 == self.payload_len;
        if self.keeps_payload() && !whole {
            let kept = usize::from(self.control_len);
            let more = here.min(MAX_CONTROL_PAYLOAD - kept);
            let control = self.control.get_or_insert_with(|| Box::new([0; MAX_CONTROL_PAYLOAD]));
            control[kept..kept + more].copy_from_slice(&bytes[..more]);
            self.control_len = (kept + more) as u8;
        }
        self.remaining -= here as u64;
        here
    }

    const fn keeps_payload(&self) -> bool {
        matches!(self.opcode, Opcode::Close | Opcode::Ping | Opcode::Pong)
    }

    /// `slice` ends with this frame's last byte.
    fn end_of_frame(&mut self, slice: &[u8], observer: &mut impl Observe) {
        let completes = match self.opcode {
            Opcode::Continuation | Opcode::Text | Opcode::Binary if self.fin => self.message.take(),
            Opcode::Continuation
            | Opcode::Text
            | Opcode::Binary
            | Opcode::Close
            | Opcode::Ping
            | Opcode::Pong
            | Opcode::Reserved(_) => None,
        };
        let mut frame = Frame {
            opcode: self.opcode,
            completes,
            len: self.payload_len,
            payload: &[],
            after_close: self.close_seen,
            end: self.seen,
        };
        if !self.keeps_payload() {
            observer.frame(&frame);
            return;
        }
        let mut unmasked = [0; MAX_CONTROL_PAYLOAD];
        let kept = if let (Some(control), kept @ 1..) = (&self.control, usize::from(self.control_len)) {
            &control[..kept]
        } else {
            // It came in one piece, so it ends the slice.
            let whole = &slice[slice.len() - self.payload_len as usize..];
            &whole[..whole.len().min(MAX_CONTROL_PAYLOAD)]
        };
        let key = self.mask.unwrap_or_default();
        for ((to, from), key) in unmasked.iter_mut().zip(kept).zip(key.iter().cycle()) {
            *to = from ^ key;
        }
        frame.payload = &unmasked[..kept.len()];
        if self.opcode == Opcode::Close {
            if let Some(fault) = CloseBody::parse(frame.payload, frame.len).fault {
                observer.violation(fault);
            }
            self.close_seen = true;
        }
        observer.frame(&frame);
    }
}
