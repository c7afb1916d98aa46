//! Warnings about settings that expose traffic or the admin address.

use crate::config::Config;

/// Warns of every setting that lets others read or change what should be protected.
pub(super) fn warn(config: &Config) {
    for route in config.routes.iter().filter(|route| route.upstream_tls.as_ref().is_some_and(|tls| tls.insecure)) {
        tracing::warn!(
            route = route.name,
            upstream = %route.upstream,
            "INSECURE: this upstream is not verified; anybody on the path can read and change everything"
        );
    }
    if let Some(address) = config.admin.listen.filter(|address| !address.ip().is_loopback()) {
        tracing::warn!(%address, "the admin address is open beyond this host: it shows paths, hosts and close reasons");
    }
}
