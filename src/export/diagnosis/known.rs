//! The part of the settings that can change while the thread runs.

use ipnet::IpNet;
use jiff::Timestamp;

use crate::close::Address;
use crate::config::{Diagnosis, Silent};
use crate::diagnosis::Finding;

/// The operator's own knowledge, from the configuration.
#[derive(Clone, Debug)]
pub(super) struct Known {
    hops: Vec<IpNet>,
    silent: Vec<Silent>,
}

// === impl Known ===

impl Known {
    pub(super) fn of(settings: &Diagnosis) -> Self {
        Self { hops: settings.hops.clone(), silent: settings.silent.clone() }
    }

    /// Whether it is the address of a hop: configured as one, or a socket on this host.
    pub(super) fn is_hop(&self, address: &Address) -> bool {
        match address {
            Address::Ip(socket) => {
                // A socket that listens on [::] shows IPv4 as IPv6.
                let source = socket.ip().to_canonical();
                self.hops.iter().any(|network| network.contains(&source))
            }
            Address::Unix(_) => true,
        }
    }

    /// Whether nothing is to be said of a finding.
    pub(super) fn silences(&self, finding: &Finding, now: Timestamp) -> bool {
        let covers = |silent: &Silent| silent.covers(finding.route.as_deref(), finding.mechanism, now);
        self.silent.iter().any(covers)
    }
}
