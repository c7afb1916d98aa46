//! Facts of a record that its log record has beside the attributes of its span: those that `closewatch report` reasons from.

use std::time::Duration;

use super::attributes::{Attributes, count};
use crate::close::{CloseRecord, Request, Text};
use crate::wire::Peer;

/// Adds those of a session. Times are seconds, like all times in attributes.
pub(super) fn of_session(record: &CloseRecord, all: &mut Attributes) {
    let (session, ended) = (&*record.session, record.verdict.ended);
    let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
    of_request(&session.request, all);
    all.add("closewatch.filed", record.filed.as_secs_f64());
    all.add("closewatch.handshake_duration", session.handshake.get().as_secs_f64());
    all.add("closewatch.upstream.address", session.upstream.to_string());
    for peer in Peer::ALL {
        let (facts, _) = record.of(peer);
        let name = |what| format!("closewatch.{}.{what}", peer.as_str());
        all.add_some(name("closed_at"), facts.close.as_ref().map(|close| close.at.as_secs_f64()));
        all.add(name("frames"), count(facts.frames));
        all.add_some(name("last_frame"), seconds(facts.last_frame));
        all.add_some(name("last_message"), seconds(facts.last_message));
        all.add_some(name("silence_before_last"), seconds(facts.silence_before_last));
        all.add_some(name("longest_silence"), seconds(facts.longest_silence));
        all.add(name("unanswered_pings"), i64::from(facts.unanswered_pings));
        let since = facts.last_answered_ping.map(|at| ended.saturating_sub(at));
        all.add_some(name("since_answered_ping"), seconds(since));
        for (kind, times) in facts.violations.iter() {
            all.add(format!("closewatch.{}.violations.{}", peer.as_str(), kind.as_str()), i64::from(times));
        }
        all.add(name("stalled"), facts.stalled.as_secs_f64());
        all.add(name("stalled_at_end"), facts.stalled_at(ended).as_secs_f64());
        all.add(name("undelivered_bytes"), count(facts.undelivered_bytes));
    }
}

/// Adds those of an upgrade request.
pub(super) fn of_request(request: &Request, all: &mut Attributes) {
    all.add_some("closewatch.origin", request.origin.as_ref().map(Text::escaped));
    all.add_some("closewatch.extensions", request.extensions.as_deref().map(Text::escaped));
    all.add_some("closewatch.forwarded_for", request.forwarded_for.as_deref().map(Text::escaped));
    all.add("closewatch.subprotocols_offered", i64::from(request.subprotocols_offered));
}
