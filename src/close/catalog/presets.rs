//! The application codes of well-known libraries and services.
//!
//! A route that names a preset gives each of its codes a label, a name and a class of their own. The lists are those of
//! the library's source or the service's documentation; codes that are only rumoured are left out.
//!
//! How the classes were chosen, where the word alone does not decide:
//! - *Refused* (token, permission, quota, thrown out) is `policy`. *Misused* (bad message, wrong order, wrong version) is
//!   `protocol`, even where the number imitates an HTTP status of another sense, as graphql-ws' 4429 does.
//! - A server that gave up waiting for the client's first message (4408, 3502) or dropped an old session (4009) is
//!   `application`. It refused nothing, so it must not hide among the refusals; and it says no more of the server than
//!   that a client was slow or left, so it must not count as abnormal. Bursts of it come with reconnect storms.
//! - A peer that gave up waiting for an answer in an open session (4499, 4504, 3012) is `abnormal`, like 1006 and 1011
//!   "keepalive ping timeout", which tell the same story.
//! - Discord's voice 4014 mixes kicks with dropped gateway sessions, so it is `application`.
//! - A client cut off because it reads too slowly (Centrifugo 3008, Spring 4500) is `overload`.

use crate::close::Class::{self, Abnormal, Application, Overload, Planned, Policy, Protocol};

/// The application codes of one well-known library or service.
#[derive(Debug)]
pub struct Preset {
    /// The word in the configuration.
    pub name: &'static str,
    /// The product that uses these codes, as people know it.
    pub title: &'static str,
    /// Its codes, in order.
    pub codes: &'static [PresetCode],
}

/// One code of a preset.
#[derive(Debug)]
pub struct PresetCode {
    /// 3000-4999.
    pub code: u16,
    /// The name that its authors gave it.
    pub name: &'static str,
    /// Its meaning, and whether the client comes back, where the authors say so.
    pub meaning: &'static str,
    /// Its class.
    pub class: Class,
}

/// Every preset.
pub const PRESETS: &[Preset] = &[GRAPHQL_WS, DISCORD, DISCORD_VOICE, CENTRIFUGO, SPRING];

/// The preset of that name.
pub fn preset(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}

/// The enum `CloseCode` of the library, and 4499 of its client's `terminate()`. (4418, in a comment of its client, is
/// 4504 in its code.)
const GRAPHQL_WS: Preset = Preset {
    name: "graphql-ws",
    title: "GraphQL over WebSocket (subprotocol graphql-transport-ws)",
    codes: &[
        code(4004, "Bad response", Protocol, "The client could not read a message of the server; it does not retry."),
        code(4005, "Internal client error", Abnormal, "The client failed while it connected; it does not retry."),
        code(4400, "Bad request", Protocol, "The server got a message that it cannot read; the client does not retry."),
        code(
            4401,
            "Unauthorized",
            Policy,
            "The client subscribed before the server had acknowledged the connection; many servers also use it for a bad \
             token. The client does not retry.",
        ),
        code(4403, "Forbidden", Policy, "The server's onConnect refused the client, usually for its credentials."),
        code(
            4406,
            "Subprotocol not acceptable",
            Protocol,
            "Client and server agreed on no subprotocol; often a client for the older graphql-ws subprotocol.",
        ),
        code(
            4408,
            "Connection initialisation timeout",
            Application,
            "The client sent no connection_init in time; in bursts, a sign of a reconnect storm.",
        ),
        code(4409, "Subscriber already exists", Protocol, "The client used the id of a running operation again."),
        code(4429, "Too many initialisation requests", Protocol, "The client sent connection_init twice."),
        code(
            4499,
            "Terminated",
            Abnormal,
            "The client's terminate() gave up on a connection that seemed dead; it reports 4499 at once and retries.",
        ),
        code(4500, "Internal server error", Abnormal, "The server failed; the client does not retry."),
        code(
            4504,
            "Connection acknowledgement timeout",
            Abnormal,
            "The server did not acknowledge the connection in time, so the client gave up; it may retry.",
        ),
    ],
};

