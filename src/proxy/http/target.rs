//! Targets that a URI type refuses, and that clients send all the same: `?filter={"room":1}` of a client that does not
//! percent-encode. Backends take them, and nginx passes them.
//!
//! hyper is shown a stand-in of the same length, and the upstream is sent the target as the client wrote it.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use http::Request;

/// The byte that hyper is shown in the place of each one that its URI type refuses or cuts off.
const STAND_IN: u8 = b'!';

/// A target as the client wrote it; hyper has a stand-in for it.
#[derive(Clone, Eq, PartialEq)]
pub(in crate::proxy) struct Target(Arc<str>);

/// The reader of a request's first line, which may come in pieces: it puts the stand-in into the bytes for hyper.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::proxy) enum FirstLine {
    /// Nothing of it has come, except empty lines before it (RFC 9112 §2.2).
    #[default]
    Before,
    Method,
    /// The next byte is the first of the target.
    Target,
    /// In a target that begins with a slash.
    Path,
    /// Behind the target, or in one of another form: that is a URI.
    Past,
}

/// A target on its way into the first line of a request that hyper writes.
#[derive(Debug)]
pub(super) struct Restored {
    target: Target,
    /// The place of the stand-in in the request.
    place: Range<usize>,
    /// Bytes of the request that were written.
    written: usize,
}

const fn has_stand_in(byte: u8) -> bool {
    matches!(byte, b'"' | b'<' | b'>' | b'`' | b'#')
}

/// The target of a request as the client wrote it.
pub(in crate::proxy) fn target<B>(request: &Request<B>) -> Option<&Target> {
    request.extensions().get()
}

/// The path of a request as the client wrote it: by it the route is chosen.
pub(in crate::proxy) fn path<B>(request: &Request<B>) -> &str {
    target(request).map_or(request.uri().path(), |target| target.shown(false))
}

/// Puts the stand-in for the target of the head that `bytes` begin with.
pub(in crate::proxy) fn put_stand_in(bytes: &mut [u8]) {
    FirstLine::default().read(bytes);
}

// === impl Target ===

impl Target {
    /// The target of a request, if hyper is shown a stand-in for it.
    pub(in crate::proxy) fn of(written: &str) -> Option<Self> {
        let differs = written.starts_with('/') && written.bytes().any(has_stand_in);
        differs.then(|| Self(written.into()))
    }

    /// The text of it, or of its path alone.
    pub(in crate::proxy) fn shown(&self, with_query: bool) -> &str {
        let path = self.0.split('?').next().unwrap_or_default();
        if with_query { &self.0 } else { path }
    }

    /// A head with it in the place of its stand-in.
    pub(in crate::proxy) fn put_back(&self, head: &mut [u8]) {
        let space = head.iter().position(|byte| *byte == b' ');
        if let Some(place) = space.and_then(|space| head.get_mut(space + 1..=space + self.0.len())) {
            place.copy_from_slice(self.0.as_bytes());
        }
    }

    /// It, to be written in the place of the stand-in behind `method`.
    pub(super) fn restored(&self, method: &http::Method) -> Restored {
        let begin = method.as_str().len() + 1;
        Restored { target: self.clone(), place: begin..begin + self.0.len(), written: 0 }
    }
}

/// Only its length: a query carries tokens.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Target").field(&self.0.len()).finish()
    }
}

// === impl FirstLine ===

impl FirstLine {
    /// Goes on with `bytes` of the head.
    pub(in crate::proxy) fn read(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            *self = match (*self, *byte) {
                (Self::Past, _) => return,
                (Self::Before, b'\r' | b'\n') => Self::Before,
                (Self::Before | Self::Method, b' ') => Self::Target,
                (Self::Before | Self::Method, _) => Self::Method,
                (Self::Target, b'/') => Self::Path,
                (Self::Target, _) | (Self::Path, b' ' | b'\r' | b'\n') => Self::Past,
                (Self::Path, _) => Self::Path,
            };
            if matches!(*self, Self::Path) && has_stand_in(*byte) {
                *byte = STAND_IN;
            }
        }
    }
}

