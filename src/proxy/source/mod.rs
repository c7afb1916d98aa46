//! The source of a connection: the client's address, by its socket or the word of a proxy, and how many it may have.

pub(super) mod client;
pub(super) mod forwarded;
pub(super) mod proxy_protocol;
pub(super) mod quota;
