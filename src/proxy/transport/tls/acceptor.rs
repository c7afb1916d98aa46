//! TLS on the listener: terminates the TLS of clients.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::{ClientHello, ProducesTickets, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::machine::Machine;
use super::refusal::Refusal;
use super::stream::{TlsError, TlsStream, first_bytes};
use crate::config::{Tls, TlsFault, expiry, provider, validity};
use crate::wire::Peer;

/// The only protocol that is offered by ALPN (RFC 7301).
pub(super) const ALPN: &[u8] = b"http/1.1";

/// Shakes hands with clients.
pub(in crate::proxy) struct Acceptor {
    settings: Tls,
    config: Arc<ServerConfig>,
    identity: Arc<Current>,
}

/// Why a client has no TLS connection.
#[derive(Debug)]
pub(in crate::proxy) enum AcceptError {
    /// It sent nothing: a probe, or a connection opened in advance.
    Silent,
    /// It speaks HTTP without TLS.
    Plain(TcpStream),
    /// The handshake failed: the client speaks TLS, or something that is neither TLS nor HTTP.
    Failed(TlsError),
}

/// The certificate that is shown to the next client.
struct Current(RwLock<Arc<CertifiedKey>>);

/// The keys of session tickets, which change every six hours. A ticket holds its session: nothing is kept here for clients, so
/// any number of them can resume. They are the process's, so that a reload makes no ticket void.
fn tickets() -> Arc<dyn ProducesTickets> {
    static TICKETS: LazyLock<Arc<dyn ProducesTickets>> =
        LazyLock::new(|| Ticketer::new().expect("the system has random numbers"));
    Arc::clone(&TICKETS)
}

// === impl Acceptor ===

impl Acceptor {
    /// `None` if clients speak without TLS.
    pub(in crate::proxy) fn new(settings: &Tls) -> Option<Self> {
        let identity = Arc::new(Current(RwLock::new(Arc::clone(settings.identity.as_ref()?))));
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("the provider has cipher suites for TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&identity) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.ticketer = tickets();
        Some(Self { settings: settings.clone(), config: Arc::new(config), identity })
    }

    /// Shakes hands on `socket`, within `patience`.
    pub(in crate::proxy) async fn accept(
        &self,
        mut socket: TcpStream,
        patience: Duration,
    ) -> Result<Box<TlsStream>, AcceptError> {
        let failed = AcceptError::Failed;
        // One deadline, for the first byte and the rest.
        let deadline = Instant::now() + patience;
        // A silent client costs no TLS state, and one that speaks HTTP can be answered in HTTP.
        let first = match timeout_at(deadline, first_bytes(&mut socket)).await {
            Ok(Ok(bytes)) if bytes.first().is_some_and(u8::is_ascii_uppercase) => {
                return Err(AcceptError::Plain(socket));
            }
            Ok(Ok(bytes)) if !bytes.is_empty() => bytes,
            Ok(Ok(_) | Err(_)) | Err(_) => return Err(AcceptError::Silent),
        };
        let refused = |error| TlsError::Refused(Refusal { with: Peer::Client, error });
        let machine = Machine::server(Arc::clone(&self.config)).map_err(refused).map_err(failed)?;
        let opened = timeout_at(deadline, TlsStream::open(socket, machine, first));
        opened.await.unwrap_or(Err(TlsError::Timeout(patience))).map_err(failed)
    }

    /// Reads the files again.
    pub(in crate::proxy) fn load(&self) -> Result<Option<Arc<CertifiedKey>>, TlsFault> {
        self.settings.load()
    }

    /// Shows `identity` to the clients that come from now on. Gives its file, and until when it is valid.
    pub(in crate::proxy) fn show(&self, identity: Arc<CertifiedKey>) -> Option<(PathBuf, Timestamp)> {
        let valid = validity(self.settings.cert.as_deref(), Some(&identity));
        *self.identity.0.write().unwrap_or_else(PoisonError::into_inner) = identity;
        self.announce();
        valid
    }

    /// Says in the log until when the certificate is valid.
    pub(in crate::proxy) fn announce(&self) {
        let until = expiry(&self.identity.get()).map(|until| until.to_string()).unwrap_or_default();
        let cert = self.settings.cert.as_deref().unwrap_or(Path::new("")).display();
        tracing::info!(%cert, until, "certificate for clients");
    }

    /// The files of its certificate and key.
    pub(in crate::proxy) fn files(&self) -> impl Iterator<Item = &Path> {
        [&self.settings.cert, &self.settings.key].into_iter().filter_map(|file| file.as_deref())
    }
}

// === impl Current ===

impl Current {
    fn get(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.get())
    }
}

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Current").finish_non_exhaustive()
    }
}