// === impl Restored ===

impl Restored {
    /// `bytes`, the next of the request, with the part of the target that belongs there.
    pub(super) fn put_into(&self, bytes: &[u8]) -> Vec<u8> {
        let mut all = bytes.to_vec();
        let begin = self.place.start.max(self.written);
        let end = self.place.end.min(self.written + bytes.len());
        if begin < end {
            let part = &self.target.0.as_bytes()[begin - self.place.start..end - self.place.start];
            all[begin - self.written..end - self.written].copy_from_slice(part);
        }
        all
    }

    /// `count` bytes more were written. Gives whether all of the target is.
    pub(super) const fn wrote(&mut self, count: usize) -> bool {
        self.written += count;
        self.written >= self.place.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "GET /chat?filter={\"room\":<1>}`#x HTTP/1.1\r\nX: \"<>`#\r\n\r\n";
    const FOR_HYPER: &str = "GET /chat?filter={!room!:!1!}!!x HTTP/1.1\r\nX: \"<>`#\r\n\r\n";

    #[test]
    fn hyper_is_shown_a_stand_in_for_the_target_alone_in_whatever_pieces_it_comes() {
        for size in 1..=HEAD.len() {
            for before in ["", "\r\n"] {
                let mut head = format!("{before}{HEAD}").into_bytes();
                let mut line = FirstLine::default();
                head.chunks_mut(size).for_each(|piece| line.read(piece));
                assert_eq!(String::from_utf8(head).unwrap(), format!("{before}{FOR_HYPER}"), "in pieces of {size}");
            }
        }
        for same in [
            "",
            "GET",
            "GET ",
            "GET /a{b}|c HTTP/1.1\r\n",
            "GET http://a.test/#x HTTP/1.1\r\n",
            "OPTIONS * HTTP/1.1\r\n",
        ] {
            let mut head = same.as_bytes().to_vec();
            put_stand_in(&mut head);
            assert_eq!(head, same.as_bytes());
        }
    }

    #[test]
    fn the_stand_in_is_a_target_that_the_uri_type_takes() {
        let every: String = (b'!'..=b'~').map(char::from).collect();
        for target in [format!("/{every}"), format!("/?{every}")] {
            let mut head = format!("GET {target} HTTP/1.1\r\n").into_bytes();
            put_stand_in(&mut head);
            let shown = std::str::from_utf8(&head).unwrap().split(' ').nth(1).unwrap();
            assert_eq!(shown.parse::<http::Uri>().unwrap().to_string(), shown, "the whole of it");
        }
    }

    #[test]
    fn the_upstream_is_sent_the_target_in_whatever_pieces_hyper_writes_it() {
        let target = Target::of("/chat?filter={\"room\":<1>}`#x").unwrap();
        for size in 1..=HEAD.len() {
            let mut restored = target.restored(&http::Method::GET);
            let mut sent = Vec::new();
            for piece in FOR_HYPER.as_bytes().chunks(size) {
                sent.extend(restored.put_into(piece));
                let over = restored.wrote(piece.len());
                assert_eq!(over, sent.len() >= "GET ".len() + target.0.len(), "in pieces of {size}");
            }
            assert_eq!(String::from_utf8(sent).unwrap(), HEAD, "in pieces of {size}");
        }
    }

    #[test]
    fn a_target_is_shown_with_its_query_only_if_that_is_asked_for() {
        let target = Target::of("/a<b>?token=\"x\"").unwrap();
        assert_eq!((target.shown(false), target.shown(true)), ("/a<b>", "/a<b>?token=\"x\""));
        let mut head = b"GET /a!b!?token=!x! HTTP/1.1\r\n".to_vec();
        target.put_back(&mut head);
        assert_eq!(head, b"GET /a<b>?token=\"x\" HTTP/1.1\r\n");
        for plain in ["/a?b={c}", "http://a.test/<b>", "*"] {
            assert_eq!(Target::of(plain), None, "{plain}");
        }
    }
}
