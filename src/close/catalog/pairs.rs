//! Pairs of codes that people take for each other.

use crate::close::CloseCode;

/// The difference between two codes.
#[derive(Debug)]
pub struct Pair {
    /// The two codes, the lower first.
    pub codes: (u16, u16),
    /// The difference in meaning.
    pub difference: &'static str,
    /// Which of them to use when; for derived codes, which of them points where.
    pub choice: &'static str,
}

/// Every pair, in order.
pub const PAIRS: &[Pair] = &[
    Pair {
        codes: (1000, 1001),
        difference: "1000 says that the session has done its work. 1001 says that the sender itself goes away: a tab that is \
                     closed, a server that stops.",
        choice: "Send 1000 at a logout or the end of a job. Send 1001 where the other peer did nothing to end it and may want \
                 to come back.",
    },
    Pair {
        codes: (1000, 1005),
        difference: "Both are orderly. 1000 was in the Close; 1005 is reported for a Close that carried no code.",
        choice: "Pass a code to close(), so that logs can tell a normal end from one that nobody explained.",
    },
    Pair {
        codes: (1000, 1006),
        difference: "1000 was sent by the other peer. 1006 was sent by nobody: the connection ended without a Close.",
        choice: "Alert on 1006 by cause and initiator; 1000 needs no alert. If one side reports 1000 and the other 1006, the \
                 Close reached only one of them.",
    },
    Pair {
        codes: (1001, 1006),
        difference: "With 1001 the peer said that it leaves. With 1006 it left, or was cut off, without a word.",
        choice: "A server that stops should send 1001 or 1012 to every client: without it each of them reports 1006.",
    },
    Pair {
        codes: (1001, 1012),
        difference: "1001 says that this endpoint goes away. 1012 says that the service restarts, and that clients may \
                     reconnect after a random delay of 5 to 30 seconds.",
        choice: "Send 1012 in a deployment if all clients know it (.NET before 8 does not), else 1001.",
    },
    Pair {
        codes: (1002, 1007),
        difference: "1002 objects to a frame: masking, bits, order. 1007 objects to the content of a message: text that is not \
                     UTF-8, data that does not inflate.",
        choice: "For 1002 look for a hop that alters frames. For 1007 look at how the sender encodes. Chromium sends 1002 for \
                 both.",
    },
    Pair {
        codes: (1005, 1006),
        difference: "1005: a Close came, without a code. 1006: no Close came. Neither is ever in a frame; each endpoint derives \
                     it.",
        choice: "1005 is an orderly end: a browser's close() without arguments, Socket.IO. 1006 is a lost connection: look at \
                 cause, initiator and idle_ms.",
    },
    Pair {
        codes: (1006, 1011),
        difference: "1006: the connection ended without a Close, so nobody said why. 1011: the sender failed, and said so.",
        choice: "1006 from the upstream points to a crash, a kill or a box on the way; 1011 to an exception or, with \
                 \"keepalive ping timeout\", to a peer that did not answer.",
    },
    Pair {
        codes: (1006, 1015),
        difference: "1015 is for a TLS handshake that failed: there was no session. Browsers report 1006 for it as well.",
        choice: "closewatch counts a failed TLS handshake under handshakes, outcome tls_failed, never under closes.",
    },
    Pair {
        codes: (1008, 1009),
        difference: "1008 refuses for a rule that it need not name. 1009 refuses a message for its size alone.",
        choice: "Send 1009 for size, so that clients can split; 1008 for authentication, origin or quotas.",
    },
    Pair {
        codes: (1008, 3000),
        difference: "1008 is any violation of a policy. 3000 says that the client is not authenticated.",
        choice: "Use 3000 (or an application code such as 4401) where the client should get a new token and come back.",
    },
    Pair {
        codes: (1011, 1012),
        difference: "1011 is a failure that nobody planned. 1012 is a restart that somebody did.",
        choice: "A server that stops on purpose sends 1012 or 1001, so that 1011 keeps its meaning: a bug or a failed \
                 dependency.",
    },
    Pair {
        codes: (1011, 1014),
        difference: "1011: the sender itself failed. 1014: the sender is a gateway, and the server behind it failed.",
        choice: "For 1014 look one hop further back. Several libraries do not know 1014 and report a protocol error.",
    },
    Pair {
        codes: (1012, 1013),
        difference: "1012 invites clients to reconnect soon. 1013 asks them to stay away from this address.",
        choice: "Send 1012 in a restart, 1013 only under overload.",
    },
    Pair {
        codes: (3000, 3003),
        difference: "3000: it is not known who the client is (HTTP 401). 3003: it is known, and may not do this (HTTP 403).",
        choice: "After 3000 a client renews its token; after 3003 reconnecting does not help.",
    },
];

/// The difference between two codes, in whichever order, if it is one that people ask for.
pub fn pair(one: CloseCode, other: CloseCode) -> Option<&'static Pair> {
    let codes = (one.0.min(other.0), one.0.max(other.0));
    PAIRS.iter().find(|pair| pair.codes == codes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_in_order_and_found_in_either_order() {
        assert!(PAIRS.is_sorted_by(|a, b| a.codes < b.codes));
        for Pair { codes: (low, high), difference, choice } in PAIRS {
            assert!(low < high);
            let found = pair(CloseCode(*high), CloseCode(*low)).unwrap();
            assert_eq!(found.codes, (*low, *high));
            for text in [difference, choice] {
                assert!(text.ends_with('.') && !text.contains("  "), "{low} {high}: {text:?}");
                assert!([difference, choice].iter().any(|text| text.contains(&low.to_string())));
            }
        }
        assert!(pair(CloseCode(1000), CloseCode(4999)).is_none());
    }
}
