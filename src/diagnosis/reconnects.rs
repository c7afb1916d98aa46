//! Reconnects in a log: whether clients came back, after what time, and whether they waited as they should.

use std::collections::BTreeMap;

use super::cluster::{quantile, sorted};
use super::log::Log;
use super::returns::{Advice, Left, Returns};
use super::row::Session;
use super::tables::{Advised, BackOff, Reconnect};
use crate::close::Class;

/// One end's and one opening's place in time.
enum Step<'a> {
    Ended(usize, &'a Session),
    Opened,
}

/// Of all clients so far.
#[derive(Default)]
struct Found {
    classes: BTreeMap<Class, OfClass>,
    /// Returns behind each code that asks to wait, and those that came too soon.
    advised: BTreeMap<u16, (f64, f64)>,
    clients: u64,
    /// Clients without back-off.
    hurried: u64,
}

/// Of one class.
#[derive(Default)]
struct OfClass {
    ended: f64,
    /// Time until the return, and the number of sessions that this one stands for.
    back: Vec<(f64, f64)>,
}

/// Each client is looked at by itself, and needs no name: one table of all would be as large as the log.
const CLIENT: u64 = 0;
/// A session that ended in the instant of its opening ended behind it.
const INSTANT: f64 = 1e-6;

/// Reconnects by the class of the end before, and clients' patience. Addresses with many sessions at once are left out:
/// their clients cannot be told apart.
pub(super) fn of(log: &Log<'_>) -> (Vec<Reconnect>, BackOff) {
    let mut found = Found::default();
    let mut sessions = vec![];
    for rows in log.clients.each() {
        sessions.clear();
        sessions.extend(rows.iter().copied().filter(|row| log.session(*row).is_some() && !log.is_crowd(*row)));
        // Those of a route stay in the order of time.
        sessions.sort_by_key(|row| log.rows[*row].route);
        for sessions in sessions.chunk_by(|a, b| log.rows[*a].route == log.rows[*b].route) {
            found.add(log, sessions);
        }
    }
    let advised = |advice: Advice| {
        let (came_back, early) = found.advised.get(&advice.code()).copied().unwrap_or_default();
        Advised { code: advice.code(), came_back: came_back.round() as u64, too_soon: early.round() as u64 }
    };
    let back_off = BackOff { clients: found.clients, without: found.hurried, advised: Advice::ALL.map(advised).into() };
    (found.classes.into_iter().map(|(class, of)| of.row(class)).collect(), back_off)
}

// === impl Found ===

impl Found {
    /// Takes in the sessions of one client on one route, in the order of their ends.
    fn add(&mut self, log: &Log<'_>, sessions: &[usize]) {
        self.clients += 1;
        let mut steps = vec![];
        for row in sessions {
            let Some(session) = log.session(*row) else { continue };
            self.classes.entry(session.class).or_default().ended += log.weight[*row];
            // Most clients have one session, which follows none.
            if sessions.len() > 1 {
                let at = log.at[*row];
                let opened = at - session.age;
                steps.push((opened, Step::Opened));
                steps.push((at.max(opened + INSTANT), Step::Ended(*row, session)));
            }
        }
        // An opening in the instant of an end follows it.
        steps.sort_by(|a, b| {
            a.0.total_cmp(&b.0).then_with(|| matches!(a.1, Step::Opened).cmp(&matches!(b.1, Step::Opened)))
        });

        let mut returns = Returns::new(usize::MAX);
        let mut is_hurried = false;
        for (at, step) in steps {
            let back = match step {
                Step::Opened => returns.opened(CLIENT, at),
                Step::Ended(row, session) => {
                    let (lasted, class, code) = (session.age, session.class, Some(session.code));
                    returns.ended(CLIENT, Left { at, lasted, class, code, note: row })
                }
            };
            let Some(back) = back else { continue };
            let weight = log.weight[back.left.note];
            self.classes.entry(back.left.class).or_default().back.push((back.after, weight));
            is_hurried |= back.without_back_off;
            if let Some((advice, too_soon)) = back.advice() {
                let (came_back, early) = self.advised.entry(advice.code()).or_default();
                *came_back += weight;
                *early += if too_soon { weight } else { 0.0 };
            }
        }
        self.hurried += u64::from(is_hurried);
    }
}

// === impl OfClass ===

impl OfClass {
    fn row(self, class: Class) -> Reconnect {
        let came_back: f64 = self.back.iter().map(|(_, weight)| weight).sum();
        let median = || quantile(&sorted(self.back.iter().map(|(after, _)| *after)), 0.5);
        Reconnect {
            class,
            ended: self.ended.round() as u64,
            came_back: came_back.round() as u64,
            never_returned: (self.ended - came_back).max(0.0).round() as u64,
            median_s: (!self.back.is_empty()).then(|| (median() * 1000.0).round() / 1000.0),
        }
    }
}
