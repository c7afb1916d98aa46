//! Log records in OTLP's JSON, as a collector writes them into a file: many records a line, each as attributes.
//!
//! The attributes are those that `export/otlp` gives a log record. Times are seconds there, and milliseconds in a line.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::bad::BadLine;
use super::named::{CloseLine, Line, PeerLine, Str};
use crate::diagnosis::{LegTls, Observation};
use crate::wire::Peer;

/// One log record.
#[derive(Debug)]
pub struct Exported<'a> {
    attributes: &'a [Attribute<'a>],
    resource: &'a [Attribute<'a>],
    at: Option<f64>,
}

/// One line: what a collector was sent at once.
#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub struct Batch<'a> {
    #[serde(rename = "resourceLogs", default)]
    resources: Vec<OfResource<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct OfResource<'a> {
    #[serde(default)]
    resource: Attributes<'a>,
    #[serde(default)]
    scope_logs: Vec<OfScope<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct OfScope<'a> {
    #[serde(default)]
    log_records: Vec<Record<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Attributes<'a> {
    attributes: Vec<Attribute<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct Record<'a> {
    time_unix_nano: Option<Number<'a>>,
    #[serde(default)]
    attributes: Vec<Attribute<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Attribute<'a> {
    key: Str<'a>,
    #[serde(default)]
    value: AnyValue<'a>,
}

/// Kinds of value that closewatch sends; none of these for others.
#[expect(clippy::struct_field_names, reason = "OTLP names them so")]
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct AnyValue<'a> {
    string_value: Option<Str<'a>>,
    int_value: Option<Number<'a>>,
    double_value: Option<f64>,
    bool_value: Option<bool>,
}

/// A number of 64 bits, which protobuf's JSON has as a text.
#[derive(Debug, Deserialize)]
#[serde(untagged, bound(deserialize = "'de: 'a"))]
enum Number<'a> {
    Plain(u64),
    Spelt(Str<'a>),
}

/// The beginning of such a line.
const BEGIN: &str = "{\"resourceLogs\":";

// === impl Batch ===

impl<'a> Batch<'a> {
    /// Reads a line, if it is one of these.
    pub fn of_line(text: &'a str) -> Option<Result<Self, BadLine>> {
        let read = |text| serde_json::from_str(text).map_err(|error| BadLine::NotJson(error.to_string()));
        text.starts_with(BEGIN).then(|| read(text))
    }

    /// Its log records.
    pub fn records(&self) -> impl Iterator<Item = Exported<'_>> {
        self.resources.iter().flat_map(|of| {
            let resource = &of.resource.attributes[..];
            of.scope_logs.iter().flat_map(|scope| &scope.log_records).map(move |record| Exported {
                attributes: &record.attributes,
                resource,
                at: record.time_unix_nano.as_ref().and_then(Number::get).map(|nanos| nanos as f64 / 1e9),
            })
        })
    }
}

// === impl Exported ===

impl<'a> Exported<'a> {
    /// The record that was exported.
    pub fn observation(&self) -> Result<Observation<'a>, BadLine> {
        let mut line = Line::default();
        for attribute in self.resource.iter().filter(|attribute| attribute.key.0 == "service.instance.id") {
            line.instance = attribute.value.text();
        }
        let (mut port, mut filed) = (None::<u16>, None);
        let mut real_address = None;
        for Attribute { key, value } in self.attributes {
            match &*key.0 {
                "closewatch.session" => {
                    line.session = value.text();
                    line.event = Some(Str::from("websocket.closed"));
                }
                "closewatch.outcome" => {
                    line.outcome = value.text();
                    line.event = Some(Str::from("websocket.handshake_failed"));
                }
                "network.peer.address" => line.client_mut().address = value.text(),
                "network.peer.port" => port = value.whole(),
                "client.address" => real_address = value.text(),
                "closewatch.filed" => filed = value.millis(),
                name => line.set(name, value),
            }
        }
        if line.event.is_none() {
            return Err(BadLine::Foreign);
        }
        let client = line.client_mut();
        client.real_address = real_address.filter(|real| client.address.as_ref().is_none_or(|peer| peer.0 != real.0));
        if let (Some(address), Some(port)) = (&mut client.address, port) {
            address.0 = Cow::Owned(if address.0.contains(':') {
                format!("[{}]:{port}", address.0)
            } else {
                format!("{}:{port}", address.0)
            });
        }
        // The time of a log record is that at which the record was made.
        let after = filed.map_or(0.0, |filed| (filed - line.duration_ms).max(0.0) / 1000.0);
        Observation::of_fields_at(&mut line, self.at.map(|at| at - after))
    }

    /// Its attributes, by name.
    pub fn fields(&self) -> Value {
        let fields = self.attributes.iter().map(|Attribute { key, value }| (key.0.clone().into_owned(), value.json()));
        Value::Object(fields.collect::<Map<_, _>>())
    }
}

