//! The log as the rules see it: rows by time, what each stands for, and which a rule has already explained.

use std::collections::HashMap;

use super::address::Ip;
use super::names::{Name, Names};
use super::row::{Row, Session};
use super::sample::Sample;
use super::sign::Sign;

/// One route, or all.
pub(super) type Scope = Option<Name>;

/// A client, as far as it can be told from others.
type Identity = (Ip, Name);

/// Rows by time.
#[derive(Debug)]
pub(super) struct Log<'a> {
    pub(super) rows: Vec<&'a Row>,
    pub(super) weight: Vec<f64>,
    pub(super) names: &'a Names,
    /// The sign of each row that is a session: what rows are mostly chosen by, close together.
    signs: Vec<Option<Sign>>,
    /// Rows that a rule has explained.
    explained: Vec<bool>,
    /// The most sessions that each client had at once: more than a few are a hop, or a crowd behind one address.
    crowd: HashMap<Identity, usize>,
    /// The programs of each address, and the most sessions that each of them had at once, together.
    addresses: HashMap<Ip, (usize, usize)>,
    routes: Vec<Name>,
}

/// So many sessions at once are no single client's.
const CROWD: usize = 5;
/// Attempts within this time of each other were made by more than one client.
const AT_ONCE: f64 = 0.1;

// === impl Log ===

impl<'a> Log<'a> {
    pub(super) fn new(sample: &'a Sample, names: &'a Names) -> Self {
        let (rows, weight): (Vec<&Row>, Vec<f64>) = sample.rows().into_iter().unzip();
        let mut routes: Vec<Name> = rows.iter().map(|row| row.route).collect();
        routes.sort_unstable();
        routes.dedup();
        let crowd = crowd(&rows);
        let mut addresses: HashMap<Ip, (usize, usize)> = HashMap::new();
        for ((ip, _), sessions) in &crowd {
            let address = addresses.entry(*ip).or_default();
            *address = (address.0 + 1, address.1 + sessions);
        }
        let signs = rows.iter().map(|row| row.session().map(|session| session.sign)).collect();
        let explained = vec![false; rows.len()];
        Self { rows, weight, names, signs, explained, crowd, addresses, routes }
    }

    pub(super) fn routes(&self) -> Vec<Name> {
        self.routes.clone()
    }

    /// Each route by itself, then all of them together: for what is too thin on each.
    pub(super) fn scopes(&self) -> Vec<Scope> {
        let mut scopes: Vec<Scope> = self.routes.iter().copied().map(Some).collect();
        if scopes.len() > 1 {
            scopes.push(None);
        }
        scopes
    }

    /// The session of a row; rules ask only for rows that are sessions.
    pub(super) fn session(&self, row: usize) -> Option<&Session> {
        self.rows[row].session()
    }

    /// A number of each of these sessions, in order.
    pub(super) fn values(&self, members: &[usize], value: impl Fn(&Session) -> f64) -> Vec<f64> {
        super::cluster::sorted(members.iter().filter_map(|row| self.session(*row)).map(value))
    }

    /// Sessions that are not explained yet and bear such a sign.
    pub(super) fn open(&self, scope: Scope, sign: impl Fn(Sign) -> bool) -> Vec<usize> {
        let fits = |row: &usize| {
            !self.explained[*row]
                && self.signs[*row].is_some_and(&sign)
                && scope.is_none_or(|route| self.rows[*row].route == route)
        };
        (0..self.rows.len()).filter(fits).collect()
    }

    /// Rows of any kind that are not explained yet and fit.
    pub(super) fn select(&self, fits: impl Fn(&Row) -> bool) -> Vec<usize> {
        (0..self.rows.len()).filter(|row| !self.explained[*row] && fits(self.rows[*row])).collect()
    }

    /// All sessions.
    pub(super) fn sessions_of(&self, scope: Scope) -> Vec<usize> {
        (0..self.rows.len())
            .filter(|row| self.signs[*row].is_some() && scope.is_none_or(|route| self.rows[*row].route == route))
            .collect()
    }

    pub(super) fn explain(&mut self, members: &[usize]) {
        for row in members {
            self.explained[*row] = true;
        }
    }

