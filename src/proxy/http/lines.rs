//! Heads of plain HTTP that pass line by line: each line as it was written and in its place, but for those that belong to one
//! connection, and `X-Forwarded-…`.
//!
//! Taken are a request without a body that changes nothing, an answer whose length is known, and answers before the answer
//! (1xx), if every reader reads them alike. All others are hyper's.

use httparse::{Header, ParserConfig, Status};

use super::head::{Room, has_strict_lines, is_visible_path};
use super::rewrite::{self, HOPS, LAST_HOPS};
use crate::config::{Forwarded, XForwarded};
use crate::proxy::parsed::Parsed;
use crate::proxy::source::client::Client;
use crate::proxy::source::forwarded::{appended, forwarded_for};

/// A request that passes line by line. It may be put to an upstream twice.
pub(in crate::proxy) struct PlainRequest<'h, 'b> {
    lines: Lines<'h, 'b>,
    /// Its answer has no body.
    pub(in crate::proxy) is_head: bool,
    /// Its answer is the last on its client's connection.
    pub(in crate::proxy) is_last: bool,
    pub(in crate::proxy) host: &'b str,
    /// Its target without the query.
    pub(in crate::proxy) path: &'b str,
}

/// The head of an answer that passes line by line.
pub(in crate::proxy) struct PlainAnswer<'h, 'b> {
    lines: Lines<'h, 'b>,
    pub(in crate::proxy) status: u16,
    /// Bytes of its body.
    pub(in crate::proxy) body: u64,
    /// It is the last on its upstream's connection.
    pub(in crate::proxy) is_last: bool,
}

/// A whole head.
struct Lines<'h, 'b> {
    /// From the first line to the empty one.
    bytes: &'b [u8],
    headers: &'h [Header<'b>],
}

/// A header by the part that it has in a head.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Host,
    Connection,
    Length,
    /// A body in chunks, an expectation, another protocol: hyper's.
    Special,
    Other,
}

/// The head at the beginning of `bytes`. `None` if it is not a whole one that passes line by line.
pub(in crate::proxy) fn request<'h, 'b>(bytes: &'b [u8], room: &'h mut Room<'b>) -> Option<PlainRequest<'h, 'b>> {
    let mut request = httparse::Request::new(&mut []);
    let parsed = request.parse_with_uninit_headers(bytes, &mut room.0);
    let (Ok(Status::Complete(len)), Some(method), Some(target)) = (parsed, request.method, request.path) else {
        return None;
    };
    let is_head = match method {
        "GET" | "OPTIONS" => false,
        "HEAD" => true,
        _ => return None,
    };
    let bytes = &bytes[..len];
    // Behind an empty line it is hyper's.
    let begins = bytes.starts_with(method.as_bytes()) && request.version == Some(1);
    if !begins || !is_visible_path(target) || !has_strict_lines(bytes) {
        return None;
    }
    let lines = Lines { bytes, headers: request.headers };
    let (mut host, mut is_last) = (None, false);
    for header in lines.headers {
        match Part::of(header.name) {
            Part::Host => {
                let named = std::str::from_utf8(header.value).ok().filter(|host| host.is_ascii())?;
                if host.replace(named).is_some() {
                    return None;
                }
            }
            Part::Connection => is_last |= ends_with_it(header.value)?,
            Part::Length | Part::Special => return None,
            Part::Other => {}
        }
    }
    let path = target.split('?').next().unwrap_or(target);
    Some(PlainRequest { lines, is_head, is_last, host: host?, path })
}

