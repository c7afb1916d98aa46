//! Words in close reasons that say why.

use std::sync::LazyLock;

/// A Close's reason, as far as it says why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Says {
    /// A ping was not answered.
    Keepalive,
    /// A heartbeat of the application was not answered.
    Heartbeat,
    /// Something expired: a token, a session, a credential.
    Expired,
    /// A message was too big.
    TooBig,
    /// The reader is too slow.
    Slow,
    /// The decompression failed.
    Compression,
    /// The sender has too much to do.
    Overload,
    /// The sender restarts or goes away.
    Restart,
    /// Nothing was said for too long.
    Idle,
    /// Not allowed: credentials, permissions, rates.
    Refused,
}

/// Words by meaning; the first line that has one of its words in the reason wins.
const WORDS: &[(Says, &[&str])] = &[
    (Says::Keepalive, &["keepalive", "keep-alive", "keep alive", "no pong", "pong timeout", "missed pong"]),
    (
        Says::Heartbeat,
        &["heartbeat", "heart beat", "ping timeout", "pings", "server timeout", "without receiving a message"],
    ),
    (
        Says::Slow,
        &[
            "slow consumer",
            "too slow",
            "slow client",
            "backpressure",
            "back-pressure",
            "send buffer",
            "send queue",
            "write buffer",
            "outbound buffer",
        ],
    ),
    (Says::Compression, &["inflate", "deflate", "decompress", "compress", "zlib"]),
    (Says::TooBig, &["too big", "too large", "message size", "payload size", "exceeds", "max payload"]),
    (Says::Idle, &["idle", "inactiv"]),
    (
        Says::Expired,
        &[
            "expir",
            "no longer valid",
            "token is old",
            "reauthenticate",
            "re-authenticate",
            "token timeout",
            "abgelaufen",
            "caducad",
            "scadut",
            "verlopen",
            "wygas",
            "истек",
            "истёк",
            "süresi dol",
            "期限切れ",
            "期限が切れ",
            "过期",
            "過期",
            "만료",
        ],
    ),
    (
        Says::Overload,
        &[
            "overload",
            "try again later",
            "capacity",
            "too many connections",
            "server busy",
            "server is busy",
            "back off",
        ],
    ),
    (
        Says::Restart,
        &["restart", "shutting down", "shutdown", "deploy", "maintenance", "going away", "draining", "moving"],
    ),
    (
        Says::Refused,
        &[
            "unauthor",
            "forbidden",
            "not allowed",
            "denied",
            "invalid token",
            "bad token",
            "authen",
            "authori",
            "auth ",
            "auth_",
            "auth-",
            "auth:",
            "no auth",
            "bad auth",
            "invalid auth",
            "missing auth",
            "credential",
            "permission",
            "rate limit",
            "policy",
            "quota",
            "banned",
        ],
    ),
];

/// A word, with the number of its line.
type Word = (usize, &'static [u8]);

/// The words by their first byte: a reason is read at the end of a session, in passing.
static BY_FIRST: LazyLock<[Vec<Word>; 256]> = LazyLock::new(|| {
    let mut bytes = std::array::from_fn(|_| vec![]);
    for (line, (_, words)) in WORDS.iter().enumerate() {
        for word in *words {
            bytes[usize::from(word.as_bytes()[0])].push((line, word.as_bytes()));
        }
    }
    bytes
});

/// Reads a reason. Letters beyond ASCII are compared as they are.
pub(super) fn read(reason: &str) -> Option<Says> {
    let reason = reason.as_bytes();
    let mut first = WORDS.len();
    for (at, letters) in reason.array_windows().enumerate() {
        let [letter, next] = letters.map(|letter| letter.to_ascii_lowercase());
        for (line, word) in &BY_FIRST[usize::from(letter)] {
            let here = || reason.get(at..at + word.len()).is_some_and(|here| here.eq_ignore_ascii_case(word));
            if *line < first && word[1] == next && here() {
                first = *line;
            }
        }
    }
    WORDS.get(first).map(|(says, _)| *says)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_of_known_libraries_are_read() {
        for (reason, says) in [
            ("keepalive ping timeout", Some(Says::Keepalive)),
            ("heartbeat timeout", Some(Says::Heartbeat)),
            ("ping timeout", Some(Says::Heartbeat)),
            ("Server timeout (30000.00ms) elapsed without receiving a message from the server.", Some(Says::Heartbeat)),
            ("Token expired", Some(Says::Expired)),
            ("Idle Timeout", Some(Says::Idle)),
            ("slow consumer", Some(Says::Slow)),
            ("frame exceeds limit of 1048576 bytes", Some(Says::TooBig)),
            ("Service Restart", Some(Says::Restart)),
            ("Ihre Sitzung ist abgelaufen", Some(Says::Expired)),
            ("トークンの有効期限が切れました", Some(Says::Expired)),
            ("Срок действия токена истек", Some(Says::Expired)),
            ("Unauthorized", Some(Says::Refused)),
            ("auth failed", Some(Says::Refused)),
            ("the author left", None),
            ("kicked by a moderator", None),
            ("bye", None),
            ("", None),
        ] {
            assert_eq!(read(reason), says, "{reason}");
        }
    }
}
