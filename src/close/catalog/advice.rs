//! Advice about a code, for the authors of the client and of the server. [`Entry`](super::Entry) has it for the operator.

use super::entry::Codes;
use crate::close::CloseCode;

/// Advice for the authors of both ends.
#[derive(Debug)]
pub struct Advice {
    /// The codes that it is for.
    pub codes: Codes,
    /// For the client.
    pub client: &'static str,
    /// For the server.
    pub server: &'static str,
}

const UNUSABLE: &str = "Never send it. If your library lets you, check the code before: 1000, or 3000 to 4999.";

/// Advice for 0 to 65535, in order, without gap or overlap.
const ADVICE: &[Advice] = &[
    Advice { codes: Codes::range(0, 999), client: UNUSABLE, server: UNUSABLE },
    one(
        1000,
        "Do not reconnect on your own, unless the reason says that something failed.",
        "Send it when the session has done its work.",
    ),
    one(
        1001,
        "Reconnect after a random delay. Browsers send it themselves when a page is left.",
        "Send it to every client before you stop, or use 1012.",
    ),
    one(
        1002,
        "Do not reconnect at once: the same frames will fail again. Compare the negotiated extensions.",
        "Log which frame you objected to.",
    ),
    one(1003, "Send the type of message that this endpoint takes.", "Say in the reason which type you take."),
    one(1004, UNUSABLE, UNUSABLE),
    one(
        1005,
        "Pass a code to close(): close(1000) costs nothing, and tells a logout from a lost interest.",
        "Treat it as an orderly end. Pass a code when you close.",
    ),
    one(
        1006,
        "Reconnect with exponential back-off and jitter. Ping, or have the server ping, more often than the shortest idle \
         timeout on the way.",
        "Ping every 20 to 30 s. Close with 1001 or 1012 before the process exits, so that clients know why.",
    ),
    one(
        1007,
        "Encode text as UTF-8. Try without permessage-deflate.",
        "Encode text as UTF-8, and do not cut inside a character when you split.",
    ),
    one(
        1008,
        "Do not reconnect with the same credentials: renew them first.",
        "Say in the reason what was violated, or use a code of your own in 4000-4999.",
    ),
    one(1009, "Split the message, or ask for a larger limit.", "Document the limit, and set it on purpose."),
    one(1010, "Name the extension in the reason.", "Accept the extension, or refuse the handshake."),
    one(
        1011,
        "Reconnect with back-off. If you sent it, log the exception.",
        "Catch the exception in the handler and log it with the session. Keep the event loop free, so that pongs are sent.",
    ),
    one(
        1012,
        "Reconnect after a random delay of 5 to 30 s.",
        "Send it to all clients in a restart, spread over some seconds.",
    ),
    one(
        1013,
        "Stay away: use another address, or wait for the user.",
        "Send it while you are overloaded, not in a restart.",
    ),
    one(1014, "Reconnect with back-off.", "Send it only as a gateway; not all clients know it, 1011 is safer."),
    one(1015, "Check certificate, server name and clock of the device.", UNUSABLE),
    Advice { codes: Codes::range(1016, 2999), client: UNUSABLE, server: UNUSABLE },
    one(
        3000,
        "Get a new token, then reconnect.",
        "Send it before the token expires only if the client cannot renew it.",
    ),
    library(3001, 3002),
    one(3003, "Do not reconnect: it will be refused again.", "Send it where a new token would not help."),
    library(3004, 3007),
    one(3008, "Reconnect with back-off.", "Say in the reason what you waited for."),
    library(3009, 3999),
    Advice {
        codes: Codes::range(4000, 4999),
        client: "Decide code by code whether a reconnect can help, and document it.",
        server: "Document each code, and whether clients should come back.",
    },
    Advice { codes: Codes::range(5000, u16::MAX), client: UNUSABLE, server: UNUSABLE },
];

const fn one(code: u16, client: &'static str, server: &'static str) -> Advice {
    Advice { codes: Codes::one(code), client, server }
}

const fn library(first: u16, last: u16) -> Advice {
    Advice {
        codes: Codes::range(first, last),
        client: "Follow the library's rule for reconnecting; Centrifugo's clients come back after 3000 to 3499 only.",
        server: "Use the library's codes as it documents them, and 4000-4999 for your own.",
    }
}

/// The advice for `code`.
pub fn advice(code: CloseCode) -> &'static Advice {
    // In bounds: the last advice ends at 65535, and a test walks through all codes.
    &ADVICE[ADVICE.partition_point(|advice| advice.codes.last() < code)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_the_one_advice_that_contains_it() {
        for code in (0..=u16::MAX).map(CloseCode) {
            assert!(advice(code).codes.contains(code), "{code}");
            assert_eq!(ADVICE.iter().filter(|advice| advice.codes.contains(code)).count(), 1, "{code}");
        }
    }

    #[test]
    fn texts_are_whole_sentences() {
        for Advice { codes, client, server } in ADVICE {
            for text in [client, server] {
                assert!(text.ends_with('.') && text.len() <= 300 && !text.contains("  "), "{codes}: {text:?}");
            }
        }
    }
}
