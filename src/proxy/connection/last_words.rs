//! The last words to a client, and the end of its connection.

use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt;

use crate::proxy::transport::leg::Leg;
use crate::proxy::transport::read_buffer;

/// How long a client may take to read the last answer and hang up, so that no reset overtakes it.
const FAREWELL: Duration = Duration::from_secs(2);

/// What is said to a client that does not come to the end of its request's head.
pub(super) const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// What is said where hyper only hangs up: to HTTP/2 that nobody has agreed on.
pub(super) const NOT_HTTP_1: &[u8] = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// What is said to a client that speaks HTTP where TLS is spoken.
pub(super) const NO_TLS: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain; charset=utf-8\r\n\
    content-length: 41\r\n\r\nclosewatch: this port speaks TLS (https)\n";

/// What is said to a client whose upgrade is still not answered when the process ends.
pub(super) const TOO_LATE: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// The last words to a client, and the end of its connection.
pub(super) async fn say_last(leg: &mut Leg, words: &[u8]) {
    if leg.write_all(words).await.is_ok() {
        say_goodbye(leg).await;
    }
}

/// FIN, then whatever the client still sends, until it hangs up too: a socket closed with unread input resets, and a reset
/// can overtake the answer.
pub(super) async fn say_goodbye(leg: &mut Leg) {
    let discard = async {
        leg.shutdown().await?;
        let mut scrap = Vec::new();
        while read_buffer::read_more(leg, &mut scrap).await? > 0 {
            scrap.clear();
        }
        io::Result::Ok(())
    };
    // However it ends, the connection is over.
    let _ = tokio::time::timeout(FAREWELL, discard).await;
}
