//! The upgrade: from a client's request to the upstream's 101.

pub(super) mod admit;
pub(super) mod error;
pub(super) mod handshake;
pub(super) mod stages;
pub(super) mod through_hyper;
pub(super) mod verbatim;
