//! The heads of an upgrade pass as they are.

use closewatch::close::{HttpVersion, Outcome};

use crate::rig::{REQUEST, Rig, SWITCH, text};

const ODD_REQUEST: &str = "GET /chat?token=a%20b&x=%C3%A4 HTTP/1.1\r\nHOST: chat.test:8080\r\nuser-agent: Odd/1.0\r\n\
    UpGrAdE: WebSocket\r\ncoNNection: keep-alive, Upgrade\r\nSEC-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-VERSION: 13\r\nsec-websocket-protocol: soap, wamp\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x-own\r\n\
    X-Latin: caf\u{e9}\r\nCookie: a=1; b=\"2\"\r\nX-Empty:\r\n\r\n";

const ODD_SWITCH: &str = "HTTP/1.1 101 Web Socket Protocol Handshake\r\nUPGRADE: WebSocket\r\nconnection: upgrade\r\n\
    Sec-Websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSEC-WEBSOCKET-PROTOCOL: wamp\r\n\
    sec-websocket-extensions: permessage-deflate; server_no_context_takeover\r\n\
    Set-Cookie: s=1; Path=/\r\nset-cookie: t=2\r\nServer: odd\r\n\r\n";

/// A request with what closewatch adds to it.
fn with_added(rig: &Rig, request: &str, host: &str) -> String {
    let (request, scheme) = (request.strip_suffix("\r\n").unwrap(), rig.scheme());
    format!("{request}x-forwarded-for: 127.0.0.1\r\nx-forwarded-proto: {scheme}\r\nx-forwarded-host: {host}\r\n\r\n")
}

#[tokio::test]
async fn letter_case_order_values_and_reason_phrase_are_kept() {
    let mut rig = Rig::new();
    let mut client = rig.connect().await;
    client.send(ODD_REQUEST.as_bytes()).await;
    let mut upstream = rig.accept().await;
    // All that hyper changes: the space before an empty value.
    let expected = with_added(&rig, ODD_REQUEST, "chat.test:8080");
    assert_eq!(upstream.receive_head().await, expected);
    upstream.send(ODD_SWITCH.as_bytes()).await;
    assert_eq!(client.receive_head().await, ODD_SWITCH);
    let address = client.address();
    client.reset();
    let record = rig.record().await;
    let request = &record.session.request;
    assert_eq!(request.path.as_str(), "/chat", "without the query");
    assert_eq!(request.host.as_ref().unwrap().as_str(), "chat.test:8080");
    assert_eq!(request.user_agent.as_ref().unwrap().as_str(), "Odd/1.0");
    assert_eq!(request.subprotocol.as_ref().unwrap().as_str(), "wamp", "the selection, not the offer");
    assert_eq!(request.extensions.as_ref().unwrap().as_str(), "permessage-deflate; server_no_context_takeover");
    assert_eq!(record.session.client.to_string(), address);
    rig.done().await;
}

/// nginx in front speaks it unless `proxy_http_version` says otherwise, and many backends switch for it.
#[tokio::test]
async fn an_upgrade_in_http_1_0_passes_as_it_is_and_the_upstream_judges_it() {
    let mut rig = Rig::with(|config| config.relay.verbatim = true);
    let request = REQUEST.replace("HTTP/1.1", "HTTP/1.0");
    let (mut client, mut upstream) = rig.session_with(&request, SWITCH).await;
    client.say(&text("hello")).await;
    upstream.hear(&text("hello")).await;
    client.reset();
    upstream.expect_reset().await;
    assert_eq!(rig.record().await.session.request.http_version, HttpVersion::Http10);
    assert_eq!(rig.handshake().await.1.outcome, Outcome::Upgraded);

    let mut client = rig.connect().await;
    client.send(request.as_bytes()).await;
    let mut upstream = rig.accept().await;
    assert!(upstream.receive_head().await.starts_with("GET /chat HTTP/1.0\r\n"));
    upstream.send(b"HTTP/1.1 401 Log in first\r\nContent-Length: 2\r\n\r\nno").await;
    let head = client.receive_head().await;
    assert!(head.starts_with("HTTP/1.0 401 Log in first\r\n"), "{head}");
    client.expect(b"no").await;
    client.expect_fin().await;
    let (_, record) = rig.handshake().await;
    assert_eq!((record.outcome, record.request.http_version), (Outcome::Refused, HttpVersion::Http10));
    drop((client, upstream));
    rig.done_with_upgrades().await;
}

#[tokio::test]
async fn forwarded_headers_are_appended_to_and_set() {
    let request = REQUEST.replace(
        "\r\n\r\n",
        "\r\nX-Forwarded-For: 203.0.113.9\r\nX-FORWARDED-PROTO: https\r\nX-Forwarded-Host: evil.test\r\n\r\n",
    );
    let mut rig = Rig::new();
    let mut client = rig.connect().await;
    client.send(request.as_bytes()).await;
    let head = rig.accept().await.receive_head().await;
    for line in [
        "X-Forwarded-For: 203.0.113.9, 127.0.0.1\r\n",
        &format!("X-FORWARDED-PROTO: {}\r\n", rig.scheme()),
        "X-Forwarded-Host: chat.test\r\n",
    ] {
        assert!(head.contains(line), "{line:?} is not in {head:?}");
    }
    assert!(!head.contains("evil.test"), "{head:?}");
    rig.handshake().await;
    drop(client);
    rig.done().await;

    let rig = Rig::with(|config| config.forwarded.x_forwarded = closewatch::config::XForwarded::Pass);
    let mut client = rig.connect().await;
    client.send(request.as_bytes()).await;
    assert_eq!(rig.accept().await.receive_head().await, request);
    drop(client);
    rig.done().await;
}

#[tokio::test]
async fn a_target_in_absolute_form_is_put_to_the_upstream_as_a_path_and_its_host() {
    let mut rig = Rig::new();
    let mut client = rig.connect().await;
    let request = REQUEST.replace("GET /chat", "GET http://other.test/chat?x");
    client.send(request.as_bytes()).await;
    let mut upstream = rig.accept().await;
    // RFC 9112 §3.2.2: whatever `Host` said is replaced.
    let expected = REQUEST.replace("GET /chat", "GET /chat?x").replace("Host: chat.test", "Host: other.test");
    assert_eq!(upstream.receive_head().await, with_added(&rig, &expected, "other.test"));
    upstream.send(SWITCH.as_bytes()).await;
    client.receive_head().await;
    client.reset();
    rig.record().await;
    drop(client);
    rig.done().await;
}
