//! TLS that does not come about: failed handshakes, each with one line and its reason, and never a closure.

use std::sync::Arc;
use std::time::Duration;

use closewatch::close::{HandshakeRecord, Outcome, TlsFailure};
use closewatch::config::UpstreamTls;
use rustls::ClientConnection;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::rig::{Authority, Issued, Legs, REQUEST, Rig, SWITCH, Valid, authority};

const FRONT: Legs = Legs { client: true, upstream: false };
const BEHIND: Legs = Legs { client: false, upstream: true };

/// Asks for an upgrade of an upstream that shows `issued`, and is given a failure `why`, with a detail that has `words`.
async fn upstream_is_refused(issued: &Issued, configure: impl FnOnce(&mut UpstreamTls), why: &str, words: &str) {
    let mut rig = Rig::with_tls(BEHIND, |config| configure(config.routes[0].upstream_tls.as_mut().unwrap()));
    let mut client = rig.connect().await;
    client.send(REQUEST.as_bytes()).await;
    let acceptor = TlsAcceptor::from(Arc::new(issued.server()));
    let accepted = acceptor.accept(rig.accept_tcp().await).await;
    assert!(accepted.is_err(), "closewatch shook hands: {words}");
    let (answer, _) = client.receive_all().await;
    assert!(answer.starts_with(b"HTTP/1.1 502 "), "{}", String::from_utf8_lossy(&answer));
    fails(&mut rig, why, Some(502), words).await;
    rig.done_with_upgrades().await;
}

/// The next handshake's record is a failure of TLS on the only route, for this reason.
async fn fails(rig: &mut Rig, why: &str, status: Option<u16>, words: &str) -> HandshakeRecord {
    let (on, record) = rig.handshake().await;
    let detail = record.detail.as_ref().map(|detail| detail.as_str().to_owned()).unwrap_or_default();
    assert_eq!((on.as_str(), record.outcome, record.status), ("default", Outcome::TlsFailed, status), "{detail}");
    assert!(detail.contains(words), "{words:?} is not in {detail:?}");
    assert_eq!(record.tls_error.map(TlsFailure::as_str), Some(why), "{detail}");
    record
}

#[tokio::test]
async fn an_upstream_that_is_not_who_it_says_is_refused() {
    let of = |names: &[&str], valid| authority().issue(names, valid);
    upstream_is_refused(&of(&["127.0.0.1"], Valid::Expired), |_| {}, "certificate_expired", "expired at 2021-").await;
    upstream_is_refused(
        &of(&["127.0.0.1"], Valid::NotYet),
        |_| {},
        "certificate_not_yet_valid",
        "not valid before 2100-",
    )
    .await;
    upstream_is_refused(&of(&["chat.test"], Valid::Now), |_| {}, "wrong_name", "not valid for name \"127.0.0.1\"")
        .await;
    upstream_is_refused(&Authority::new().issue(&["127.0.0.1"], Valid::Now), |_| {}, "unknown_ca", "UnknownIssuer")
        .await;
    let name = |tls: &mut UpstreamTls| tls.server_name = Some("other.test".try_into().unwrap());
    upstream_is_refused(&of(&["chat.test"], Valid::Now), name, "wrong_name", "not valid for name \"other.test\"").await;
}

#[tokio::test]
async fn a_certificate_that_is_its_own_authority_is_taken_where_it_was_given_as_one() {
    for (names, valid, wrong) in [
        (["127.0.0.1"], Valid::Now, None),
        (["other.test"], Valid::Now, Some(("wrong_name", "not valid for name \"127.0.0.1\""))),
        (["127.0.0.1"], Valid::Expired, Some(("certificate_expired", "expired"))),
        (["127.0.0.1"], Valid::NotYet, Some(("certificate_not_yet_valid", "not valid before 2100-"))),
    ] {
        let (issued, roots) = Issued::by_itself(&names, valid);
        let Some((why, words)) = wrong else {
            session_with_an_upstream_that_shows(&issued, |tls| tls.roots = roots).await;
            continue;
        };
        upstream_is_refused(&issued, |tls| tls.roots = roots, why, words).await;
    }
    // Another one of the same name is not the one that was given.
    let (_, roots) = Issued::by_itself(&["127.0.0.1"], Valid::Now);
    let (other, _) = Issued::by_itself(&["127.0.0.1"], Valid::Now);
    upstream_is_refused(&other, |tls| tls.roots = roots, "unknown_ca", "to trust it, give that very file").await;
}

