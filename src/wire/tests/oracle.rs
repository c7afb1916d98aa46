//! tungstenite reads the same bytes and must agree.

use std::io::{self, Cursor, Read, Write};

use proptest::collection::vec;
use proptest::prelude::*;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{FrameHeader, FrameSocket};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketContext};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::*;
use crate::wire::{CloseBody, close_frame};

/// One message, as a well-behaved peer sends it.
#[derive(Clone, Debug)]
enum Sent {
    Text(Vec<String>),
    Binary(Vec<Vec<u8>>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
}

/// A message or control frame, as it arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Arrived {
    Text,
    Binary,
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
}

/// Bytes to read; what is written is lost.
struct Peeker(Cursor<Vec<u8>>);

impl Read for Peeker {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl Write for Peeker {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn any_sent() -> impl Strategy<Value = Sent> {
    let control = || vec(any::<u8>(), 0..=125);
    let size = || prop_oneof![9 => 0..30_usize, 2 => 120..300_usize, 1 => 65_500..65_600_usize];
    prop_oneof![
        vec(".{0,40}", 1..4).prop_map(Sent::Text),
        vec(size().prop_flat_map(|size| vec(any::<u8>(), size)), 1..4).prop_map(Sent::Binary),
        control().prop_map(Sent::Ping),
        control().prop_map(Sent::Pong),
    ]
}

/// The frames of these messages; pings go between the fragments too.
fn frames(messages: &[Sent], mask: Option<[u8; 4]>) -> Vec<Raw> {
    let mut frames = vec![];
    let mut fragments = |opcode, parts: Vec<&[u8]>| {
        let last = parts.len() - 1;
        for (index, part) in parts.into_iter().enumerate() {
            let piece = frame(if index == 0 { opcode } else { CONTINUATION }, part);
            frames.push(if index == last { piece } else { piece.unfinished() });
            if index != last {
                frames.push(frame(PING, [index as u8]));
            }
        }
    };
    for message in messages {
        match message {
            Sent::Text(parts) => fragments(TEXT, parts.iter().map(String::as_bytes).collect()),
            Sent::Binary(parts) => fragments(BINARY, parts.iter().map(Vec::as_slice).collect()),
            Sent::Ping(payload) => fragments(PING, vec![payload]),
            Sent::Pong(payload) => fragments(PONG, vec![payload]),
        }
    }
    for frame in &mut frames {
        frame.mask = mask;
    }
    frames
}

fn opcode(theirs: OpCode) -> Opcode {
    match theirs {
        OpCode::Data(Data::Continue) => Opcode::Continuation,
        OpCode::Data(Data::Text) => Opcode::Text,
        OpCode::Data(Data::Binary) => Opcode::Binary,
        OpCode::Control(Control::Close) => Opcode::Close,
        OpCode::Control(Control::Ping) => Opcode::Ping,
        OpCode::Control(Control::Pong) => Opcode::Pong,
        OpCode::Data(Data::Reserved(value)) | OpCode::Control(Control::Reserved(value)) => Opcode::Reserved(value),
    }
}

/// Opcode, payload length and unmasked control payload of each frame, as tungstenite reads them.
fn their_frames(bytes: &[u8]) -> Vec<(Opcode, u64, Vec<u8>)> {
    let mut socket = FrameSocket::new(Cursor::new(bytes.to_vec()));
    let mut frames = vec![];
    while let Some(frame) = socket.read(None).expect("these frames are valid") {
        let opcode = opcode(frame.header().opcode);
        let key = frame.header().mask.unwrap_or_default();
        let payload = frame.payload().iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key);
        let kept = if opcode.is_control() { payload.collect() } else { vec![] };
        frames.push((opcode, frame.payload().len() as u64, kept));
    }
    frames
}

/// The messages that an endpoint on tungstenite is given.
fn their_messages(reader: Role, bytes: &[u8]) -> Vec<Arrived> {
    let mut stream = Peeker(Cursor::new(bytes.to_vec()));
    let mut context = WebSocketContext::new(reader, None);
    let mut arrived = vec![];
    loop {
        match context.read(&mut stream) {
            Ok(Message::Text(_)) => arrived.push(Arrived::Text),
            Ok(Message::Binary(_)) => arrived.push(Arrived::Binary),
            Ok(Message::Ping(payload)) => arrived.push(Arrived::Ping(payload.to_vec())),
            Ok(Message::Pong(payload)) => arrived.push(Arrived::Pong(payload.to_vec())),
            Ok(Message::Close(close)) => {
                let code = close.as_ref().map(|close| u16::from(close.code));
                arrived.push(Arrived::Close(code, close.map_or(String::new(), |close| close.reason.to_string())));
                return arrived;
            }
            Ok(Message::Frame(frame)) => panic!("a raw frame was read: {frame:?}"),
            Err(Error::Protocol(error)) => {
                assert_eq!(error.to_string(), "Connection reset without closing handshake");
                return arrived;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

fn our_messages(from: Peer, bytes: &[u8]) -> Vec<Arrived> {
    let log = feed(&mut Tap::new(from, ReservedBits::None), bytes);
    assert_eq!(log.violations(), []);
    log.frames(|seen| match seen {
        Seen::Frame { opcode: Opcode::Ping, payload, .. } => Some(Arrived::Ping(payload.clone())),
        Seen::Frame { opcode: Opcode::Pong, payload, .. } => Some(Arrived::Pong(payload.clone())),
        Seen::Frame { opcode: Opcode::Close, payload, len, .. } => {
            let body = CloseBody::parse(payload, *len);
            Some(Arrived::Close(body.code, body.reason.into_owned()))
        }
        Seen::Frame { completes: Some(MessageKind::Text), .. } => Some(Arrived::Text),
        Seen::Frame { completes: Some(MessageKind::Binary), .. } => Some(Arrived::Binary),
        Seen::Frame { .. } | Seen::Violation(_) | Seen::Blind => None,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn valid_streams_are_read_as_tungstenite_reads_them(
        sent in vec(any_sent(), 0..6),
        mask in any::<[u8; 4]>(),
        close in prop::option::of((prop::sample::select(vec![1000, 1001, 1011, 3000, 4999]), ".{0,20}")),
        from in prop::sample::select(Peer::ALL.to_vec()),
    ) {
        let (mask, reader) = match from {
            Peer::Client => (Some(mask), Role::Server),
            Peer::Upstream => (None, Role::Client),
        };
        let mut frames = frames(&sent, mask);
        if let Some((code, reason)) = &close {
            let body = [&u16::to_be_bytes(*code), reason.as_bytes()].concat();
            frames.push(Raw { mask, ..frame(CLOSE, body) });
        }
        let bytes = wire(&frames);

        let log = feed(&mut Tap::new(from, ReservedBits::None), &bytes);
        let ours: Vec<_> = log.frames(|seen| match seen {
            Seen::Frame { opcode, len, payload, .. } => Some((*opcode, *len, payload.clone())),
            Seen::Violation(_) | Seen::Blind => None,
        });
        prop_assert_eq!(ours, their_frames(&bytes));
        prop_assert_eq!(our_messages(from, &bytes), their_messages(reader, &bytes));
    }

    #[test]
    fn any_header_is_read_as_tungstenite_reads_it(bytes in vec(any::<u8>(), 14)) {
        // It refuses reserved opcodes, and knows no length that is too long.
        let mut cursor = Cursor::new(&bytes);
        let theirs = FrameHeader::parse(&mut cursor);
        let mut tap = Tap::new(Peer::Client, ReservedBits::Any);
        let mut log = Log::default();
        let mut size = 0;
        // The header is whole when the tap keeps nothing of it any more.
        while size < bytes.len() && (size == 0 || tap.kept() > 0) {
            tap.feed(&bytes[size..=size], &mut log);
            size += 1;
        }
        match theirs {
            Ok(Some((header, len))) => {
                prop_assert_eq!(cursor.position(), size as u64);
                prop_assert_eq!(len > i64::MAX as u64, tap.is_blind());
                if len == 0 {
                    prop_assert_eq!(log.opcodes(), [opcode(header.opcode)]);
                }
                prop_assert_eq!(header.mask.is_none(), log.violations().contains(&Violation::Mask));
            }
            Ok(None) => prop_assert!(false, "14 bytes are a header"),
            Err(_) => prop_assert!(matches!(Opcode::from_first_byte(bytes[0]), Opcode::Reserved(_))),
        }
    }

    #[test]
    fn a_close_of_our_own_arrives(
        code in prop::sample::select(vec![1000, 1001, 1008, 1012, 1013, 3000, 4000]),
        reason in ".{0,140}",
        mask in any::<[u8; 4]>(),
        to in prop::sample::select(Peer::ALL.to_vec()),
    ) {
        let bytes = close_frame(to, code, &reason, mask);
        let reader = match to {
            Peer::Client => Role::Client,
            Peer::Upstream => Role::Server,
        };
        let ours = our_messages(to.other(), &bytes);
        prop_assert_eq!(&ours, &their_messages(reader, &bytes));
        let kept = reason[..reason.floor_char_boundary(123)].to_owned();
        prop_assert_eq!(ours, [Arrived::Close(Some(code), kept)]);
    }
}
