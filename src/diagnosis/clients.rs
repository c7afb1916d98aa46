//! The clients of a log, as far as they can be told apart: by address and program.

use foldhash::{HashMap, HashMapExt as _};

use super::address::{self, Ip};
use super::names::Name;
use super::row::Row;

/// Rows by client, and the most sessions that each client had at once.
#[derive(Debug)]
pub(super) struct Clients {
    /// The number of each row's client.
    of_row: Vec<u32>,
    /// Rows by client, each client's in the order of time.
    rows: Vec<usize>,
    each: Vec<Client>,
    /// Addresses that many programs share, and the most sessions that these had at once, together.
    shared: HashMap<Ip, usize>,
}

/// One client.
#[derive(Clone, Debug)]
struct Client {
    /// Its rows begin here, and end where the next one's begin.
    from: usize,
    /// The most sessions that it had at once: more than a few are a hop, or a crowd behind one address.
    at_once: usize,
}

/// So many sessions at once are no single client's.
const CROWD: usize = 5;
/// Attempts within this time of each other were made by more than one client.
const AT_ONCE: f64 = 0.1;
/// So many programs share the address of a hop.
const PROGRAMS: usize = 3;
/// And have so many sessions at once.
const SESSIONS: usize = 6;

// === impl Clients ===

impl Clients {
    /// Of rows in the order of time.
    pub(super) fn of(log: &[&Row]) -> Self {
        let mut order: Vec<(Ip, Name, usize)> =
            log.iter().enumerate().map(|(at, row)| (row.client, row.user_agent, at)).collect();
        order.sort_unstable();
        let mut clients = Self {
            of_row: vec![0; log.len()],
            rows: order.iter().map(|(_, _, row)| *row).collect(),
            each: vec![],
            shared: HashMap::new(),
        };
        let mut from = 0;
        for rows in order.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
            let number = u32::try_from(clients.each.len()).unwrap_or(u32::MAX);
            for (_, _, row) in rows {
                clients.of_row[*row] = number;
            }
            let at_once = most_at_once(rows.iter().map(|(_, _, row)| log[*row]));
            clients.each.push(Client { from, at_once });
            from += rows.len();
        }
        let ip = |client: &Client| log[clients.rows[client.from]].client;
        for programs in clients.each.chunk_by(|a, b| ip(a) == ip(b)).filter(|programs| programs.len() >= PROGRAMS) {
            let sessions = programs.iter().map(|client| client.at_once).sum();
            if sessions >= SESSIONS {
                clients.shared.insert(ip(&programs[0]), sessions);
            }
        }
        clients
    }

    /// The rows of each client.
    pub(super) fn each(&self) -> impl Iterator<Item = &[usize]> {
        let ends = self.each.iter().skip(1).map(|client| client.from).chain([self.rows.len()]);
        self.each.iter().zip(ends).map(|(client, end)| &self.rows[client.from..end])
    }

    /// The number of a row's client.
    pub(super) fn number(&self, row: usize) -> u32 {
        self.of_row[row]
    }

    /// The number of clients behind some rows: one that comes back again and again is one, and so is one address; unless it has
    /// many sessions at once, as a hop or a crowd behind it has.
    pub(super) fn behind(&self, log: &[&Row], members: &[usize]) -> usize {
        let mut order: Vec<(u32, usize)> = members.iter().map(|row| (self.of_row[*row], *row)).collect();
        order.sort_unstable();
        let clients = |rows: &[(u32, usize)]| {
            let (number, first) = rows[0];
            let (client, first) = (&self.each[number as usize], log[first]);
            // A hop on the same host, in front of handshakes that never came to say which program asks.
            if first.user_agent == 0 && address::is_local(first.client) {
                return rows.len();
            }
            // One of the programs behind a hop: not more clients than the hop has, and nobody knows which.
            let crowd = client.at_once.max(self.shared.get(&first.client).copied().unwrap_or(1));
            if crowd >= CROWD { rows.len().min(crowd) } else { most_at_once(rows.iter().map(|(_, row)| log[*row])) }
        };
        order.chunk_by(|a, b| a.0 == b.0).map(clients).sum()
    }

    /// Whether many are behind a row's address and program.
    pub(super) fn is_crowd(&self, row: usize) -> bool {
        self.each[self.of_row[row] as usize].at_once >= CROWD
    }

    /// Whether many programs have this address.
    pub(super) fn share(&self, ip: Ip) -> bool {
        self.shared.contains_key(&ip)
    }
}

/// The most sessions, or attempts, at once.
fn most_at_once<'a>(rows: impl ExactSizeIterator<Item = &'a Row>) -> usize {
    if rows.len() <= 1 {
        return 1;
    }
    let mut moves: Vec<(f64, i32)> = vec![];
    for row in rows {
        let until = if row.session().is_some() { row.at } else { row.at + AT_ONCE };
        moves.push((row.opened(), 1));
        moves.push((until, -1));
    }
    moves.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let (mut most, mut now) = (0, 0);
    for (_, step) in moves {
        now += step;
        most = most.max(now);
    }
    usize::try_from(most.max(1)).unwrap_or(1)
}
