//! Where clients come from: by their socket, by PROXY protocol, by the headers of trusted proxies; and how many may come.

mod headers;
mod limits;
mod proxy_protocol;

use closewatch::close::Address;
use closewatch::config::Config;
use closewatch::proxy::bind;
use closewatch::wire::Peer;
use tokio::net::TcpStream;

use crate::rig::{REQUEST, RawPeer, Rig, SWITCH};

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

#[tokio::test]
async fn a_client_of_ipv4_on_an_address_of_ipv6_is_one_of_ipv4() {
    let mut rig = Rig::new();
    let listener = bind("[::]:0".parse().unwrap()).unwrap();
    let port = listener.local_addr().unwrap().port();
    let proxy = rig.data_plane();
    let serving = tokio::spawn(async move { proxy.serve(listener).await });
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let own = stream.local_addr().unwrap();
    let mut client = RawPeer::of(Peer::Client, stream);
    client.send(REQUEST.as_bytes()).await;
    let mut upstream = rig.accept_plain().await;
    upstream.receive_head().await;
    upstream.send(SWITCH.as_bytes()).await;
    client.receive_head().await;
    assert_eq!(client_of(&mut rig, &mut client, &mut upstream).await, (own.to_string(), None));
    serving.abort();
}
