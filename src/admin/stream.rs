//! `/closes/stream`: closures and failed handshakes as they come, as server-sent events.
//!
//! A stream reads the ring of the latest events whenever its client has taken what was written before. It holds no queue: a
//! client that is too slow falls behind in the ring, and is told how many it has missed.

use std::convert::Infallible;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep, sleep_until};

use super::Admin;
use super::query::Query;
use super::streams::MAX_STREAMS;
use crate::export::Event;

/// Events gather for this long, so that a storm is written in pieces, not one by one.
const GATHER: Duration = Duration::from_millis(100);
/// More events than this in one piece are sampled: 1,000 a second are more than anybody reads, or a page can show.
const MAX_EVENTS: usize = 100;
/// A stream without events says something after this long, so that proxies keep it and a client that is gone is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A client that was cut off comes back after this many milliseconds.
const RETRY: u32 = 2000;

/// One client's stream.
struct Reader {
    admin: Admin,
    query: Query,
    /// The place in the ring up to which it was told everything.
    place: u64,
    /// The next piece, if it is made already.
    ready: Vec<u8>,
    /// No piece is made before this.
    next: Instant,
    ended: bool,
    _permit: OwnedSemaphorePermit,
}

/// Begins a stream: behind `Last-Event-ID` if there is one, else with the latest events, `limit` of them.
pub(super) async fn stream(State(admin): State<Admin>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let query = match Query::of_closes(query.as_deref()) {
        Ok(query) => query,
        Err(error) => return error.into_response(),
    };
    let Some(permit) = admin.streams.admit() else {
        admin.exporter.metrics().stream_refused();
        let refusal = format!("{MAX_STREAMS} streams are open already\n");
        return (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "10")], refusal).into_response();
    };
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let reader = Reader::new(admin, query, last, permit);
    let body = Body::from_stream(stream::unfold(reader, Reader::read));
    ([(CONTENT_TYPE, "text/event-stream")], body).into_response()
}

// === impl Reader ===

impl Reader {
    fn new(admin: Admin, query: Query, last: Option<&str>, permit: OwnedSemaphorePermit) -> Self {
        let mut reader =
            Self { admin, query, place: 0, ready: Vec::new(), next: Instant::now(), ended: false, _permit: permit };
        match last.and_then(|id| id.split_once('-')) {
            Some((run, place)) if run == &*reader.admin.streams.run => reader.begin_at(place.parse().unwrap_or(0)),
            // An id of the process before: all that this one knows came behind it.
            Some(_) => reader.begin_at(0),
            None => reader.begin(),
        }
        reader
    }

    /// Takes the latest events, which are not sampled: there are no more than the client asks for.
    fn begin(&mut self) {
        let passage = self.admin.exporter.recent().after(0);
        self.begin_at(passage.end);
        let wanted: Vec<_> = passage.events.iter().filter(|(_, event)| self.query.filter.takes(event)).collect();
        for (place, event) in &wanted[wanted.len().saturating_sub(self.query.limit)..] {
            self.write(*place, event);
        }
    }

    /// Says where the stream begins: a client that is cut off before any event goes on there.
    fn begin_at(&mut self, place: u64) {
        self.place = place;
        // Writing to memory does not fail.
        let _ = write!(self.ready, "retry: {RETRY}\nid: {}-{place}\n\n", self.admin.streams.run);
    }

    /// The next piece; `None` at the end of the process.
    async fn read(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        loop {
            if !self.ready.is_empty() {
                self.next = Instant::now() + GATHER;
                let piece = Bytes::from(std::mem::take(&mut self.ready));
                return Some((Ok(piece), self));
            }
            if self.ended {
                return None;
            }
            self.wait().await;
            // Everything that came until now is told, also at the end.
            self.ended = self.admin.streams.has_ended(&self.admin.shutdown);
            self.gather();
        }
    }

    /// Waits for events, for the end, or until something has to be said.
    async fn wait(&mut self) {
        let Self { admin, place, next, ready, .. } = self;
        let gathered = async {
            sleep_until(*next).await;
            admin.exporter.recent().pushed_after(*place).await;
        };
        tokio::select! {
            () = gathered => {}
            () = admin.streams.ended(&admin.shutdown) => {}
            () = sleep(KEEP_ALIVE) => ready.extend_from_slice(b":\n\n"),
        }
    }

    /// Writes what has come since, or some of it, and says what is left out.
    fn gather(&mut self) {
        let mut passage = self.admin.exporter.recent().after(self.place);
        self.place = passage.end;
        if passage.missed > 0 {
            self.say("missed", format_args!("{{\"missed\":{}}}", passage.missed));
        }
        passage.events.retain(|(_, event)| self.query.filter.takes(event));
        let count = passage.events.len();
        let shown = count.min(MAX_EVENTS);
        if shown < count {
            self.say("sampled", format_args!("{{\"shown\":{shown},\"of\":{count}}}"));
        }
        for number in 0..shown {
            // Evenly, and with the last one: its id is where a client goes on that was cut off.
            let (place, event) = &passage.events[(number + 1) * count / shown - 1];
            self.write(*place, event);
        }
    }

    fn write(&mut self, place: u64, event: &Arc<Event>) {
        // Writing to memory does not fail.
        let _ = write!(self.ready, "id: {}-{place}\ndata: ", self.admin.streams.run);
        // A line without a line break in it, and one at its end.
        self.admin.exporter.json().write(event, &mut self.ready);
        self.ready.push(b'\n');
    }

    fn say(&mut self, event: &str, data: std::fmt::Arguments<'_>) {
        let _ = write!(self.ready, "event: {event}\ndata: {data}\n\n");
    }
}
