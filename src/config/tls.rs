//! TLS: what the configuration says of it, and what is in the files that it names.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use jiff::Timestamp;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, CipherSuite, InconsistentKeys, RootCertStore};
use serde::{Serialize, Serializer};

use super::values::{show_file, show_switch};

/// The largest file that is read; a system's bundle of roots takes a quarter of it.
const LARGEST_FILE: u64 = 1024 * 1024;

/// AES-128 with SHA-256, in TLS 1.3 and 1.2: the first that upstreams are offered.
const FIRST_SUITES: [CipherSuite; 3] = [
    CipherSuite::TLS13_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
];

/// TLS in front: there is some if there is a certificate.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Tls {
    /// The certificate, with what leads to its root behind it (PEM). Default none.
    #[serde(serialize_with = "show_file")]
    pub cert: Option<PathBuf>,
    /// Its private key (PEM). Default none.
    #[serde(serialize_with = "show_file")]
    pub key: Option<PathBuf>,
    /// The content of both files when the configuration was read.
    #[serde(skip)]
    pub identity: Option<Arc<CertifiedKey>>,
}

/// How `https://` upstreams are verified, and closewatch by them.
#[derive(Clone, Debug, Serialize)]
pub struct UpstreamTls {
    /// The roots that they are verified against (PEM). Default the system's.
    #[serde(serialize_with = "show_ca")]
    pub ca: Option<PathBuf>,
    /// closewatch's own certificate (PEM). Default none.
    #[serde(serialize_with = "show_file")]
    pub cert: Option<PathBuf>,
    /// Its private key (PEM). Default none.
    #[serde(serialize_with = "show_file")]
    pub key: Option<PathBuf>,
    /// The name that is asked for (SNI) and has to be in the certificate. Default the host of the URL.
    #[serde(serialize_with = "show_name")]
    pub server_name: Option<ServerName<'static>>,
    /// Whether any certificate at all is taken. Default off.
    #[serde(serialize_with = "show_switch")]
    pub insecure: bool,
    /// The roots, as they were when the configuration was read; none if nobody asks them.
    #[serde(skip)]
    pub roots: Arc<RootCertStore>,
    /// The content of `cert` and `key` at that time.
    #[serde(skip)]
    pub identity: Option<Arc<CertifiedKey>>,
}

/// A mistake in a file of TLS.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TlsFault {
    /// Which of them it is.
    pub file: TlsFile,
    message: String,
}

/// A file of TLS, by its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsFile {
    /// `ca`
    Ca,
    /// `cert`
    Cert,
    /// `key`
    Key,
}

/// The cryptography of all TLS: aws-lc-rs, which signs with RSA and encrypts bulk at nearly half the cost of ring
/// (`benches/README.md`), and builds with nothing but a C compiler.
///
/// Upstreams are offered AES-128 with SHA-256 first, as browsers offer it: a handshake with SHA-384 costs more
/// (`benches/README.md`). Of what a client offers, its own order decides: a phone without AES in its processor prefers ChaCha20.
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
        let mut provider = aws_lc_rs::default_provider();
        provider.cipher_suites.sort_by_key(|suite| !FIRST_SUITES.contains(&suite.suite()));
        Arc::new(provider)
    });
    Arc::clone(&PROVIDER)
}

// === impl Tls ===

impl Tls {
    /// Reads the files again; `None` if there are none.
    pub fn load(&self) -> Result<Option<Arc<CertifiedKey>>, TlsFault> {
        load_pair(self.cert.as_deref(), self.key.as_deref())
    }
}

// === impl UpstreamTls ===

impl UpstreamTls {
    /// The same settings with what the files hold now.
    pub fn load(&self) -> Result<Self, TlsFault> {
        let identity = load_pair(self.cert.as_deref(), self.key.as_deref())?;
        // Nobody asks them.
        let roots = if self.insecure { Arc::new(RootCertStore::empty()) } else { load_roots(self.ca.as_deref())? };
        Ok(Self { roots, identity, ..self.clone() })
    }

