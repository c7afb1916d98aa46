//! An authority of the tests' own, and certificates of all kinds by it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use closewatch::config::provider;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, DEFAULT_VERSIONS, RootCertStore, ServerConfig, SupportedProtocolVersion};

/// A certificate authority.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its private key, as PEM.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    pub(crate) cert: String,
    pub(crate) key: String,
}

/// When a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Valid {
    Now,
    Expired,
    NotYet,
}

/// The authority that both sides of a rig trust.
pub(crate) fn authority() -> &'static Authority {
    static AUTHORITY: LazyLock<Authority> = LazyLock::new(Authority::new);
    &AUTHORITY
}

// === impl Authority ===

impl Authority {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        // Two of the same name would be told apart by their signatures only.
        let name = format!("authority {}", COUNT.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap() }
    }

    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for `names`, host names or IP addresses, to be shown by servers and clients alike.
    pub(crate) fn issue(&self, names: &[&str], valid: Valid) -> Issued {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        valid.put_into(&mut params);
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        Issued { cert: cert.pem(), key: key.serialize_pem() }
    }

    /// Trust in this authority, and in nobody else.
    pub(crate) fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        Arc::new(roots)
    }

    /// A client that trusts it.
    pub(crate) fn client(&self) -> ClientConfig {
        self.client_of(DEFAULT_VERSIONS)
    }

    /// The same that speaks these versions.
    pub(crate) fn client_of(&self, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
        ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(self.roots())
            .with_no_client_auth()
    }

    /// A server that lets in whom it vouches for.
    pub(crate) fn strict_server(&self, issued: &Issued) -> ServerConfig {
        let clients = WebPkiClientVerifier::builder_with_provider(self.roots(), provider()).build().unwrap();
        let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
        builder.with_client_cert_verifier(clients).with_single_cert(issued.chain(), issued.private()).unwrap()
    }
}

// === impl Valid ===

impl Valid {
    fn put_into(self, params: &mut CertificateParams) {
        (params.not_before, params.not_after) = match self {
            Self::Now => (date_time_ymd(2020, 1, 1), date_time_ymd(2100, 1, 1)),
            Self::Expired => (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1)),
            Self::NotYet => (date_time_ymd(2100, 1, 1), date_time_ymd(2101, 1, 1)),
        };
    }
}

// === impl Issued ===

impl Issued {
    /// A certificate that is its own authority, as `openssl req -x509` makes it, and trust in it.
    pub(crate) fn by_itself(names: &[&str], valid: Valid) -> (Self, Arc<RootCertStore>) {
        let mut params = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        valid.put_into(&mut params);
        let key = KeyPair::generate().unwrap();
        let cert = params.self_signed(&key).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).unwrap();
        (Self { cert: cert.pem(), key: key.serialize_pem() }, Arc::new(roots))
    }

    pub(crate) fn identity(&self) -> Arc<CertifiedKey> {
        Arc::new(CertifiedKey::from_der(self.chain(), self.private(), &provider()).unwrap())
    }

    /// A server that shows it to everybody.
    pub(crate) fn server(&self) -> ServerConfig {
        self.server_of(DEFAULT_VERSIONS)
    }

    /// The same that speaks these versions.
    pub(crate) fn server_of(&self, versions: &[&'static SupportedProtocolVersion]) -> ServerConfig {
        ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(self.chain(), self.private())
            .unwrap()
    }

    fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![CertificateDer::from_pem_slice(self.cert.as_bytes()).unwrap()]
    }

    fn private(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap()
    }
}
