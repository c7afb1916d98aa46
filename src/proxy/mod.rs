//! The data plane: moves the bytes, and shows each slice to the tap.
//!
//! *Takes* sockets. *Gives* relayed bytes, and one record per session and per handshake into a
//! [`CloseSink`](crate::close::CloseSink). *May import* `wire`, `close`, `config`, `shutdown`.
//!
//! A connection goes through these files in this order: [`accept`](Proxy::serve) → `connection` → `verbatim` (`head`, `dial`)
//! → `relay` (`flow`, `session`; `buffer`, `pipe`) → record. What is not a valid upgrade, or is not answered by a valid 101, goes to hyper
//! in `connection` (`front`), and from there to `upgrade` or `plain`.

mod accept;
mod buffer;
mod client;
mod connection;
mod dial;
mod front;
#[cfg(fuzzing)]
pub mod fuzzing;
mod head;
mod headers;
mod kernel;
mod leg;
mod pipe;
mod plain;
mod proxy_protocol;
mod relay;
mod replayed;
mod routes;
mod session;
mod sources;
mod upgrade;
mod verbatim;

pub use accept::{Proxy, bind};
