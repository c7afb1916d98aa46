//! TLS on a leg: what is behind it is a stream of bytes like any other, with an end that can be told apart.
//!
//! `machine` is the protocol without a socket, `stream` joins the two, `front` terminates what clients speak, `upstream`
//! verifies what is dialled. The files behind both are loaded and judged by `config`; `watch` looks whether they change.

mod front;
mod machine;
mod stream;
mod upstream;
mod watch;

pub(super) use front::{AcceptError, Acceptor};
pub(super) use stream::{TlsError, TlsStream, alert_of, is_tls_failure};
pub(super) use upstream::Connector;
