//! A head written again line by line: some headers get a value of closewatch's, or go; all other lines stay as they are.

use memchr::memchr_iter;

/// Headers that belong to one connection (RFC 9110 §7.6.1), and go.
pub(in crate::proxy) const HOPS: [(&str, &[u8]); 3] =
    [("connection", b""), ("keep-alive", b""), ("proxy-connection", b"")];

/// The same of an answer behind which its connection ends.
pub(in crate::proxy) const LAST_HOPS: [(&str, &[u8]); 3] =
    [("connection", b"close"), ("keep-alive", b""), ("proxy-connection", b"")];

/// Writes a whole head, whose lines all end with CR LF, with the values of `set`: each in the place of the first line of its name
/// and in that line's spelling, or behind all others. With an empty value a header goes, if it is there.
pub(in crate::proxy) fn write(out: &mut Vec<u8>, head: &[u8], set: &[(&str, &[u8])]) {
    // Bits of the headers that are written already; there are never more than a handful.
    let mut written = 0_u32;
    // Lines that stay as they are go in one piece.
    let (end, mut copied, mut start) = (head.len() - b"\r\n".len(), 0, 0);
    for line_feed in memchr_iter(b'\n', &head[..end]) {
        let line = &head[start..=line_feed];
        if let Some(place) = set.iter().position(|(name, _)| is_named(line, name)) {
            out.extend_from_slice(&head[copied..start]);
            copied = line_feed + 1;
            if written & (1 << place) == 0 {
                let (name, value) = set[place];
                write_line(out, &line[..name.len()], value);
                written |= 1 << place;
            }
        }
        start = line_feed + 1;
    }
    out.extend_from_slice(&head[copied..end]);
    for ((name, value), place) in set.iter().zip(0..) {
        if written & (1 << place) == 0 {
            write_line(out, name.as_bytes(), value);
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// Whether a line is that of the header `name`: the colon's place is looked at first, as few lines have it there.
fn is_named(line: &[u8], name: &str) -> bool {
    line.get(name.len()) == Some(&b':') && line[..name.len()].eq_ignore_ascii_case(name.as_bytes())
}

/// A header with a value: a client on a unix socket, for one, has no address.
fn write_line(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    if !value.is_empty() {
        for part in [name, b": ", value, b"\r\n"] {
            out.extend_from_slice(part);
        }
    }
}
