//! The series of one route.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use foldhash::HashMap;
use http::StatusCode;
use prometheus::{Histogram, IntCounter};

use super::expected::{EXPECTED_HANDSHAKES, expected_ends};
use super::families::Families;
use crate::close::{
    Cause, Class, CloseCode, CloseRecord, CodeLabel, CodeRules, HandshakeRecord, Initiator, NO_ROUTE, Outcome, Verdict,
};
use crate::diagnosis::Mechanism;
use crate::wire::{MessageKind, Peer, Violation};

/// Handles to one route's series. What moves with every session is resolved once, when it first happens; what is rare is
/// looked up whenever it happens.
#[derive(Debug)]
pub struct RouteMetrics {
    name: Arc<str>,
    families: Arc<Families>,
    opened: IntCounter,
    lost: IntCounter,
    /// By sender.
    bytes: [IntCounter; 2],
    /// By sender, then text and binary.
    messages: [[IntCounter; 2]; 2],
    /// By the peer that answers.
    ping_rtt: [OnceLock<Histogram>; 2],
    upgraded: OnceLock<IntCounter>,
    handshake_duration: OnceLock<Histogram>,
    /// Of the kinds of ends that there have been.
    ends: RwLock<HashMap<EndKind, Arc<EndSeries>>>,
}

/// The labels that tell one end from another, all of closed sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct EndKind {
    code: CodeLabel,
    class: Class,
    initiator: Initiator,
    cause: Cause,
}

/// The series that the ends of one kind move.
#[derive(Debug)]
struct EndSeries {
    closes: IntCounter,
    session_duration: Histogram,
    idle_before_close: Histogram,
    close_handshake: OnceLock<Histogram>,
}

/// The classes of an HTTP status.
const STATUS_CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
/// A status that is no registered one, or not even of a class.
const OTHER: &str = "other";
/// No status at all: there was nobody to send it to.
const NO_STATUS: &str = "none";

// === impl RouteMetrics ===

impl RouteMetrics {
    pub(super) fn new(families: Arc<Families>, name: &str) -> Self {
        Self {
            name: name.into(),
            opened: families.opened.with_label_values(&[name]),
            lost: families.lost.with_label_values(&[name]),
            bytes: Peer::ALL.map(|from| families.frame_bytes.with_label_values(&[name, from.direction()])),
            messages: Peer::ALL.map(|from| {
                ["text", "binary"].map(|kind| families.messages.with_label_values(&[name, from.direction(), kind]))
            }),
            ping_rtt: [OnceLock::new(), OnceLock::new()],
            upgraded: OnceLock::new(),
            handshake_duration: OnceLock::new(),
            ends: RwLock::default(),
            families,
        }
    }

    /// An upgrade was answered, or its client went away.
    pub fn handshake(&self, record: &HandshakeRecord) {
        let counter = || {
            let status = status_label(record.status);
            self.families.handshakes.with_label_values(&[&self.name, record.outcome.as_str(), &status])
        };
        match (record.outcome, record.status) {
            (Outcome::Upgraded, Some(101)) => self.upgraded.get_or_init(counter).inc(),
            _ => counter().inc(),
        }
        self.handshake_duration
            .get_or_init(|| self.families.handshake_duration.with_label_values(&[&*self.name]))
            .observe(record.duration.as_secs_f64());
    }

    /// A session opened.
    pub fn opened(&self) {
        self.opened.inc();
    }

    /// A session ended.
    pub fn closed(&self, record: &CloseRecord) {
        let (route, verdict) = (&*self.name, &record.verdict);
        let initiator = verdict.initiator.as_str();
        let series = self.end_series(EndKind::of(verdict));
        series.closes.inc();
        series.session_duration.observe(verdict.ended.as_secs_f64());
        series.idle_before_close.observe(record.idle().as_secs_f64());
        if let Some(time) = verdict.close_handshake {
            series
                .close_handshake
                .get_or_init(|| self.families.close_handshake.with_label_values(&[route, initiator]))
                .observe(time.as_secs_f64());
        }
        if verdict.saw_mismatch() {
            self.families.saw_mismatch.with_label_values(&[route, initiator]).inc();
        }
        for peer in Peer::ALL {
            let facts = record.facts.of(peer);
            for (kind, count) in facts.violations.iter() {
                let labels = [route, peer.direction(), kind.as_str()];
                self.families.violations.with_label_values(&labels).inc_by(u64::from(count));
            }
            if facts.blind.is_some() {
                self.families.blind_sessions.with_label_values(&[route, peer.direction()]).inc();
            }
            if facts.undelivered_bytes > 0 {
                // They were on their way to this peer.
                let labels = [route, peer.other().direction()];
                self.families.undelivered_bytes.with_label_values(&labels).inc_by(facts.undelivered_bytes);
            }
        }
    }

    /// A session was lost.
    pub fn lost(&self) {
        self.lost.inc();
    }

    /// A record bears this hint.
    pub fn hint(&self, hint: Mechanism) {
        self.families.hints.with_label_values(&[&*self.name, hint.as_str()]).inc();
    }

    /// Bytes were read from `from`.
    pub fn bytes(&self, from: Peer, bytes: u64) {
        self.bytes[from.index()].inc_by(bytes);
    }

    /// `count` messages of a kind came to their end.
    pub fn messages(&self, from: Peer, kind: MessageKind, count: u64) {
        let [text, binary] = &self.messages[from.index()];
        match kind {
            MessageKind::Text => text.inc_by(count),
            MessageKind::Binary => binary.inc_by(count),
        }
    }

