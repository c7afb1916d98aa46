//! Certificates that are replaced while sessions live.

use std::fs;
use std::sync::Arc;

use closewatch::config::{Tls, UpstreamTls};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::instance::{Output, Running, Workspace, until};
use crate::rig::{Authority, Issued, Legs, REQUEST, Rig, Valid, authority, text};

/// The certificate that the proxy shows to a client that trusts `authority`.
async fn shown(rig: &Rig) -> Vec<u8> {
    shown_to(rig.connect_tcp().await).await
}

async fn shown_to(stream: TcpStream) -> Vec<u8> {
    let connector = TlsConnector::from(Arc::new(authority().client()));
    let stream = connector.connect("chat.test".try_into().unwrap(), stream).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

fn der(issued: &Issued) -> Vec<u8> {
    CertificateDer::from_pem_slice(issued.cert.as_bytes()).unwrap().to_vec()
}

/// Replaces a file as those who know do: a new one in its place.
fn replace(workspace: &Workspace, name: &str, content: &str) {
    fs::write(workspace.path("new"), content).unwrap();
    fs::rename(workspace.path("new"), workspace.path(name)).unwrap();
}

#[tokio::test]
async fn a_new_certificate_is_shown_and_live_sessions_do_not_notice() {
    let workspace = Workspace::new();
    let [old, new] = [0, 1].map(|_| authority().issue(&["chat.test"], Valid::Now));
    replace(&workspace, "cert.pem", &old.cert);
    replace(&workspace, "key.pem", &old.key);
    let mut tls = Tls { cert: Some(workspace.path("cert.pem")), key: Some(workspace.path("key.pem")), identity: None };
    tls.identity = tls.load().unwrap();
    let mut rig = Rig::with_tls(Legs { client: true, upstream: false }, |config| config.tls = tls);
    let watching = tokio::spawn({
        let proxy = rig.data_plane();
        async move { proxy.watch_certificates(|_| ()).await }
    });
    let (mut client, mut upstream) = rig.session().await;
    assert_eq!(shown(&rig).await, der(&old));

    // One half of the new pair is no pair: the old one stays, and is shown.
    replace(&workspace, "cert.pem", &new.cert);
    let fault = rig.data_plane().reload_certificates().unwrap_err().to_string();
    assert!(fault.contains("key.pem") && fault.contains("is not the private key"), "{fault}");
    assert_eq!(shown(&rig).await, der(&old));

    replace(&workspace, "key.pem", &new.key);
    rig.within("the new certificate", async { while shown(&rig).await != der(&new) {} }).await;

    // By word, too, and not at all if it has expired.
    let expired = authority().issue(&["chat.test"], Valid::Expired);
    watching.abort();
    replace(&workspace, "cert.pem", &expired.cert);
    replace(&workspace, "key.pem", &expired.key);
    let fault = rig.data_plane().reload_certificates().unwrap_err().to_string();
    assert!(fault.contains("cert.pem: expired at 2021-01-01T00:00:00Z"), "{fault}");
    assert_eq!(shown(&rig).await, der(&new));

    client.say(&text("still here")).await;
    upstream.hear(&text("still here")).await;
    client.fin().await;
    upstream.expect_fin().await;
    upstream.fin().await;
    rig.record().await;
    rig.done().await;
}

#[tokio::test]
async fn a_new_authority_is_believed() {
    let workspace = Workspace::new();
    let other = Authority::new();
    replace(&workspace, "ca.pem", &authority().pem());
    let settings = UpstreamTls { ca: Some(workspace.path("ca.pem")), ..UpstreamTls::default() };
    let settings = settings.load().unwrap();
    let rig = Rig::with_tls(Legs { client: false, upstream: true }, |config| {
        config.routes[0].upstream_tls = Some(settings);
    });
    let acceptor = TlsAcceptor::from(Arc::new(other.issue(&["127.0.0.1"], Valid::Now).server()));
    let mut client = rig.connect().await;
    client.send(REQUEST.as_bytes()).await;
    assert!(acceptor.accept(rig.accept_tcp().await).await.is_err());

    replace(&workspace, "ca.pem", &other.pem());
    rig.data_plane().reload_certificates().unwrap();
    let mut client = rig.connect().await;
    client.send(REQUEST.as_bytes()).await;
    assert!(acceptor.accept(rig.accept_tcp().await).await.is_ok());
    drop(client);
    rig.done().await;
}

#[tokio::test]
async fn a_hangup_takes_tls_with_the_rest_of_the_configuration_or_none_of_it() {
    let workspace = Workspace::new();
    let configuration = |name: &str, valid| {
        let issued = authority().issue(&["chat.test"], valid);
        let [cert, key] = ["cert", "key"].map(|part| workspace.path(&format!("{name}.{part}")));
        fs::write(&cert, &issued.cert).unwrap();
        fs::write(&key, &issued.key).unwrap();
        (format!("upstream = \"{{upstream}}\"\n[tls]\ncert = {cert:?}\nkey = {key:?}\n"), der(&issued))
    };
    let [(first, one), (second, other)] = ["one", "other"].map(|name| configuration(name, Valid::Now));
    let (expired, _) = configuration("expired", Valid::Expired);
    let mut running = Running::with("upstream = \"{upstream}\"\n", &[], Output::Read).await;
    let (mut client, mut upstream) = running.session().await;
    let shown = async |running: &Running| shown_to(TcpStream::connect(running.proxy).await.unwrap()).await;

    running.reload(&first);
    running.child.logs(&["configuration reloaded"]).await;
    assert_eq!(shown(&running).await, one);
    running.reload(&expired);
    running.child.logs(&["expired.cert: expired at"]).await;
    running.child.logs(&["the new configuration is refused"]).await;
    assert_eq!(shown(&running).await, one);
    running.reload(&second);
    running.child.logs(&["configuration reloaded"]).await;
    assert_eq!(shown(&running).await, other);

    // It began in the clear, and stays so.
    client.say(&text("still here")).await;
    upstream.hear(&text("still here")).await;
    client.reset();
    assert_eq!(running.record().await["cause"], "client_reset");
}

#[tokio::test]
async fn a_certificate_has_its_expiry_in_the_metrics_and_one_that_is_refused_is_seen_there() {
    const EXPIRY: &str = "closewatch_tls_certificate_expiry_timestamp_seconds";
    let workspace = Workspace::new();
    let [old, new] = [0, 1].map(|_| authority().issue(&["chat.test"], Valid::Now));
    let file = |name: &str| workspace.path(name).display().to_string();
    replace(&workspace, "cert.pem", &old.cert);
    replace(&workspace, "key.pem", &old.key);
    let config = |cert: &str, key: &str| {
        format!("upstream = \"{{upstream}}\"\n[tls]\ncert = {:?}\nkey = {:?}\n", file(cert), file(key))
    };
    let mut running = Running::with(&config("cert.pem", "key.pem"), &[], Output::Read).await;
    let until_success = async |running: &Running, expected: u64| {
        until("the outcome of the reload", async || {
            running.scrape().await.sum("closewatch_config_reload_success", &[]) == expected
        })
        .await;
    };
    let expiry = closewatch::config::expiry(&old.identity()).unwrap().as_second();
    let shown = running.scrape().await.sum(EXPIRY, &[("file", &file("cert.pem"))]);
    assert_eq!(i64::try_from(shown).unwrap(), expiry);

    replace(&workspace, "cert.pem", "no certificate");
    until_success(&running, 0).await;
    replace(&workspace, "cert.pem", &new.cert);
    replace(&workspace, "key.pem", &new.key);
    until_success(&running, 1).await;
    running.child.logs(&["certificates reloaded: their files have changed"]).await;

    // Another list of files is no change of files: the configuration has just read them.
    replace(&workspace, "other.pem", &old.cert);
    replace(&workspace, "other-key.pem", &old.key);
    running.reload(&config("other.pem", "other-key.pem"));
    running.child.logs(&["configuration reloaded"]).await;
    running.child.logs(&["certificate for clients", "other.pem"]).await;
    let metrics = running.get("/metrics").await.body;
    assert!(
        metrics.contains("other.pem") && !metrics.contains(&file("cert.pem")),
        "the file that is gone has no series"
    );
    replace(&workspace, "other.pem", "no certificate");
    until_success(&running, 0).await;
    assert!(!running.child.log_so_far().contains("their files have changed"));
}