    /// The same settings with what `read` has of the same files; `None` if it is of others.
    pub(super) fn filled_from(&self, read: &Self) -> Option<Self> {
        let files = |tls: &Self| (tls.ca.clone(), tls.cert.clone(), tls.key.clone(), tls.insecure);
        let filled = || Self { roots: Arc::clone(&read.roots), identity: read.identity.clone(), ..self.clone() };
        (files(self) == files(read)).then(filled)
    }
}

impl Default for UpstreamTls {
    fn default() -> Self {
        Self {
            ca: None,
            cert: None,
            key: None,
            server_name: None,
            insecure: false,
            roots: Arc::new(RootCertStore::empty()),
            identity: None,
        }
    }
}

fn load_pair(cert: Option<&Path>, key: Option<&Path>) -> Result<Option<Arc<CertifiedKey>>, TlsFault> {
    match (cert, key) {
        (Some(cert), Some(key)) => load_identity(cert, key).map(Some),
        (None, None) => Ok(None),
        (Some(_), None) => Err(fault(TlsFile::Cert, "its private key is missing: give key too".to_owned())),
        (None, Some(_)) => Err(fault(TlsFile::Key, "its certificate is missing: give cert too".to_owned())),
    }
}

fn load_identity(cert: &Path, key: &Path) -> Result<Arc<CertifiedKey>, TlsFault> {
    let chain = certificates(TlsFile::Cert, cert)?;
    for certificate in &chain {
        check_time(certificate).map_err(|why| fault(TlsFile::Cert, format!("{}: {why}", cert.display())))?;
    }
    let of_key = |why: String| fault(TlsFile::Key, format!("{}: {why}", key.display()));
    let private = PrivateKeyDer::from_pem_slice(&content(TlsFile::Key, key)?).map_err(|error| {
        of_key(if matches!(error, pem::Error::NoItemsFound) {
            "holds no private key, or an encrypted one, which cannot be used".to_owned()
        } else {
            format!("is not PEM ({error})")
        })
    })?;
    let signing = provider().key_provider.load_private_key(private);
    let unusable = "is of a kind that cannot be used: give RSA, ECDSA with P-256, P-384 or P-521, or Ed25519";
    let signing = signing.map_err(|_| of_key(unusable.to_owned()))?;
    let identity = CertifiedKey::new(chain, signing);
    match identity.keys_match() {
        // Unknown: the kind of key does not tell its public half.
        Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(Arc::new(identity)),
        Err(rustls::Error::InconsistentKeys(_)) => {
            Err(of_key(format!("is not the private key of the certificate in {}", cert.display())))
        }
        Err(error) => Err(fault(TlsFile::Cert, format!("{}: cannot be used ({error})", cert.display()))),
    }
}

/// Those who may vouch for others: in a file, or the system's.
pub fn load_roots(ca: Option<&Path>) -> Result<Arc<RootCertStore>, TlsFault> {
    let mut roots = RootCertStore::empty();
    let Some(path) = ca else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            let message = "this system has no root certificates: give the file of a CA";
            return Err(fault(TlsFile::Ca, message.to_owned()));
        }
        return Ok(Arc::new(roots));
    };
    for certificate in certificates(TlsFile::Ca, path)? {
        roots
            .add(certificate)
            .map_err(|error| fault(TlsFile::Ca, format!("{}: holds what is no root ({error})", path.display())))?;
    }
    Ok(Arc::new(roots))
}

/// The certificates of a file: at least one.
fn certificates(file: TlsFile, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsFault> {
    let wrong = |why: String| fault(file, format!("{}: {why}", path.display()));
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&content(file, path)?).collect();
    let found = found.map_err(|error| wrong(format!("is not PEM ({error})")))?;
    if found.is_empty() {
        return Err(wrong("holds no certificate in PEM".to_owned()));
    }
    Ok(found)
}

fn content(file: TlsFile, path: &Path) -> Result<Vec<u8>, TlsFault> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|opened| opened.take(LARGEST_FILE + 1).read_to_end(&mut bytes));
    let read = read.and_then(|length| match u64::try_from(length) {
        Ok(length) if length <= LARGEST_FILE => Ok(()),
        _ => Err(io::Error::other("larger than 1 MiB")),
    });
    read.map(|()| without_byte_order_marks(bytes))
        .map_err(|error| fault(file, format!("{}: cannot be read ({error})", path.display())))
}