#[tokio::test]
async fn an_upstream_may_be_known_by_another_name_or_by_none() {
    for insecure in [false, true] {
        let issued = if insecure {
            Authority::new().issue(&["elsewhere.test"], Valid::Expired)
        } else {
            authority().issue(&["chat.test"], Valid::Now)
        };
        session_with_an_upstream_that_shows(&issued, |tls| {
            tls.insecure = insecure;
            tls.server_name = (!insecure).then(|| "chat.test".try_into().unwrap());
        })
        .await;
    }
}

/// A session opens and ends with an upstream that shows `issued`.
async fn session_with_an_upstream_that_shows(issued: &Issued, configure: impl FnOnce(&mut UpstreamTls)) {
    let mut rig = Rig::with_tls(BEHIND, |config| configure(config.routes[0].upstream_tls.as_mut().unwrap()));
    let mut client = rig.connect().await;
    client.send(REQUEST.as_bytes()).await;
    let acceptor = TlsAcceptor::from(Arc::new(issued.server()));
    let mut upstream = acceptor.accept(rig.accept_tcp().await).await.unwrap();
    let mut head = vec![0; 4096];
    let read = upstream.read(&mut head).await.unwrap();
    assert!(head[..read].starts_with(b"GET /chat HTTP/1.1\r\n"));
    upstream.write_all(SWITCH.as_bytes()).await.unwrap();
    upstream.flush().await.unwrap();
    client.receive_head().await;
    client.fin().await;
    assert_eq!(upstream.read(&mut head).await.unwrap(), 0);
    upstream.shutdown().await.unwrap();
    rig.record().await;
    rig.done().await;
}

#[tokio::test]
async fn a_client_certificate_is_shown_and_its_lack_is_a_failure_of_tls() {
    let issued = authority().issue(&["127.0.0.1"], Valid::Now);
    let strict = TlsAcceptor::from(Arc::new(authority().strict_server(&issued)));

    let own = authority().issue(&["closewatch.test"], Valid::Now);
    let mut rig = Rig::with_tls(BEHIND, |config| {
        config.routes[0].upstream_tls.as_mut().unwrap().identity = Some(own.identity());
    });
    let mut client = rig.connect().await;
    client.send(REQUEST.as_bytes()).await;
    let mut upstream = strict.accept(rig.accept_tcp().await).await.unwrap();
    assert_eq!(upstream.get_ref().1.peer_certificates().unwrap().len(), 1);
    upstream.write_all(SWITCH.as_bytes()).await.unwrap();
    upstream.flush().await.unwrap();
    client.receive_head().await;
    client.fin().await;
    upstream.shutdown().await.unwrap();
    rig.record().await;
    rig.done().await;

    for verbatim in [true, false] {
        let mut rig = Rig::with_tls(BEHIND, |config| config.relay.verbatim = verbatim);
        let mut client = rig.connect().await;
        client.send(REQUEST.as_bytes()).await;
        assert!(strict.accept(rig.accept_tcp().await).await.is_err());
        let (answer, _) = client.receive_all().await;
        assert!(answer.starts_with(b"HTTP/1.1 502 "), "{}", String::from_utf8_lossy(&answer));
        fails(&mut rig, "certificate_required", Some(502), "CertificateRequired").await;
        rig.done_with_upgrades().await;
    }
}

#[tokio::test]
async fn an_upstream_without_tls_is_a_failure_of_tls() {
    let mut rig = Rig::with_tls(BEHIND, |_| {});
    let mut client = rig.connect().await;
    client.send(REQUEST.as_bytes()).await;
    let mut upstream = rig.accept_tcp().await;
    upstream.read_u8().await.unwrap();
    upstream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    let (answer, _) = client.receive_all().await;
    assert!(answer.starts_with(b"HTTP/1.1 502 "), "{}", String::from_utf8_lossy(&answer));
    fails(&mut rig, "not_tls", Some(502), "corrupt message").await;

    // One that hangs up.
    let mut client = rig.connect().await;
    client.send(REQUEST.as_bytes()).await;
    let mut upstream = rig.accept_tcp().await;
    upstream.read_u8().await.unwrap();
    upstream.shutdown().await.unwrap();
    client.receive_all().await;
    fails(&mut rig, "hung_up", Some(502), "hung up").await;
    rig.done_with_upgrades().await;
}

