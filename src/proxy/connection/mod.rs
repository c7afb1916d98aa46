//! One client's connection: PROXY protocol, TLS, the upgrade or plain HTTP, and the relay.

mod exchanges;
mod identify;
mod last_words;
mod request;
mod secure;
pub(super) mod serve;
mod speak_http;
mod stream;
