//! One client that comes back again and again, and ends badly each time: its own trouble, and nobody else's.

use crate::diagnosis::finding::Note;
use crate::diagnosis::log::Log;
use crate::diagnosis::sign::Sign;

/// So often a client must have come.
const OFTEN: usize = 15;
/// And so many times as often as clients usually do.
const TIMES: usize = 8;
/// So many may loop, whatever the number of clients.
const FEW: usize = 2;
/// Clients that must be there to compare with.
const CLIENTS: usize = 5;

/// Explains what clients in a loop did.
pub(super) fn notes(log: &Log<'_>) -> Vec<Note> {
    let mut counts: Vec<usize> = log.clients.each().map(<[usize]>::len).collect();
    counts.sort_unstable();
    let usual = counts[counts.len() / 2..].first().copied().unwrap_or(1).max(1);
    let clients = counts.len();
    if clients < CLIENTS {
        return vec![];
    }
    let mut notes = vec![];
    let comes_often = |rows: &&[usize]| rows.len() >= OFTEN.max(TIMES * usual) && !log.is_crowd(rows[0]);
    let mut looping: Vec<Vec<usize>> = log.clients.each().filter(comes_often).map(<[usize]>::to_vec).collect();
    // Many that come back again and again are no single client's trouble: a storm, of which a rule of its own knows.
    if looping.len() > FEW && looping.len() * 10 > clients {
        return vec![];
    }
    looping.sort();
    for rows in looping {
        let bad: Vec<usize> = rows.iter().copied().filter(|row| log.sign(*row) != Some(Sign::Normal)).collect();
        if bad.len() * 2 < rows.len() {
            continue;
        }
        notes.push(Note {
            mechanism: "client_in_a_loop",
            sentence: format!(
                "One client opened {} sessions, of which {} ended badly; others fare well.",
                rows.len(),
                bad.len()
            ),
        });
        log.explain(&bad);
    }
    notes
}
