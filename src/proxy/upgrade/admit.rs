//! Admission: whether an upgrade may become a session.

use super::error::UpgradeError;
use crate::proxy::permit::Permit;
use crate::proxy::state::Shared;
use crate::shutdown::Phase;

/// A place for one session more.
pub(in crate::proxy) fn admit(proxy: &Shared) -> Result<Permit, UpgradeError> {
    // A client that was accepted before another process took over is still served.
    let last = if proxy.shutdown.has_successor() { Phase::Draining } else { Phase::Unready };
    if proxy.shutdown.phase() > last {
        return Err(UpgradeError::Draining);
    }
    Permit::take(&proxy.sessions, proxy.config.limits.sessions).ok_or(UpgradeError::OverLimit)
}
