//! Rust source as tokens.

/// Words, `::` and single marks; without comments, strings and characters.
pub(super) fn tokens(text: &str) -> Vec<String> {
    let mut tokens = vec![];
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let size = if first.is_whitespace() {
            first.len_utf8()
        } else if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(size) = raw_string(rest) {
            size
        } else if first == '"' {
            string(rest)
        } else if first == '\'' {
            character(rest)
        } else {
            let size = match rest.find(|c| !is_word_char(c)).unwrap_or(rest.len()) {
                0 if rest.starts_with("::") => 2,
                0 => first.len_utf8(),
                size => size,
            };
            tokens.push(rest[..size].to_owned());
            size
        };
        rest = &rest[size..];
    }
    tokens
}

const fn is_word_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii()
}

pub(super) fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| is_word_char(c) && !c.is_ascii_digit())
}

/// The size of a comment that begins `text`; such comments nest.
fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    at
}

/// The size of a raw string that begins `text`, if one does.
fn raw_string(text: &str) -> Option<usize> {
    let rest = ["r", "br", "cr"].into_iter().find_map(|prefix| text.strip_prefix(prefix))?;
    let body = rest.trim_start_matches('#');
    let hashes = rest.len() - body.len();
    let body = body.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(text.len() - body.len() + body.find(&end)? + end.len())
}

/// The size of a string that begins `text`.
fn string(text: &str) -> usize {
    let mut escaped = false;
    let end = text.bytes().skip(1).position(|byte| {
        let end = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        end
    });
    end.map_or(text.len(), |end| end + 2)
}

/// The size of a character that begins `text`; 1 if it is the mark of a lifetime.
fn character(text: &str) -> usize {
    let body = &text[1..];
    if body.starts_with('\\') {
        return body.bytes().skip(2).position(|byte| byte == b'\'').map_or(text.len(), |end| end + 4);
    }
    let size = body.chars().next().map_or(0, char::len_utf8);
    if body[size..].starts_with('\'') { size + 2 } else { 1 }
}
