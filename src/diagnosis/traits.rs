//! Properties of a row that victims can have in common.

use super::address;
use super::row::Row;

/// A property that can be common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trait {
    UserAgent,
    Origin,
    Subnet,
    Hop,
    Instance,
    Upstream,
    Path,
    Subprotocol,
    Extensions,
    ClientTls,
    UpstreamTls,
    Reason,
}

// === impl Trait ===

impl Trait {
    pub(super) const ALL: [Self; 12] = [
        Self::UserAgent,
        Self::Origin,
        Self::Subnet,
        Self::Hop,
        Self::Instance,
        Self::Upstream,
        Self::Path,
        Self::Subprotocol,
        Self::Extensions,
        Self::ClientTls,
        Self::UpstreamTls,
        Self::Reason,
    ];

    /// Those that an illness can be confined to.
    pub(super) const CONFINING: [Self; 8] = [
        Self::UserAgent,
        Self::Subnet,
        Self::Instance,
        Self::Upstream,
        Self::Path,
        Self::Subprotocol,
        Self::Origin,
        Self::ClientTls,
    ];

    /// A row's value; 0 if it has none.
    pub(super) fn of(self, row: &Row) -> u128 {
        let session = row.session();
        match self {
            Self::UserAgent => row.user_agent.into(),
            Self::Origin => row.origin.into(),
            Self::Subnet => address::subnet(row.client),
            Self::Hop => row.hop,
            Self::Instance => row.instance.into(),
            Self::Path => row.path.into(),
            Self::Upstream => session.map_or(0, |session| session.upstream.into()),
            Self::Subprotocol => session.map_or(0, |session| session.subprotocol.into()),
            Self::Extensions => session.map_or(0, |session| session.extensions.into()),
            Self::ClientTls => row.client_tls.key().into(),
            Self::UpstreamTls => session.map_or(0, |session| session.upstream_tls.key().into()),
            Self::Reason => session.map_or(0, |session| session.reason.into()),
        }
    }
}
