//! A line of the close log, read into an [`Observation`].

mod bad;
mod columns;
mod digits;
mod instant;
mod named;
mod ordered;
mod otlp;
mod scan;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use self::named::{Line, PeerLine, Str};
use super::leg_tls::LegTls;
use super::observation::{Asked, Closed, Event, Observation, Refused, Side};
use crate::close::{Cause, Class, End, Initiator, Outcome};

pub use self::bad::BadLine;
pub use self::otlp::Batch;

/// The `event` of a line of closewatch's own log, if that is written as JSON: one pipe may carry both.
pub const OWN_LOG: &str = "closewatch.log";

/// The newest version of the close log that is understood.
const SCHEMA: u32 = 1;

// === impl Observation ===

impl<'a> Observation<'a> {
    /// Of one line of the close log. Fields that are missing are taken as unknown; words that are not known, too.
    pub fn of_line(text: &'a str) -> Result<Self, BadLine> {
        let mut line = Line::default();
        if ordered::read(text, &mut line).is_none() {
            line = named(text).map_err(|error| BadLine::NotJson(error.to_string()))?;
        }
        Self::of_fields(&mut line)
    }

    #[inline]
    fn of_fields(line: &mut Line<'a>) -> Result<Self, BadLine> {
        let time = line.ended_at.as_ref().or(line.time.as_ref()).map(|time| instant::read(&time.0));
        Self::of_fields_at(line, time.flatten())
    }

    /// Of all but the time. The fields are taken out of the line where it lies: it is large, and a move is a copy.
    #[inline]
    fn of_fields_at(line: &mut Line<'a>, time: Option<f64>) -> Result<Self, BadLine> {
        let closed = match line.event.as_ref().map(|event| &*event.0) {
            Some("websocket.closed") => true,
            Some("websocket.handshake_failed") => false,
            Some(OWN_LOG) => return Err(BadLine::OwnLog),
            Some(_) | None => return Err(BadLine::Foreign),
        };
        if let Some(schema) = line.schema.filter(|schema| *schema > SCHEMA) {
            return Err(BadLine::Schema(schema));
        }
        let at = time.ok_or(BadLine::NoTime)?;
        let (mut client, mut upstream) = (line.client.as_mut(), line.upstream.as_mut());
        let side = |peer: Option<&mut PeerLine<'_>>| peer.map_or_else(Side::default, |peer| peer.side());
        let tls = |peer: Option<&mut PeerLine<'_>>| peer.map_or_else(LegTls::default, |peer| peer.tls_version);
        let request = line.request.take().unwrap_or_default();
        let event = if closed {
            Event::Closed(Box::new(Closed {
                session: text_of(line.session.take()),
                class: word(Class::ALL, Class::as_str, line.class.as_ref()).unwrap_or(Class::Unknown),
                code: line.code,
                initiator: word(Initiator::ALL, Initiator::as_str, line.initiator.as_ref())
                    .unwrap_or(Initiator::Unknown),
                cause: word(Cause::ALL, Cause::as_str, line.cause.as_ref()).unwrap_or(Cause::Unknown),
                reason: text_of(line.reason.take()),
                duration: line.duration_ms / 1000.0,
                idle: line.idle_ms / 1000.0,
                handshake: line.handshake_ms.map(|millis| millis / 1000.0),
                upstream: text_of(upstream.as_deref_mut().and_then(|peer| peer.address.take())),
                upstream_tls: tls(upstream.as_deref_mut()),
                peers: [side(client.as_deref_mut()), side(upstream)],
            }))
        } else {
            Event::Refused(Refused {
                outcome: word(Outcome::ALL, Outcome::as_str, line.outcome.as_ref()).unwrap_or(Outcome::Internal),
                status: line.status,
                tls_error: text_of(line.tls_error.take()),
                duration: line.duration_ms / 1000.0,
            })
        };
        Ok(Self {
            at,
            instance: text_of(line.instance.take()),
            route: text_of(line.route.take()),
            address: text_of(client.as_deref_mut().and_then(|peer| peer.address.take())),
            real_address: text_of(client.as_deref_mut().and_then(|peer| peer.real_address.take())),
            behind_hop: false,
            client_tls: tls(client),
            request: Asked {
                path: text_of(request.path),
                user_agent: text_of(request.user_agent),
                origin: text_of(request.origin),
                subprotocol: text_of(request.subprotocol),
                extensions: text_of(request.extensions),
                forwarded_for: text_of(request.forwarded_for),
                subprotocols_offered: request.subprotocols_offered.unwrap_or(0),
            },
            event,
        })
    }
}

/// A line in any order of fields, or a row of a table.
fn named(text: &str) -> serde_json::Result<Line<'_>> {
    let line: Line<'_> = serde_json::from_str(text)?;
    let is_flat = line.client.is_none() && line.request.is_none();
    if is_flat && columns::are_in(text) { columns::read(text) } else { Ok(line) }
}

fn text_of(text: Option<Str<'_>>) -> Cow<'_, str> {
    text.map_or(Cow::Borrowed(""), |text| text.0)
}

fn word<T: Copy>(all: &[T], spelt: impl Fn(T) -> &'static str, given: Option<&Str<'_>>) -> Option<T> {
    let given = &*given?.0;
    all.iter().copied().find(|value| spelt(*value) == given)
}

// === impl PeerLine ===

impl PeerLine<'_> {
    fn side(&self) -> Side {
        let seconds = |millis: Option<f64>| millis.map(|millis| millis / 1000.0);
        Side {
            close: self.close.map(|close| close.code),
            end: word(End::ALL, End::as_str, self.end.as_ref()).unwrap_or(End::Open),
            saw: self.saw.and_then(|saw| saw.code),
            messages: self.text_messages.saturating_add(self.binary_messages),
            frames: self.frames,
            last_frame: seconds(self.last_frame_at_ms),
            last_message: seconds(self.last_message_at_ms),
            unanswered_pings: self.unanswered_pings,
            since_answered_ping: seconds(self.since_answered_ping_ms),
            violations: self.violations.frames,
            contradicted: self.violations.handshake,
            stalled: self.stalled_ms / 1000.0,
            stalled_at_end: seconds(self.stalled_at_end_ms),
            undelivered: self.undelivered_bytes,
            silence_before_last: seconds(self.silence_before_last_ms),
            longest_silence: seconds(self.longest_silence_ms),
        }
    }
}