const DISCORD: Preset = Preset {
    name: "discord",
    title: "Discord gateway",
    codes: &[
        code(4000, "Unknown error", Abnormal, "Something failed at Discord; the client may reconnect."),
        code(4001, "Unknown opcode", Protocol, "The client sent an unknown opcode, or a wrong payload for one."),
        code(4002, "Decode error", Protocol, "The client sent a payload that does not decode."),
        code(
            4003,
            "Not authenticated",
            Policy,
            "The client sent something before it identified, or its session was invalidated.",
        ),
        code(4004, "Authentication failed", Policy, "The token is wrong; the client must not reconnect."),
        code(4005, "Already authenticated", Protocol, "The client identified twice."),
        code(
            4007,
            "Invalid seq",
            Application,
            "The sequence number of a resume was not valid; the client starts a new session.",
        ),
        code(4008, "Rate limited", Policy, "The client sent payloads too fast."),
        code(4009, "Session timed out", Application, "The session is too old; the client starts a new one."),
        code(4010, "Invalid shard", Protocol, "The shard in identify is not valid; the client must not reconnect."),
        code(
            4011,
            "Sharding required",
            Policy,
            "The session would have too many guilds without sharding; the client must not reconnect.",
        ),
        code(4012, "Invalid API version", Protocol, "The gateway version is not valid; the client must not reconnect."),
        code(4013, "Invalid intents", Protocol, "The intents are not a valid value; the client must not reconnect."),
        code(
            4014,
            "Disallowed intents",
            Policy,
            "An intent is not enabled or approved for this application; the client must not reconnect.",
        ),
    ],
};

/// Discord's table, and 4017, which its servers send with the reason "E2EE/DAVE protocol required".
const DISCORD_VOICE: Preset = Preset {
    name: "discord-voice",
    title: "Discord voice gateway",
    codes: &[
        code(4001, "Unknown opcode", Protocol, "The client sent an unknown opcode."),
        code(4002, "Failed to decode payload", Protocol, "The client sent a payload that does not decode."),
        code(4003, "Not authenticated", Policy, "The client sent something before it identified."),
        code(4004, "Authentication failed", Policy, "The token is wrong."),
        code(4005, "Already authenticated", Protocol, "The client identified twice."),
        code(4006, "Session no longer valid", Application, "The session has ended; the client needs a new one."),
        code(4009, "Session timeout", Application, "The session timed out."),
        code(4011, "Server not found", Application, "The voice server that the client asked for is not there."),
        code(4012, "Unknown protocol", Protocol, "The client selected an unknown protocol."),
        code(
            4014,
            "Disconnected",
            Application,
            "This client was disconnected: kicked, or its main gateway session was dropped. It should not reconnect.",
        ),
        code(4015, "Voice server crashed", Abnormal, "The voice server crashed; the client may resume."),
        code(4016, "Unknown encryption mode", Protocol, "The client selected an unknown encryption mode."),
        code(
            4017,
            "E2EE/DAVE protocol required",
            Policy,
            "The channel requires end-to-end encryption (DAVE), which the client did not offer.",
        ),
        code(4020, "Bad request", Protocol, "The client sent a malformed request."),
        code(4021, "Rate limited", Policy, "The client exceeded a rate limit; it should not reconnect."),
        code(
            4022,
            "Call terminated",
            Planned,
            "All clients were disconnected: the channel is gone or moved to another server. They should not reconnect.",
        ),
    ],
};

