//! The log as the rules see it: rows by time, what each stands for, and which a rule has already explained.

use foldhash::{HashMap, HashSet};

use super::clients::Clients;
use super::columns::Columns;
use super::names::{Name, Names};
use super::openings::Openings;
use super::row::{Row, Session};
use super::sample::Sample;
use super::sign::Sign;

/// One route, or all.
pub(super) type Scope = Option<Name>;

/// Rows by time.
#[derive(Debug)]
pub(super) struct Log<'a> {
    pub(super) rows: Vec<&'a Row>,
    pub(super) weight: Vec<f64>,
    pub(super) names: &'a Names,
    pub(super) clients: Clients,
    pub(super) columns: Columns,
    pub(super) openings: Openings,
    /// The session of each row that is one. Rows lie apart in memory: what is asked for often is kept close together.
    sessions: Vec<Option<&'a Session>>,
    /// The sign of each of them.
    signs: Vec<Option<Sign>>,
    /// Rows that a rule has explained.
    explained: Vec<bool>,
    all: Vec<usize>,
    of_route: HashMap<Name, Vec<usize>>,
    routes: Vec<Name>,
}

/// A client may open its next session so long before the end of the last one is over.
const CROSSED: f64 = 0.1;

// === impl Log ===

impl<'a> Log<'a> {
    pub(super) fn new(sample: &'a Sample, names: &'a Names) -> Self {
        let (rows, weight): (Vec<&Row>, Vec<f64>) = sample.rows().into_iter().unzip();
        let sessions: Vec<Option<&Session>> = rows.iter().map(|row| row.session()).collect();
        let mut of_route: HashMap<Name, Vec<usize>> = HashMap::default();
        for (at, row) in rows.iter().enumerate() {
            of_route.entry(row.route).or_default().push(at);
        }
        let mut routes: Vec<Name> = of_route.keys().copied().collect();
        routes.sort_unstable();
        Self {
            clients: Clients::of(&rows),
            columns: Columns::of(&rows),
            openings: Openings::of(&rows),
            signs: sessions.iter().map(|session| session.map(|session| session.sign)).collect(),
            explained: vec![false; rows.len()],
            all: (0..rows.len()).collect(),
            of_route,
            routes,
            rows,
            weight,
            names,
            sessions,
        }
    }

    pub(super) fn routes(&self) -> &[Name] {
        &self.routes
    }

    /// Each route by itself, then all of them together: for what is too thin on each.
    pub(super) fn scopes(&self) -> Vec<Scope> {
        let mut scopes: Vec<Scope> = self.routes.iter().copied().map(Some).collect();
        if scopes.len() > 1 {
            scopes.push(None);
        }
        scopes
    }

    /// The rows of a route, or all.
    pub(super) fn rows_of(&self, scope: Scope) -> &[usize] {
        match scope {
            Some(route) => self.of_route.get(&route).map_or(&[], |rows| rows),
            None => &self.all,
        }
    }

    /// The session of a row; rules ask only for rows that are sessions.
    pub(super) fn session(&self, row: usize) -> Option<&'a Session> {
        self.sessions[row]
    }

    /// The sign of a row's session.
    pub(super) fn sign(&self, row: usize) -> Option<Sign> {
        self.signs[row]
    }

    /// A number of each of these sessions, in order.
    pub(super) fn values(&self, members: &[usize], value: impl Fn(&Session) -> f64) -> Vec<f64> {
        super::cluster::sorted(members.iter().filter_map(|row| self.session(*row)).map(value))
    }

    /// Sessions that are not explained yet and bear such a sign.
    pub(super) fn open(&self, scope: Scope, sign: impl Fn(Sign) -> bool) -> Vec<usize> {
        let fits = |row: &usize| !self.explained[*row] && self.signs[*row].is_some_and(&sign);
        self.rows_of(scope).iter().copied().filter(fits).collect()
    }

    /// Rows of any kind that are not explained yet.
    pub(super) fn unexplained(&self, scope: Scope) -> Vec<usize> {
        self.rows_of(scope).iter().copied().filter(|row| !self.explained[*row]).collect()
    }

    /// Handshakes that failed and are not explained yet and fit.
    pub(super) fn handshakes(&self, scope: Scope, fits: impl Fn(&Row) -> bool) -> Vec<usize> {
        let failed = |row: &usize| self.signs[*row].is_none() && !self.explained[*row];
        self.rows_of(scope).iter().copied().filter(|row| failed(row) && fits(self.rows[*row])).collect()
    }

    /// All sessions.
    pub(super) fn sessions_of(&self, scope: Scope) -> Vec<usize> {
        self.rows_of(scope).iter().copied().filter(|row| self.signs[*row].is_some()).collect()
    }

    /// Those of some rows, in the order of time, that were over between these instants.
    pub(super) fn within<'m>(&self, rows: &'m [usize], (from, to): (f64, f64)) -> &'m [usize] {
        let first = rows.partition_point(|row| self.rows[*row].at < from);
        let end = rows.partition_point(|row| self.rows[*row].at <= to);
        &rows[first..end.max(first)]
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

    /// The number of clients behind these rows.
    pub(super) fn clients(&self, members: &[usize]) -> usize {
        self.clients.behind(&self.rows, members)
    }

    /// Whether many are behind this row's address and program.
    pub(super) fn is_crowd(&self, row: usize) -> bool {
        self.clients.is_crowd(row) || {
            let row = &self.rows[row];
            row.behind_hop && row.hop == row.client
        }
    }

    /// The share of the clients of these sessions that opened another one within `time` behind the end of one.
    pub(super) fn came_back(&self, members: &[usize], time: f64) -> f64 {
        let mut ends: HashMap<u32, Vec<f64>> = HashMap::default();
        for row in members {
            ends.entry(self.clients.number(*row)).or_default().push(self.rows[*row].at);
        }
        let all = ends.len().max(1) as f64;
        let mut back: HashSet<u32> = HashSet::default();
        for (at, row) in self.rows.iter().enumerate() {
            let client = self.clients.number(at);
            let Some(ends) = ends.get(&client).filter(|_| !back.contains(&client)) else { continue };
            let opened = row.opened();
            if ends.iter().any(|end| (end - CROSSED..end + time).contains(&opened)) {
                back.insert(client);
            }
        }
        back.len() as f64 / all
    }

    /// Whether the address of this row's client is a hop's, behind which many may be.
    pub(super) fn hides_clients(&self, row: usize) -> bool {
        let row = &self.rows[row];
        row.behind_hop && row.hop == row.client || self.clients.share(row.client)
    }

    /// Whether the address of this row's socket is a hop's: it says for whom it speaks, or many programs share it.
    pub(super) fn is_hop(&self, row: usize) -> bool {
        let row = &self.rows[row];
        row.behind_hop || row.hop != row.client || self.clients.share(row.hop)
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
