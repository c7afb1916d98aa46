//! A collector with TLS: believed if somebody trusted vouches for it, and not sent anything otherwise.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_blocking;
use tokio_rustls::TlsAcceptor;

use super::receiver::{PROTOCOLS, Receiver};
use crate::instance::{Running, Workspace, until};
use crate::rig::{Authority, Valid, authority};

/// Ends TLS in front of what listens at `to` on this host.
#[expect(
    clippy::disallowed_methods,
    reason = "a collector is asked, not listened to: how its connections end says nothing"
)]
async fn tls_before(to: SocketAddr) -> SocketAddr {
    let mut server = authority().issue(&["127.0.0.1"], Valid::Now).server();
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(server));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // Fails where it is not trusted.
                let Ok(mut inside) = acceptor.accept(socket).await else { return };
                let mut receiver = TcpStream::connect(to).await.unwrap();
                // Ends when either side does.
                let _ = copy_bidirectional(&mut inside, &mut receiver).await;
            });
        }
    });
    address
}

#[tokio::test]
async fn spans_go_to_a_collector_with_tls() {
    for protocol in PROTOCOLS {
        let workspace = Workspace::new();
        fs::write(workspace.path("ca.pem"), authority().pem()).unwrap();
        let receiver = Receiver::start();
        let at = tls_before(receiver.address(protocol)).await;
        let ca = workspace.path("ca.pem").display().to_string();
        let config = format!("[otel]\nendpoint = \"https://{at}\"\nprotocol = \"{protocol}\"\nca = \"{ca}\"\n");
        let mut running = Running::in_environment(&[], &config).await;
        let (mut client, mut upstream) = running.session().await;
        client.reset();
        upstream.expect_reset().await;
        let record = running.record().await;
        // The TLS endpoint in front of the receiver runs meanwhile.
        let spans = spawn_blocking(move || receiver.spans(2)).await.unwrap();
        assert!(spans.iter().any(|span| record["span_id"] == span.id()), "{spans:?}");
    }
}

#[tokio::test]
async fn a_collector_that_nobody_vouches_for_is_sent_nothing() {
    for protocol in PROTOCOLS {
        let workspace = Workspace::new();
        fs::write(workspace.path("ca.pem"), Authority::new().pem()).unwrap();
        let receiver = Receiver::start();
        let at = tls_before(receiver.address(protocol)).await;
        let ca = workspace.path("ca.pem").display().to_string();
        let environment = [("OTEL_EXPORTER_OTLP_CERTIFICATE", &*ca), ("OTEL_EXPORTER_OTLP_TIMEOUT", "200")];
        let config = format!("[otel]\nendpoint = \"https://{at}\"\nprotocol = \"{protocol}\"\n");
        let mut running = Running::in_environment(&environment, &config).await;
        let (mut client, mut upstream) = running.session().await;
        client.reset();
        upstream.expect_reset().await;
        running.record().await;
        until("both spans to be given up", async || {
            running.scrape().await.sum("closewatch_records_dropped_total", &[("sink", "otlp")]) == 2
        })
        .await;
        assert!(receiver.finish().is_empty(), "{protocol}");
    }
}
