//! TLS between real peers: the files that it needs, and the options by which each peer is given them.

use std::fs;
use std::process::Command;

use crate::instance::Workspace;
use crate::rig::{Valid, authority};

/// An authority's certificate, and one by it for 127.0.0.1 with its private key; gone with this value.
pub(super) struct Secrets(Workspace);

// === impl Secrets ===

impl Secrets {
    pub(super) fn new() -> Self {
        let workspace = Workspace::new();
        let issued = authority().issue(&["127.0.0.1"], Valid::Now);
        for (name, content) in [("ca.pem", authority().pem()), ("cert.pem", issued.cert), ("key.pem", issued.key)] {
            fs::write(workspace.path(name), content).unwrap();
        }
        Self(workspace)
    }

    /// For a server: its certificate and its key. A client: whom to trust. A browser trusts anybody.
    pub(super) fn tell(&self, peer: &mut Command) {
        peer.env("PEER_TLS_CERT", self.0.path("cert.pem"))
            .env("PEER_TLS_KEY", self.0.path("key.pem"))
            .env("NODE_EXTRA_CA_CERTS", self.0.path("ca.pem"))
            .env("SSL_CERT_FILE", self.0.path("ca.pem"));
    }

    /// For closewatch, on both legs.
    pub(super) fn tell_closewatch(&self, closewatch: &mut Command) {
        closewatch
            .env("CLOSEWATCH_TLS_CERT", self.0.path("cert.pem"))
            .env("CLOSEWATCH_TLS_KEY", self.0.path("key.pem"))
            .env("CLOSEWATCH_UPSTREAM_CA", self.0.path("ca.pem"));
    }
}
