//! Paths without what looks like a secret in them.

use std::borrow::Cow;

use crate::close::MAX_TEXT;

/// The word in place of a segment that was left out.
const REDACTED: &str = ":redacted";
/// A segment longer than this is taken for a key, a token or an id, rather than for a word.
const MAX_SEGMENT: usize = 32;
/// Characters that end a segment: parameters in a path or a query string are judged by themselves.
const SEPARATORS: [char; 5] = ['/', '?', '&', '=', ';'];

/// `path` with each segment that is too long, or looks like a JWT, replaced.
pub(super) fn redacted(path: &str) -> Cow<'_, str> {
    // The record keeps the beginning of a long path: a token at the cut is shorter than it was, and must not pass for
    // a word. A cut inside a character drops up to 3 bytes more.
    let cut = path.len() + 3 >= MAX_TEXT;
    let mut safe = String::with_capacity(path.len());
    let mut segments = path.split_inclusive(SEPARATORS).peekable();
    while let Some(piece) = segments.next() {
        let segment = piece.trim_end_matches(SEPARATORS);
        let at_cut = cut && segments.peek().is_none() && !segment.is_empty() && segment == piece;
        safe.push_str(if at_cut || is_secret(segment) { REDACTED } else { segment });
        safe.push_str(&piece[segment.len()..]);
    }
    if safe == path { Cow::Borrowed(path) } else { Cow::Owned(safe) }
}

fn is_secret(segment: &str) -> bool {
    // A JWT begins with a base64url object, `{"`, and has dots between its parts (RFC 7519 §3).
    segment.chars().count() > MAX_SEGMENT || (segment.starts_with("eyJ") && segment.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay() {
        for path in ["/", "", "/chat", "/v1/rooms/42/", "//a//", "/exactly-thirty-two-characters-xx"] {
            assert!(matches!(redacted(path), Cow::Borrowed(same) if same == path), "{path}");
        }
    }

    #[test]
    fn long_segments_and_tokens_go() {
        let key = "k".repeat(33);
        assert_eq!(redacted(&format!("/s/{key}/ws")), "/s/:redacted/ws");
        assert_eq!(redacted("/ws/eyJhbGciOiJub25lIn0.e30."), "/ws/:redacted");
        assert_eq!(redacted(&format!("/ws?room=7&token={key}&v=1")), "/ws?room=7&token=:redacted&v=1");
        assert_eq!(redacted(&"é".repeat(33)), ":redacted");
    }

    #[test]
    fn the_rest_of_a_token_at_the_cut_goes_too() {
        let path = format!("{}tok", "/0123456789".repeat(23));
        assert_eq!(path.len(), MAX_TEXT);
        assert!(redacted(&path).ends_with("/:redacted"));
        assert!(redacted(&path).starts_with("/0123456789/"));
    }
}
