//! The data plane: moves the bytes, and shows each slice to the tap.
//!
//! *Takes* sockets. *Gives* relayed bytes, and one record per session and per handshake into a
//! [`CloseSink`](crate::close::CloseSink). *May import* `wire`, `close`, `config`, `shutdown`.
//!
//! A connection goes through these folders in this order: [`accept`](Proxy::serve) → `connection` → `upgrade` (`verbatim`, or
//! `through_hyper`) → `relay` → record. Plain HTTP stays in `connection` and `http`. Each folder imports only those above it
//! in this list: `transport`, `source`, `http`, `relay`, `routes`, `state`, `upgrade`, `connection`, `accept`.

mod accept;
mod certificates;
mod connection;
#[doc(hidden)]
pub mod fuzzing;
mod http;
mod parsed;
mod permit;
mod relay;
mod routes;
mod source;
mod state;
mod transport;
mod upgrade;

pub use accept::{Proxy, bind};
