//! The stages of an upgrade that was admitted: asked, then established.

use std::sync::Arc;

use super::error::UpgradeError;
use super::handshake::Handshake;
use crate::close::{Address, HttpVersion, Text};
use crate::proxy::permit::Permit;
use crate::proxy::routes::Route;
use crate::proxy::transport::leg::Leg;
use crate::wire::{ReservedBits, Violation};

/// An upgrade that was put to its upstream already, byte for byte, but whose answer is not a plain 101: hyper reads it, or
/// says to the client what went wrong.
pub(in crate::proxy) struct Asked {
    pub(in crate::proxy) route: Arc<Route>,
    pub(in crate::proxy) permit: Permit,
    pub(in crate::proxy) handshake: Handshake,
    /// The client's.
    pub(in crate::proxy) version: HttpVersion,
    /// The upstream, and the bytes of its answer that were read.
    pub(in crate::proxy) answer: Result<(Leg, Address, Vec<u8>), UpgradeError>,
}

/// An upgrade that the upstream has accepted; a session as soon as the client has its 101.
pub(in crate::proxy) struct Established {
    pub(in crate::proxy) route: Arc<Route>,
    pub(in crate::proxy) upstream: Leg,
    pub(in crate::proxy) upstream_address: Address,
    /// Bytes that the upstream sent behind its 101.
    pub(in crate::proxy) early: Vec<u8>,
    /// The selection of the upstream's 101.
    pub(in crate::proxy) subprotocol: Option<Text>,
    pub(in crate::proxy) extensions: Option<Text>,
    pub(in crate::proxy) reserved_bits: ReservedBits,
    /// The rules that the upstream's 101 broke.
    pub(in crate::proxy) violations: Vec<Violation>,
    pub(in crate::proxy) handshake: Handshake,
    pub(in crate::proxy) permit: Permit,
}