/// Text without the marks that some editors put at the beginning of a file: a PEM block right behind one would be passed over
/// without a word. Several files put together have several.
fn without_byte_order_marks(bytes: Vec<u8>) -> Vec<u8> {
    const MARK: &[u8] = b"\xef\xbb\xbf";
    let mut rest = &*bytes;
    let mut text = Vec::new();
    while let Some(at) = rest.windows(MARK.len()).position(|window| window == MARK) {
        text.extend_from_slice(&rest[..at]);
        rest = &rest[at + MARK.len()..];
    }
    if text.is_empty() && rest.len() == bytes.len() {
        return bytes;
    }
    text.extend_from_slice(rest);
    text
}

/// Whether a certificate is of this time.
fn check_time(certificate: &CertificateDer<'_>) -> Result<(), String> {
    match verify_at(certificate, UnixTime::now()) {
        Some(CertificateError::ExpiredContext { not_after, .. }) => Err(format!("expired at {}", date(not_after))),
        Some(CertificateError::NotValidYetContext { not_before, .. }) => {
            Err(format!("not valid before {}", date(not_before)))
        }
        Some(CertificateError::BadEncoding) => Err("holds what is no certificate".to_owned()),
        Some(error) if is_webpki(&error, "UnsupportedCertVersion") => {
            Err("holds a certificate of X.509 version 1: make one of version 3, with a subjectAltName".to_owned())
        }
        // The issuer is not checked here: clients do that.
        Some(_) | None => Ok(()),
    }
}

/// The file of a certificate, and until when the certificate is valid. `None` if there is none.
pub fn validity(file: Option<&Path>, identity: Option<&CertifiedKey>) -> Option<(PathBuf, Timestamp)> {
    Some((file?.to_owned(), expiry(identity?)?))
}

/// Until when a certificate is valid.
pub fn expiry(identity: &CertifiedKey) -> Option<Timestamp> {
    /// The year 9999, the last that a certificate can name (RFC 5280 §4.1.2.5).
    const END_OF_TIME: Duration = Duration::from_secs(253_402_300_799);
    let verified = verify_at(identity.cert.first()?, UnixTime::since_unix_epoch(END_OF_TIME))?;
    let CertificateError::ExpiredContext { not_after, .. } = verified else { return None };
    timestamp(not_after)
}

/// The verdict of a verifier without roots at some time. It looks at the certificate's validity first.
pub(super) fn verify_at(certificate: &CertificateDer<'_>, time: UnixTime) -> Option<CertificateError> {
    let verified = ParsedCertificate::try_from(certificate).and_then(|parsed| {
        let algorithms = provider().signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&parsed, &RootCertStore::empty(), &[], time, algorithms)
    });
    match verified {
        Err(rustls::Error::InvalidCertificate(error)) => Some(error),
        Err(_) | Ok(()) => None,
    }
}

/// Whether it is the error of this name among those that rustls has no name of its own for.
pub fn is_webpki(error: &CertificateError, name: &str) -> bool {
    matches!(error, CertificateError::Other(other) if other.to_string() == name)
}

fn timestamp(time: UnixTime) -> Option<Timestamp> {
    Timestamp::from_second(i64::try_from(time.as_secs()).ok()?).ok()
}

fn date(time: UnixTime) -> String {
    timestamp(time).map_or_else(|| "a time out of reach".to_owned(), |timestamp| timestamp.to_string())
}

fn fault(file: TlsFile, message: String) -> TlsFault {
    TlsFault { file, message }
}

#[expect(clippy::ref_option, reason = "the signature that serde asks for")]
pub(super) fn show_ca<S: Serializer>(ca: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    match ca {
        Some(path) => serializer.collect_str(&path.display()),
        None => serializer.serialize_str("system"),
    }
}

#[expect(clippy::ref_option, reason = "the signature that serde asks for")]
fn show_name<S: Serializer>(name: &Option<ServerName<'static>>, serializer: S) -> Result<S::Ok, S::Error> {
    match name {
        Some(name) => serializer.collect_str(&name.to_str()),
        None => serializer.serialize_str(""),
    }
}
