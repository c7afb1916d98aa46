//! The last words to a client, and the end of its connection.

use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt;

use crate::proxy::transport::leg::Leg;
use crate::proxy::transport::read_buffer;

/// The time that a client has to read the last answer and hang up, so that no reset overtakes it: several round trips of a
/// slow network, and short for a drain.
const FAREWELL: Duration = Duration::from_secs(2);

/// The answer to a head that is not complete in time.
pub(super) const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// The answer to HTTP/2 without negotiation, where hyper only closes the connection.
pub(super) const NOT_HTTP_1: &[u8] = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// The answer to plain HTTP on a port with TLS.
pub(super) const NO_TLS: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain; charset=utf-8\r\n\
    content-length: 41\r\n\r\nclosewatch: this port speaks TLS (https)\n";

/// The answer to an upgrade that is still pending when the process ends.
pub(super) const TOO_LATE: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Says `words`, if any, and ends the connection: FIN, then everything that the client still sends is read until it hangs up
/// too. A socket that is closed with unread input resets, and a reset can overtake the answer.
pub(super) async fn say_last(leg: &mut Leg, words: &[u8]) {
    let ending = async {
        leg.write_all(words).await?;
        leg.shutdown().await?;
        let mut scrap = Vec::new();
        while read_buffer::read_more(leg, &mut scrap).await? > 0 {
            scrap.clear();
        }
        io::Result::Ok(())
    };
    // However it ends, the connection is over.
    let _ = tokio::time::timeout(FAREWELL, ending).await;
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixStream;

    use super::*;

    #[tokio::test]
    async fn a_client_that_reads_nothing_is_not_spoken_to_for_long() {
        let (ours, _client) = UnixStream::pair().unwrap();
        let mut leg = Leg::Unix(ours);
        let words = vec![b'x'; 4 * 1024 * 1024];
        let saying = tokio::time::timeout(FAREWELL * 5, say_last(&mut leg, &words));
        saying.await.expect("it is given up");
    }
}