/// The head of an answer at the beginning of `bytes`; `to_head` if it answers a HEAD. `Other` if it does not pass line by line.
pub(in crate::proxy) fn answer<'h, 'b>(
    bytes: &'b [u8],
    to_head: bool,
    room: &'h mut Room<'b>,
) -> Parsed<PlainAnswer<'h, 'b>> {
    let mut answer = httparse::Response::new(&mut []);
    let parsed = ParserConfig::default().parse_response_with_uninit_headers(&mut answer, bytes, &mut room.0);
    let len = match parsed {
        Ok(Status::Partial) => return Parsed::Partial,
        Ok(Status::Complete(len)) => len,
        Err(_) => return Parsed::Other,
    };
    let bytes = &bytes[..len];
    let (Some(status @ (100 | 102..=599)), Some(1)) = (answer.code, answer.version) else { return Parsed::Other };
    let lines = Lines { bytes, headers: answer.headers };
    if !bytes.starts_with(b"HTTP/1.1 ") || !has_strict_lines(bytes) {
        return Parsed::Other;
    }
    let (mut length, mut is_last) = (None, false);
    for header in lines.headers {
        match Part::of(header.name) {
            Part::Length => match (length, decimal(header.value)) {
                (None, Some(bytes)) => length = Some(bytes),
                (_, _) => return Parsed::Other,
            },
            Part::Connection => match ends_with_it(header.value) {
                Some(ends) => is_last |= ends,
                None => return Parsed::Other,
            },
            Part::Special => return Parsed::Other,
            Part::Host | Part::Other => {}
        }
    }
    // RFC 9112 §6.3: without a length there is a body all the same, and it ends with the connection.
    let body = match (status, length) {
        (..200, None) if is_last => return Parsed::Other,
        (..200, None) | (204, None | Some(0)) | (304, _) => 0,
        (..200 | 204, Some(_)) => return Parsed::Other,
        (_, _) if to_head => 0,
        (_, None) => return Parsed::Other,
        (_, Some(length)) => length,
    };
    Parsed::Whole(PlainAnswer { lines, status, body, is_last })
}

/// Whether a `Connection` says that its own ends with this exchange. `None` if it says anything but that or its contrary.
fn ends_with_it(connection: &[u8]) -> Option<bool> {
    let is = |option: &[u8]| connection.trim_ascii().eq_ignore_ascii_case(option);
    if is(b"close") { Some(true) } else { is(b"keep-alive").then_some(false) }
}

