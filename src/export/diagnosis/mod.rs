//! The live diagnosis: what the records of the last minutes and hours say together.
//!
//! A thread of its own takes events from a bounded queue. To hand one over is a lock and a pointer; a full queue drops it, and
//! counts that.

mod announcer;
mod hints;
mod known;
mod looked;
mod queue;
mod worker;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use self::announcer::Announcer;
use self::known::Known;
use self::looked::Looked;
use self::queue::Shared;
use self::worker::Worker;
use super::{Event, Metrics, Sink, to_json};
use crate::config;
use crate::diagnosis::Engine;

pub(super) use hints::RouteHints;
pub use queue::QUEUE;

/// The way to the thread. Dropped, the thread ends.
#[derive(Debug)]
pub struct Diagnosis(Arc<Shared>);

// === impl Diagnosis ===

impl Diagnosis {
    /// Starts the thread, if the settings say so.
    pub(super) fn start(
        settings: &config::Diagnosis,
        instance: Option<Arc<str>>,
        metrics: &Metrics,
    ) -> io::Result<Option<Self>> {
        if !settings.enabled {
            return Ok(None);
        }
        let none = Looked::new(None, settings.windows.map(|length| (length, Engine::default().report())));
        let shared = Arc::new(Shared::new(Known::of(settings), none, metrics.records_dropped(Sink::Diagnosis)));
        let announcer = Announcer::new(metrics.findings());
        Worker::new(Arc::clone(&shared), settings, instance, announcer).start()?;
        Ok(Some(Self(shared)))
    }

    /// Hands an event over. Never waits: with [`QUEUE`] events before it, it is dropped and counted.
    pub(super) fn push(&self, event: &Arc<Event>) {
        self.0.push(event);
    }

    /// The hints of a route, whose findings they follow from now on.
    pub(super) fn hints(&self, route: &Arc<str>) -> Arc<RouteHints> {
        self.0.hints.of(route)
    }

    /// Takes the settings that can change while it runs.
    pub fn reload(&self, settings: &config::Diagnosis) {
        self.0.lock().known = Known::of(settings);
    }

    /// Waits until every event handed over before was looked at; `false` if that took longer than `timeout`. Blocks the
    /// thread.
    pub fn settle(&self, timeout: Duration) -> bool {
        self.0.settle(timeout)
    }

    /// Appends the reports of the last look, as JSON.
    pub fn write(&self, out: &mut Vec<u8>) {
        let looked = Arc::clone(&self.0.lock().looked);
        to_json(&*looked, out);
        out.push(b'\n');
    }
}

impl Drop for Diagnosis {
    fn drop(&mut self) {
        self.0.stop();
    }
}
