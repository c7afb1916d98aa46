//! Counts that need no diagnosis: endings, lengths, moments, addresses. Bounded: what is beyond a table's room has a row of
//! its own.

use std::hash::Hash;

use foldhash::{HashMap, HashMapExt as _};

use super::address::{self, Ip};
use super::names::{Name, Names};
use super::observation::{Closed, Event, Observation};
use super::quantiles::Quantiles;
use super::show::{instant, shown};
use super::tables::{Bars, Ending, Failure, Mismatch, Moment, Part, Tables};
use crate::close::{Cause, Class, Initiator, Outcome};
use crate::wire::Peer;

/// Room of a table of words and codes.
const WORDS: usize = 4096;
/// Room of a table of addresses.
const ADDRESSES: usize = 50_000;
/// Room of the table of moments.
const MOMENTS: usize = 20_000;
/// Addresses that are looked up at once.
const AT_ONCE: usize = 64;
/// A moment, before there are too many: a minute.
const MINUTE: u64 = 60;
/// Rows of an address table that are shown.
const TOP: usize = 20;
/// Upper edges of the bars, in seconds; the last bar has none.
const EDGES: [f64; 22] = [
    0.1, 0.3, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0, 300.0, 600.0, 1200.0, 1800.0,
    3600.0, 7200.0, 21_600.0, 86_400.0,
];

/// Counts by key, as far as there is room.
#[derive(Clone, Debug)]
struct Counts<K> {
    room: usize,
    known: HashMap<K, [u64; 2]>,
    beyond: [u64; 2],
    /// Keys that are not counted yet: many at a time are looked up side by side, where one by one waits for memory.
    waiting: Vec<(K, bool)>,
}

/// Times of sessions: a histogram, and what quantiles are made of.
#[derive(Clone, Debug)]
struct Times {
    counts: [u64; EDGES.len() + 1],
    quantiles: Quantiles,
}

/// Everything that is counted.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    records: u64,
    handshakes: u64,
    span: Option<(f64, f64)>,
    endings: Counts<(Name, Class, Option<u16>, Initiator, Cause)>,
    failures: Counts<(Name, Outcome, Option<u16>)>,
    mismatches: Counts<[u16; 2]>,
    clients: Counts<Ip>,
    upstreams: Counts<Name>,
    instances: Counts<Name>,
    lifetimes: Times,
    idle: Times,
    moments: HashMap<u64, [u64; 2]>,
    /// Length of a moment, in seconds.
    moment: u64,
}

// === impl Tally ===

impl Default for Tally {
    fn default() -> Self {
        Self::with_room(usize::MAX)
    }
}

impl Tally {
    /// Tables of no more than so many rows each.
    pub(super) fn with_room(room: usize) -> Self {
        Self {
            records: 0,
            handshakes: 0,
            span: None,
            endings: Counts::new(WORDS.min(room)),
            failures: Counts::new(WORDS.min(room)),
            mismatches: Counts::new(WORDS.min(room)),
            clients: Counts::new(ADDRESSES.min(room)),
            upstreams: Counts::new(ADDRESSES.min(room)),
            instances: Counts::new(ADDRESSES.min(room)),
            lifetimes: Times::new(),
            idle: Times::new(),
            moments: HashMap::new(),
            moment: MINUTE,
        }
    }

    pub(super) fn add(&mut self, seen: &Observation<'_>, route: Name, names: &mut Names) {
        self.cover(seen.at, seen.at);
        match &seen.event {
            Event::Closed(closed) => self.closed(seen, closed, route, names),
            Event::Refused(refused) => {
                self.handshakes += 1;
                self.failures.add((route, refused.outcome, refused.status), false);
            }
        }
    }

    fn closed(&mut self, seen: &Observation<'_>, closed: &Closed<'_>, route: Name, names: &mut Names) {
        self.records += 1;
        let bad = closed.class == Class::Abnormal;
        self.endings.add((route, closed.class, closed.code, closed.initiator, closed.cause), bad);
        let saw = Peer::ALL.map(|peer| closed.of(peer).saw);
        if let [Some(client), Some(upstream)] = saw
            && client != upstream
        {
            self.mismatches.add([client, upstream], bad);
        }
        let client = if seen.real_address.is_empty() { &seen.address } else { &seen.real_address };
        self.clients.add_later(address::read(client), bad);
        self.upstreams.add(names.keep(&closed.upstream), bad);
        self.instances.add(names.keep(&seen.instance), bad);
        self.lifetimes.add(closed.duration);
        self.idle.add(closed.idle);
        let moment = self.moments.entry(seen.at as u64 / self.moment * self.moment).or_default();
        moment[0] += 1;
        moment[1] += u64::from(bad);
        self.widen();
    }

    fn cover(&mut self, from: f64, to: f64) {
        let (first, last) = self.span.unwrap_or((from, to));
        self.span = Some((first.min(from), last.max(to)));
    }

