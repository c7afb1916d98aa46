//! The data plane: moves the bytes, and shows each slice to the tap.
//!
//! *Takes* sockets. *Gives* relayed bytes, and one record per session and per handshake into a
//! [`CloseSink`](crate::close::CloseSink). *May import* `wire`, `close`, `config`, `shutdown`.
//!
//! A connection goes through these files in this order: [`accept`](Proxy::serve) → `connection` (HTTP; `front`) → `upgrade`
//! (`dial`, `headers`) → `relay` (`flow`, `session`) → record; what is not an upgrade goes from `connection` to `plain`.

mod accept;
mod connection;
mod dial;
mod front;
mod headers;
mod kernel;
mod leg;
mod plain;
mod relay;
mod routes;
mod session;
mod upgrade;

pub use accept::{Proxy, bind};
