//! The version of TLS on each leg, in the records.

use std::sync::Arc;

use closewatch::close::{Outcome, TlsVersion};
use closewatch::config::provider;
use rustls::crypto::CryptoProvider;
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, ClientConfig, SupportedProtocolVersion};
use tokio_rustls::TlsConnector;

use crate::handshakes::answer::fails;
use crate::rig::{Legs, REQUEST, Rig, authority};

/// A leg's version: as rustls has it, and as the record has it.
type Version = Option<(&'static SupportedProtocolVersion, TlsVersion)>;

const VERSIONS: [Version; 3] = [None, Some((&TLS12, TlsVersion::Tls12)), Some((&TLS13, TlsVersion::Tls13))];

fn word(version: Version) -> Option<TlsVersion> {
    version.map(|(_, word)| word)
}

/// An upgrade that was put to the upstream, which answers so.
async fn asked(rig: &Rig, [client, upstream]: [Version; 2], answer: &str) -> [crate::rig::RawPeer; 2] {
    let mut client = match client {
        Some((version, _)) => rig.connect_as(authority().client_of(&[version])).await,
        None => rig.connect_plain().await,
    };
    client.send(REQUEST.as_bytes()).await;
    let mut upstream = match upstream {
        Some((version, _)) => rig.accept_as(rig.issued().server_of(&[version])).await,
        None => rig.accept_plain().await,
    };
    upstream.receive_head().await;
    upstream.send(answer.as_bytes()).await;
    client.receive_head().await;
    [client, upstream]
}

#[tokio::test]
async fn a_record_has_the_version_of_each_leg() {
    for verbatim in [true, false] {
        for versions in VERSIONS.into_iter().flat_map(|client| VERSIONS.map(|upstream| [client, upstream])) {
            let [client, upstream] = versions;
            let legs = Legs { client: client.is_some(), upstream: upstream.is_some() };
            let mut rig = Rig::with_tls(legs, |config| config.relay.verbatim = verbatim);
            let peers = asked(&rig, versions, crate::rig::SWITCH).await;
            drop(peers);
            let session = rig.record().await.session;
            assert_eq!([session.client_tls, session.upstream_tls], versions.map(word), "verbatim: {verbatim}");
            rig.done().await;
        }
    }
}

#[tokio::test]
async fn of_the_suites_that_both_have_the_one_that_the_client_prefers_is_spoken() {
    use CipherSuite::{
        TLS13_AES_128_GCM_SHA256 as AES_128, TLS13_AES_256_GCM_SHA384 as AES_256,
        TLS13_CHACHA20_POLY1305_SHA256 as CHACHA20,
    };
    let rig = Rig::with_tls(Legs { client: true, upstream: false }, |_| {});
    for offered in [[AES_256, CHACHA20, AES_128], [CHACHA20, AES_128, AES_256], [AES_128, AES_256, CHACHA20]] {
        let mut own = CryptoProvider::clone(&provider());
        own.cipher_suites.retain(|suite| offered.contains(&suite.suite()));
        own.cipher_suites.sort_by_key(|suite| offered.iter().position(|it| *it == suite.suite()));
        let client = ClientConfig::builder_with_provider(own.into()).with_safe_default_protocol_versions().unwrap();
        let client = client.with_root_certificates(authority().roots()).with_no_client_auth();
        let connector = TlsConnector::from(Arc::new(client));
        let stream = connector.connect("chat.test".try_into().unwrap(), rig.connect_tcp().await).await.unwrap();
        assert_eq!(stream.get_ref().1.negotiated_cipher_suite().map(|suite| suite.suite()), Some(offered[0]));
    }
    rig.done().await;
}

#[tokio::test]
async fn a_refused_upgrade_has_the_version_of_its_clients_leg() {
    for client in VERSIONS {
        let mut rig = Rig::with_tls(Legs { client: client.is_some(), upstream: false }, |_| {});
        let refusal = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
        let peers = asked(&rig, [client, None], refusal).await;
        drop(peers);
        let record = fails(&mut rig, "default", Outcome::Refused, Some(403)).await;
        assert_eq!(record.client_tls, word(client));
        rig.done_with_upgrades().await;
    }
}
