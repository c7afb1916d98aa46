//! The reload of certificates and keys, on request or when their files change.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::sleep;

use super::accept::Proxy;
use super::transport::tls::{Acceptor, Connector};
use crate::config::{TlsFault, validity};

/// The interval between two looks at the files. Not inotify: it does not see what changes behind a symbolic link, as in a volume of
/// Kubernetes, or on the other side of a network file system.
const PERIOD: Duration = Duration::from_secs(1);

/// The identity of a file's contents: device, inode, size and time of the last change.
type Stamp = Option<(u64, u64, u64, i64, i64)>;

impl Proxy {
    /// Reads all certificates and keys again, for handshakes from now on, and gives until when each is valid. If any file is
    /// wrong, nothing changes. Reading files blocks.
    pub fn reload_certificates(&self) -> Result<Vec<(PathBuf, Timestamp)>, TlsFault> {
        let inner = self.inner();
        let listener = inner.acceptor.as_ref().map(|acceptor| acceptor.load().map(|identity| (acceptor, identity)));
        let listener = listener.transpose()?;
        let connectors: Vec<_> = inner.routes.connectors().collect();
        let loaded = connectors.iter().map(|connector| connector.load()).collect::<Result<Vec<_>, _>>()?;
        let mut certificates = Vec::new();
        if let Some((acceptor, Some(identity))) = listener {
            certificates.extend(acceptor.show(identity));
        }
        for (connector, settings) in connectors.into_iter().zip(loaded) {
            connector.change(&settings);
            certificates.extend(validity(settings.cert.as_deref(), settings.identity.as_deref()));
        }
        Ok(certificates)
    }

    /// Reloads certificates when their files change, for as long as it is polled, and tells the result.
    ///
    /// A change counts once two looks in a row have found the same: certificate and key are two files, and are not written at
    /// the same moment.
    pub async fn watch_certificates(&self, tell: impl Fn(&Result<Vec<(PathBuf, Timestamp)>, TlsFault>)) {
        if let Some(acceptor) = &self.inner().acceptor {
            acceptor.announce();
        }
        let mut loaded = self.stamps().await;
        let mut before = loaded.clone();
        loop {
            sleep(PERIOD).await;
            let now = self.stamps().await;
            if now != loaded && now == before {
                let same_files = now.keys().eq(loaded.keys());
                loaded.clone_from(&now);
                let proxy = self.clone();
                let reloaded = tokio::task::spawn_blocking(move || proxy.reload_certificates()).await;
                if let Ok(outcome) = &reloaded {
                    tell(outcome);
                }
                match reloaded {
                    Ok(Ok(_)) if same_files => tracing::info!("certificates reloaded: their files have changed"),
                    // Another configuration names other files: they may have changed since it read them, or not.
                    Ok(Ok(_)) => {}
                    Ok(Err(fault)) => tracing::warn!(%fault, "the certificates stay as they are"),
                    Err(error) => tracing::error!(%error, "the certificates stay as they are"),
                }
            }
            before = now;
        }
    }

    /// The present state of each file, read off this thread: a file system may take its time.
    async fn stamps(&self) -> BTreeMap<PathBuf, Stamp> {
        let inner = self.inner();
        let listener = inner.acceptor.iter().flat_map(Acceptor::files);
        let files: Vec<PathBuf> =
            listener.chain(inner.routes.connectors().flat_map(Connector::files)).map(Path::to_owned).collect();
        if files.is_empty() {
            return BTreeMap::new();
        }
        let stamps = move || files.into_iter().map(|file| (file.clone(), stamp(&file))).collect();
        tokio::task::spawn_blocking(stamps).await.unwrap_or_default()
    }
}

fn stamp(file: &Path) -> Stamp {
    let file = fs::metadata(file).ok()?;
    Some((file.dev(), file.ino(), file.size(), file.mtime(), file.mtime_nsec()))
}