#[tokio::test]
async fn a_handshake_takes_no_longer_than_it_may() {
    let short = Duration::from_millis(50);
    let mut rig = Rig::with_tls(BEHIND, |config| config.timeouts.tls = short);
    let mut client = rig.connect().await;
    client.send(REQUEST.as_bytes()).await;
    let _silent = rig.accept_tcp().await;
    let (answer, _) = client.receive_all().await;
    assert!(answer.starts_with(b"HTTP/1.1 502 "), "{}", String::from_utf8_lossy(&answer));
    fails(&mut rig, "timeout", Some(502), "no TLS handshake within 50ms").await;
    rig.done_with_upgrades().await;

    let mut rig = Rig::with_tls(FRONT, |config| config.timeouts.tls = short);
    let mut client = rig.connect_plain().await;
    // The head of a record that never comes.
    client.send(&[22, 3, 1]).await;
    client.expect_end().await;
    let record = fails(&mut rig, "timeout", None, "no TLS handshake within 50ms").await;
    assert!(record.duration >= short, "{:?}: the clock starts with the handshake", record.duration);

    // A client that says nothing has failed at nothing.
    rig.connect_plain().await.expect_end().await;
    rig.done_with_upgrades().await;
}

#[tokio::test]
async fn there_is_one_deadline_for_tls_whenever_its_first_byte_comes() {
    let limit = Duration::from_secs(2);
    let mut rig = Rig::with_tls(FRONT, |config| config.timeouts.tls = limit);
    let mut client = rig.connect_plain().await;
    // Time itself is what is tested: most of it passes before the first byte.
    tokio::time::sleep(limit / 4 * 3).await;
    client.send(&[22, 3, 1]).await;
    client.expect_end().await;
    let record = fails(&mut rig, "timeout", None, "no TLS handshake within 2s").await;
    assert!(record.duration >= limit && record.duration < limit / 2 * 3, "{:?}", record.duration);
    rig.done_with_upgrades().await;
}

#[tokio::test]
async fn a_client_that_speaks_http_is_told_so() {
    let mut rig = Rig::with_tls(FRONT, |_| {});
    let mut client = rig.connect_plain().await;
    client.send(REQUEST.as_bytes()).await;
    let (answer, end) = client.receive_all().await;
    assert!(answer.starts_with(b"HTTP/1.1 400 "), "{}", String::from_utf8_lossy(&answer));
    assert!(answer.ends_with(b"this port speaks TLS (https)\n"), "{}", String::from_utf8_lossy(&answer));
    assert_eq!(end, None);
    fails(&mut rig, "not_tls", Some(400), "HTTP without TLS").await;
    rig.done_with_upgrades().await;
}

#[tokio::test]
async fn clients_that_do_not_get_through_leave_one_line_each() {
    let mut rig = Rig::with_tls(FRONT, |_| {});

    let mut garbage = rig.connect_plain().await;
    garbage.send(b"\x16\x03\x01\x00\x05hello").await;
    garbage.receive_all().await;
    fails(&mut rig, "not_tls", None, "TLS handshake failed").await;

    let mut gone = rig.connect_plain().await;
    gone.send(&[22, 3, 1]).await;
    gone.fin().await;
    gone.receive_all().await;
    fails(&mut rig, "hung_up", None, "hung up").await;

    // Does not trust the certificate, and says so.
    let connector = TlsConnector::from(Arc::new(Authority::new().client()));
    let refused = connector.connect("chat.test".try_into().unwrap(), rig.connect_tcp().await).await;
    assert!(refused.is_err());
    fails(&mut rig, "unknown_ca", None, "UnknownCA").await;

    // Does not trust it, and says nothing.
    let client = Arc::new(Authority::new().client());
    let mut hello = vec![];
    ClientConnection::new(client, "chat.test".try_into().unwrap()).unwrap().write_tls(&mut hello).unwrap();
    let mut mute = rig.connect_plain().await;
    mute.send(&hello).await;
    mute.fin().await;
    mute.receive_all().await;
    fails(&mut rig, "certificate_unanswered", None, "had seen the certificate").await;

    // Wants HTTP/2, and nothing else.
    let mut h2 = authority().client();
    h2.alpn_protocols = vec![b"h2".to_vec()];
    let connector = TlsConnector::from(Arc::new(h2));
    assert!(connector.connect("chat.test".try_into().unwrap(), rig.connect_tcp().await).await.is_err());
    fails(&mut rig, "no_application_protocol", None, "known protocol").await;

    let mut both = authority().client();
    both.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let connector = TlsConnector::from(Arc::new(both));
    let agreed = connector.connect("chat.test".try_into().unwrap(), rig.connect_tcp().await).await.unwrap();
    assert_eq!(agreed.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));

    // A probe.
    let mut probe = rig.connect_plain().await;
    probe.fin().await;
    probe.expect_fin().await;
    rig.done_with_upgrades().await;
}