    /// Makes moments longer until there is room for all. The result is that of any order: the least length that suffices.
    fn widen(&mut self) {
        while self.moments.len() > MOMENTS {
            self.moment *= 2;
            let (length, old) = (self.moment, std::mem::take(&mut self.moments));
            for (at, count) in old {
                add_to(self.moments.entry(at / length * length).or_default(), count);
            }
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.records += other.records;
        self.handshakes += other.handshakes;
        if let Some((from, to)) = other.span {
            self.cover(from, to);
        }
        self.endings.merge(other.endings);
        self.failures.merge(other.failures);
        self.mismatches.merge(other.mismatches);
        self.clients.merge(other.clients);
        self.upstreams.merge(other.upstreams);
        self.instances.merge(other.instances);
        self.lifetimes.merge(&other.lifetimes);
        self.idle.merge(&other.idle);
        let length = self.moment.max(other.moment);
        self.moment = length;
        let old = std::mem::take(&mut self.moments);
        for (at, count) in old.into_iter().chain(other.moments) {
            add_to(self.moments.entry(at / length * length).or_default(), count);
        }
        self.widen();
    }

    pub(super) fn tables(&self, names: &Names) -> Tables {
        let text = |name: Name| shown(names.of(name));
        let (from, to) = self.span.unzip();
        Tables {
            from: from.map(instant),
            to: to.map(instant),
            records: self.records,
            handshakes: self.handshakes,
            endings: self
                .endings
                .sorted()
                .map(|((route, class, code, initiator, cause), [count, _])| Ending {
                    route: text(route),
                    class,
                    code,
                    initiator,
                    cause,
                    count,
                })
                .collect(),
            lifetimes: self.lifetimes.bars(),
            idle: self.idle.bars(),
            busiest: self.busiest(),
            clients: parts(self.clients.clone(), |ip| if ip == 0 { "unknown".to_owned() } else { address::show(ip) }),
            upstreams: parts(self.upstreams.clone(), text),
            instances: parts(self.instances.clone(), text),
            mismatches: self
                .mismatches
                .sorted()
                .map(|([client_saw, upstream_saw], [count, _])| Mismatch { client_saw, upstream_saw, count })
                .collect(),
            handshake_failures: self
                .failures
                .sorted()
                .map(|((route, outcome, status), [count, _])| Failure { route: text(route), outcome, status, count })
                .collect(),
        }
    }

    fn busiest(&self) -> Vec<Moment> {
        const SHOWN: usize = 10;
        let mut moments: Vec<_> = self.moments.iter().map(|(at, count)| (*at, *count)).collect();
        moments.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        moments
            .into_iter()
            .take(SHOWN)
            .map(|(at, [ends, abnormal])| Moment { at: instant(at as f64), seconds: self.moment, ends, abnormal })
            .collect()
    }
}

fn add_to(count: &mut [u64; 2], more: [u64; 2]) {
    count[0] += more[0];
    count[1] += more[1];
}

/// Those of most abnormal ends.
fn parts<K: Copy + Eq + Hash + Ord>(mut counts: Counts<K>, name: impl Fn(K) -> String) -> Vec<Part> {
    counts.settle();
    let mut all: Vec<_> = counts.known.iter().map(|(key, count)| (*key, *count)).collect();
    all.sort_by(|a, b| b.1[1].cmp(&a.1[1]).then(b.1[0].cmp(&a.1[0])).then(a.0.cmp(&b.0)));
    let part = |name, [sessions, abnormal]: [u64; 2]| Part { name, sessions, abnormal };
    let mut parts: Vec<_> = all.into_iter().take(TOP).map(|(key, count)| part(name(key), count)).collect();
    if counts.beyond[0] > 0 {
        parts.push(part("others".to_owned(), counts.beyond));
    }
    parts
}

// === impl Times ===

impl Times {
    fn new() -> Self {
        Self { counts: [0; EDGES.len() + 1], quantiles: Quantiles::new() }
    }

    fn add(&mut self, seconds: f64) {
        self.counts[EDGES.partition_point(|edge| *edge < seconds)] += 1;
        self.quantiles.add(seconds);
    }

    fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(other.counts) {
            *mine += theirs;
        }
        self.quantiles.merge(&other.quantiles);
    }

    fn bars(&self) -> Bars {
        Bars { edges_s: EDGES.to_vec(), counts: self.counts.to_vec(), quantiles: self.quantiles.of() }
    }
}

// === impl Counts ===

impl<K: Copy + Eq + Hash + Ord> Counts<K> {
    fn new(room: usize) -> Self {
        Self { room, known: HashMap::new(), beyond: [0; 2], waiting: vec![] }
    }

    fn add(&mut self, key: K, bad: bool) {
        self.add_many(key, [1, u64::from(bad)]);
    }

    /// Counts it with others that come.
    fn add_later(&mut self, key: K, bad: bool) {
        self.waiting.push((key, bad));
        if self.waiting.len() >= AT_ONCE {
            self.settle();
        }
    }

    /// Counts all that wait.
    fn settle(&mut self) {
        let mut waiting = std::mem::take(&mut self.waiting);
        for (key, bad) in waiting.drain(..) {
            self.add(key, bad);
        }
        self.waiting = waiting;
    }

    fn add_many(&mut self, key: K, count: [u64; 2]) {
        if let Some(known) = self.known.get_mut(&key) {
            add_to(known, count);
        } else if self.known.len() < self.room {
            self.known.insert(key, count);
        } else {
            add_to(&mut self.beyond, count);
        }
    }

    fn merge(&mut self, mut other: Self) {
        self.settle();
        other.settle();
        for (key, count) in other.known {
            self.add_many(key, count);
        }
        add_to(&mut self.beyond, other.beyond);
    }

    /// The most frequent first.
    fn sorted(&self) -> impl Iterator<Item = (K, [u64; 2])> {
        let mut all: Vec<_> = self.known.iter().map(|(key, count)| (*key, *count)).collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        all.into_iter()
    }
}
