//! The refusal of an upgrade that was put to its upstream byte for byte: it goes to the client as it was written.
//!
//! Taken is one that has come whole, and behind which both connections can go on. All others are hyper's.

use std::future::poll_fn;
use std::task::Poll;

use http::StatusCode;

use super::front::Front;
use super::kept::Kept;
use super::outgoing::Outgoing;
use crate::close::{HttpVersion, Outcome};
use crate::config::Limits;
use crate::proxy::http::head::Room;
use crate::proxy::http::lines;
use crate::proxy::http::upstreams::Upstreams;
use crate::proxy::parsed::Parsed;
use crate::proxy::transport::read_buffer;
use crate::proxy::upgrade::stages::Asked;

/// The end of a refusal.
pub(super) enum Refusal {
    /// The client has it, and the upstream's connection is kept.
    Passed(Kept),
    /// hyper reads the answer.
    Hyper(Box<Asked>),
    /// The client is gone.
    Over,
}

/// The state of a client that waits for its answer.
enum Waiting {
    Quiet,
    /// It has sent something behind its request, or a FIN.
    Spoke,
    Gone,
}

/// Passes the refusal on that `asked` holds. The client has sent its upgrade and nothing behind it.
pub(super) async fn pass_refusal(
    limits: &Limits,
    upstreams: &Upstreams,
    front: &mut Front<'_>,
    asked: Asked,
) -> Refusal {
    let Asked { route, permit, handshake, version, answer } = asked;
    let (leg, address, bytes) = match answer {
        Ok(answer) => answer,
        Err(error) => return Refusal::Hyper(Box::new(Asked { route, permit, handshake, version, answer: Err(error) })),
    };
    // For a client of HTTP/1.0 the connection ends with its answer.
    let passes = front.is_running() && version == HttpVersion::Http11;
    let status = status_of(&bytes, limits).filter(|_| passes);
    let place = status.and_then(|_| upstreams.place(route.upstream(limits)));
    let (Some(status), Some(place)) = (status, place) else {
        let answer = Ok((leg, address, bytes));
        return Refusal::Hyper(Box::new(Asked { route, permit, handshake, version, answer }));
    };
    match poll_fn(|cx| {
        Poll::Ready(match read_buffer::poll_read_more(&mut front.leg, &mut front.read, cx) {
            Poll::Pending => Waiting::Quiet,
            Poll::Ready(Ok(_)) => Waiting::Spoke,
            Poll::Ready(Err(_)) => Waiting::Gone,
        })
    })
    .await
    {
        Waiting::Quiet => {}
        // Bytes that were meant for a session: nobody may read them as a request, and hyper ends the connection.
        Waiting::Spoke => {
            let answer = Ok((leg, address, bytes));
            return Refusal::Hyper(Box::new(Asked { route, permit, handshake, version, answer }));
        }
        // The drop of the handshake files that.
        Waiting::Gone => return Refusal::Over,
    }
    drop(permit);
    handshake.end(Outcome::Refused, status, None);
    let mut out = Outgoing { bytes, sent: 0, are_last: false };
    let is_sent = poll_fn(|cx| {
        let before = out.sent;
        match out.poll_send(&mut front.leg, cx) {
            Poll::Ready(sent) => Poll::Ready(sent.is_ok()),
            Poll::Pending => {
                if out.sent > before {
                    front.moved();
                }
                front.poll_stuck(cx).map(|()| false)
            }
        }
    })
    .await;
    if !is_sent {
        return Refusal::Over;
    }
    let used = front.answered(front.read.len());
    Refusal::Passed(Kept::new(route, leg, address, used, place))
}

/// The status of a whole answer behind which its connection goes on, if these bytes are one.
fn status_of(bytes: &[u8], limits: &Limits) -> Option<StatusCode> {
    let mut room = Room::new();
    let Parsed::Whole(head) = lines::answer(bytes, false, &mut room) else { return None };
    let is_whole = usize::try_from(head.body).ok()?.checked_add(head.len())? == bytes.len();
    let fits = head.len() <= limits.header_bytes && head.headers() <= limits.header_lines;
    if is_whole && fits && !head.is_last && !head.is_early() { StatusCode::from_u16(head.status).ok() } else { None }
}
