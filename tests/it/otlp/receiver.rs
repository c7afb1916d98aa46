//! A receiver that says what it was sent.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

use serde_json::{Value, json};

use crate::real_peers::process::{Process, node, repository};

/// The protocol spoken to it, as `otel.protocol` names it.
pub(super) const PROTOCOLS: [&str; 2] = ["http/protobuf", "grpc"];

/// `tests/peers/otlp.mjs`, listening.
pub(super) struct Receiver {
    process: Process,
    http: u16,
    grpc: u16,
}

/// A span, as the receiver spells it.
#[derive(Debug)]
pub(super) struct Span(pub(super) Value);

// === impl Receiver ===

impl Receiver {
    pub(super) fn start() -> Self {
        Self::start_at([0, 0])
    }

    /// On these ports, for HTTP and gRPC.
    pub(super) fn start_at(ports: [u16; 2]) -> Self {
        let mut command = Command::new(node());
        command.arg(repository("tests/peers/otlp.mjs")).args(ports.map(|port| port.to_string()));
        let process = Process::spawn("the receiver", &mut command);
        let listening = process.answer();
        let port = |name: &str| u16::try_from(listening[name].as_u64().unwrap()).unwrap();
        Self { http: port("http"), grpc: port("grpc"), process }
    }

    pub(super) const fn ports(&self) -> [u16; 2] {
        [self.http, self.grpc]
    }

    /// Where it takes this protocol.
    pub(super) fn address(&self, protocol: &str) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, if protocol == "grpc" { self.grpc } else { self.http }).into()
    }

    /// The same as a URL.
    pub(super) fn endpoint(&self, protocol: &str) -> String {
        format!("http://{}", self.address(protocol))
    }

    /// The lines of a configuration that send everything here, and at once.
    pub(super) fn config(&self, protocol: &str) -> String {
        format!("[otel]\nendpoint = \"{}\"\nprotocol = \"{protocol}\"\n", self.endpoint(protocol))
    }

    /// The next thing it was sent.
    pub(super) fn next(&self) -> Value {
        self.process.answer()
    }

    /// The next `count` spans; nothing else may come.
    pub(super) fn spans(&self, count: usize) -> Vec<Span> {
        let span = |mut sent: Value| {
            assert!(sent["span"].is_object(), "not a span: {sent}");
            Span(sent["span"].take())
        };
        (0..count).map(|_| span(self.next())).collect()
    }

    /// Everything that it is still sent until its own end, which is asked for.
    pub(super) fn finish(mut self) -> Vec<Value> {
        self.process.close_input();
        self.rest()
    }

    pub(super) fn kill(&mut self) {
        self.process.kill();
    }

    /// Everything that it was sent until it was killed.
    pub(super) fn rest(self) -> Vec<Value> {
        let mut rest = Vec::new();
        while let Some(line) = self.process.last() {
            // The very last line may be half of one.
            rest.extend(serde_json::from_str::<Value>(&line));
        }
        rest
    }
}

// === impl Span ===

impl Span {
    pub(super) fn id(&self) -> String {
        self.text("spanId").to_owned()
    }

    pub(super) fn text(&self, key: &str) -> &str {
        self.0[key].as_str().unwrap_or_default()
    }

    /// An attribute. Integers come as text from one of the receiver's two ways in, as numbers from the other.
    pub(super) fn attribute(&self, key: &str) -> Value {
        let value = &self.0["attributes"][key];
        value.as_str().and_then(|text| text.parse::<i64>().ok()).map_or_else(|| value.clone(), |number| json!(number))
    }

    pub(super) fn is_error(&self) -> bool {
        self.0["status"]["code"] == "STATUS_CODE_ERROR"
    }

    /// A time, in microseconds since 1970, as the close log has it.
    pub(super) fn micros(&self, key: &str) -> i64 {
        self.text(key).parse::<i64>().unwrap_or_else(|_| panic!("no {key} in {self:?}")) / 1000
    }
}
