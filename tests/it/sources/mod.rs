//! Where clients come from: by their socket, by PROXY protocol, by the headers of trusted proxies; and how many may come.

mod headers;
mod limits;
mod proxy_protocol;

use closewatch::close::Address;
use closewatch::config::Config;

use crate::rig::{REQUEST, RawPeer, Rig};

/// The test's own address is believed.
fn trust(config: &mut Config) {
    config.forwarded.trusted = vec!["127.0.0.0/8".parse().unwrap()];
}

/// An upgrade with more lines in its head.
fn request_with(lines: &str) -> String {
    REQUEST.replacen("\r\n", &format!("\r\n{lines}"), 1)
}

/// The text of an address that may be missing.
fn shown(address: Option<&Address>) -> Option<String> {
    address.map(ToString::to_string)
}

/// Ends a session from the client's side, and gives what its record knows of the client: socket, and real address.
async fn client_of(rig: &mut Rig, client: &mut RawPeer, upstream: &mut RawPeer) -> (String, Option<String>) {
    client.reset();
    upstream.expect_reset().await;
    let record = rig.record().await;
    (record.session.client.to_string(), shown(record.session.request.real_address.as_deref()))
}
