//! Plain requests that pass line by line, one after the other, without hyper.
//!
//! Requests and answers are those of [`lines`]. With the first of any other kind, and with everything that goes wrong before an
//! answer, hyper goes on: it reads the bytes again that were read before. So only one place refuses, answers and frames bodies
//! of unknown length.

mod answer;
mod front;
mod kept;
mod outgoing;
mod refusal;

use std::future::poll_fn;
use std::sync::Arc;

use self::answer::{Ended, Exchange, Question};
use self::front::{Front, Next};
use self::kept::{Kept, Ready, reach};
use self::refusal::{Refusal, pass_refusal};
use super::last_words::say_last;
use crate::proxy::http::head::Room;
use crate::proxy::http::lines;
use crate::proxy::http::upstreams::{Given, OpenError, Upstreams};
use crate::proxy::source::client::Client;
use crate::proxy::state::Shared;
use crate::proxy::transport::leg::Leg;
use crate::proxy::upgrade::stages::Asked;

/// hyper refuses the target of a head that is much longer.
const LONGEST_HEAD: usize = 32 * 1024;

/// The most that the buffer keeps between two requests.
const BUFFER: usize = 16 * 1024;

/// A connection on which hyper goes on.
pub(super) struct Rest {
    pub(super) leg: Leg,
    /// Bytes that were read already.
    pub(super) read: Vec<u8>,
    /// Requests were answered before.
    pub(super) answered: bool,
    /// The request in `read` was put to its upstream already.
    pub(super) asked: Option<Asked>,
    /// Keepalive is set on `leg`.
    pub(super) watched: bool,
}

/// Passes requests on for as long as they are those of [`lines`]. `read` was read already; it may be an upgrade that was `asked`
/// for, whose refusal is passed on. Gives what is left for hyper, if
/// the client's connection is not over; the upstream connections are in `upstreams` then.
pub(super) async fn pass_requests(
    proxy: &Arc<Shared>,
    client: &Client,
    upstreams: &Upstreams,
    leg: Leg,
    read: Vec<u8>,
    asked: Option<Asked>,
) -> Option<Rest> {
    let mut front = Front::new(proxy, leg, read);
    let mut kept = Vec::new();
    let mut out = Vec::new();
    let mut answered = false;
    if let Some(asked) = asked {
        match pass_refusal(&proxy.config.limits, upstreams, &mut front, asked).await {
            Refusal::Passed(upstream) => kept.push(upstream),
            Refusal::Hyper(asked) => {
                let Front { leg, read, watched, .. } = front;
                return Some(Rest { leg, read, answered, asked: Some(*asked), watched });
            }
            Refusal::Over => return None,
        }
        answered = true;
    }
    loop {
        if front.read.is_empty() {
            match poll_fn(|cx| front.poll_next_request(&mut kept, cx)).await {
                Next::Request => {}
                Next::Hyper => break,
                Next::Farewell | Next::Over => return None,
            }
        }
        match pass_one(&proxy.latest(), client, upstreams, &mut front, &mut kept, &mut out).await {
            Next::Request => answered = true,
            Next::Hyper => break,
            Next::Farewell => {
                drop(kept);
                say_last(&mut front.leg, &[]).await;
                return None;
            }
            Next::Over => return None,
        }
    }
    for kept in kept {
        let route = Arc::clone(&kept.route);
        if let Ok(connection) = kept.for_hyper(None, &proxy.config.limits).await {
            upstreams.keep(route.upstream(&proxy.config.limits), connection);
        }
    }
    let Front { leg, read, watched, .. } = front;
    Some(Rest { leg, read, answered, asked: None, watched })
}

/// Passes on the request that was read, and its answer.
async fn pass_one(
    proxy: &Arc<Shared>,
    client: &Client,
    upstreams: &Upstreams,
    front: &mut Front<'_>,
    kept: &mut Vec<Kept>,
    out: &mut Vec<u8>,
) -> Next {
    let limits = &proxy.config.limits;
    // From then on an answer says that it is the last, or that there is none.
    if !front.is_running() {
        return Next::Hyper;
    }
    let (route, len, question) = {
        let mut room = Room::new();
        let longest = limits.header_bytes.min(LONGEST_HEAD);
        let fits = |it: &lines::PlainRequest<'_, '_>| it.len() <= longest && it.headers() <= limits.header_lines;
        let Some(request) = lines::request(&front.read, &mut room).filter(fits) else { return Next::Hyper };
        let Some(route) = proxy.routes.find(Some(request.host), request.path) else { return Next::Hyper };
        out.clear();
        request.write(out, client, &proxy.config.forwarded, proxy.scheme());
        let question = Question { is_head: request.is_head, is_last: request.is_last };
        (Arc::clone(route), request.len(), question)
    };
    let given = |result| {
        upstreams.give(Given { dialer: Arc::clone(&route.dialer), result });
        Next::Hyper
    };
    let ready = front.while_it_stays(len, reach(proxy, upstreams, kept, &route, out)).await;
    let Ready { kept: mut upstream, is_new, sent } = match ready {
        None => return Next::Over,
        Some(Ok(ready)) => ready,
        Some(Err(error)) => return given(Err(error)),
    };
    if is_new {
        front.opened();
    }
    let mut exchange = Exchange::new(&mut upstream, question, std::mem::take(out), sent);
    let ended = poll_fn(|cx| {
        loop {
            let ended = exchange.poll(front, len, cx);
            // Both have one timer: when this is done, it is armed anew for the exchange.
            if ended.is_ready() || front.poll_watch(kept.iter_mut().chain([exchange.upstream()]), cx).is_pending() {
                return ended;
            }
        }
    })
    .await;
    *out = exchange.into_buffer();
    if out.capacity() > BUFFER {
        *out = Vec::new();
    }
    let begun = match ended {
        Ended::Over => return Next::Over,
        Ended::Answered { clean } => {
            if question.is_last {
                return Next::Farewell;
            }
            upstream.used = front.answered(len);
            if clean {
                kept.push(upstream);
            }
            return Next::Request;
        }
        // It ended while nothing was under way, and the request can be put again (RFC 9112 §9.3.1): it still stands there.
        Ended::Silent if !is_new => return Next::Request,
        Ended::Silent => Vec::new(),
        Ended::Begun(bytes) => bytes,
    };
    given(upstream.for_hyper(Some(begun), limits).await.map_err(OpenError::Closed))
}
