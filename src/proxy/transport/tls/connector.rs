//! TLS to an upstream: verifies its certificate, and shows closewatch's own if there is one.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::net::TcpStream;

use super::acceptor::ALPN;
use super::machine::Machine;
use super::refusal::Refusal;
use super::stream::{TlsError, TlsStream};
use crate::config::{TlsFault, UpstreamTls, provider, trust};
use crate::wire::Peer;

/// Shakes hands with one upstream.
pub(in crate::proxy) struct Connector {
    settings: UpstreamTls,
    name: ServerName<'static>,
    config: RwLock<Arc<ClientConfig>>,
}

/// Verifies nothing but that the upstream has the key of the certificate that it shows (`upstream_tls.insecure`).
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

// === impl Connector ===

impl Connector {
    /// For an upstream whose host is `host`.
    pub(in crate::proxy) fn new(host: &ServerName<'static>, settings: &UpstreamTls) -> Self {
        let name = settings.server_name.as_ref().unwrap_or(host).clone();
        Self { settings: settings.clone(), name, config: RwLock::new(client_config(settings)) }
    }

    /// Whether it verifies as `settings` say. If so, it has the certificates in them from now on.
    pub(in crate::proxy) fn adopts(&self, host: &ServerName<'static>, settings: &UpstreamTls) -> bool {
        let keys = |tls: &UpstreamTls| (tls.ca.clone(), tls.cert.clone(), tls.key.clone(), tls.insecure);
        let same =
            self.name == *settings.server_name.as_ref().unwrap_or(host) && keys(&self.settings) == keys(settings);
        if same {
            self.change(settings);
        }
        same
    }

    /// Shakes hands on `socket`, within `patience`.
    pub(in crate::proxy) async fn connect(
        &self,
        socket: TcpStream,
        patience: Duration,
    ) -> Result<Box<TlsStream>, TlsError> {
        let config = Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner));
        let refused = |error| TlsError::Refused(Refusal { with: Peer::Upstream, error });
        let machine = Machine::client(config, self.name.clone()).map_err(refused)?;
        let opened = tokio::time::timeout(patience, TlsStream::open(socket, machine, Vec::new()));
        opened.await.unwrap_or(Err(TlsError::Timeout(patience)))
    }

    /// Reads the files again.
    pub(in crate::proxy) fn load(&self) -> Result<UpstreamTls, TlsFault> {
        self.settings.load()
    }

    /// Dials with `settings` from now on.
    pub(in crate::proxy) fn change(&self, settings: &UpstreamTls) {
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = client_config(settings);
    }

    /// The files of its settings.
    pub(in crate::proxy) fn files(&self) -> impl Iterator<Item = &Path> {
        let UpstreamTls { ca, cert, key, .. } = &self.settings;
        [ca, cert, key].into_iter().filter_map(|file| file.as_deref())
    }
}

fn client_config(settings: &UpstreamTls) -> Arc<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("the provider has cipher suites for TLS 1.2 and 1.3");
    let builder = if settings.insecure {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider())))
    } else {
        trust(builder, &settings.roots)
    };
    let mut config = match &settings.identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity.as_ref().clone())))
        }
    };
    config.alpn_protocols = vec![ALPN.to_vec()];
    Arc::new(config)
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
