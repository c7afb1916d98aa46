//! Heads of requests and of 101 answers, parsed in place: a valid upgrade and its 101 can then be relayed byte for byte.
//!
//! Strict on purpose: a head that two readers could read differently (bare CR or LF, a body, repeated or odd headers) is
//! *not* an upgrade here. hyper then reads the same bytes again, and judges.

use std::mem::MaybeUninit;

use http::HeaderName;
use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION,
    TRANSFER_ENCODING, UPGRADE,
};
use httparse::{Header, ParserConfig, Status};

use super::headers::is_end_to_end;
use super::target::Target;
use crate::close::{HttpVersion, RequestHeaders};
use crate::proxy::parsed::Parsed;

/// hyper reads so many header lines on its stack; for another number it takes memory for each head. A head with more is not
/// relayed byte for byte either.
pub(in crate::proxy) const USUAL_HEADER_LINES: usize = 100;

/// Space on the stack for the headers of one head while it is read: four kilobytes that are neither cleared nor kept.
pub(in crate::proxy) struct Room<'b>(pub(super) [MaybeUninit<Header<'b>>; USUAL_HEADER_LINES]);

/// A head and its headers, in their order.
#[derive(Clone, Copy, Debug)]
pub(in crate::proxy) struct Head<'h, 'b> {
    /// Its bytes, from the first line to the empty one.
    pub(in crate::proxy) bytes: &'b [u8],
    headers: &'h [Header<'b>],
    /// The lengths of their names: most headers that are asked for are not there, and need no search.
    lengths: Lengths,
}

/// A set of lengths of names: one bit for each, and the same for those that differ by 64.
#[derive(Clone, Copy, Debug)]
struct Lengths(u64);

/// A whole request head.
#[derive(Debug)]
pub(in crate::proxy) enum RequestHead<'h, 'b> {
    /// A valid upgrade that every reader reads alike.
    Upgrade(UpgradeHead<'h, 'b>),
    /// Any other head; hyper judges it.
    Other(HeadFacts),
}

/// Facts of a head that hyper does not give.
#[derive(Clone, Debug)]
pub(in crate::proxy) struct HeadFacts {
    /// The bytes of the head.
    pub(in crate::proxy) len: usize,
    /// Its target, if hyper is shown a stand-in for it.
    pub(in crate::proxy) target: Option<Target>,
    /// It can be read in two ways, though hyper takes it for one: it has two lengths (RFC 9112 §6.1), or a line that ends in
    /// a bare LF (§2.2).
    pub(in crate::proxy) ambiguous: bool,
}

/// A valid WebSocket upgrade (RFC 6455 §4.2.1).
#[derive(Debug)]
pub(in crate::proxy) struct UpgradeHead<'h, 'b> {
    pub(in crate::proxy) head: Head<'h, 'b>,
    /// The request target, query included: it begins with a slash.
    pub(in crate::proxy) target: &'b str,
    /// nginx speaks 1.0 to a backend unless it is told otherwise, and most backends switch for it all the same.
    pub(in crate::proxy) version: HttpVersion,
    /// `Host`.
    pub(in crate::proxy) host: &'b str,
    /// `Sec-WebSocket-Key`.
    pub(in crate::proxy) key: &'b [u8],
}

/// The request head at the beginning of `bytes`. `Other` is not a head that hyper would take.
pub(in crate::proxy) fn request<'h, 'b>(bytes: &'b [u8], room: &'h mut Room<'b>) -> Parsed<RequestHead<'h, 'b>> {
    let mut request = httparse::Request::new(&mut []);
    let len = match request.parse_with_uninit_headers(bytes, &mut room.0) {
        Ok(Status::Partial) => return Parsed::Partial,
        Ok(Status::Complete(len)) => len,
        Err(_) => return Parsed::Other,
    };
    let head = Head::new(&bytes[..len], request.headers);
    let upgrade = match (request.method, request.path, request.version) {
        // An empty line before the request is allowed, and rare enough for hyper.
        (Some("GET"), Some(target), Some(minor @ (0 | 1))) if bytes.first() == Some(&b'G') => {
            head.upgrade(target, if minor == 0 { HttpVersion::Http10 } else { HttpVersion::Http11 })
        }
        _ => None,
    };
    let target = request.path.unwrap_or_default();
    Parsed::Whole(upgrade.map_or_else(|| RequestHead::Other(head.read_facts(target)), RequestHead::Upgrade))
}