/// The disconnect codes of the library centrifuge, on which Centrifugo is built. Its clients reconnect after 3000-3499 and
/// 4000-4499, and not after 3500-3999 and 4500-4999. 3000 and 3008 collide with IANA's Unauthorized and Timeout.
const CENTRIFUGO: Preset = Preset {
    name: "centrifugo",
    title: "Centrifugo, and servers built with centrifuge",
    codes: &[
        code(
            3000,
            "Connection closed",
            Application,
            "The connection closed without advice from the server. Not IANA's Unauthorized.",
        ),
        code(3001, "Shutdown", Planned, "The node shuts down; the client reconnects."),
        code(3004, "Internal server error", Abnormal, "The server failed; the client reconnects."),
        code(3005, "Connection expired", Policy, "The connection's token expired and was not renewed."),
        code(3006, "Subscription expired", Policy, "A subscription's token expired and was not renewed."),
        code(
            3008,
            "Slow",
            Overload,
            "The client reads more slowly than messages come; it reconnects. Not IANA's Timeout.",
        ),
        code(3009, "Write error", Abnormal, "Writing to the client failed."),
        code(
            3010,
            "Insufficient state",
            Abnormal,
            "The client's position in a stream is wrong: messages were missed. It reconnects to recover them.",
        ),
        code(3011, "Force reconnect", Planned, "The server asks the client to reconnect."),
        code(3012, "No pong", Abnormal, "The client did not answer a ping of the protocol in time."),
        code(3013, "Too many requests", Policy, "The client sent too many commands."),
        code(3014, "State invalidated", Application, "The client's state is no longer valid; it reconnects."),
        code(3500, "Invalid token", Policy, "The token is not valid; the client does not reconnect."),
        code(3501, "Bad request", Protocol, "The client broke the protocol; it does not reconnect."),
        code(
            3502,
            "Stale",
            Application,
            "The client did not authenticate in time after it connected; it does not reconnect.",
        ),
        code(3503, "Force disconnect", Policy, "The server disconnected this client, and asks it not to come back."),
        code(3504, "Connection limit", Policy, "A limit on connections, such as per user, was exceeded."),
        code(3505, "Channel limit", Policy, "A limit on channels was exceeded."),
        code(
            3506,
            "Inappropriate protocol",
            Protocol,
            "The client's format cannot carry the data, such as binary in JSON.",
        ),
        code(3507, "Permission denied", Policy, "The client lacks permission."),
        code(3508, "Not available", Application, "The client used something that the server does not offer."),
        code(3509, "Too many errors", Policy, "The client caused too many errors."),
    ],
};

/// `CloseStatus.SESSION_NOT_RELIABLE`. Spring's other constants are the registered codes.
const SPRING: Preset = Preset {
    name: "spring",
    title: "Spring Framework WebSocket",
    codes: &[code(
        4500,
        "Session not reliable",
        Overload,
        "The server could not send to this client within its time or buffer limit: a slow reader. Some applications use \
         it for a missed heartbeat too.",
    )],
};

const fn code(code: u16, name: &'static str, class: Class, meaning: &'static str) -> PresetCode {
    PresetCode { code, name, meaning, class }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::close::CloseCode;

    #[test]
    fn presets_are_found_by_name() {
        let names: Vec<&str> = PRESETS.iter().map(|preset| preset.name).collect();
        assert_eq!(names, ["graphql-ws", "discord", "discord-voice", "centrifugo", "spring"]);
        for name in names {
            assert_eq!(preset(name).map(|preset| preset.name), Some(name));
        }
        assert!(preset("Discord").is_none());
        assert!(preset("").is_none());
    }

    #[test]
    fn codes_are_for_applications_unique_and_in_order() {
        for preset in PRESETS {
            assert!(!preset.codes.is_empty(), "{}", preset.name);
            for code in preset.codes {
                assert!((3000..=4999).contains(&code.code) && CloseCode(code.code).may_be_sent(), "{}", code.code);
            }
            assert!(preset.codes.is_sorted_by(|a, b| a.code < b.code), "{}", preset.name);
        }
    }

    #[test]
    fn names_are_short_and_meanings_are_sentences() {
        for preset in PRESETS {
            assert!(!preset.title.is_empty(), "{}", preset.name);
            for PresetCode { code, name, meaning, .. } in preset.codes {
                assert!(!name.is_empty() && !name.ends_with('.'), "{} {code}", preset.name);
                assert!(meaning.ends_with('.') && meaning.len() <= 200, "{} {code}: {meaning:?}", preset.name);
                assert!(!meaning.contains("  "), "{} {code}: {meaning:?}", preset.name);
            }
        }
    }

    #[test]
    fn a_preset_never_makes_a_close_clean_or_unknown() {
        let classes = PRESETS.iter().flat_map(|preset| preset.codes).map(|code| code.class);
        assert!(classes.into_iter().all(|class| !matches!(class, Class::Clean | Class::Unknown)));
    }
}
