//! The thread that takes events in and looks at them every few seconds.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::announcer::Announcer;
use super::known::Known;
use super::looked::Looked;
use super::queue::{Entry, Shared, Work};
use super::returning::Returning;
use crate::config::Diagnosis;
use crate::diagnosis::{self, Observation, Watch};
use crate::export::Event;

/// While records come, they are looked at no more often than this.
const EVERY: Duration = Duration::from_secs(5);
/// Without new records only time can change something.
const QUIET: Duration = Duration::from_secs(30);
/// A look may take one part in so many of the thread's time: the next waits for the rest.
const SHARE: u32 = 20;
/// Events that come meanwhile are taken in at once, and wake nobody.
const NAP: Duration = Duration::from_millis(10);

/// The thread's own side.
pub(super) struct Worker {
    shared: Arc<Shared>,
    watch: Watch,
    windows: [Duration; 2],
    instance: Option<Arc<str>>,
    announcer: Announcer,
    returning: Returning,
    known: Known,
}

// === impl Worker ===

impl Worker {
    pub(super) fn new(
        shared: Arc<Shared>,
        settings: &Diagnosis,
        instance: Option<Arc<str>>,
        announcer: Announcer,
        returning: Returning,
    ) -> Self {
        Self {
            shared,
            watch: Watch::new(settings.windows, diagnosis::room(settings.memory)),
            windows: settings.windows,
            instance,
            announcer,
            returning,
            known: Known::of(settings),
        }
    }

    pub(super) fn start(self) -> io::Result<()> {
        thread::Builder::new().name("diagnosis".to_owned()).spawn(move || self.run()).map(drop)
    }

    fn run(mut self) {
        // Whether records came since the last look, and when the next one may be.
        let (mut fresh, mut next) = (false, Instant::now());
        loop {
            let wait = match (fresh, self.watch.is_idle() && self.returning.is_idle()) {
                (true, _) => Some(next.saturating_duration_since(Instant::now())),
                (false, false) => Some(QUIET.max(next.saturating_duration_since(Instant::now()))),
                (false, true) => None,
            };
            let asked = match self.shared.next(wait) {
                Work::Stop => return,
                Work::Time => None,
                Work::Events(events, asked) => {
                    self.known.clone_from(&self.shared.lock().known);
                    for entry in &events {
                        match entry {
                            Entry::Filed(event) => {
                                fresh = true;
                                self.take(event);
                            }
                            Entry::Opened(session) => {
                                self.returning.opened(session, &self.known);
                                let at = session.opened_at.as_duration().as_secs_f64();
                                self.watch.opened(&session.upstream.to_string(), at);
                            }
                        }
                    }
                    if asked.is_none() && (!fresh || Instant::now() < next) {
                        self.shared.rest(NAP);
                        continue;
                    }
                    asked
                }
            };
            let began = Instant::now();
            self.look(asked);
            fresh = false;
            next = Instant::now() + EVERY.max(began.elapsed() * SHARE);
        }
    }

    fn take(&mut self, event: &Event) {
        let instance = self.instance.as_deref().unwrap_or_default();
        let (mut seen, client) = match event {
            Event::Closed(record) => {
                self.returning.closed(record, &self.known);
                (Observation::of_close(record, instance), &record.session.client)
            }
            Event::HandshakeFailed { route, record } => {
                (Observation::of_handshake(route, record, instance), &record.client)
            }
        };
        seen.behind_hop = self.known.is_hop(client);
        self.watch.add(&seen);
    }

    fn look(&mut self, asked: Option<u64>) {
        self.known.clone_from(&self.shared.lock().known);
        let now = Timestamp::now();
        self.returning.forget(now);
        self.watch.look(now.as_duration().as_secs_f64(), asked.is_some());
        self.shared.hints.set(self.watch.active());
        let loud = self.watch.going_on().iter().filter(|it| !self.known.silences(&it.finding, now));
        self.announcer.announce(loud.map(|it| (it.id, &it.finding)));
        let [recent, long] = self.watch.reports().clone();
        let windows = [(self.windows[0], recent), (self.windows[1], long)];
        self.shared.looked(Looked::new(Some(now), windows), asked);
    }
}
