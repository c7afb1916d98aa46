//! One exchange: a request goes to its upstream, and the answer to the client as it comes.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

use super::front::Front;
use super::kept::Kept;
use super::outgoing::Outgoing;
use crate::proxy::http::head::{Room, may_be_complete};
use crate::proxy::http::lines;
use crate::proxy::parsed::Parsed;
use crate::proxy::transport::read_buffer;

/// The exchange of one request and its answer.
pub(super) struct Exchange<'u> {
    upstream: &'u mut Kept,
    question: Question,
    stage: Stage,
    out: Outgoing,
    /// An answer before the answer was passed on, so the request must not be put again.
    begun: bool,
}

/// The part of a request on which its answer depends.
#[derive(Clone, Copy)]
pub(super) struct Question {
    /// The answer has no body.
    pub(super) is_head: bool,
    /// The answer is the last on the client's connection.
    pub(super) is_last: bool,
}

/// The stage of an exchange.
enum Stage {
    /// The request is on its way.
    Asking,
    /// These bytes of the answer's head have come.
    Head(Vec<u8>),
    /// An answer before the answer (1xx) is on its way to the client, and these bytes came behind it.
    Early(Vec<u8>),
    /// The head was passed on, and so many bytes of the body are to come. `clean`: nothing has come behind it.
    Body { left: u64, clean: bool },
}

/// The end of an exchange.
pub(super) enum Ended {
    /// `clean`: its upstream connection can take another request.
    Answered { clean: bool },
    /// hyper reads the answer, which begins with these bytes.
    Begun(Vec<u8>),
    /// The upstream ended its connection before it said anything.
    Silent,
    /// The client is gone, or its answer broke off.
    Over,
}

// === impl Exchange ===

impl<'u> Exchange<'u> {
    /// The request in `head`, whose first bytes were `sent` already, is put to `upstream`.
    pub(super) fn new(upstream: &'u mut Kept, question: Question, head: Vec<u8>, sent: usize) -> Self {
        Self {
            upstream,
            question,
            stage: Stage::Asking,
            out: Outgoing { bytes: head, sent, are_last: false },
            begun: false,
        }
    }

    /// The buffer that it used.
    pub(super) fn into_buffer(self) -> Vec<u8> {
        self.out.bytes
    }

    /// The connection to its upstream.
    pub(super) fn upstream(&mut self) -> &mut Kept {
        self.upstream
    }

    /// Puts a request of `len` bytes to its upstream, and passes the answer on.
    pub(super) fn poll(&mut self, front: &mut Front<'_>, len: usize, cx: &mut Context<'_>) -> Poll<Ended> {
        if let Poll::Ready(ended) = self.poll_answer(front, cx) {
            return Poll::Ready(ended);
        }
        ready!(front.poll_gone(len, cx));
        Poll::Ready(Ended::Over)
    }

