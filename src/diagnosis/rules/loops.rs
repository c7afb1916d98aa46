//! One client that comes back again and again, and ends badly each time: its own trouble, and nobody else's.

use std::collections::HashMap;

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
pub(super) fn notes(log: &mut Log<'_>) -> Vec<Note> {
    let mut clients: HashMap<(u128, u64), Vec<usize>> = HashMap::new();
    for (at, row) in log.rows.iter().enumerate() {
        clients.entry((row.client, row.user_agent)).or_default().push(at);
    }
    let mut counts: Vec<usize> = clients.values().map(Vec::len).collect();
    counts.sort_unstable();
    let usual = counts[counts.len() / 2..].first().copied().unwrap_or(1).max(1);
    if clients.len() < CLIENTS {
        return vec![];
    }
    let clients_in_all = clients.len();
    let mut notes = vec![];
    let mut looping: Vec<_> =
        clients.into_values().filter(|rows| rows.len() >= OFTEN.max(TIMES * usual) && !log.is_crowd(rows[0])).collect();
    // Many that come back again and again are no single client's trouble: a storm, of which a rule of its own knows.
    if looping.len() > FEW && looping.len() * 10 > clients_in_all {
        return vec![];
    }
    looping.sort();
    for rows in looping {
        let bad: Vec<usize> = rows
            .iter()
            .copied()
            .filter(|row| log.session(*row).is_none_or(|session| session.sign != Sign::Normal))
            .collect();
        if bad.len() * 2 < rows.len() {
            continue;
        }
        notes.push(Note {
            mechanism: "client_in_a_loop",
            sentence: format!(
                "One client came back {} times and ended badly {} times; others did not.",
                rows.len(),
                bad.len()
            ),
        });
        log.explain(&bad);
    }
    notes
}
