//! Trust in a server's certificate.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WantsClientCert, WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    WantsVerifier,
};

use super::tls::{provider, verify_at};

/// Trusts servers whose certificate a root signed, or whose certificate *is* a root.
///
/// `openssl req -x509` makes a certificate that is its own authority (`CA:TRUE`). RFC 5280 §4.2.1.9 leaves open whether a
/// server may show it; webpki refuses it, while curl, Node, nginx and HAProxy take one that they were given as the authority.
/// Its name and dates are checked as always.
pub fn trust(
    builder: ConfigBuilder<ClientConfig, WantsVerifier>,
    roots: &Arc<RootCertStore>,
) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    match WebPkiServerVerifier::builder_with_provider(Arc::clone(roots), provider()).build() {
        Ok(webpki) => {
            let verifier = RootOrSigned { webpki, roots: Arc::clone(roots) };
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        }
        // There are no roots: nobody is trusted.
        Err(_) => builder.with_root_certificates(Arc::clone(roots)),
    }
}

struct RootOrSigned {
    webpki: Arc<WebPkiServerVerifier>,
    roots: Arc<RootCertStore>,
}

// === impl RootOrSigned ===

impl RootOrSigned {
    /// The certificate has the name and the key of a root.
    fn is_root(&self, certificate: &CertificateDer<'_>) -> bool {
        let mut alone = RootCertStore::empty();
        alone.add(certificate.clone().into_owned()).is_ok()
            && alone.roots.iter().all(|anchor| self.roots.roots.contains(anchor))
    }
}

impl fmt::Debug for RootOrSigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RootOrSigned").field("roots", &self.roots.len()).finish_non_exhaustive()
    }
}

impl ServerCertVerifier for RootOrSigned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.webpki.verify_server_cert(certificate, intermediates, name, ocsp, now);
        if verified.is_ok() || !self.is_root(certificate) {
            return verified;
        }
        if let Some(error @ (CertificateError::ExpiredContext { .. } | CertificateError::NotValidYetContext { .. })) =
            verify_at(certificate, now)
        {
            return Err(error.into());
        }
        verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}