/// Whether `bytes`, whose first `known` are not a whole head, may be one now. Only then is it worth parsing them again: so a
/// head that comes byte by byte is not parsed from its beginning for each of them.
pub(in crate::proxy) fn may_be_complete(bytes: &[u8], known: usize) -> bool {
    // An empty line is three bytes at most behind the end of the line before it.
    let new = &bytes[known.saturating_sub(3)..];
    new.iter().enumerate().filter(|(_, byte)| **byte == b'\n').any(|(at, _)| {
        let behind = &new[at + 1..];
        behind.starts_with(b"\n") || behind.starts_with(b"\r\n")
    })
}

/// The 101 at the beginning of `bytes`, if it is the right answer: its `Sec-WebSocket-Accept` is `accept`.
pub(in crate::proxy) fn switch<'h, 'b>(bytes: &'b [u8], accept: &str, room: &'h mut Room<'b>) -> Parsed<Head<'h, 'b>> {
    let mut response = httparse::Response::new(&mut []);
    let parsed = ParserConfig::default().parse_response_with_uninit_headers(&mut response, bytes, &mut room.0);
    let len = match parsed {
        Ok(Status::Partial) => return Parsed::Partial,
        Ok(Status::Complete(len)) => len,
        Err(_) => return Parsed::Other,
    };
    let (Some(101), Some(1)) = (response.code, response.version) else { return Parsed::Other };
    let head = Head::new(&bytes[..len], response.headers);
    if head.is_switch() && head.sole(&SEC_WEBSOCKET_ACCEPT) == Some(accept.as_bytes()) {
        Parsed::Whole(head)
    } else {
        Parsed::Other
    }
}

/// Whether a target is relayed unchanged: it begins with a slash, and all of it is visible ASCII. Clients that do not
/// percent-encode (`?filter={"room":1}`) work with backends that take it, and nginx passes it too.
pub(super) fn is_visible_path(target: &str) -> bool {
    target.starts_with('/') && target.bytes().all(|byte| byte.is_ascii_graphic())
}

// === impl Room ===

impl Room<'_> {
    pub(in crate::proxy) const fn new() -> Self {
        Self([const { MaybeUninit::uninit() }; USUAL_HEADER_LINES])
    }
}

// === impl RequestHead ===

impl RequestHead<'_, '_> {
    pub(in crate::proxy) fn facts(&self) -> HeadFacts {
        match self {
            Self::Upgrade(UpgradeHead { head, target, .. }) => {
                HeadFacts { len: head.bytes.len(), target: Target::of(target), ambiguous: false }
            }
            Self::Other(facts) => facts.clone(),
        }
    }
}

// === impl Head ===

impl<'h, 'b> Head<'h, 'b> {
    fn new(bytes: &'b [u8], headers: &'h [Header<'b>]) -> Self {
        Self { bytes, headers, lengths: Lengths::of(headers) }
    }

    /// The upgrade, if it is a valid one and no two readers can read it differently.
    fn upgrade(self, target: &'b str, version: HttpVersion) -> Option<UpgradeHead<'h, 'b>> {
        let parts = (self.sole_str(&HOST), self.sole(&SEC_WEBSOCKET_KEY), self.sole(&SEC_WEBSOCKET_VERSION));
        let (Some(host), Some(key), Some(_)) = parts else { return None };
        let takes_away = self.connection().any(|token| std::str::from_utf8(token).is_ok_and(is_end_to_end));
        let plain = self.is_switch() && !takes_away && !self.has(&EXPECT) && is_visible_path(target);
        plain.then_some(UpgradeHead { head: self, target, version, host, key })
    }

    fn read_facts(&self, target: &str) -> HeadFacts {
        let two_lengths = self.has(&CONTENT_LENGTH) && self.has(&TRANSFER_ENCODING);
        let ambiguous = two_lengths || !has_strict_lines(self.bytes);
        HeadFacts { len: self.bytes.len(), target: Target::of(target), ambiguous }
    }

    /// The headers, as name and value.
    pub(in crate::proxy) fn iter(&self) -> impl Iterator<Item = (&'b str, &'b [u8])> {
        self.headers.iter().map(|header| (header.name, header.value))
    }

    /// The values of a header.
    pub(in crate::proxy) fn all(&self, name: &HeaderName) -> impl Iterator<Item = &'b [u8]> {
        let name = name.as_str();
        let headers = if self.lengths.has(name.len()) { self.headers } else { &[] };
        headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
    }

    pub(in crate::proxy) fn has(&self, name: &HeaderName) -> bool {
        self.all(name).next().is_some()
    }

