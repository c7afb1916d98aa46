//! How well-known products use the codes below 3000: they have no codes of their own there, and so no preset.
//!
//! Sources: the code of phoenix.js 1.8 and Phoenix, of ASP.NET Core's SignalR, of Engine.IO, and of RabbitMQ 3.13's
//! `rabbitmq_web_mqtt`. mosquitto 2.0.11 on libwebsockets 4.1 was measured with a raw client: a DISCONNECT, a first packet that is no
//! CONNECT, a session taken over, a malformed packet, a text message, an expired keep-alive and SIGTERM all end in a bare FIN.

use crate::close::CloseCode;

/// A product, and its use of codes.
#[derive(Debug)]
struct Product {
    /// Its name.
    name: &'static str,
    /// Codes, each with what it says there.
    uses: &'static [(CloseCode, &'static str)],
}

const PRODUCTS: &[Product] = &[
    Product {
        name: "Phoenix",
        uses: &[
            (
                CloseCode(1000),
                "phoenix.js closes with it, and the reason \"heartbeat timeout\", when the server left a heartbeat unanswered: a \
                 failure. It does not come back by itself after a server's 1000.",
            ),
            (CloseCode(1001), "The application has broadcast \"disconnect\" to the socket. phoenix.js comes back."),
            (CloseCode(1005), "disconnect() of phoenix.js without a code."),
            (CloseCode(1012), "The server drains its sockets before it stops. phoenix.js comes back."),
        ],
    },
    Product {
        name: "SignalR",
        uses: &[
            (CloseCode(1000), "ASP.NET Core ends connections with it, and answers any code of a client with it."),
            (CloseCode(1006), "ASP.NET Core cuts a client that has not answered its Close within CloseTimeout."),
            (CloseCode(1011), "ASP.NET Core ends a connection with it when the hub's connection failed."),
        ],
    },
    Product {
        name: "Socket.IO",
        uses: &[(
            CloseCode(1005),
            "Every end that either side chooses, a missed ping included, is a Close without a code. The reason (\"ping \
             timeout\", \"server shutting down\") is in its own API only.",
        )],
    },
    Product {
        name: "mosquitto",
        uses: &[(
            CloseCode(1006),
            "This MQTT broker sends no Close of its own (2.0): a client's DISCONNECT, a session taken over, an expired \
             keep-alive, a bad packet and a shutdown all end in a FIN, cause upstream_eof. The reason is in its log.",
        )],
    },
    Product {
        name: "RabbitMQ",
        uses: &[
            (
                CloseCode(1000),
                "Its MQTT plugin answers a client's DISCONNECT with the reason \"MQTT died\". An expired keep-alive and a client \
                 id taken over are 1000 as well.",
            ),
            (CloseCode(1001), "Its MQTT plugin: the node is put into maintenance."),
            (CloseCode(1002), "Its MQTT plugin: the client broke the rules of MQTT, or its CONNECT was refused."),
            (CloseCode(1003), "Its MQTT plugin: a text message; MQTT is in binary ones."),
        ],
    },
];

/// Each product that uses `code` in a way worth knowing, with what it means there.
pub(super) fn uses(code: CloseCode) -> impl Iterator<Item = (&'static str, &'static str)> {
    PRODUCTS.iter().flat_map(move |product| {
        product.uses.iter().filter(move |(used, _)| *used == code).map(|(_, meaning)| (product.name, *meaning))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_use_codes_that_no_preset_can_have_and_each_once() {
        for Product { name, uses } in PRODUCTS {
            let codes: Vec<_> = uses.iter().map(|(code, _)| code.0).collect();
            assert!(codes.is_sorted_by(|one, next| one < next), "{name}: {codes:?}");
            assert!(codes.iter().all(|code| (1000..3000).contains(code)), "{name}: {codes:?}");
            assert!(uses.iter().all(|(_, meaning)| meaning.ends_with('.')), "{name}");
        }
        let of_1006: Vec<_> = uses(CloseCode(1006)).map(|(name, _)| name).collect();
        assert_eq!(of_1006, ["SignalR", "mosquitto"]);
        assert_eq!(uses(CloseCode(1014)).count(), 0);
    }
}
