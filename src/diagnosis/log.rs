//! The log as the rules see it: rows by time, what each stands for, and which a rule has already explained.

use std::sync::atomic::{AtomicBool, Ordering};

use foldhash::{HashMap, HashSet};

use super::clients::Clients;
use super::columns::Columns;
use super::cores::Cores;
use super::names::{Name, Names};
use super::openings::Openings;
use super::row::{Row, Session};
use super::sample::Sample;
use super::sign::Sign;
use super::taken::Taken;

/// One route, or all.
pub(super) type Scope = Option<Name>;

/// Rows by time.
#[derive(Debug)]
pub(super) struct Log<'a> {
    pub(super) rows: Vec<&'a Row>,
    /// When each row was over. Rows lie apart in memory: what is asked for often is kept close together.
    pub(super) at: Vec<f64>,
    pub(super) weight: Vec<f64>,
    most_left_out: f64,
    pub(super) names: &'a Names,
    pub(super) taken: &'a Taken,
    pub(super) clients: Clients,
    pub(super) columns: Columns,
    pub(super) openings: Openings,
    /// Those that rules may use.
    pub(super) cores: Cores,
    /// The session of each row that is one.
    sessions: Vec<Option<&'a Session>>,
    /// The sign of each of them.
    signs: Vec<Option<Sign>>,
    /// Rows that a rule has explained.
    explained: Vec<AtomicBool>,
    all: Rows,
    of_route: HashMap<Name, Rows>,
    routes: Vec<Name>,
}

/// Rows of a route, or all, each list in the order of time.
#[derive(Debug, Default)]
struct Rows {
    all: Vec<usize>,
    sessions: Vec<usize>,
    /// The same by sign: most rules ask for few of them.
    of_sign: Vec<(Option<Sign>, Vec<usize>)>,
}

/// Fewer rows are not worth a second thread.
const FEW: usize = 5000;
/// A client may open its next session so long before the end of the last one is over.
const CROSSED: f64 = 0.1;

// === impl Log ===

impl<'a> Log<'a> {
    pub(super) fn new(sample: &'a Sample, names: &'a Names, taken: &'a Taken, cores: Cores) -> Self {
        let (rows, weight): (Vec<&Row>, Vec<f64>) = sample.rows().into_iter().unzip();
        let sessions: Vec<Option<&Session>> = rows.iter().map(|row| row.session()).collect();
        let signs: Vec<Option<Sign>> = sessions.iter().map(|session| session.map(|session| session.sign)).collect();
        let cores = if rows.len() < FEW { Cores::ONE } else { cores };
        let lists = || {
            let mut all = Rows::default();
            let mut of_route: HashMap<Name, Rows> = HashMap::default();
            for (at, row) in rows.iter().enumerate() {
                all.push(at, signs[at]);
                of_route.entry(row.route).or_default().push(at, signs[at]);
            }
            (all, of_route)
        };
        let (columns, (clients, openings, (all, of_route))) =
            cores.both(|| Columns::of(&rows), || (Clients::of(&rows), Openings::of(&rows), lists()));
        let mut routes: Vec<Name> = of_route.keys().copied().collect();
        routes.sort_unstable();
        Self {
            clients,
            columns,
            openings,
            cores,
            signs,
            explained: rows.iter().map(|_| AtomicBool::new(false)).collect(),
            all,
            of_route,
            routes,
            at: rows.iter().map(|row| row.at).collect(),
            rows,
            most_left_out: weight.iter().copied().map(left_out).fold(0.0, f64::max),
            weight,
            names,
            taken,
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

    /// Those that the work of a scope may use: routes are side by side already.
    pub(super) fn cores_of(&self, scope: Scope) -> Cores {
        if scope.is_none() { self.cores } else { Cores::ONE }
    }

    /// The work of each route, side by side, then that of all of them together; in this order.
    pub(super) fn by_scope<R: Send>(&self, work: impl Fn(Scope) -> R + Sync) -> Vec<R> {
        let scopes = self.scopes();
        let (routes, all) = scopes.split_at(self.routes.len());
        let mut found = self.cores.map(routes, |scope| work(*scope));
        found.extend(all.iter().map(|scope| work(*scope)));
        found
    }

    /// The rows of a route, or all.
    pub(super) fn rows_of(&self, scope: Scope) -> &[usize] {
        self.of_scope(scope).map_or(&[], |rows| &rows.all)
    }

    /// All sessions of a route, or of all.
    pub(super) fn sessions_of(&self, scope: Scope) -> &[usize] {
        self.of_scope(scope).map_or(&[], |rows| &rows.sessions)
    }

    fn of_scope(&self, scope: Scope) -> Option<&Rows> {
        scope.map_or(Some(&self.all), |route| self.of_route.get(&route))
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
        self.unexplained_of(scope, |of| of.is_some_and(&sign))
    }

    /// Handshakes that failed and are not explained yet and fit.
    pub(super) fn handshakes(&self, scope: Scope, fits: impl Fn(&Row) -> bool) -> Vec<usize> {
        let mut rows = self.unexplained_of(scope, |sign| sign.is_none());
        rows.retain(|row| fits(self.rows[*row]));
        rows
    }

    /// Rows that are not explained yet and have such a sign, or none.
    pub(super) fn unexplained_of(&self, scope: Scope, fits: impl Fn(Option<Sign>) -> bool) -> Vec<usize> {
        let Some(rows) = self.of_scope(scope) else { return vec![] };
        let lists: Vec<&Vec<usize>> =
            rows.of_sign.iter().filter(|(sign, _)| fits(*sign)).map(|(_, rows)| rows).collect();
        let mut found: Vec<usize> =
            lists.iter().copied().flatten().copied().filter(|row| !self.is_explained(*row)).collect();
        if lists.len() > 1 {
            #[expect(clippy::stable_sort_primitive, reason = "it sees that there are lists in order, and merges them")]
            found.sort();
        }
        found
    }

    /// Rows of any kind that are not explained yet.
    pub(super) fn unexplained(&self, scope: Scope) -> Vec<usize> {
        self.rows_of(scope).iter().copied().filter(|row| !self.is_explained(*row)).collect()
    }

    /// Those of some rows, in the order of time, that were over between these instants.
    pub(super) fn within<'m>(&self, rows: &'m [usize], (from, to): (f64, f64)) -> &'m [usize] {
        let first = rows.partition_point(|row| self.at[*row] < from);
        let end = rows.partition_point(|row| self.at[*row] <= to);
        &rows[first..end.max(first)]
    }

