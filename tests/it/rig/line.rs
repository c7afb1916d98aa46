//! A record in one line, to be compared as a whole.

use closewatch::close::{CloseRecord, PeerFacts, Saw};
use closewatch::wire::Peer;

/// The verdict and both peers, in one line: code, its label in brackets where it differs, initiator, cause, handshake,
/// class; of each peer how it ended and what it saw.
pub(crate) fn line(record: &CloseRecord) -> String {
    let verdict = &record.verdict;
    let code = verdict.code.map_or_else(|| "null".to_owned(), |code| code.to_string());
    let label = verdict.label.to_string();
    let label = if label == code { String::new() } else { format!(" [{label}]") };
    let [client, upstream] = Peer::ALL.map(|peer| {
        let (facts, saw) = record.of(peer);
        seen(peer, facts, saw)
    });
    format!(
        "{code}{label} by {}: {}, {}, {}; {client}; {upstream}",
        verdict.initiator, verdict.cause, verdict.handshake, verdict.class,
    )
}

fn seen(peer: Peer, facts: &PeerFacts, saw: Saw) -> String {
    let code = saw.code.map_or_else(|| "null".to_owned(), |code| code.to_string());
    let clean = if saw.clean { " clean" } else { "" };
    format!("{} {} saw {code}{clean}", peer.as_str(), facts.end())
}
