//! The live diagnosis: what the records of the last minutes and hours say together.
//!
//! A thread of its own takes events from a bounded queue. To hand one over is a lock and a pointer; a full queue drops it, and
//! counts that.

mod announcer;
mod clients;
mod hints;
mod known;
mod looked;
mod queue;
mod returning;
mod worker;

use std::io;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use self::announcer::Announcer;
use self::clients::Clients;
use self::known::Known;
use self::looked::Looked;
use self::queue::Shared;
use self::returning::Returning;
use self::worker::Worker;
use super::otlp::Durations;
use super::{Event, Metrics, Sink, to_json};
use crate::close::{RequestHeaders, Session};
use crate::config;
use crate::diagnosis::{self, Engine};

pub(super) use hints::RouteHints;
pub use queue::QUEUE;

/// The way to the thread. Dropped, the thread ends.
#[derive(Debug)]
pub struct Diagnosis {
    shared: Arc<Shared>,
    clients: Arc<Clients>,
}

// === impl Diagnosis ===

impl Diagnosis {
    /// Starts the thread, if the settings say so.
    pub(super) fn start(
        settings: &config::Diagnosis,
        instance: Option<Arc<str>>,
        metrics: &Metrics,
        durations: Option<&Durations>,
    ) -> io::Result<Option<Self>> {
        if !settings.enabled {
            return Ok(None);
        }
        let none = Looked::new(None, settings.windows.map(|length| (length, Engine::default().report())));
        let shared = Arc::new(Shared::new(Known::of(settings), none, metrics.records_dropped(Sink::Diagnosis)));
        let clients = Arc::new(Clients::new(settings.client.clone()));
        let announcer = Announcer::new(metrics.findings());
        let limit = diagnosis::room(settings.memory);
        let (series, durations) = (metrics.reconnects(), durations.cloned());
        let returning = Returning::new(Arc::clone(&shared), Arc::clone(&clients), limit, series, durations);
        Worker::new(Arc::clone(&shared), settings, instance, announcer, returning).start()?;
        Ok(Some(Self { shared, clients }))
    }

    /// Hands an event over. Never waits: with [`QUEUE`] events before it, it is dropped and counted.
    pub(super) fn push(&self, event: &Arc<Event>) {
        self.shared.push(event);
    }

    /// A session opened. Never waits.
    pub(super) fn opened(&self, session: &Arc<Session>) {
        self.shared.opened(session);
    }

    /// The hash of what tells the client of an upgrade request from others, if the configuration names it.
    pub(super) fn visitor(&self, headers: &dyn RequestHeaders) -> Option<NonZeroU32> {
        self.clients.visitor(headers)
    }

    /// The hints of a route, whose findings they follow from now on.
    pub(super) fn hints(&self, route: &Arc<str>) -> Arc<RouteHints> {
        self.shared.hints.of(route)
    }

    /// Takes the settings that can change while it runs.
    pub fn reload(&self, settings: &config::Diagnosis) {
        self.shared.lock().known = Known::of(settings);
    }

    /// Waits until every event handed over before was looked at; `false` if that took longer than `timeout`. Blocks the
    /// thread.
    pub fn settle(&self, timeout: Duration) -> bool {
        self.shared.settle(timeout)
    }

    /// Appends the reports of the last look, as JSON.
    pub fn write(&self, out: &mut Vec<u8>) {
        let looked = Arc::clone(&self.shared.lock().looked);
        to_json(&*looked, out);
        out.push(b'\n');
    }
}

impl Drop for Diagnosis {
    fn drop(&mut self) {
        self.shared.stop();
    }
}