    pub(super) fn is_explained(&self, row: usize) -> bool {
        self.explained[row]
    }

    /// The number of records that these rows stand for.
    pub(super) fn count(&self, members: &[usize]) -> f64 {
        members.iter().map(|row| self.weight[*row]).sum()
    }

    /// The number of clients behind these rows: one that comes back again and again is one, and so is one address; unless
    /// it has many sessions at once, as a hop or a crowd behind it has.
    pub(super) fn clients(&self, members: &[usize]) -> usize {
        let mut each: HashMap<Identity, Vec<usize>> = HashMap::new();
        for row in members {
            each.entry(identity(self.rows[*row])).or_default().push(*row);
        }
        let clients = |(who, rows): (Identity, Vec<usize>)| {
            let crowd = self.crowd_of(&who);
            // A hop on the same host, in front of handshakes that never came to say which program asks.
            if who.1 == 0 && super::address::is_local(who.0) {
                return rows.len();
            }
            // One of the programs behind a hop: not more clients than the hop has, and nobody knows which.
            let crowd = if self.shares_address(who.0) { crowd.max(self.behind(who.0)) } else { crowd };
            if crowd >= CROWD { rows.len().min(crowd) } else { most_at_once(rows.iter().map(|row| self.rows[*row])) }
        };
        each.into_iter().map(clients).sum()
    }

    /// Whether many are behind this row's address and program.
    pub(super) fn is_crowd(&self, row: usize) -> bool {
        let row = &self.rows[row];
        row.behind_hop && row.hop == row.client || self.crowd_of(&identity(row)) >= CROWD
    }

    fn crowd_of(&self, who: &Identity) -> usize {
        self.crowd.get(who).copied().unwrap_or(1)
    }

    /// Whether the address of this row's socket is a hop's: it says for whom it speaks, or many programs share it.
    pub(super) fn is_hop(&self, row: usize) -> bool {
        let row = &self.rows[row];
        if row.behind_hop || row.hop != row.client {
            return true;
        }
        self.shares_address(row.hop)
    }

    /// Whether many programs have this address.
    fn shares_address(&self, ip: Ip) -> bool {
        self.addresses.get(&ip).is_some_and(|(programs, sessions)| *programs >= 3 && *sessions >= 6)
    }

    /// The most sessions that the programs of an address had at once, each by itself.
    fn behind(&self, ip: Ip) -> usize {
        self.addresses.get(&ip).map_or(1, |(_, sessions)| *sessions)
    }

    /// First and last instant of these rows.
    pub(super) fn span(&self, members: &[usize]) -> (f64, f64) {
        let at = |row: &usize| self.rows[*row].at;
        members.iter().map(at).fold((f64::INFINITY, f64::NEG_INFINITY), |(from, to), at| (from.min(at), to.max(at)))
    }

    /// The log's own length, in seconds.
    pub(super) fn length(&self) -> f64 {
        match (self.rows.first(), self.rows.last()) {
            (Some(first), Some(last)) => (last.at - first.at).max(1.0),
            _ => 1.0,
        }
    }
}

fn identity(row: &Row) -> Identity {
    (row.client, row.user_agent)
}

/// The most sessions, or attempts at once, of each client.
fn crowd(rows: &[&Row]) -> HashMap<Identity, usize> {
    let mut each: HashMap<Identity, Vec<&Row>> = HashMap::new();
    for row in rows {
        each.entry(identity(row)).or_default().push(row);
    }
    each.into_iter().map(|(who, rows)| (who, most_at_once(rows.into_iter()))).collect()
}

fn most_at_once<'a>(rows: impl Iterator<Item = &'a Row>) -> usize {
    let mut moves: Vec<(f64, i32)> = vec![];
    for row in rows {
        let until = if row.session().is_some() { row.at } else { row.at + AT_ONCE };
        moves.push((row.opened(), 1));
        moves.push((until, -1));
    }
    moves.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let (mut most, mut now) = (0, 0);
    for (_, step) in moves {
        now += step;
        most = most.max(now);
    }
    usize::try_from(most.max(1)).unwrap_or(1)
}
