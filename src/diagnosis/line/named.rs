//! A line of the close log as fields that are looked up by their names, in any order.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use crate::diagnosis::LegTls;

/// A string that is borrowed from the line where it holds no escapes.
#[derive(Debug, Default)]
pub(super) struct Str<'a>(pub(super) Cow<'a, str>);

/// Number of breaches of the protocol, and whether one was of the handshake.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Breaches {
    pub(super) frames: u32,
    pub(super) handshake: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct Line<'a> {
    pub(super) schema: Option<u32>,
    pub(super) event: Option<Str<'a>>,
    pub(super) time: Option<Str<'a>>,
    pub(super) instance: Option<Str<'a>>,
    pub(super) session: Option<Str<'a>>,
    pub(super) route: Option<Str<'a>>,
    pub(super) class: Option<Str<'a>>,
    pub(super) code: Option<u16>,
    pub(super) initiator: Option<Str<'a>>,
    pub(super) cause: Option<Str<'a>>,
    pub(super) reason: Option<Str<'a>>,
    pub(super) ended_at: Option<Str<'a>>,
    pub(super) duration_ms: f64,
    pub(super) idle_ms: f64,
    pub(super) handshake_ms: Option<f64>,
    pub(super) client: Option<PeerLine<'a>>,
    pub(super) upstream: Option<PeerLine<'a>>,
    pub(super) request: Option<RequestLine<'a>>,
    pub(super) outcome: Option<Str<'a>>,
    pub(super) status: Option<u16>,
    pub(super) tls_error: Option<Str<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct PeerLine<'a> {
    pub(super) address: Option<Str<'a>>,
    pub(super) real_address: Option<Str<'a>>,
    pub(super) close: Option<CloseLine>,
    pub(super) end: Option<Str<'a>>,
    pub(super) saw: Option<CloseLine>,
    pub(super) text_messages: u64,
    pub(super) binary_messages: u64,
    pub(super) frames: u64,
    pub(super) last_frame_at_ms: Option<f64>,
    pub(super) last_message_at_ms: Option<f64>,
    pub(super) unanswered_pings: u32,
    pub(super) since_answered_ping_ms: Option<f64>,
    pub(super) violations: Breaches,
    pub(super) stalled_ms: f64,
    pub(super) stalled_at_end_ms: Option<f64>,
    pub(super) undelivered_bytes: u64,
    pub(super) silence_before_last_ms: Option<f64>,
    pub(super) longest_silence_ms: Option<f64>,
    pub(super) tls_version: LegTls,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CloseLine {
    pub(super) code: Option<u16>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct RequestLine<'a> {
    pub(super) path: Option<Str<'a>>,
    pub(super) user_agent: Option<Str<'a>>,
    pub(super) origin: Option<Str<'a>>,
    pub(super) subprotocol: Option<Str<'a>>,
    pub(super) extensions: Option<Str<'a>>,
    pub(super) forwarded_for: Option<Str<'a>>,
    pub(super) subprotocols_offered: Option<u32>,
}

// === impl Str ===

impl<'a> From<&'a str> for Str<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

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

// === impl LegTls ===

impl<'de> Deserialize<'de> for LegTls {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = Option::<Str<'de>>::deserialize(deserializer)?;
        Ok(word.map_or(Self::None, |word| Self::of_word(&word.0)))
    }
}

// === impl Breaches ===

impl Breaches {
    /// Counts breaches of one kind.
    pub(super) fn add(&mut self, kind: &str, count: u32) {
        match kind {
            "subprotocol" | "extension" => self.handshake = true,
            // Behind its own Close a peer harms nobody.
            "after_close" => {}
            _ => self.frames = self.frames.saturating_add(count),
        }
    }
}

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
                    breaches.add(&kind, map.next_value()?);
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
