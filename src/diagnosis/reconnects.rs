//! Reconnects: whether clients came back, and after what time.

use std::collections::{BTreeMap, HashMap};

use super::cluster::{quantile, sorted};
use super::log::Log;
use super::tables::Reconnect;
use crate::close::Class;

/// A session that opens later than this is another visit.
const VISIT: f64 = 3600.0;

/// Reconnects by the class of the end before. Addresses with many sessions at once are left out: their clients cannot be
/// told apart.
pub(super) fn of(log: &Log<'_>) -> Vec<Reconnect> {
    let mut clients: HashMap<(u128, u64, u64), Vec<usize>> = HashMap::new();
    for row in 0..log.rows.len() {
        if log.session(row).is_some() && !log.is_crowd(row) {
            let seen = &log.rows[row];
            clients.entry((seen.client, seen.user_agent, seen.route)).or_default().push(row);
        }
    }
    let mut classes: BTreeMap<Class, (f64, Vec<(f64, f64)>)> = BTreeMap::new();
    for rows in clients.into_values() {
        let opened = sorted(rows.iter().map(|row| log.rows[*row].opened()));
        for row in rows {
            let Some(session) = log.session(row) else { continue };
            let (ended, weight) = (log.rows[row].at, log.weight[row]);
            let class = classes.entry(session.class).or_default();
            class.0 += weight;
            let next = opened[opened.partition_point(|at| *at < ended)..].first();
            if let Some(next) = next.filter(|next| *next - ended <= VISIT) {
                class.1.push((next - ended, weight));
            }
        }
    }
    let row = |(class, (ended, back)): (Class, (f64, Vec<(f64, f64)>))| Reconnect {
        class,
        ended: ended.round() as u64,
        came_back: back.iter().map(|(_, weight)| weight).sum::<f64>().round() as u64,
        median_s: (!back.is_empty())
            .then(|| (quantile(&sorted(back.iter().map(|(after, _)| *after)), 0.5) * 1000.0).round() / 1000.0),
    };
    classes.into_iter().map(row).collect()
}
