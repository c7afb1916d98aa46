//! Connections as streams of bytes, with and without TLS.

pub(super) mod dial;
mod last_segment;
pub(super) mod leg;
mod name;
pub(super) mod pipe;
pub(super) mod read_buffer;
pub(super) mod rewind;
pub(super) mod tcp_info;
pub(super) mod tls;
