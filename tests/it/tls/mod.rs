//! TLS on either leg, and on both: the same ends, told apart where TLS can tell more, and handshakes that come to nothing.

mod configuration;
mod endings;
mod handshakes;
mod openssl;
mod reload;
mod resumption;
mod segments;
mod streams;
mod versions;

use crate::rig::Legs;

/// TLS on the client's leg, on the upstream's, on both.
const LEGS: [Legs; 3] = [
    Legs { client: true, upstream: false },
    Legs { client: false, upstream: true },
    Legs { client: true, upstream: true },
];
