//! The reports that the usual APIs give of an ending.
//!
//! Measured, each with a raw server that sent the Close, the FIN or the reset: Chromium 156, node `ws` 8.23, undici 7.30,
//! Python `websockets` 17.4, gorilla/websocket 1.5.0, nhooyr (coder) websocket 1.8.7 and Java 17's `java.net.http`. Other versions
//! and libraries may differ; the sentence about refused upgrades, TLS and DNS is the WHATWG standard's.
//! [`DEVIATIONS`](super::DEVIATIONS) lists the known differences from RFC 6455.

use crate::close::CloseCode;

/// The report that one API gives of each kind of ending. `{code}` stands for the number.
#[derive(Debug)]
pub struct Api {
    /// The language or library, and where it reports.
    pub name: &'static str,
    /// A Close with a code that may be sent.
    received: &'static str,
    /// A Close without a code (1005).
    no_status: &'static str,
    /// No Close (1006).
    no_close: &'static str,
    /// A Close with a code that must not be sent.
    illegal: &'static str,
    /// 1014, which some libraries do not know.
    bad_gateway: &'static str,
}

/// Every API that `explain` speaks of.
pub const APIS: &[Api] = &[
    Api {
        name: "Browser: onclose",
        received: "code {code}, wasClean true",
        no_status: "code 1005, wasClean true",
        no_close: "code 1006, wasClean false, whatever the cause: a lost connection, a refused upgrade, TLS, DNS",
        illegal: "Chromium: code {code}, wasClean true; 1005, 1006 and 1015 in a frame give 1006",
        bad_gateway: "code 1014, wasClean true",
    },
    Api {
        name: "Node ws: 'close'",
        received: "code {code}",
        no_status: "code 1005",
        no_close: "code 1006; 'error' comes before it only if the handshake failed or a frame was invalid",
        illegal: "'error' \"invalid status code {code}\", then code 1006",
        bad_gateway: "code 1014",
    },
    Api {
        name: "Node WebSocket (undici)",
        received: "code {code}, wasClean true",
        no_status: "code 1005, wasClean true",
        no_close: "'error', then code 1006, wasClean false",
        illegal: "'error', then code 1006, wasClean false",
        bad_gateway: "code 1014, wasClean true",
    },
    Api {
        name: "Python websockets",
        received: "ConnectionClosedOK for 1000 and 1001, else ConnectionClosedError; close_code {code}",
        no_status: "ConnectionClosedOK, close_code 1005",
        no_close: "ConnectionClosedError \"no close frame received or sent\", close_code 1006",
        illegal: "ConnectionClosedError \"invalid status code\", close_code 1006",
        bad_gateway: "ConnectionClosedError, close_code 1014",
    },
    Api {
        name: "Go gorilla",
        received: "CloseError with Code {code}",
        no_status: "CloseError with Code 1005",
        no_close: "FIN: CloseError with Code 1006 \"unexpected EOF\"; reset: *net.OpError \"connection reset by peer\"",
        illegal: "a plain error \"bad close code {code}\", no CloseError",
        bad_gateway: "a plain error \"bad close code 1014\", no CloseError",
    },
    Api {
        name: "Go coder/websocket",
        received: "CloseStatus(err) is {code}",
        no_status: "CloseStatus(err) is 1005",
        no_close: "CloseStatus(err) is -1; the error says EOF or \"connection reset by peer\"",
        illegal: "CloseStatus(err) is -1; \"invalid status code\"",
        bad_gateway: "CloseStatus(err) is 1014",
    },
    Api {
        name: "Java java.net.http",
        received: "onClose with {code}",
        no_status: "onClose with 1005",
        no_close: "FIN: onClose with 1006; reset: onError with SocketException \"Connection reset\"",
        illegal: "onError with ProtocolException",
        bad_gateway: "onClose with 1014",
    },
];

// === impl Api ===

impl Api {
    /// The report of an ending with `code`; 1005 and 1006 are the derived ones.
    pub fn reports(&self, code: CloseCode) -> String {
        let text = match code.0 {
            1005 => self.no_status,
            // A handshake that fails in TLS never has a Close.
            1006 | 1015 => self.no_close,
            1014 => self.bad_gateway,
            _ if code.may_be_sent() => self.received,
            _ => self.illegal,
        };
        text.replace("{code}", &code.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reports(api: &str, code: u16) -> String {
        let api = APIS.iter().find(|known| known.name.starts_with(api)).unwrap();
        api.reports(CloseCode(code))
    }

    #[test]
    fn a_code_that_may_be_sent_is_reported_by_its_number() {
        for code in [1000, 1011, 3000, 4999] {
            for api in APIS {
                assert!(api.reports(CloseCode(code)).contains(&code.to_string()), "{} {code}", api.name);
            }
        }
    }

    #[test]
    fn libraries_differ_where_they_were_seen_to_differ() {
        assert_eq!(reports("Go gorilla", 1014), "a plain error \"bad close code 1014\", no CloseError");
        assert_eq!(reports("Java", 1014), "onClose with 1014");
        assert!(reports("Browser", 999).contains("code 999"));
        assert!(reports("Node ws", 999).contains("code 1006"));
        assert_eq!(reports("Browser", 1015), reports("Browser", 1006));
    }
}
