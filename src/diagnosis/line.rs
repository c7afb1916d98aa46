//! A line of the close log, read into an [`Observation`].

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::observation::{Asked, Closed, Event, Observation, Refused, Side};
use crate::close::{Cause, Class, End, Initiator, Outcome};

/// A line that is not a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    /// Not a JSON object.
    #[error("not JSON: {0}")]
    NotJson(String),
    /// A line of closewatch's own log.
    #[error("a line of closewatch's own log")]
    OwnLog,
    /// A JSON object, but none of closewatch's records.
    #[error("not a record of closewatch")]
    Foreign,
    /// A record whose time cannot be read.
    #[error("no time that can be read")]
    NoTime,
    /// A record of a schema that is newer than this reader.
    #[error("schema {0} is not known")]
    Schema(u32),
}

/// A string that is borrowed from the line where it holds no escapes.
#[derive(Debug, Default)]
struct Str<'a>(Cow<'a, str>);

/// Number of breaches of the protocol, and whether one was of the handshake.
#[derive(Clone, Copy, Debug, Default)]
struct Breaches {
    frames: u32,
    handshake: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Line<'a> {
    schema: Option<u32>,
    event: Option<Str<'a>>,
    time: Option<Str<'a>>,
    instance: Option<Str<'a>>,
    session: Option<Str<'a>>,
    route: Option<Str<'a>>,
    class: Option<Str<'a>>,
    code: Option<u16>,
    initiator: Option<Str<'a>>,
    cause: Option<Str<'a>>,
    reason: Option<Str<'a>>,
    ended_at: Option<Str<'a>>,
    duration_ms: f64,
    idle_ms: f64,
    handshake_ms: Option<f64>,
    client: Option<PeerLine<'a>>,
    upstream: Option<PeerLine<'a>>,
    request: Option<RequestLine<'a>>,
    outcome: Option<Str<'a>>,
    status: Option<u16>,
    tls_error: Option<Str<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct PeerLine<'a> {
    address: Option<Str<'a>>,
    real_address: Option<Str<'a>>,
    close: Option<CloseLine>,
    end: Option<Str<'a>>,
    saw: Option<CloseLine>,
    text_messages: u64,
    binary_messages: u64,
    frames: u64,
    last_frame_at_ms: Option<f64>,
    last_message_at_ms: Option<f64>,
    unanswered_pings: u32,
    since_answered_ping_ms: Option<f64>,
    violations: Breaches,
    stalled_ms: f64,
    stalled_at_end_ms: Option<f64>,
    undelivered_bytes: u64,
    silence_before_last_ms: Option<f64>,
    longest_silence_ms: Option<f64>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct CloseLine {
    code: Option<u16>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct RequestLine<'a> {
    path: Option<Str<'a>>,
    user_agent: Option<Str<'a>>,
    origin: Option<Str<'a>>,
    subprotocol: Option<Str<'a>>,
    extensions: Option<Str<'a>>,
    forwarded_for: Option<Str<'a>>,
    subprotocols_offered: Option<u32>,
}

/// The `event` of a line of closewatch's own log, if that is written as JSON: one pipe may carry both.
pub const OWN_LOG: &str = "closewatch.log";

/// The newest version of the close log that is understood.
const SCHEMA: u32 = 1;

// === impl Observation ===

impl<'a> Observation<'a> {
    /// Of one line of the close log. Fields that are missing are taken as unknown; words that are not known, too.
    pub fn of_line(text: &'a str) -> Result<Self, BadLine> {
        let line: Line<'a> = serde_json::from_str(text).map_err(|error| BadLine::NotJson(error.to_string()))?;
        let closed = match line.event.as_ref().map(|event| &*event.0) {
            Some("websocket.closed") => true,
            Some("websocket.handshake_failed") => false,
            Some(OWN_LOG) => return Err(BadLine::OwnLog),
            Some(_) | None => return Err(BadLine::Foreign),
        };
        if let Some(schema) = line.schema.filter(|schema| *schema > SCHEMA) {
            return Err(BadLine::Schema(schema));
        }
        let time = line.ended_at.as_ref().or(line.time.as_ref()).ok_or(BadLine::NoTime)?;
        let at = time.0.parse::<Timestamp>().map_err(|_| BadLine::NoTime)?.as_duration().as_secs_f64();
        let mut client = line.client.unwrap_or_default();
        let mut upstream = line.upstream.unwrap_or_default();
        let request = line.request.unwrap_or_default();
        let event = if closed {
            Event::Closed(Box::new(Closed {
                session: text_of(line.session),
                class: word(Class::ALL, Class::as_str, line.class.as_ref()).unwrap_or(Class::Unknown),
                code: line.code,
                initiator: word(Initiator::ALL, Initiator::as_str, line.initiator.as_ref())
                    .unwrap_or(Initiator::Unknown),
                cause: word(Cause::ALL, Cause::as_str, line.cause.as_ref()).unwrap_or(Cause::Unknown),
                reason: text_of(line.reason),
                duration: line.duration_ms / 1000.0,
                idle: line.idle_ms / 1000.0,
                handshake: line.handshake_ms.map(|millis| millis / 1000.0),
                upstream: text_of(upstream.address.take()),
                peers: [client.side(), upstream.side()],
            }))
        } else {
            Event::Refused(Refused {
                outcome: word(Outcome::ALL, Outcome::as_str, line.outcome.as_ref()).unwrap_or(Outcome::Internal),
                status: line.status,
                tls_error: text_of(line.tls_error),
                duration: line.duration_ms / 1000.0,
            })
        };
        Ok(Self {
            at,
            instance: text_of(line.instance),
            route: text_of(line.route),
            address: text_of(client.address.take()),
            real_address: text_of(client.real_address.take()),
            behind_hop: false,
            request: Asked {
                path: text_of(request.path),
                user_agent: text_of(request.user_agent),
                origin: text_of(request.origin),
                subprotocol: text_of(request.subprotocol),
                extensions: text_of(request.extensions),
                forwarded_for: text_of(request.forwarded_for),
                subprotocols_offered: request.subprotocols_offered.unwrap_or(0),
            },
            event,
        })
    }
}

fn text_of(text: Option<Str<'_>>) -> Cow<'_, str> {
    text.map_or(Cow::Borrowed(""), |text| text.0)
}

fn word<T: Copy>(all: &[T], spelt: impl Fn(T) -> &'static str, given: Option<&Str<'_>>) -> Option<T> {
    let given = &*given?.0;
    all.iter().copied().find(|value| spelt(*value) == given)
}

// === impl PeerLine ===

impl PeerLine<'_> {
    fn side(&self) -> Side {
        let seconds = |millis: Option<f64>| millis.map(|millis| millis / 1000.0);
        Side {
            close: self.close.map(|close| close.code),
            end: word(End::ALL, End::as_str, self.end.as_ref()).unwrap_or(End::Open),
            saw: self.saw.and_then(|saw| saw.code),
            messages: self.text_messages.saturating_add(self.binary_messages),
            frames: self.frames,
            last_frame: seconds(self.last_frame_at_ms),
            last_message: seconds(self.last_message_at_ms),
            unanswered_pings: self.unanswered_pings,
            since_answered_ping: seconds(self.since_answered_ping_ms),
            violations: self.violations.frames,
            contradicted: self.violations.handshake,
            stalled: self.stalled_ms / 1000.0,
            stalled_at_end: seconds(self.stalled_at_end_ms),
            undelivered: self.undelivered_bytes,
            silence_before_last: seconds(self.silence_before_last_ms),
            longest_silence: seconds(self.longest_silence_ms),
        }
    }
}

// === impl Str ===

impl<'de: 'a, 'a> Deserialize<'de> for Str<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Str<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Str(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Str(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

// === impl Breaches ===

impl<'de> Deserialize<'de> for Breaches {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Kinds;
        impl<'de> Visitor<'de> for Kinds {
            type Value = Breaches;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of counts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Breaches, A::Error> {
                let mut breaches = Breaches::default();
                while let Some(kind) = map.next_key::<Cow<'_, str>>()? {
                    match &*kind {
                        "subprotocol" | "extension" => {
                            map.next_value::<IgnoredAny>()?;
                            breaches.handshake = true;
                        }
                        // Behind its own Close a peer harms nobody.
                        "after_close" => {
                            map.next_value::<IgnoredAny>()?;
                        }
                        _ => breaches.frames = breaches.frames.saturating_add(map.next_value()?),
                    }
                }
                Ok(breaches)
            }

            fn visit_unit<E>(self) -> Result<Breaches, E> {
                Ok(Breaches::default())
            }
        }
        deserializer.deserialize_any(Kinds)
    }
}
