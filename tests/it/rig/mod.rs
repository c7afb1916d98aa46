//! The rig: scripted peers that speak bytes over real sockets, a proxy between them on port 0, and its records to await.
//!
//! Nothing here sleeps and no port is fixed. Every wait is for an event and bounded by [`story::PATIENCE`]; what is waited for in
//! vain fails with the whole story of the rig: what each peer sent and was given, and every record, in order.

mod frames;
mod line;
mod peer;
mod pki;
mod proxy;
mod sink;
mod story;
mod stream;

pub(crate) use frames::{Frame, binary, close, close_body, continuation, empty_close, payload, ping, pong, text};
pub(crate) use line::line;
pub(crate) use peer::{RawPeer, part};
pub(crate) use pki::{Authority, Issued, Valid, authority};
pub(crate) use proxy::{Legs, REQUEST, Rig, SWITCH};