/// A length, written in digits and nothing else.
fn decimal(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

// === impl Part ===

impl Part {
    fn of(name: &str) -> Self {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        match name.len() {
            2 if is("te") => Self::Special,
            4 if is("host") => Self::Host,
            6 if is("expect") => Self::Special,
            7 if is("upgrade") => Self::Special,
            10 if is("connection") => Self::Connection,
            14 if is("content-length") => Self::Length,
            17 if is("transfer-encoding") => Self::Special,
            _ => Self::Other,
        }
    }
}

// === impl PlainRequest ===

impl PlainRequest<'_, '_> {
    /// Number of its bytes.
    pub(in crate::proxy) const fn len(&self) -> usize {
        self.lines.bytes.len()
    }

    /// Number of its headers.
    pub(in crate::proxy) const fn headers(&self) -> usize {
        self.lines.headers.len()
    }

    /// Writes it as the upstream gets it. With the client's address in it if `forwarded` says so: a header that is set stands in
    /// the place of the first of its name, or behind all others.
    pub(in crate::proxy) fn write(
        &self,
        out: &mut Vec<u8>,
        client: &Client,
        forwarded: &Forwarded,
        scheme: &'static str,
    ) {
        let hops = match forwarded.x_forwarded {
            XForwarded::Pass => return self.lines.write(out),
            XForwarded::Append => forwarded_for(self.lines.values("x-forwarded-for"), client),
        };
        let has = |name: &str| self.lines.values(name).next().is_some();
        // Room for the three of a client, too.
        let mut set = Vec::with_capacity(2 * HOPS.len());
        set.extend(HOPS);
        set.extend(appended(&hops, client, forwarded, [scheme, self.host], has));
        rewrite::write(out, self.lines.bytes, &set);
    }
}

// === impl PlainAnswer ===

impl PlainAnswer<'_, '_> {
    /// Number of its bytes.
    pub(in crate::proxy) const fn len(&self) -> usize {
        self.lines.bytes.len()
    }

    /// Number of its headers.
    pub(in crate::proxy) const fn headers(&self) -> usize {
        self.lines.headers.len()
    }

    /// Whether the answer itself is still to come behind it (RFC 9110 §15.2).
    pub(in crate::proxy) const fn is_early(&self) -> bool {
        self.status < 200
    }

    /// Writes it as the client gets it. `last`: it is the last answer on the client's connection, and says so.
    pub(in crate::proxy) fn write(&self, out: &mut Vec<u8>, last: bool) {
        rewrite::write(out, self.lines.bytes, if last && !self.is_early() { &LAST_HOPS } else { &HOPS });
    }
}

// === impl Lines ===

impl<'b> Lines<'_, 'b> {
    /// The values of a header.
    fn values(&self, name: &str) -> impl Iterator<Item = &'b [u8]> {
        self.headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
    }

    /// Writes all of them but those of one connection.
    fn write(&self, out: &mut Vec<u8>) {
        rewrite::write(out, self.bytes, &HOPS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::close::Address;

    const ASKED: &str = "GET /a?b=c HTTP/1.1\r\nHOST:  a.test \r\nX-Odd: 1\r\nx-b:2\r\nX-Odd: 3\r\n\r\n";
    const ANSWERED: &str = "HTTP/1.1 200 Fine by me\r\nX-Odd: 1\r\ncontent-LENGTH: 5\r\nX-Odd: 3\r\n\r\n";

    fn client() -> Client {
        Client { address: Address::Ip(([192, 0, 2, 1], 1).into()), proxied: None, tls: None }
    }

    fn written(text: &str, forwarded: &Forwarded) -> Option<String> {
        let mut out = Vec::new();
        request(text.as_bytes(), &mut Room::new())?.write(&mut out, &client(), forwarded, "http");
        Some(String::from_utf8(out).unwrap())
    }

    fn forwarded(x_forwarded: XForwarded, trusted: bool) -> Forwarded {
        let trusted = if trusted { vec!["192.0.2.1/32".parse().unwrap()] } else { Vec::new() };
        Forwarded { x_forwarded, trusted, ..Forwarded::default() }
    }

    #[test]
    fn a_request_passes_as_it_was_written() {
        assert_eq!(written(ASKED, &forwarded(XForwarded::Pass, false)).as_deref(), Some(ASKED));
        let odd = ASKED.replace("/a", "/<a>?\"`#");
        assert_eq!(written(&odd, &forwarded(XForwarded::Pass, false)), Some(odd));
        let bare = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
        assert!(request(bare.as_bytes(), &mut Room::new()).unwrap().is_head);
    }

    #[test]
    fn lines_of_one_connection_end_with_it() {
        let hops = "Connection: Keep-Alive\r\nkeep-alive: 5\r\nProxy-Connection: x\r\n";
        let with = ASKED.replace("X-Odd: 1\r\n", &format!("X-Odd: 1\r\n{hops}"));
        assert_eq!(written(&with, &forwarded(XForwarded::Pass, false)).as_deref(), Some(ASKED));
        let with = ANSWERED.replace("X-Odd: 1\r\n", &format!("{hops}X-Odd: 1\r\n"));
        let mut out = Vec::new();
        let mut room = Room::new();
        let Parsed::Whole(head) = answer(with.as_bytes(), false, &mut room) else { panic!("not taken") };
        head.write(&mut out, false);
        assert_eq!(String::from_utf8(out).unwrap(), ANSWERED);
    }

    #[test]
    fn the_clients_address_is_told() {
        let append = forwarded(XForwarded::Append, false);
        let told = "x-forwarded-for: 192.0.2.1\r\nx-forwarded-proto: http\r\nx-forwarded-host: a.test\r\n\r\n";
        let expected = format!("{}{told}", &ASKED[..ASKED.len() - 2]);
        assert_eq!(written(ASKED, &append).as_deref(), Some(&*expected));
        // In the place and with the spelling of the client's own.
        let own = "X-Forwarded-Host: b\r\nX-FORWARDED-FOR: 1\r\nX-Forwarded-For: 2\r\nX-Odd: 1\r\n";
        let with = ASKED.replace("X-Odd: 1\r\n", own);
        let told = "X-Forwarded-Host: a.test\r\nX-FORWARDED-FOR: 1, 2, 192.0.2.1\r\nX-Odd: 1\r\n";
        let expected = ASKED.replace("X-Odd: 1\r\n", told).replace("3\r\n\r\n", "3\r\nx-forwarded-proto: http\r\n\r\n");
        assert_eq!(written(&with, &append).as_deref(), Some(&*expected));
        let trusted = expected.replace("Host: a.test\r\nX-F", "Host: b\r\nX-F");
        assert_eq!(written(&with, &forwarded(XForwarded::Append, true)).as_deref(), Some(&*trusted));
    }

    #[test]
    fn a_request_that_is_more_than_a_question_is_hypers() {
        for (from, to) in [
            ("GET", "POST"),
            ("GET", "\r\nGET"),
            ("HTTP/1.1", "HTTP/1.0"),
            ("/a", "http://a.test/a"),
            ("/a", "*"),
            ("/a", "/\u{e4}"),
            ("HOST:  a.test \r\n", ""),
            ("HOST:  a.test \r\n", "Host: a\r\nHost: a\r\n"),
            ("x-b:2\r\n", "x-b:2\n"),
            ("x-b:2\r\n", "x-b:2\r\n folded\r\n"),
            ("x-b:", "x-b :"),
            ("x-b:2", "Connection: close, x-odd"),
            ("x-b:2", "Connection: keep-alive, x-odd"),
            ("x-b:2", "Connection:"),
            ("x-b:2", "Content-Length: 0"),
            ("x-b:2", "Transfer-Encoding: chunked"),
            ("x-b:2", "TE: trailers"),
            ("x-b:2", "Expect: 100-continue"),
            ("x-b:2", "Upgrade: h2c"),
            ("3\r\n\r\n", "3\r\n"),
        ] {
            assert!(ASKED.contains(from), "{from:?}");
            let other = ASKED.replacen(from, to, 1);
            assert!(request(other.as_bytes(), &mut Room::new()).is_none(), "{from:?} as {to:?}");
        }
        assert!(request(ASKED.as_bytes(), &mut Room::new()).is_some());
    }

    #[test]
    fn a_request_ends_where_the_next_begins() {
        let ahead = format!("{ASKED}POST / HTTP/1.1\nX : 1\n\n");
        let mut out = Vec::new();
        let mut room = Room::new();
        let first = request(ahead.as_bytes(), &mut room).unwrap();
        first.write(&mut out, &client(), &forwarded(XForwarded::Pass, false), "http");
        assert_eq!((first.len(), &*out), (ASKED.len(), ASKED.as_bytes()));
    }

    #[test]
    fn an_answer_passes_if_its_length_is_known() {
        let body = |text: &str, to_head| match answer(text.as_bytes(), to_head, &mut Room::new()) {
            Parsed::Whole(head) => Some((head.status, head.body)),
            Parsed::Partial | Parsed::Other => None,
        };
        let with = |status: &str, line: &str| format!("HTTP/1.1 {status}\r\n{line}X: 1\r\n\r\n");
        for (status, line, to_head, expected) in [
            ("200 OK", "Content-Length: 5\r\n", false, Some((200, 5))),
            ("200", "Content-Length: 0\r\n", false, Some((200, 0))),
            ("404 \u{e4}", "Content-Length: 5\r\n", false, Some((404, 5))),
            ("200 OK", "Content-Length: 5\r\n", true, Some((200, 0))),
            ("200 OK", "", true, Some((200, 0))),
            ("204 No", "", false, Some((204, 0))),
            ("204 No", "Content-Length: 0\r\n", false, Some((204, 0))),
            ("100 Continue", "", false, Some((100, 0))),
            ("103 Early", "Link: </a>\r\n", true, Some((103, 0))),
            ("304 No", "", false, Some((304, 0))),
            ("304 No", "Content-Length: 5\r\n", false, Some((304, 0))),
            ("200 OK", "", false, None),
            ("204 No", "Content-Length: 5\r\n", false, None),
            ("204 No", "Content-Length: 5\r\n", true, None),
            ("101 Switching", "", false, None),
            ("101 Switching", "Content-Length: 5\r\n", false, None),
            ("103 Early", "Content-Length: 0\r\n", false, None),
            ("103 Early", "Connection: close\r\n", false, None),
            ("600 Odd", "Content-Length: 5\r\n", false, None),
            ("200 OK", "Content-Length: 5\r\nContent-Length: 5\r\n", false, None),
            ("200 OK", "Content-Length: +5\r\n", false, None),
            ("200 OK", "Content-Length: 5, 5\r\n", false, None),
            ("200 OK", "Content-Length:\r\n", false, None),
            ("200 OK", "Content-Length: 99999999999999999999\r\n", false, None),
            ("200 OK", "Transfer-Encoding: chunked\r\n", false, None),
            ("200 OK", "Transfer-Encoding: chunked\r\n", true, None),
            ("200 OK", "Content-Length: 5\r\nConnection: close\r\n", false, Some((200, 5))),
            ("200 OK", "Connection: close\r\n", false, None),
            ("200 OK", "Content-Length: 5\r\nConnection: close, x-odd\r\n", false, None),
            ("426 No", "Content-Length: 5\r\nUpgrade: h2c\r\n", false, None),
            ("200 OK", "Content-Length: 5\n", false, None),
        ] {
            assert_eq!(body(&with(status, line), to_head), expected, "{status} {line:?} {to_head}");
        }
        assert_eq!(body("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", false), None);
        for end in 0..ANSWERED.len() {
            let beginning = &ANSWERED.as_bytes()[..end];
            assert!(matches!(answer(beginning, false, &mut Room::new()), Parsed::Partial), "{end}");
        }
    }
}
