//! Harmless patterns that are worth a word.

use super::finding::Note;
use super::log::Log;
use super::sign::Sign;
use crate::wire::Peer;

/// Fewer are not worth it.
const LEAST: f64 = 5.0;
/// Below this nothing can be said of a log.
const LOW: usize = 30;

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
    note("own_drain", count(Sign::Drain), "closewatch ended {} sessions because it was drained.");
    note("own_idle_limit", count(Sign::OwnIdle), "closewatch ended {} sessions at its own idle limit.");
    if log.rows.len() < LOW {
        notes.push(Note {
            mechanism: "low_traffic",
            sentence: format!("{} records are too few to say more.", log.rows.len()),
        });
    }
    notes
}
