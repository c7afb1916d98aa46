//! Attributes of a session's or handshake's span or log record: names and values.
//!
//! HTTP and network attributes are those of OpenTelemetry's semantic conventions; for WebSocket there are none
//! (open-telemetry/semantic-conventions#2841), and `websocket.close.*` is what Datadog calls them.

use std::borrow::Cow;

use opentelemetry::{KeyValue, Value};

use crate::close::{Address, CloseRecord, HandshakeRecord, Request, Text, TlsVersion};
use crate::export::JsonStyle;
use crate::wire::Peer;

/// Attributes on their way.
#[derive(Default)]
pub(super) struct Attributes(pub(super) Vec<KeyValue>);

// === impl Attributes ===

impl Attributes {
    /// The attributes of a session that has ended.
    pub(super) fn of_session(record: &CloseRecord, style: &JsonStyle) -> Self {
        let (session, verdict) = (&*record.session, &record.verdict);
        let mut all = Self::default();
        all.add("closewatch.session", session.id.to_string());
        all.add("http.route", session.route.name.to_string());
        all.request(&session.request, style);
        all.client(&session.client, session.request.real_address.as_deref());
        all.tls(session.client_tls);
        all.add("closewatch.upstream", session.route.upstream.to_string());
        all.add_some("websocket.close.code", verdict.code.map(|code| i64::from(code.0)));
        let reason = style.reason(record.reason()).filter(|reason| !reason.is_empty());
        all.add_some("websocket.close.reason", reason.map(escaped));
        all.add_some("websocket.subprotocol", session.request.subprotocol.as_deref().map(Text::escaped));
        all.add("closewatch.class", verdict.class.as_str());
        all.add("closewatch.cause", verdict.cause.as_str());
        all.add("closewatch.initiator", verdict.initiator.as_str());
        all.add("closewatch.handshake", verdict.handshake.as_str());
        all.add_some("closewatch.hint", record.hint);
        all.add("closewatch.idle", record.idle().as_secs_f64());
        all.add_some("closewatch.close_handshake", verdict.close_handshake.map(|time| time.as_secs_f64()));
        for peer in Peer::ALL {
            let (facts, saw) = record.of(peer);
            let name = |what| format!("closewatch.{}.{what}", peer.as_str());
            let close = facts.close.as_ref().and_then(|close| close.code);
            all.add_some(name("close_code"), close.map(|code| i64::from(code.0)));
            all.add(name("end"), facts.end().as_str());
            all.add(name("tls_version"), tls_or_none(session.tls(peer)));
            all.add_some(name("saw_code"), saw.code.map(|code| i64::from(code.0)));
            all.add(name("saw_clean"), saw.clean);
            all.add(name("messages"), count(facts.text_messages + facts.binary_messages));
            all.add(name("bytes"), count(facts.bytes));
        }
        all
    }

    /// The attributes of an upgrade that was answered, or whose client went away.
    pub(super) fn of_handshake(route: &str, record: &HandshakeRecord, style: &JsonStyle) -> Self {
        let mut all = Self::default();
        all.add("http.route", route.to_owned());
        all.add("http.request.method", known_method(record.request.method.as_str()).unwrap_or("_OTHER"));
        all.add("url.scheme", if record.client_tls.is_some() { "https" } else { "http" });
        all.request(&record.request, style);
        all.client(&record.client, record.request.real_address.as_deref());
        all.tls(record.client_tls);
        all.add("closewatch.client.tls_version", tls_or_none(record.client_tls));
        all.add_some("http.response.status_code", record.status.map(i64::from));
        all.add("closewatch.outcome", record.outcome.as_str());
        all
    }

    /// Puts one behind the others.
    pub(super) fn add(&mut self, key: impl Into<Cow<'static, str>>, value: impl Into<Value>) {
        self.0.push(KeyValue::new(key.into(), value));
    }

    /// The same, if there is a value.
    pub(super) fn add_some(&mut self, key: impl Into<Cow<'static, str>>, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.add(key, value);
        }
    }

    fn request(&mut self, request: &Request, style: &JsonStyle) {
        let target = style.path(&request.path);
        let (path, query) = target.split_once('?').map_or((&*target, None), |(path, query)| (path, Some(query)));
        self.add("url.path", escaped(path));
        self.add_some("url.query", query.map(escaped));
        let authority = request.host.as_ref().and_then(|host| host.as_str().parse::<http::uri::Authority>().ok());
        if let Some(authority) = authority {
            self.add("server.address", authority.host().to_owned());
            self.add_some("server.port", authority.port_u16().map(i64::from));
        }
        self.add("network.protocol.version", request.http_version.as_str());
        self.add_some("user_agent.original", request.user_agent.as_ref().map(Text::escaped));
    }

    /// TLS with the socket's peer.
    fn tls(&mut self, version: Option<TlsVersion>) {
        self.add_some("tls.protocol.name", version.map(|_| "tls"));
        self.add_some("tls.protocol.version", version.map(TlsVersion::as_str));
    }

    /// The socket's peer, and the client: `real`, if the peer speaks for another.
    fn client(&mut self, peer: &Address, real: Option<&Address>) {
        if let Address::Ip(address) = real.unwrap_or(peer) {
            self.add("client.address", address.ip().to_canonical().to_string());
        }
        match peer {
            Address::Ip(address) => {
                self.add("network.peer.address", address.ip().to_canonical().to_string());
                self.add("network.peer.port", i64::from(address.port()));
            }
            Address::Unix(path) => {
                self.add("network.transport", "unix");
                self.add("network.peer.address", path.to_string());
            }
        }
    }
}

/// The method, if it is one of those that a value may be made of: others are a client's invention.
pub(super) fn known_method(method: &str) -> Option<&'static str> {
    ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"]
        .into_iter()
        .find(|known| *known == method)
}

/// A log record without this is of a closewatch that did not say.
fn tls_or_none(version: Option<TlsVersion>) -> &'static str {
    version.map_or("none", TlsVersion::as_str)
}

fn escaped(text: &str) -> String {
    Text::from(text).escaped()
}

pub(super) fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
