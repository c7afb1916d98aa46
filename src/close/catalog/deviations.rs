//! Where a library reports another code than RFC 6455 §7.1.5 gives it.
//!
//! A record's `saw` is what the standard derives for each endpoint from the bytes it was given. An application's log
//! holds what its library made of them. These are the known differences, each from the library's source or measured
//! with it; the integration tests against real libraries assert them by id, so a release that changes one is noticed.
//!
//! An endpoint may *fail* a connection whose Close it cannot accept (§7.1.7), and most here do just that. That is not
//! the deviation; what they then report is. Leniency is none either: Chromium accepts 999 or 5000 and reports it, as
//! §7.1.5 says. Nor are codes chosen badly, such as phoenix.js closing with 1000 on a missed heartbeat: both sides report
//! what was on the wire.

/// One known difference between a library's report and RFC 6455.
#[derive(Debug)]
pub struct Deviation {
    /// Its name, in kebab-case.
    pub id: &'static str,
    /// The library or product.
    pub stack: &'static str,
    /// The versions it was seen in.
    pub versions: &'static str,
    /// The library's behaviour, and the code that its application sees.
    pub behaviour: &'static str,
    /// The code that RFC 6455 gives that endpoint instead.
    pub expected: &'static str,
    /// The section of RFC 6455 that says so.
    pub section: &'static str,
    /// Where in the library it can be read.
    pub source: &'static str,
}

