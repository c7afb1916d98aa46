//! Which of the latest events an operator asks for.

use std::net::IpAddr;

use ipnet::IpNet;
use jiff::Timestamp;
use ulid::Ulid;

use crate::close::{Address, Cause, Class, CloseRecord, CodeLabel, CodeMatch, Initiator, Outcome, Request, Verdict};
use crate::diagnosis::Mechanism;
use crate::export::Event;
use crate::wire::Peer;

/// The filters of a query. Each that is not empty has to match, by any of its values.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) classes: Vec<Class>,
    pub(super) codes: Vec<CodeMatch>,
    pub(super) routes: Vec<String>,
    pub(super) causes: Vec<CauseMatch>,
    pub(super) initiators: Vec<Initiator>,
    pub(super) clients: Vec<IpNet>,
    pub(super) sessions: Vec<Ulid>,
    pub(super) hints: Vec<Mechanism>,
    /// Only those whose two sides saw different codes.
    pub(super) mismatch: bool,
    /// Only records made at this time or later.
    pub(super) since: Option<Timestamp>,
}

/// The cause of a closure, or the outcome of a failed handshake, which stands in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CauseMatch {
    Cause(Cause),
    Outcome(Outcome),
}

// === impl Filter ===

impl Filter {
    /// Whether this event is asked for. A failed handshake has no class, code, initiator, session or hint: whoever asks for one of
    /// these gets closures only.
    pub(super) fn takes(&self, event: &Event) -> bool {
        match event {
            Event::Closed(record) => self.takes_closure(record),
            Event::HandshakeFailed { route, record } => {
                let closures_only = !self.classes.is_empty()
                    || !self.codes.is_empty()
                    || !self.initiators.is_empty()
                    || !self.sessions.is_empty()
                    || !self.hints.is_empty()
                    || self.mismatch;
                !closures_only
                    && any(&self.routes, |wanted| **wanted == **route)
                    && any(&self.causes, |wanted| *wanted == CauseMatch::Outcome(record.outcome))
                    && self.takes_client(&record.client, &record.request)
                    && self.since.is_none_or(|since| record.time >= since)
            }
        }
    }

    fn takes_closure(&self, record: &CloseRecord) -> bool {
        let (session, verdict) = (&record.session, &record.verdict);
        any(&self.classes, |wanted| *wanted == verdict.class)
            && any(&self.codes, |wanted| has_code(wanted, record))
            && any(&self.routes, |wanted| **wanted == *session.route.name)
            && any(&self.causes, |wanted| *wanted == CauseMatch::Cause(verdict.cause))
            && any(&self.initiators, |wanted| *wanted == verdict.initiator)
            && any(&self.sessions, |wanted| *wanted == session.id)
            && any(&self.hints, |wanted| record.hint == Some(wanted.as_str()))
            && self.takes_client(&session.client, &session.request)
            && (!self.mismatch || verdict.saw_mismatch())
            && self.since.is_none_or(|since| record.time >= since)
    }

    /// By the socket's address, or by the one that a trusted source names.
    fn takes_client(&self, socket: &Address, request: &Request) -> bool {
        let addresses = [Some(socket), request.real_address.as_deref()].map(|address| address.and_then(ip));
        any(&self.clients, |wanted| addresses.iter().flatten().any(|address| wanted.contains(address)))
    }
}

/// Whether any of the wanted values matches, or none is wanted.
fn any<T>(wanted: &[T], matches: impl Fn(&T) -> bool) -> bool {
    wanted.is_empty() || wanted.iter().any(matches)
}

fn ip(address: &Address) -> Option<IpAddr> {
    match address {
        Address::Ip(address) => Some(address.ip().to_canonical()),
        Address::Unix(_) => None,
    }
}

/// Whether somebody who has one of these codes in hand looks for this session: it is the verdict's, or a side saw it, or sent
/// it.
fn has_code(codes: &CodeMatch, record: &CloseRecord) -> bool {
    if is_verdict(codes, &record.verdict) {
        return true;
    }
    let CodeMatch::Codes(range) = codes else { return false };
    Peer::ALL.into_iter().any(|peer| {
        let (facts, saw) = record.of(peer);
        // A Close with 1005 or 1006 in it is no *derived* one: it is `invalid`.
        let sent = facts.close.as_ref().and_then(|close| close.code).filter(|code| code.may_be_sent());
        [saw.code, sent].into_iter().flatten().any(|code| range.contains(&code.0))
    })
}

/// 1006 asks for the derived 1006, never for a Close with that number in it: that one is `invalid`.
fn is_verdict(codes: &CodeMatch, verdict: &Verdict) -> bool {
    match (codes, verdict.label) {
        (CodeMatch::Invalid, CodeLabel::Invalid) => true,
        (CodeMatch::Codes(range), CodeLabel::Code(_) | CodeLabel::Library | CodeLabel::Private) => {
            verdict.code.is_some_and(|code| range.contains(&code.0))
        }
        (CodeMatch::Invalid, CodeLabel::Code(_) | CodeLabel::Library | CodeLabel::Private)
        | (CodeMatch::Codes(_), CodeLabel::Invalid)
        | (_, CodeLabel::Unknown) => false,
    }
}
