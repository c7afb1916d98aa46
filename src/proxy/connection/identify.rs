//! The client's address, if a balancer in front announces it with the PROXY protocol.

use crate::close::{Address, Rejection};
use crate::proxy::source::client::Client;
use crate::proxy::source::proxy_protocol::{self, ProxyError};
use crate::proxy::state::Shared;
use crate::proxy::transport::leg::Leg;
use crate::shutdown::Phase;

/// The client's addresses. A source from which the PROXY protocol is expected must send its header, or is turned away.
pub(super) async fn identify(proxy: &Shared, leg: &mut Leg, address: Address) -> Option<Client> {
    let mut client = Client { address, proxied: None, tls: None };
    let forwarded = &proxy.config.forwarded;
    if let Leg::Tcp(stream) = leg
        && forwarded.proxy_protocol
        && client.is_trusted(forwarded)
    {
        let header = tokio::time::timeout(proxy.config.timeouts.head, proxy_protocol::read(stream));
        let header = tokio::select! {
            biased;
            header = Box::pin(header) => header,
            () = proxy.shutdown.reached(Phase::Closing) => return None,
        };
        client.proxied = match header {
            Ok(Ok(source)) => source,
            // A probe of the port, most likely.
            Ok(Err(ProxyError::Gone(_))) => return None,
            Ok(Err(ProxyError::Malformed)) | Err(_) => {
                tracing::debug!(client = %client.address, "no PROXY protocol header of a source that has to send one");
                proxy.sink.rejected(Rejection::ProxyProtocol);
                return None;
            }
        };
    }
    Some(client)
}
