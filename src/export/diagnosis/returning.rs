//! Clients that come back, and their series.

use std::sync::Arc;

use jiff::Timestamp;

use super::clients::Clients;
use super::known::Known;
use super::queue::Shared;
use crate::close::{CloseRecord, RouteFacts, Session};
use crate::diagnosis::{Left, Return, Returns};
use crate::export::metrics::Reconnects;
use crate::export::otlp::Durations;

/// The clients that the diagnosis waits for. Those of a route that is gone are not counted: it would get its series anew.
pub(super) struct Returning {
    shared: Arc<Shared>,
    clients: Arc<Clients>,
    returns: Returns<Arc<RouteFacts>>,
    series: Reconnects,
    durations: Option<Durations>,
}

// === impl Returning ===

impl Returning {
    /// Waits for so many clients at most.
    pub(super) fn new(
        shared: Arc<Shared>,
        clients: Arc<Clients>,
        limit: usize,
        series: Reconnects,
        durations: Option<Durations>,
    ) -> Self {
        Self { shared, clients, returns: Returns::new(limit), series, durations }
    }

    pub(super) fn opened(&mut self, session: &Session, known: &Known) {
        if let Some(client) = self.clients.of(session, known) {
            let back = self.returns.opened(client, unix(session.opened_at));
            self.count(back);
        }
    }

    pub(super) fn closed(&mut self, record: &CloseRecord, known: &Known) {
        let (session, verdict) = (&record.session, &record.verdict);
        let Some(client) = self.clients.of(session, known) else { return };
        if self.shared.hints.knows(&session.route.name) {
            self.series.expect(&session.route.name, verdict.class);
        }
        let lasted = verdict.ended.as_secs_f64();
        let back = self.returns.ended(
            client,
            Left {
                at: unix(session.opened_at) + lasted,
                lasted,
                class: verdict.class,
                code: verdict.code.map(|code| code.0),
                note: Arc::clone(&session.route),
            },
        );
        self.count(back);
    }

    pub(super) fn forget(&mut self, now: Timestamp) {
        let Self { shared, returns, series, .. } = self;
        returns.forget(unix(now), |left| {
            if shared.hints.knows(&left.note.name) {
                series.never(&left.note.name, left.class);
            }
        });
    }

    /// Whether nobody is waited for.
    pub(super) fn is_idle(&self) -> bool {
        self.returns.is_idle()
    }

    fn count(&self, back: Option<Return<Arc<RouteFacts>>>) {
        if let Some(back) = back.filter(|back| self.shared.hints.knows(&back.left.note.name)) {
            let Left { note, class, .. } = &back.left;
            self.series.returned(&note.name, &back);
            if let Some(durations) = &self.durations {
                durations.returned(&note.name, *class, back.after);
            }
        }
    }
}

fn unix(time: Timestamp) -> f64 {
    time.as_duration().as_secs_f64()
}