    pub(super) fn explain(&self, members: &[usize]) {
        for row in members {
            self.explained[*row].store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn is_explained(&self, row: usize) -> bool {
        self.explained[row].load(Ordering::Relaxed)
    }

    /// The number of records that these rows stand for.
    pub(super) fn count(&self, members: &[usize]) -> f64 {
        members.iter().map(|row| self.weight[*row]).sum()
    }

    /// The records that one of these rows stands for, as a mean by weight. Ten rows that stand for a thousand records are no surer than
    /// ten, so counts are divided by it before they are compared with chance.
    pub(super) fn stands_for(&self, members: &[usize]) -> f64 {
        let squares: f64 = members.iter().map(|row| self.weight[*row].powi(2)).sum();
        (squares / self.count(members)).max(1.0)
    }

    /// How far the number of records that some rows stand for may be from the true one: three standard errors. `left_out` is the sum of
    /// [`left_out`] over the rows' weights; of a value that few rows have, others may all have been left out. 0 without sampling.
    pub(super) fn error(&self, left_out: f64) -> f64 {
        3.0 * (left_out + self.most_left_out).sqrt()
    }

    /// The number of records behind these rows, for a sentence.
    pub(super) fn records(&self, members: &[usize]) -> u64 {
        self.count(members).round() as u64
    }

    /// The number of clients behind these rows.
    pub(super) fn clients(&self, members: &[usize]) -> usize {
        self.clients.behind(&self.rows, members)
    }

    /// Whether all of these are of one address and program, and nobody else is seen behind it.
    pub(super) fn is_one_client(&self, members: &[usize]) -> bool {
        let number = |row: &usize| self.clients.number(*row);
        members
            .first()
            .is_some_and(|first| members.iter().all(|row| number(row) == number(first)) && !self.hides_clients(*first))
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
            ends.entry(self.clients.number(*row)).or_default().push(self.at[*row]);
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
        let at = |row: &usize| self.at[*row];
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

/// The variance of the number of records that a row of this weight stands for.
pub(super) fn left_out(weight: f64) -> f64 {
    weight * (weight - 1.0)
}

// === impl Rows ===

impl Rows {
    fn push(&mut self, row: usize, sign: Option<Sign>) {
        self.all.push(row);
        if sign.is_some() {
            self.sessions.push(row);
        }
        match self.of_sign.iter_mut().find(|(known, _)| *known == sign) {
            Some((_, rows)) => rows.push(row),
            None => self.of_sign.push((sign, vec![row])),
        }
    }
}
