//! Harmless patterns that are worth a word, and ends that are too few for a finding.

use std::collections::BTreeMap;

use super::finding::{Culprit, Mechanism, Note};
use super::log::Log;
use super::rules::Cause;
use super::show::counted;
use super::sign::Sign;
use crate::wire::Peer;

/// Fewer are not worth it.
const LEAST: f64 = 3.0;
/// Below this nothing can be said of a log.
const LOW: usize = 30;
/// Fewer than this of one kind may be chance.
const FEW: usize = 3;
/// Kinds that are told, the most frequent first.
const KINDS: usize = 3;

/// The harmless patterns that are there.
pub(super) fn of(log: &Log<'_>) -> Vec<Note> {
    let count = |sign: Sign| log.count(&log.open(None, |other| other == sign));
    let mut notes = vec![];
    let mut note = |mechanism, number: f64, sentence: &str| {
        if number >= LEAST {
            notes.push(Note { mechanism, sentence: sentence.replace("{}", &format!("{number:.0}")) });
        }
    };
    note(
        "phones_asleep",
        count(Sign::Fin(Peer::Client)),
        "{} sessions ended with the client's FIN and no Close: phones that fall asleep, and programs that just leave.",
    );
    note(
        "upstream_ends",
        count(Sign::Fin(Peer::Upstream)) + count(Sign::Reset(Peer::Upstream)),
        "The upstream, or the way to it, ended {} sessions without a Close, for no common cause.",
    );
    note(
        "client_resets",
        count(Sign::Reset(Peer::Client)),
        "{} sessions ended by a reset on the client's side, for no common cause.",
    );
    note("own_drain", count(Sign::Drain), "closewatch ended {} sessions because it was drained.");
    note("own_idle_limit", count(Sign::OwnIdle), "closewatch ended {} sessions at its own idle limit.");
    if log.rows.len() < LOW {
        notes.push(Note {
            mechanism: "low_traffic",
            sentence: format!("The log has only {}, too few to say more.", counted(log.rows.len() as u64, "record")),
        });
    }
    notes
}

/// Ends that say what they are, and that no rule has taken: fewer than make a finding, or no more than always.
pub(super) fn few(log: &Log<'_>) -> Vec<Cause> {
    let mut kinds: BTreeMap<(Mechanism, Culprit), Vec<usize>> = BTreeMap::new();
    for row in log.unexplained(None) {
        let Some(sign) = log.sign(row) else { continue };
        let Some(mechanism) = sign.alone().or(matches!(sign, Sign::Failed(_)).then_some(Mechanism::HandlerError))
        else {
            continue;
        };
        let culprit = match sign.at() {
            Some(Peer::Client) if mechanism == Mechanism::PeerVanished => Culprit::NetworkClientSide,
            Some(Peer::Upstream) if mechanism == Mechanism::PeerVanished => Culprit::NetworkUpstreamSide,
            Some(Peer::Client) => Culprit::Client,
            None if sign == Sign::Internal => Culprit::Proxy,
            // It answered the upgrade.
            Some(Peer::Upstream) | None => Culprit::Upstream,
        };
        kinds.entry((mechanism, culprit)).or_default().push(row);
    }
    let mut few: Vec<Cause> = kinds
        .into_iter()
        .filter(|(_, rows)| rows.len() >= FEW)
        .map(|((mechanism, culprit), rows)| Cause::new(mechanism, culprit, &[], rows))
        .collect();
    few.sort_by(|a, b| log.count(&b.members).total_cmp(&log.count(&a.members)));
    few.truncate(KINDS);
    few
}