    fn poll_answer(&mut self, front: &mut Front<'_>, cx: &mut Context<'_>) -> Poll<Ended> {
        loop {
            match &mut self.stage {
                Stage::Asking => {
                    if ready!(self.out.poll_send(&mut self.upstream.leg, cx)).is_err() {
                        // An answer may be there all the same, for whoever reads it.
                        return Poll::Ready(Ended::Silent);
                    }
                    self.stage = Stage::Head(Vec::new());
                }
                Stage::Body { left, clean } => {
                    let (left, clean, before) = (*left, *clean, self.out.sent);
                    match self.out.poll_send(&mut front.leg, cx) {
                        Poll::Ready(Ok(())) if left == 0 => return Poll::Ready(Ended::Answered { clean }),
                        Poll::Ready(Ok(())) => {}
                        Poll::Ready(Err(_)) => return Poll::Ready(Ended::Over),
                        // A client that takes nothing is as quiet as one that says nothing.
                        Poll::Pending if left == 0 => {
                            if self.out.sent > before {
                                front.moved();
                            }
                            return front.poll_stuck(cx).map(|()| Ended::Over);
                        }
                        Poll::Pending => return Poll::Pending,
                    }
                }
                Stage::Head(_) => {}
                // It goes out before anything else is read: the upstream could send any number of them.
                Stage::Early(behind) => match self.out.poll_send(&mut front.leg, cx) {
                    Poll::Ready(Ok(())) => {
                        let behind = std::mem::take(behind);
                        self.stage = Stage::Head(Vec::new());
                        if !behind.is_empty() {
                            if let Some(ended) = self.pass_head(front, &behind, cx) {
                                return Poll::Ready(ended);
                            }
                            continue;
                        }
                    }
                    Poll::Ready(Err(_)) => return Poll::Ready(Ended::Over),
                    Poll::Pending => return Poll::Pending,
                },
            }
            let ended = read_buffer::lend(|buffer, _| {
                let mut read = ReadBuf::new(buffer);
                let came = ready!(Pin::new(&mut self.upstream.leg).poll_read(cx, &mut read));
                // A connection that breaks ends as well.
                let bytes = if came.is_ok() { read.filled() } else { &[] };
                Poll::Ready(match &mut self.stage {
                    Stage::Head(before) if bytes.is_empty() && before.is_empty() && !self.begun => Some(Ended::Silent),
                    Stage::Head(before) if bytes.is_empty() => Some(Ended::Begun(std::mem::take(before))),
                    Stage::Head(before) if before.is_empty() => self.pass_head(front, bytes, cx),
                    Stage::Head(before) => {
                        let known = before.len();
                        before.extend_from_slice(bytes);
                        // Parsed only when its end may have come, so small pieces cost no more than large ones.
                        if before.len() < front.limits().header_bytes && !may_be_complete(before, known) {
                            None
                        } else {
                            let bytes = std::mem::take(before);
                            self.pass_head(front, &bytes, cx)
                        }
                    }
                    Stage::Asking | Stage::Early(_) | Stage::Body { .. } if bytes.is_empty() => Some(Ended::Over),
                    Stage::Asking | Stage::Early(_) | Stage::Body { .. } => self.pass_body(front, bytes, cx),
                })
            });
            if let Some(ended) = ready!(ended) {
                return Poll::Ready(ended);
            }
        }
    }

    /// Passes on the head of an answer, of which these bytes have come, and what of its body came with it.
    fn pass_head(&mut self, front: &mut Front<'_>, bytes: &[u8], cx: &mut Context<'_>) -> Option<Ended> {
        let limits = front.limits();
        let mut room = Room::new();
        match lines::answer(bytes, self.question.is_head, &mut room) {
            Parsed::Partial if bytes.len() < limits.header_bytes => {
                self.stage = Stage::Head(bytes.to_vec());
                None
            }
            Parsed::Whole(head)
                if head.len() <= limits.header_bytes && head.headers() <= limits.header_lines && front.is_running() =>
            {
                head.write(&mut self.out.bytes, self.question.is_last);
                if head.is_early() {
                    self.begun = true;
                    self.stage = Stage::Early(bytes[head.len()..].to_vec());
                    return None;
                }
                self.stage = Stage::Body { left: head.body, clean: !head.is_last };
                self.upstream.route.sink.http_response(head.status);
                self.pass_body(front, &bytes[head.len()..], cx)
            }
            Parsed::Partial | Parsed::Whole(_) | Parsed::Other => Some(Ended::Begun(bytes.to_vec())),
        }
    }

    /// Passes on these bytes of a body, as far as the client takes them; the rest waits.
    fn pass_body(&mut self, front: &mut Front<'_>, bytes: &[u8], cx: &mut Context<'_>) -> Option<Ended> {
        let Stage::Body { left, clean } = &mut self.stage else { return None };
        let now = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
        *left -= now as u64;
        *clean &= now == bytes.len();
        self.out.are_last = self.question.is_last && *left == 0;
        match self.out.poll_send_with(&mut front.leg, &bytes[..now], cx) {
            Poll::Ready(Ok(())) => None,
            Poll::Ready(Err(_)) => Some(Ended::Over),
            Poll::Pending => {
                front.moved();
                None
            }
        }
    }
}