/// Every known deviation.
pub const DEVIATIONS: &[Deviation] = &[
    Deviation {
        id: "aiohttp-empty-close-as-1006",
        stack: "aiohttp client",
        versions: "measured with 3.14.5",
        behaviour: "A Close without a code is taken for no Close: having answered it, the client waits for another \
                    until the end of the connection, and close_code is 1006.",
        expected: "1005: a Close without a code was received.",
        section: "7.1.5",
        source: "aiohttp/client_ws.py, receive and close, which take code 0 for none",
    },
    Deviation {
        id: "beast-1014-as-error",
        stack: "Boost.Beast",
        versions: "before the fix of June 2026",
        behaviour: "A Close with 1014 fails the connection with 1002, and the read ends with error::bad_close_code. The \
                    application gets no code.",
        expected: "1014, the code of the first Close received. It is registered and may be sent.",
        section: "7.1.5",
        source: "boost/beast/websocket/detail/frame.hpp, is_valid_close_code",
    },
    Deviation {
        id: "bun-own-close-as-received",
        stack: "bun server",
        versions: "measured with 1.4.5",
        behaviour: "Behind its own Close a server ends the connection at once, and its close handler is given the \
                    code and reason it has sent itself.",
        expected: "The code of the Close that the peer answers with, or 1006 if none comes: a code that one has \
                    sent is never one's own close code.",
        section: "7.1.5",
        source: "Bun.serve, websocket.close",
    },
    Deviation {
        id: "chromium-reserved-code-as-1006",
        stack: "Chromium",
        versions: "all known, from source",
        behaviour: "A Close with 1005, 1006 or 1015 in its body fails the connection: 1002 goes to the peer, and the \
                    script gets 1006.",
        expected: "The number in the first Close received, however illegal.",
        section: "7.1.5",
        source: "net/websockets/websocket_channel.cc, ParseClose and FailChannel",
    },
    Deviation {
        id: "chromium-second-close-as-1006",
        stack: "Chromium",
        versions: "all known, from source",
        behaviour: "A second Close, or any frame after the first, fails the connection (\"Close received after close\"): \
                    the script gets 1006 although a Close with a code had come.",
        expected: "The code of the first Close received.",
        section: "7.1.5",
        source: "net/websockets/websocket_channel.cc, HandleFrame and FailChannel",
    },
    Deviation {
        id: "dotnet-1012-1013-1014-as-error",
        stack: ".NET ClientWebSocket and Kestrel (ManagedWebSocket)",
        versions: "before .NET 8",
        behaviour: "A Close with 1012, 1013 or 1014 is a protocol error: 1002 goes to the peer, the receive call throws \
                    and the socket is Aborted. The application gets no code.",
        expected: "1012, 1013 or 1014, the code of the first Close received. They are registered and may be sent.",
        section: "7.1.5",
        source: "System.Net.WebSockets/ManagedWebSocket.cs, IsValidCloseStatus",
    },
    Deviation {
        id: "gorilla-illegal-code-as-error",
        stack: "gorilla/websocket",
        versions: "all known, from source",
        behaviour: "A Close with 1014, or with a code that is illegal on the wire, is answered with 1002 \"bad close code\", \
                    and the read returns a plain error instead of a CloseError. The application gets no code.",
        expected: "The number in the first Close received: 1014 is registered and may be sent, the others are reported \
                   as they are.",
        section: "7.1.5",
        source: "conn.go, validReceivedCloseCodes and advanceFrame",
    },
    Deviation {
        id: "gorilla-one-byte-close-as-1005",
        stack: "gorilla/websocket",
        versions: "all known, from source",
        behaviour: "A Close with a body of one byte is taken for one without a code: the application gets 1005, and an \
                    empty Close goes back.",
        expected: "No code: a body begins with two bytes of code, so the frame is malformed and fails the connection.",
        section: "5.5.1",
        source: "conn.go, advanceFrame",
    },
    Deviation {
        id: "graphql-ws-terminate-as-4499",
        stack: "graphql-ws client",
        versions: "5.7 and later",
        behaviour: "terminate() sends a Close with 4499 and reports 4499 to its own application at once, without waiting \
                    for the server's Close or for the end of the connection.",
        expected: "The code of the Close received from the server, or 1006 if none comes: a code that one has sent is \
                   never one's own close code.",
        section: "7.1.5",
        source: "src/client.ts, TerminatedCloseEvent",
    },
    Deviation {
        id: "hypercorn-close-as-1006",
        stack: "hypercorn",
        versions: "measured with 0.18.0",
        behaviour: "Whatever code a client closes with, it is answered rightly, and websocket.disconnect has 1006.",
        expected: "The code of the first Close received.",
        section: "7.1.5",
        source: "hypercorn/protocol/ws_stream.py, handle of StreamClosed",
    },
    Deviation {
        id: "hypercorn-own-close-as-1000",
        stack: "hypercorn",
        versions: "measured with 0.18.0",
        behaviour: "When the application has closed the session, websocket.disconnect has 1000, whatever code was \
                    sent or answered.",
        expected: "The code of the Close that the client answers with, usually the one sent; 1006 if none comes.",
        section: "7.1.5",
        source: "hypercorn/protocol/ws_stream.py, handle of StreamClosed",
    },
    Deviation {
        id: "mojolicious-own-close-as-received",
        stack: "Mojolicious",
        versions: "measured with 9.31",
        behaviour: "Behind its own Close an endpoint ends the connection without waiting for the answer, and finish \
                    is given the code and reason it has sent itself.",
        expected: "The code of the Close that the peer answers with, or 1006 if none comes: a code that one has \
                    sent is never one's own close code.",
        section: "7.1.5",
        source: "Mojo/Transaction/WebSocket.pm, finish and closed",
    },
    Deviation {
        id: "python-websockets-illegal-code-as-1006",
        stack: "python websockets",
        versions: "measured with 17.4",
        behaviour: "A Close with a code that is illegal on the wire is answered with 1002 \"invalid status code\", and \
                    close_code is 1006, as if no Close had come.",
        expected: "The number in the first Close received, however illegal.",
        section: "7.1.5",
        source: "websockets/frames.py, Close.check; websockets/protocol.py, close_code",
    },
    Deviation {
        id: "tomcat-idle-timeout-as-1006",
        stack: "Apache Tomcat",
        versions: "all known, from source",
        behaviour: "A session that was idle for too long is closed with 1001 on the wire, while the local endpoint is \
                    told 1006.",
        expected: "The code of the Close that the client answers with, usually 1001; 1006 only if none comes.",
        section: "7.1.5",
        source: "org/apache/tomcat/websocket/WsSession.java, checkExpiration",
    },
    Deviation {
        id: "tungstenite-1014-as-1002",
        stack: "tungstenite (tokio-tungstenite, axum)",
        versions: "up to 0.30",
        behaviour: "There is no 1014 in its CloseCode. A peer that closes with it is answered with 1002 \"Protocol \
                    violation\", and the application is given that 1002 as the code received.",
        expected: "1014, the code of the first Close received. It is registered and may be sent.",
        section: "7.1.5",
        source: "protocol/mod.rs, do_close; protocol/frame/coding.rs, CloseCode",
    },
    Deviation {
        id: "tungstenite-illegal-code-as-1002",
        stack: "tungstenite (tokio-tungstenite, axum)",
        versions: "up to 0.30",
        behaviour: "A peer that closes with a code that is illegal on the wire is answered with 1002 \"Protocol violation\", \
                    and the application is given that 1002 as the code received. As an answer to its own Close it reports \
                    the number as it is.",
        expected: "The number in the first Close received, however illegal.",
        section: "7.1.5",
        source: "protocol/mod.rs, do_close",
    },
    Deviation {
        id: "ws-illegal-code-as-1006",
        stack: "node ws",
        versions: "all known, measured with 8.23.0",
        behaviour: "A Close with a code that is illegal on the wire is answered with 1002. The application gets an error \
                    event, then close with 1006, as if no Close had come.",
        expected: "The number in the first Close received, however illegal.",
        section: "7.1.5",
        source: "lib/receiver.js, controlMessage; lib/websocket.js, receiverOnError",
    },
];

/// The deviation of that id.
pub fn deviation(id: &str) -> Option<&'static Deviation> {
    DEVIATIONS.iter().find(|deviation| deviation.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deviations_are_found_by_id() {
        for known in DEVIATIONS {
            assert_eq!(deviation(known.id).map(|found| found.id), Some(known.id));
        }
        assert!(deviation("ws").is_none());
    }

    #[test]
    fn ids_are_kebab_case_unique_and_in_order() {
        assert!(DEVIATIONS.is_sorted_by(|a, b| a.id < b.id));
        for Deviation { id, .. } in DEVIATIONS {
            let words = id.split('-');
            let kebab = |word: &str| {
                !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
            };
            assert!(words.into_iter().all(kebab), "{id}");
        }
    }

    #[test]
    fn each_says_what_happens_what_should_and_where_it_is_written() {
        for Deviation { id, stack, versions, behaviour, expected, section, source } in DEVIATIONS {
            for text in [stack, versions, source] {
                assert!(!text.is_empty() && !text.ends_with('.'), "{id}: {text:?}");
            }
            for text in [behaviour, expected] {
                assert!(text.ends_with('.') && text.len() <= 300 && !text.contains("  "), "{id}: {text:?}");
            }
            assert!(section.split('.').all(|part| part.parse::<u8>().is_ok()), "{id}: {section:?}");
        }
    }
}
