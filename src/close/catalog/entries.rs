//! The table: every close code, what it says, and what to do.
//!
//! Names are IANA's, abbreviations spelt out where they hide the sense. The texts are read at three in the morning
//! by `closewatch explain`: one to three sentences each, in plain words, with the field of the record to look at.

use super::entry::{Codes, Entry};
use crate::close::Class;

/// Every code, in order: 0 to 65535 without gap or overlap.
pub const ENTRIES: &[Entry] = &[
    Entry {
        code: Codes::range(0, 999),
        name: "Not Used",
        registered: false,
        on_wire: false,
        sent_by: "Applications with a bug, often one that passes an HTTP status such as 404 as the close code.",
        meaning: "Nothing: RFC 6455 leaves these numbers unused, and they must not be in a Close.",
        seen_when: "node ws, python websockets, gorilla and tungstenite answer 1002; Chromium accepts it.",
        action: "Fix the sender: for a meaning of the application's own use 4000-4999.",
        class: Class::Protocol,
    },
    Entry {
        code: Codes::one(1000),
        name: "Normal Closure",
        registered: true,
        on_wire: true,
        sent_by: "Either peer. SignalR servers answer with it whatever code the client sent.",
        meaning: "The connection has done what it was opened for.",
        seen_when: "Logout, the end of a job, close(1000). Some failures wear it too: phoenix.js closes with the reason \
                    \"heartbeat timeout\".",
        action: "None. If sessions end sooner than they should, read the reason.",
        class: Class::Clean,
    },
    Entry {
        code: Codes::one(1001),
        name: "Going Away",
        registered: true,
        on_wire: true,
        sent_by: "Browsers whose page is being left. Servers that stop (python websockets, Jetty), Jetty and Tomcat for \
                  idle sessions, Phoenix on a broadcast disconnect, and closewatch when it drains.",
        meaning: "The sender is leaving. From the upstream it is planned; from the client, or from both at once, it is \
                  clean.",
        seen_when: "A tab is closed or navigates, a server is deployed or scaled down, a server's idle limit strikes.",
        action: "From clients: none. From the upstream outside a deployment: look for restarts, evictions and idle limits.",
        class: Class::Planned,
    },
    Entry {
        code: Codes::one(1002),
        name: "Protocol error",
        registered: true,
        on_wire: true,
        sent_by: "A peer that was sent something it must not accept. gorilla and tungstenite also answer it to a Close \
                  with 1014, and Chromium sends it for invalid UTF-8.",
        meaning: "The sender says that the other peer broke the WebSocket protocol.",
        seen_when: "Wrong masking or RSV bits, a hop that alters frames, an extension that only one peer uses, an illegal \
                    close code. As the second Close it only says that the first one was not liked.",
        action: "Look at the violations that the record counts for the other peer. If there are none, suspect the \
                 sender's library, or a hop between it and closewatch.",
        class: Class::Protocol,
    },
    Entry {
        code: Codes::one(1003),
        name: "Unsupported Data",
        registered: true,
        on_wire: true,
        sent_by: "Mostly servers.",
        meaning: "The sender got a type of message that it does not take, such as binary where it only reads text.",
        seen_when: "Client and server of different versions, or the wrong endpoint or subprotocol.",
        action: "Compare the other peer's text and binary message counts with what the endpoint takes.",
        class: Class::Protocol,
    },
    Entry {
        code: Codes::one(1004),
        name: "Reserved",
        registered: true,
        on_wire: false,
        sent_by: "Applications with a bug.",
        meaning: "Nothing: it is reserved and has no meaning yet. It does not mean that a frame was too large, as some \
                  old lists say; that is 1009.",
        seen_when: "Hardly ever. Most libraries answer 1002.",
        action: "Fix the sender: for a meaning of the application's own use 4000-4999.",
        class: Class::Protocol,
    },
    Entry {
        code: Codes::one(1005),
        name: "No Status Rcvd",
        registered: true,
        on_wire: false,
        sent_by: "Nobody: the receiver derives it from a Close with an empty body. Browsers send that for close() without \
                  arguments, and Socket.IO and Engine.IO always do.",
        meaning: "A Close was received, and it carried no code. The end was orderly, with the reason left out: the \
                  connection was not lost, that is 1006.",
        seen_when: "An application calls close() without a code. If a peer writes the number 1005 into a frame, \
                    closewatch labels that close invalid.",
        action: "None. If the reasons matter, let the application pass a code.",
        class: Class::Clean,
    },
    Entry {
        code: Codes::one(1006),
        name: "Abnormal Closure",
        registered: true,
        on_wire: false,
        sent_by: "Nobody: it is derived when a connection ends without a Close from the other peer.",
        meaning: "The transport ended before any Close.",
        seen_when: "A crash or kill, terminate() in node ws, a lost network, a sleeping phone, an idle timeout on the way \
                    (nginx and AWS ALB 60 s, Cloudflare 100 s, AWS NLB 350 s). Browsers also report 1006 for a handshake \
                    that failed; closewatch counts those as handshakes, not closes.",
        action: "Read cause and initiator: an end by the upstream points to a crash, a restart or an idle limit; an end by \
                 the client to its network or device. If idle_ms is near a round number in many records, ping more often \
                 than that.",
        class: Class::Abnormal,
    },
    Entry {
        code: Codes::one(1007),
        name: "Invalid frame payload data",
        registered: true,
        on_wire: true,
        sent_by: "The receiver of the message: node ws, python websockets, uvicorn. Chromium sends 1002 instead.",
        meaning: "The content of a message does not fit its type: invalid UTF-8 in text, or compressed data that does not \
                  inflate.",
        seen_when: "Binary data sent as text, text cut inside a character, two peers that disagree about \
                    permessage-deflate. Also for a Close reason that is not UTF-8.",
        action: "Fix how the other peer encodes, or switch compression off to see whether it is the cause.",
        class: Class::Protocol,
    },
    Entry {
        code: Codes::one(1008),
        name: "Policy Violation",
        registered: true,
        on_wire: true,
        sent_by: "Mostly servers: authentication, origin checks, quotas. node ws sends it for a message in too many \
                  fragments.",
        meaning: "The sender refuses what the other peer did, and no other code fits, or it does not care to say more.",
        seen_when: "An expired token, a wrong origin, a rate limit.",
        action: "Read the reason, then the sender's authentication and limits. A sudden rise is often an expired key.",
        class: Class::Policy,
    },
    Entry {
        code: Codes::one(1009),
        name: "Message Too Big",
        registered: true,
        on_wire: true,
        sent_by: "The receiver of the message: node ws (100 MiB unless set), python websockets (1 MiB unless set), gorilla \
                  (if a limit is set).",
        meaning: "A message was larger than the sender of this code accepts.",
        seen_when: "A snapshot or upload that grew, or a limit that is smaller on one side. With compression the limit is \
                    on the inflated size, which closewatch does not see.",
        action: "Send smaller messages, or raise the limit: maxPayload (ws), max_size (websockets), SetReadLimit (gorilla).",
        class: Class::Policy,
    },
    Entry {
        code: Codes::one(1010),
        name: "Mandatory Extension",
        registered: true,
        on_wire: true,
        sent_by: "Clients only; a server refuses the handshake instead.",
        meaning: "The client needs an extension that the server did not agree to. The reason should name it.",
        seen_when: "Rare. A server without the extension, or a hop that removes Sec-WebSocket-Extensions.",
        action: "Compare the extensions in the record with what the client requires, hop by hop.",
        class: Class::Protocol,
    },
    Entry {
        code: Codes::one(1011),
        name: "Internal Error",
        registered: true,
        on_wire: true,
        sent_by: "Mostly servers, on an exception in the handler (python websockets and others). python websockets on \
                  either side sends it with the reason \"keepalive ping timeout\" when no pong came.",
        meaning: "The sender met a condition that it did not expect, and gave up.",
        seen_when: "A bug or a failed dependency. With \"keepalive ping timeout\" the other peer is gone or stuck (cause \
                    client_unresponsive or upstream_unresponsive), or the sender itself was too busy to read the pong.",
        action: "Read the sender's log at ended_at. With \"keepalive ping timeout\" look at the other peer's last_frame_at_ms \
                 and unanswered_pings, and at what blocks the sender.",
        class: Class::Abnormal,
    },
    Entry {
        code: Codes::one(1012),
        name: "Service Restart",
        registered: true,
        on_wire: true,
        sent_by: "Servers: uvicorn when it shuts down, Phoenix when it drains its sockets.",
        meaning: "The service restarts. Clients may reconnect, after a random delay of 5 to 30 seconds.",
        seen_when: "Deployments and restarts. .NET before 8 does not know the code and fails the connection.",
        action: "Expected in a deployment. Check that clients reconnect, and not all in the same second.",
        class: Class::Planned,
    },
    Entry {
        code: Codes::one(1013),
        name: "Try Again Later",
        registered: true,
        on_wire: true,
        sent_by: "Servers under load.",
        meaning: "The service is overloaded. Clients should go to another address, or come back when the user asks.",
        seen_when: "Load shedding, connection limits. .NET before 8 does not know the code and fails the connection.",
        action: "Add capacity or shed load earlier, and check that clients wait before they reconnect.",
        class: Class::Overload,
    },
    Entry {
        code: Codes::one(1014),
        name: "Bad Gateway",
        registered: true,
        on_wire: true,
        sent_by: "Gateways and proxies.",
        meaning: "A gateway got an invalid response from the server behind it, like HTTP 502.",
        seen_when: "The server behind a gateway failed. gorilla, tungstenite, older Boost.Beast and .NET before 8 do not \
                    know the code and treat it as a protocol error, so the two sides can see different codes.",
        action: "Look at the server behind the gateway that sent it.",
        class: Class::Abnormal,
    },
    Entry {
        code: Codes::one(1015),
        name: "TLS handshake",
        registered: true,
        on_wire: false,
        sent_by: "Nobody: some libraries report it to their own application. Browsers do not, they say 1006.",
        meaning: "The TLS handshake failed, so there was never a WebSocket connection. It must not be in a Close.",
        seen_when: "In a client's log, with no session in closewatch. If a peer writes it into a frame, that is a bug.",
        action: "From a client's log: check certificate, server name and TLS versions. In a Close: fix the sender.",
        class: Class::Protocol,
    },
    Entry {
        code: Codes::range(1016, 2999),
        name: "Unassigned",
        registered: false,
        on_wire: false,
        sent_by: "Applications that chose a number for themselves.",
        meaning: "Nothing: these numbers belong to the protocol and its extensions, and none is assigned yet.",
        seen_when: "node ws, python websockets, gorilla and tungstenite answer 1002; Chromium accepts it.",
        action: "Fix the sender: for a meaning of the application's own use 4000-4999.",
        class: Class::Protocol,
    },
    Entry {
        code: Codes::one(3000),
        name: "Unauthorized",
        registered: true,
        on_wire: true,
        sent_by: "Servers of applications. Centrifugo has its own use for the number: \"connection closed\".",
        meaning: "The client is not authenticated, like HTTP 401.",
        seen_when: "A token is missing, wrong or has expired while the session was open.",
        action: "Check how the client gets and renews its token. For Centrifugo use the preset centrifugo.",
        class: Class::Policy,
    },
    library(3001, 3002),
    Entry {
        code: Codes::one(3003),
        name: "Forbidden",
        registered: true,
        on_wire: true,
        sent_by: "Servers of applications.",
        meaning: "The client is known, and may not do this, like HTTP 403.",
        seen_when: "Missing permissions, or permissions that were withdrawn while the session was open.",
        action: "Check the permissions of this client. Reconnecting does not help.",
        class: Class::Policy,
    },
    library(3004, 3007),
    Entry {
        code: Codes::one(3008),
        name: "Timeout",
        registered: true,
        on_wire: true,
        sent_by: "Servers of applications. Centrifugo has its own use for the number: a client that reads too slowly.",
        meaning: "Something took too long, like HTTP 408.",
        seen_when: "A peer did not send what the other waited for. What that was, only the application knows.",
        action: "Read the reason, and compare duration_ms and idle_ms with the application's timeouts. For Centrifugo use \
                 the preset centrifugo.",
        class: Class::Application,
    },
    library(3009, 3999),
    Entry {
        code: Codes::range(4000, 4999),
        name: "Private Use",
        registered: false,
        on_wire: true,
        sent_by: "Applications, by their own agreement: graphql-ws (44xx), Discord (4000-4014), Spring (4500) and many \
                  more. The same number means different things to different applications.",
        meaning: "What client and server agreed on.",
        seen_when: "Often authentication, limits or versions; many applications put a 4 before an HTTP status (4401, 4404).",
        action: "Look it up in the application's documentation. Then name it in the configuration, or use a preset, so \
                 that it gets a label and a class of its own.",
        class: Class::Application,
    },
    Entry {
        code: Codes::range(5000, u16::MAX),
        name: "Out of Range",
        registered: false,
        on_wire: false,
        sent_by: "Applications with a bug.",
        meaning: "Nothing: RFC 6455 defines no codes from 5000 on.",
        seen_when: "node ws, python websockets, gorilla and tungstenite answer 1002; Chromium accepts it.",
        action: "Fix the sender: for a meaning of the application's own use 4000-4999.",
        class: Class::Protocol,
    },
];

/// 3000-3999 is IANA's to register, first come, first served. The registry is longer lived than this table, so the
/// text does not claim that the code is *un*registered.
pub(super) const fn library(first: u16, last: u16) -> Entry {
    Entry {
        code: Codes::range(first, last),
        name: "Library or Framework",
        registered: false,
        on_wire: true,
        sent_by: "Libraries and frameworks, Centrifugo above all: 3001-3014, after which its clients reconnect, and \
                  3500-3509, after which they do not.",
        meaning: "What that library says. The range is for registration with IANA, but many use it without.",
        seen_when: "The library ends the session for a reason of its own, such as a shutdown, an expired token or a slow \
                    reader.",
        action: "Look it up in the library's documentation, at iana.org/assignments/websocket, or use a preset such as \
                 centrifugo.",
        class: Class::Application,
    }
}
