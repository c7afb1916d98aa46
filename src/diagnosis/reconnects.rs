//! Reconnects in a log: whether clients came back, after what time, and whether they waited as they should.

use std::collections::BTreeMap;

use foldhash::{HashMap, HashMapExt as _, HashSet, HashSetExt as _};

use super::cluster::{quantile, sorted};
use super::log::Log;
use super::names::Name;
use super::returns::{Advice, Left, Returns};
use super::tables::{Advised, BackOff, Reconnect};
use crate::close::Class;

/// One end's and one opening's place in time.
enum Step {
    Ended(usize),
    Opened,
}

/// Of one class.
#[derive(Default)]
struct OfClass {
    ended: f64,
    /// Time until the return, and the number of sessions that this one stands for.
    back: Vec<(f64, f64)>,
}

/// A session that ended in the instant of its opening ended behind it.
const INSTANT: f64 = 1e-6;

/// Reconnects by the class of the end before, and clients' patience. Addresses with many sessions at once are left out:
/// their clients cannot be told apart.
pub(super) fn of(log: &Log<'_>) -> (Vec<Reconnect>, BackOff) {
    let mut clients: HashMap<(u32, Name), u64> = HashMap::new();
    let mut steps = vec![];
    for row in 0..log.rows.len() {
        if let Some(session) = log.session(row)
            && !log.is_crowd(row)
        {
            let seen = &log.rows[row];
            let next = clients.len() as u64;
            let client = *clients.entry((log.clients.number(row), seen.route)).or_insert(next);
            let opened = seen.at - session.age;
            steps.push((opened, client, Step::Opened));
            steps.push((seen.at.max(opened + INSTANT), client, Step::Ended(row)));
        }
    }
    // An opening in the instant of an end follows it.
    steps.sort_by(|a, b| {
        a.0.total_cmp(&b.0).then_with(|| matches!(a.2, Step::Opened).cmp(&matches!(b.2, Step::Opened)))
    });

    let mut returns = Returns::new(usize::MAX);
    let mut classes: BTreeMap<Class, OfClass> = BTreeMap::new();
    let mut advised: HashMap<u16, (f64, f64)> = HashMap::new();
    let mut hurried = HashSet::new();
    for (at, client, step) in steps {
        let back = match step {
            Step::Opened => returns.opened(client, at),
            Step::Ended(row) => {
                let Some(session) = log.session(row) else { continue };
                let code = Some(session.code);
                classes.entry(session.class).or_default().ended += log.weight[row];
                returns.ended(client, Left { at, lasted: session.age, class: session.class, code, note: row })
            }
        };
        let Some(back) = back else { continue };
        let weight = log.weight[back.left.note];
        classes.entry(back.left.class).or_default().back.push((back.after, weight));
        if back.without_back_off {
            hurried.insert(client);
        }
        if let Some((advice, too_soon)) = back.advice() {
            let (came_back, early) = advised.entry(advice.code()).or_default();
            *came_back += weight;
            *early += if too_soon { weight } else { 0.0 };
        }
    }
    let advised = |advice: Advice| {
        let (came_back, early) = advised.get(&advice.code()).copied().unwrap_or_default();
        Advised { code: advice.code(), came_back: came_back.round() as u64, too_soon: early.round() as u64 }
    };
    let back_off = BackOff {
        clients: clients.len() as u64,
        without: hurried.len() as u64,
        advised: Advice::ALL.map(advised).into(),
    };
    (classes.into_iter().map(|(class, of)| of.row(class)).collect(), back_off)
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