    /// The value of a header that must not be repeated.
    fn sole(&self, name: &HeaderName) -> Option<&'b [u8]> {
        let mut values = self.all(name);
        values.next().filter(|_| values.next().is_none())
    }

    fn sole_str(&self, name: &HeaderName) -> Option<&'b str> {
        std::str::from_utf8(self.sole(name)?).ok().filter(|value| value.is_ascii())
    }

    /// The tokens of `Connection`, as `headers` reads them: a value that is not text has none.
    fn connection(&self) -> impl Iterator<Item = &'b [u8]> {
        let values = self.all(&CONNECTION).filter(|value| value.is_ascii());
        values.flat_map(|value| value.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii)
    }

    /// Whether the message switches, or asks to switch, to WebSocket and nothing else, has no body, and has every line
    /// ended by CR LF.
    fn is_switch(&self) -> bool {
        let websocket = self.sole(&UPGRADE).is_some_and(|value| value.eq_ignore_ascii_case(b"websocket"));
        websocket
            && self.connection().any(|token| token.eq_ignore_ascii_case(b"upgrade"))
            && !self.has(&CONTENT_LENGTH)
            && !self.has(&TRANSFER_ENCODING)
            && has_strict_lines(self.bytes)
    }
}

// === impl Lengths ===

impl Lengths {
    fn of(headers: &[Header<'_>]) -> Self {
        Self(headers.iter().fold(0, |lengths, header| lengths | Self::bit(header.name.len())))
    }

    const fn has(self, length: usize) -> bool {
        self.0 & Self::bit(length) != 0
    }

    const fn bit(length: usize) -> u64 {
        1 << (length % u64::BITS as usize)
    }
}

impl RequestHeaders for Head<'_, '_> {
    fn value(&self, name: &str) -> Option<&str> {
        let (_, value) = self.iter().find(|(found, _)| found.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value).ok()
    }
}

/// Whether every CR is followed by an LF, and every LF preceded by a CR.
pub(super) fn has_strict_lines(head: &[u8]) -> bool {
    let rest = head.get(1..).unwrap_or_default();
    // No early return: the compiler then compares whole vectors at a time.
    let odd = head.iter().zip(rest).fold(0, |odd, (this, next)| odd | u8::from((*this == b'\r') != (*next == b'\n')));
    odd == 0 && head.first() != Some(&b'\n') && head.last() != Some(&b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPGRADE: &str = "GET /chat?room=1 HTTP/1.1\r\nHost: a.example\r\nupgrade: WebSocket\r\n\
        Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        sec-websocket-version: 13\r\n\r\n";
    const SWITCH: &str = "HTTP/1.1 101 Fine by me\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    fn is_upgrade(text: &str) -> bool {
        matches!(request(text.as_bytes(), &mut Room::new()), Parsed::Whole(RequestHead::Upgrade(_)))
    }

    #[test]
    fn lines_end_in_cr_lf_wherever_they_do() {
        let line = "GET / HTTP/1.1, and longer than any vector of bytes that a processor has: 64 of them\r\n";
        assert!(has_strict_lines(line.as_bytes()));
        for at in 0..=line.len() {
            let (before, behind) = line.split_at(at);
            assert!(!has_strict_lines(format!("{before}\r{behind}").as_bytes()), "CR at {at}");
            assert!(!has_strict_lines(format!("{before}\n{behind}").as_bytes()), "LF at {at}");
            // A pair is whole anywhere but between another CR and its LF.
            assert_eq!(
                has_strict_lines(format!("{before}\r\n{behind}").as_bytes()),
                at + 1 != line.len(),
                "pair at {at}"
            );
        }
    }

    #[test]
    fn a_valid_upgrade_is_taken_with_nothing_behind_it() {
        let bytes = format!("{UPGRADE}early");
        let mut room = Room::new();
        let Parsed::Whole(RequestHead::Upgrade(found)) = request(bytes.as_bytes(), &mut room) else {
            panic!("not taken")
        };
        assert_eq!(found.head.bytes, UPGRADE.as_bytes());
        assert_eq!(
            (found.target, found.host, found.key),
            ("/chat?room=1", "a.example", &b"dGhlIHNhbXBsZSBub25jZQ=="[..])
        );
    }

    #[test]
    fn every_beginning_of_a_head_is_partial() {
        for (whole, switched) in [(UPGRADE, false), (SWITCH, true)] {
            for end in 0..whole.len() {
                let beginning = &whole.as_bytes()[..end];
                let partial = if switched {
                    matches!(switch(beginning, ACCEPT, &mut Room::new()), Parsed::Partial)
                } else {
                    matches!(request(beginning, &mut Room::new()), Parsed::Partial)
                };
                assert!(partial, "{end}");
            }
        }
    }

    #[test]
    fn the_end_of_a_head_is_never_missed_in_whatever_pieces_it_comes() {
        let heads = [UPGRADE.to_owned(), UPGRADE.replace("\r\n", "\n"), UPGRADE.replace("13\r\n\r\n", "13\r\n\n")];
        for head in heads {
            for known in 0..head.len() {
                assert!(may_be_complete(head.as_bytes(), known), "{known} of {head:?}");
            }
            let partial = &head.as_bytes()[..head.len() - 1];
            assert!(!may_be_complete(partial, 0), "{head:?} without its last byte");
        }
    }

    #[test]
    fn whatever_can_be_read_in_two_ways_is_left_to_hyper() {
        for (from, to) in [
            ("GET", "POST"),
            ("GET", "\r\nGET"),
            ("HTTP/1.1", "HTTP/1.2"),
            ("/chat", "http://a.example/chat"),
            ("/chat", "/ch\u{e4}t"),
            ("/chat", "chat"),
            ("Host: a.example\r\n", ""),
            ("Host: a.example\r\n", "Host: a.example\r\nHost: b.example\r\n"),
            ("WebSocket", "websocket, h2c"),
            ("WebSocket", "h2c"),
            ("upgrade: WebSocket\r\n", "upgrade: websocket\r\nupgrade: websocket\r\n"),
            ("keep-alive, Upgrade", "keep-alive"),
            ("keep-alive, Upgrade", "\u{e9}, Upgrade"),
            ("keep-alive, Upgrade", "Upgrade, host"),
            ("Host: a.example\r\n", "Host: a.example\r\nContent-Length: 0\r\n"),
            ("Host: a.example\r\n", "Host: a.example\r\nTransfer-Encoding: chunked\r\n"),
            ("Host: a.example\r\n", "Host: a.example\r\nExpect: 100-continue\r\n"),
            ("Host: a.example\r\n", "Host: a.example\n"),
            ("Host: a.example\r\n", "Host: a.example\r\n folded\r\n"),
            ("Host: a.example\r\n", "Host : a.example\r\n"),
            ("13\r\n\r\n", "13\r\n\n"),
            ("sec-websocket-version: 13\r\n", ""),
            ("Sec-WebSocket-Key: ", "Sec-WebSocket-Key: x\r\nSec-WebSocket-Key: "),
        ] {
            assert!(UPGRADE.contains(from), "{from:?}");
            assert!(!is_upgrade(&UPGRADE.replacen(from, to, 1)), "{from:?} as {to:?}");
        }
        assert!(is_upgrade(UPGRADE));
    }

    #[test]
    fn a_target_of_visible_characters_is_taken_and_noted_for_hyper() {
        let odd = UPGRADE.replace("room=1", "filter={\"room\":<1>}`^|\\#x");
        let mut room = Room::new();
        let Parsed::Whole(RequestHead::Upgrade(found)) = request(odd.as_bytes(), &mut room) else {
            panic!("not taken")
        };
        assert_eq!(found.target, "/chat?filter={\"room\":<1>}`^|\\#x");
        assert!(
            matches!(request(odd.as_bytes(), &mut Room::new()), Parsed::Whole(head) if head.facts().target.is_some())
        );
        assert!(
            matches!(request(UPGRADE.as_bytes(), &mut Room::new()), Parsed::Whole(head) if head.facts().target.is_none())
        );
    }

    #[test]
    fn only_the_right_answer_is_a_switch() {
        for (from, to) in [
            ("101", "200"),
            ("HTTP/1.1", "HTTP/1.0"),
            ("s3pP", "s3pQ"),
            ("Upgrade: websocket", "Upgrade: h2c"),
            ("Connection: Upgrade", "Connection: close"),
            ("Connection: Upgrade\r\n", "Connection: Upgrade\r\nContent-Length: 0\r\n"),
            ("Connection: Upgrade\r\n", "Connection: Upgrade\n"),
        ] {
            assert!(SWITCH.contains(from), "{from:?}");
            let bytes = SWITCH.replacen(from, to, 1);
            assert!(matches!(switch(bytes.as_bytes(), ACCEPT, &mut Room::new()), Parsed::Other), "{from:?} as {to:?}");
        }
        let bytes = format!("{SWITCH}early");
        let mut room = Room::new();
        let Parsed::Whole(head) = switch(bytes.as_bytes(), ACCEPT, &mut room) else { panic!("not taken") };
        assert_eq!(head.bytes, SWITCH.as_bytes());
    }
}
