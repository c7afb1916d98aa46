//! Clients that come again resume their TLS session.

use std::sync::Arc;

use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, HandshakeKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

use crate::rig::{Legs, Rig, authority};

/// More clients than a server remembers that remembers each of them.
const OTHERS: usize = 300;

/// Comes, is told that there is no such page, and goes.
async fn visit(rig: &Rig, client: &Arc<ClientConfig>) -> HandshakeKind {
    let connector = TlsConnector::from(Arc::clone(client));
    let stream = rig.connect_tcp().await;
    let mut stream = connector.connect("chat.test".try_into().unwrap(), stream).await.unwrap();
    stream.write_all(b"GET /else HTTP/1.1\r\nHost: chat.test\r\nConnection: close\r\n\r\n").await.unwrap();
    stream.flush().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    stream.get_ref().1.handshake_kind().unwrap()
}

#[tokio::test]
async fn a_client_resumes_its_session_whoever_came_meanwhile_and_behind_a_reload() {
    let mut config = None;
    let rig = Rig::with_tls(Legs { client: true, upstream: false }, |given| {
        given.routes[0].path = "/chat".to_owned();
        config = Some(given.clone());
    });
    let config = config.unwrap();
    for version in [&TLS12, &TLS13] {
        let [client, ours] = [0, 1].map(|_| Arc::new(authority().client_of(&[version])));
        assert_eq!(visit(&rig, &client).await, HandshakeKind::Full);
        assert_eq!(visit(&rig, &client).await, HandshakeKind::Resumed, "{version:?}");
        // Each visit of a client that resumes nothing makes tickets, too.
        for _ in 0..OTHERS / 2 {
            visit(&rig, &Arc::new(authority().client_of(&[version]))).await;
        }
        assert_eq!(visit(&rig, &client).await, HandshakeKind::Resumed, "{version:?}, behind others");
        assert_eq!(visit(&rig, &ours).await, HandshakeKind::Full);
        rig.data_plane().reload(config.clone());
        assert_eq!(visit(&rig, &ours).await, HandshakeKind::Resumed, "{version:?}, behind a reload");
    }
    rig.done().await;
}