    /// `peer` answered a ping.
    pub fn ping_rtt(&self, peer: Peer, rtt: Duration) {
        self.ping_rtt[peer.index()]
            .get_or_init(|| self.families.ping_rtt.with_label_values(&[&*self.name, peer.as_str()]))
            .observe(rtt.as_secs_f64());
    }

    /// Sessions began (+) or ceased (-) to wait for a peer that does not take its bytes.
    pub fn stalled(&self, change: i64) {
        self.families.stalled.add(change);
    }

    /// Bytes that wait in closewatch, in its own memory or in a pipe, came (+) or went (-).
    pub fn spilled(&self, change: i64) {
        self.families.spilled_bytes.add(change);
    }

    /// Connections to the upstream that are no session's were opened (+) or closed (-).
    pub fn upstream_connections(&self, change: i64) {
        self.families.upstream_connections.add(change);
    }

    /// A plain HTTP request was answered with this status.
    pub fn http_response(&self, status: u16) {
        self.families.http_requests.with_label_values(&[&self.name, status_class(status)]).inc();
    }

    fn end_series(&self, kind: EndKind) -> Arc<EndSeries> {
        let known = self.ends.read().unwrap_or_else(PoisonError::into_inner).get(&kind).cloned();
        known.unwrap_or_else(|| {
            let series = Arc::new(EndSeries::resolve(&self.families, &self.name, kind));
            self.ends.write().unwrap_or_else(PoisonError::into_inner).insert(kind, Arc::clone(&series));
            series
        })
    }
}

// === impl EndKind ===

impl EndKind {
    const fn of(verdict: &Verdict) -> Self {
        Self { code: verdict.label, class: verdict.class, initiator: verdict.initiator, cause: verdict.cause }
    }
}

// === impl EndSeries ===

impl EndSeries {
    fn resolve(families: &Families, route: &str, kind: EndKind) -> Self {
        let (code, class) = (kind.code.to_string(), kind.class.as_str());
        let labels = [route, &code, class, kind.initiator.as_str(), kind.cause.as_str()];
        Self {
            closes: families.closes.with_label_values(&labels),
            session_duration: families.session_duration.with_label_values(&[route, class]),
            idle_before_close: families.idle_before_close.with_label_values(&[route, class]),
            close_handshake: OnceLock::new(),
        }
    }
}

/// Makes the series that a route can be expected to have, with 0: none of a session for the route that is none.
pub(super) fn expect(families: &Families, route: &str, rules: &CodeRules, own_codes: &[CloseCode]) {
    if route != NO_ROUTE {
        expect_ends(families, route, rules, own_codes);
        expect_handshakes(families, route);
    }
}

fn expect_ends(families: &Families, route: &str, rules: &CodeRules, own_codes: &[CloseCode]) {
    for end in expected_ends(rules, own_codes) {
        let code = end.label.to_string();
        let labels = [route, &code, end.class.as_str(), end.initiator.as_str(), end.cause.as_str()];
        families.closes.with_label_values(&labels);
        // Rules take short sessions off the ends: both have to be there at the first end, or it counts as a long one.
        families.session_duration.with_label_values(&[route, end.class.as_str()]);
    }
    families.idle_before_close.with_label_values(&[route, Class::Abnormal.as_str()]);
    for peer in Peer::ALL {
        // The first ping and the first Close may come late: their panels are not to wait for it.
        families.close_handshake.with_label_values(&[route, peer.as_str()]);
        families.ping_rtt.with_label_values(&[route, peer.as_str()]);
    }
    for initiator in Initiator::ALL {
        families.saw_mismatch.with_label_values(&[route, initiator.as_str()]);
    }
    for peer in Peer::ALL {
        let direction = peer.direction();
        for kind in Violation::ALL.into_iter().filter(|kind| kind.may_be_of(peer)) {
            families.violations.with_label_values(&[route, direction, kind.as_str()]);
        }
        families.blind_sessions.with_label_values(&[route, direction]);
        families.undelivered_bytes.with_label_values(&[route, direction]);
    }
}

fn expect_handshakes(families: &Families, route: &str) {
    families.handshake_duration.with_label_values(&[route]);
    for (outcome, status) in EXPECTED_HANDSHAKES {
        let status = status_label(*status);
        families.handshakes.with_label_values(&[route, outcome.as_str(), &status]);
    }
    for class in STATUS_CLASSES {
        families.http_requests.with_label_values(&[route, class]);
    }
}

/// The value of the label `status`: an upstream may refuse with any three digits, so only registered ones get a label
/// of their own.
fn status_label(status: Option<u16>) -> Cow<'static, str> {
    let Some(status) = status else { return NO_STATUS.into() };
    let registered = StatusCode::from_u16(status).is_ok_and(|status| status.canonical_reason().is_some());
    if registered { status.to_string().into() } else { OTHER.into() }
}

fn status_class(status: u16) -> &'static str {
    let class = usize::from(status / 100);
    class.checked_sub(1).and_then(|index| STATUS_CLASSES.get(index)).copied().unwrap_or(OTHER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_registered_statuses_have_a_label_of_their_own() {
        let labels: std::collections::BTreeSet<_> = (0..=u16::MAX).map(|status| status_label(Some(status))).collect();
        assert!(labels.len() < 70, "{labels:?}");
        assert_eq!(status_label(Some(503)), "503");
        assert_eq!(status_label(Some(599)), "other");
        assert_eq!(status_label(None), "none");
    }

    #[test]
    fn a_status_without_a_class_is_other() {
        assert_eq!([101, 204, 301, 404, 599].map(status_class), STATUS_CLASSES);
        assert_eq!([0, 99, 600, u16::MAX].map(status_class), [OTHER; 4]);
    }
}
