//! TLS on a leg: what is behind it is a stream of bytes like any other, with an end that can be told apart.
//!
//! `machine` is the protocol without a socket, `stream` joins the two, `queue` holds bytes that wait, `acceptor` terminates TLS of clients,
//! `connector` verifies upstreams, `failure` and `refusal` say why there is no TLS, in a word and in a sentence. `config` loads and checks
//! the files behind both, `proxy::certificates` reloads them.

mod acceptor;
mod connector;
mod failure;
mod machine;
mod queue;
mod refusal;
mod stream;

pub(in crate::proxy) use acceptor::{AcceptError, Acceptor};
pub(in crate::proxy) use connector::Connector;
pub(in crate::proxy) use failure::{alert_of, failure_of, is_tls_failure};
pub(in crate::proxy) use stream::{TlsError, TlsStream};