// === impl Line ===

impl<'a> Line<'a> {
    fn client_mut(&mut self) -> &mut PeerLine<'a> {
        self.client.get_or_insert_default()
    }

    /// Sets what an attribute of this name says.
    fn set(&mut self, name: &str, value: &'a AnyValue<'a>) {
        let request = self.request.get_or_insert_default();
        match name {
            "http.route" => self.route = value.text(),
            "http.response.status_code" => self.status = value.whole(),
            "websocket.close.code" => self.code = value.whole(),
            "websocket.close.reason" => self.reason = value.text(),
            "websocket.subprotocol" => request.subprotocol = value.text(),
            "url.path" => request.path = value.text(),
            "user_agent.original" => request.user_agent = value.text(),
            "closewatch.class" => self.class = value.text(),
            "closewatch.cause" => self.cause = value.text(),
            "closewatch.initiator" => self.initiator = value.text(),
            "closewatch.duration" => self.duration_ms = value.millis().unwrap_or(0.0),
            "closewatch.idle" => self.idle_ms = value.millis().unwrap_or(0.0),
            "closewatch.handshake_duration" => self.handshake_ms = value.millis(),
            "closewatch.tls_error" => self.tls_error = value.text(),
            "closewatch.origin" => request.origin = value.text(),
            "closewatch.extensions" => request.extensions = value.text(),
            "closewatch.forwarded_for" => request.forwarded_for = value.text(),
            "closewatch.subprotocols_offered" => request.subprotocols_offered = value.whole(),
            _ => {
                let of = |peer: Peer| name.strip_prefix("closewatch.")?.strip_prefix(peer.as_str())?.strip_prefix('.');
                if let Some(fact) = of(Peer::Client) {
                    self.client_mut().set(fact, value);
                } else if let Some(fact) = of(Peer::Upstream) {
                    self.upstream.get_or_insert_default().set(fact, value);
                }
            }
        }
    }
}

// === impl PeerLine ===

impl<'a> PeerLine<'a> {
    fn set(&mut self, fact: &str, value: &'a AnyValue<'a>) {
        match fact {
            "address" => self.address = value.text(),
            // A Close may have no code.
            "closed_at" => drop(self.close.get_or_insert_default()),
            "close_code" => self.close.get_or_insert_default().code = value.whole(),
            "end" => self.end = value.text(),
            "saw_code" => self.saw = Some(CloseLine { code: value.whole() }),
            "messages" => self.text_messages = value.whole().unwrap_or(0),
            "frames" => self.frames = value.whole().unwrap_or(0),
            "unanswered_pings" => self.unanswered_pings = value.whole().unwrap_or(0),
            "undelivered_bytes" => self.undelivered_bytes = value.whole().unwrap_or(0),
            "last_frame" => self.last_frame_at_ms = value.millis(),
            "last_message" => self.last_message_at_ms = value.millis(),
            "since_answered_ping" => self.since_answered_ping_ms = value.millis(),
            "silence_before_last" => self.silence_before_last_ms = value.millis(),
            "longest_silence" => self.longest_silence_ms = value.millis(),
            "stalled" => self.stalled_ms = value.millis().unwrap_or(0.0),
            "stalled_at_end" => self.stalled_at_end_ms = value.millis(),
            "tls_version" => {
                self.tls_version = value.string_value.as_ref().map_or(LegTls::Unknown, |word| LegTls::of_word(&word.0));
            }
            _ => {
                if let (Some(kind), Some(count)) = (fact.strip_prefix("violations."), value.whole()) {
                    self.violations.add(kind, count);
                }
            }
        }
    }
}

// === impl AnyValue ===

impl<'a> AnyValue<'a> {
    fn text(&'a self) -> Option<Str<'a>> {
        self.string_value.as_ref().map(|text| Str(Cow::Borrowed(&*text.0)))
    }

    fn whole<T: TryFrom<u64>>(&self) -> Option<T> {
        T::try_from(self.int_value.as_ref()?.get()?).ok()
    }

    fn millis(&self) -> Option<f64> {
        let seconds = self.double_value.or_else(|| self.whole::<u64>().map(|seconds| seconds as f64))?;
        Some((seconds * 1e6).round() / 1e3)
    }

    fn json(&self) -> Value {
        match self {
            Self { string_value: Some(text), .. } => Value::from(&*text.0),
            Self { bool_value: Some(flag), .. } => Value::from(*flag),
            Self { double_value: Some(number), .. } => Value::from(*number),
            Self { .. } => self.whole::<u64>().map_or(Value::Null, Value::from),
        }
    }
}

// === impl Number ===

impl Number<'_> {
    fn get(&self) -> Option<u64> {
        match self {
            Self::Plain(number) => Some(*number),
            Self::Spelt(text) => text.0.parse().ok(),
        }
    }
}
