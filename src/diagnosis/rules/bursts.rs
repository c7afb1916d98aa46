//! Many ends at one instant, of one upstream or behind one hop.

use std::collections::{BTreeMap, BTreeSet};

use super::aftermath::{Burst, Seat, behind, consequences, reopened};
use super::timer::at_instants;
use super::{CLIENTS, Cause};
use crate::close::Outcome;
use crate::diagnosis::address;
use crate::diagnosis::cluster::{quantile, sorted};
use crate::diagnosis::cohort::{Trait, others, shared};
use crate::diagnosis::finding::{Culprit, Mechanism, Note};
use crate::diagnosis::log::Log;
use crate::diagnosis::names::Name;
use crate::diagnosis::show::counted;
use crate::diagnosis::sign::Sign;
use crate::wire::Peer;

/// Ends of one burst are no further apart.
const APART: f64 = 1.5;
/// And it is over after this.
const LONGEST: f64 = 30.0;
/// Its sessions, at least.
const FEWEST: usize = 3;
/// If it takes fewer than this, it must take most of those that are there.
const MANY: usize = 8;
/// So much denser than the rest.
const DENSER: f64 = 8.0;
/// Sessions of all bursts together.
const LEAST: usize = 10;
/// So many of those that ended, or others, are open again soon if it was a restart.
const BACK: f64 = 0.2;
/// Behind a reload of a hop in front clients are let in again within this time.
const LET_IN: f64 = 10.0;
/// Sessions that siblings must have had open, to be well.
const SIBLINGS: f64 = 8.0;
/// What closes by itself at any time is looked for so long before a burst, and no shorter.
const USUAL: f64 = 60.0;
const SHORTEST_USUAL: f64 = 0.5;

/// Finds crashes and restarts; explains their rows.
pub(super) fn causes(log: &Log<'_>, causes: &mut Vec<Cause>, notes: &mut Vec<Note>) {
    announced(log, notes);
    upstreams(log, causes);
    fronts(log, causes, notes);
}

/// Restarts that the upstream announced: notes.
fn announced(log: &Log<'_>, notes: &mut Vec<Note>) {
    let rows = log.open(None, |sign| sign == Sign::Announced);
    if rows.len() >= 5 {
        notes.push(Note {
            mechanism: "announced_restart",
            sentence: format!(
                "The upstream told {} that it goes away (1001 or 1012).",
                counted(log.records(&rows), "session")
            ),
        });
    }
    log.explain(&rows);
}

fn upstreams(log: &Log<'_>, causes: &mut Vec<Cause>) {
    let ends = log.open(None, Sign::may_be_fall_of_upstream);
    let mut seats: BTreeMap<Seat, Vec<usize>> = BTreeMap::new();
    for row in ends {
        let Some(session) = log.session(row) else { continue };
        seats.entry((session.upstream, log.rows[row].instance)).or_default().push(row);
    }
    // Units fail by themselves: an address, or an instance with an upstream of its own.
    let mut units: BTreeMap<Seat, Vec<Vec<Burst>>> = BTreeMap::new();
    for (seat, rows) in &seats {
        let on_seat = |row: usize| {
            log.rows[row].instance == seat.1 && log.session(row).is_some_and(|session| session.upstream == seat.0)
        };
        let found = bursts(log, rows, on_seat);
        let found: Vec<Burst> = found.into_iter().filter(|burst| !said_goodbye(log, burst, on_seat)).collect();
        if found.is_empty() {
            continue;
        }
        let sidecar = log.session(rows[0]).is_some_and(|session| session.sidecar);
        let unit = if sidecar { *seat } else { (seat.0, 0) };
        units.entry(unit).or_default().push(found);
    }
    // Where clocks agree, all instances together see what is too thin for each.
    let mut addresses: BTreeMap<Name, Vec<usize>> = BTreeMap::new();
    for (seat, rows) in seats.iter().filter(|(_, rows)| log.session(rows[0]).is_some_and(|session| !session.sidecar)) {
        addresses.entry(seat.0).or_default().extend(rows);
    }
    for (address, mut rows) in addresses {
        rows.sort_unstable();
        let there = |row: usize| log.session(row).is_some_and(|session| session.upstream == address);
        let mut found = bursts(log, &rows, there);
        found.retain(|burst| !said_goodbye(log, burst, there));
        let taken = |bursts: &[Burst]| bursts.iter().map(|burst| burst.members.len()).sum::<usize>();
        let apart = units.get(&(address, 0)).map_or(0, |seen| seen.iter().map(|bursts| taken(bursts)).sum());
        if taken(&found) > apart {
            units.insert((address, 0), vec![found]);
        }
    }
    let members: Vec<usize> = {
        let all = units.values().flatten().flatten().flat_map(|burst| burst.members.iter().copied());
        let mut members: Vec<usize> = all.collect();
        members.sort_unstable();
        members
    };
    if members.len() < LEAST || log.clients(&members) < CLIENTS {
        return;
    }
    log.explain(&members);
    let mut cause = name(log, &units, members);
    consequences(log, &units, &mut cause);
    causes.push(cause);
}

/// Crash, crash loop or restart.
fn name(log: &Log<'_>, units: &BTreeMap<Seat, Vec<Vec<Burst>>>, members: Vec<usize>) -> Cause {
    // The same event seen by several instances is one: of the instances of a unit the one that saw most counts.
    let most = |seen: &Vec<Vec<Burst>>| {
        let most = seen.iter().max_by_key(|bursts| bursts.len());
        most.cloned().unwrap_or_default()
    };
    let events: Vec<Vec<Burst>> = units.values().map(most).collect();
    let loops = events.iter().max_by_key(|bursts| bursts.len()).cloned().unwrap_or_default();
    let of = |sign: fn(Sign) -> bool| {
        let hit: Vec<usize> =
            members.iter().copied().filter(|row| log.session(*row).is_some_and(|s| sign(s.sign))).collect();
        log.count(&hit) / log.count(&members)
    };
    let resets = of(|sign| sign == Sign::Reset(Peer::Upstream));
    let failed = of(|sign| sign == Sign::Failed(Peer::Upstream));
    let vanished = of(|sign| sign == Sign::Vanished(Peer::Upstream));
    let refused = behind(
        log,
        units,
        &[
            Outcome::DialFailed,
            Outcome::UpstreamClosed,
            Outcome::Refused,
            Outcome::DialTimeout,
            Outcome::UpstreamTimeout,
        ],
    )
    .len();
    let took = sorted(loops.iter().map(|burst| burst.took));
    let in_turn = in_turn(&events);
    let told = |cause: Cause| {
        cause
            .because("moments at which they ended", loops.len() as f64)
            .because("share of the sessions then open that ended", quantile(&took, 0.5))
            .because("share that ended by reset", resets)
            .because("handshakes that failed soon after", refused as f64)
    };
    if has_well_siblings(log, units, &members) {
        return told(
            Cause::new(Mechanism::BadInstance, Culprit::Upstream, &[Culprit::NetworkUpstreamSide], members).sure(0.92),
        );
    }
    if vanished > 0.5 {
        let or = [Culprit::Upstream];
        return told(Cause::new(Mechanism::PeerVanished, Culprit::NetworkUpstreamSide, &or, members).sure(0.88));
    }
    if loops.len() >= 3 {
        let gaps = sorted(loops.windows(2).map(|pair| pair[1].at - pair[0].at));
        let cause = Cause::new(Mechanism::CrashLoop, Culprit::Upstream, &[], members);
        return told(cause.with_limit(Some(quantile(&gaps, 0.5))).sure(0.95));
    }
    let is_back = reopened(log, units) >= BACK * log.count(&members);
    if in_turn || resets < 0.3 && failed < 0.5 && refused < 3 && is_back {
        return told(Cause::new(Mechanism::UnannouncedRestart, Culprit::Upstream, &[], members).sure(0.9));
    }
    told(Cause::new(Mechanism::Crash, Culprit::Upstream, &[], members).sure(0.92))
}

/// Whether only one unit of several fell over, and the others went on.
fn has_well_siblings(log: &Log<'_>, units: &BTreeMap<Seat, Vec<Vec<Burst>>>, members: &[usize]) -> bool {
    let [(unit, seen)] = units.iter().collect::<Vec<_>>()[..] else { return false };
    let routes: BTreeSet<Name> = members.iter().map(|row| log.rows[*row].route).collect();
    let is_sibling = |row: usize| {
        routes.contains(&log.rows[row].route)
            && log.session(row).is_some_and(|session| {
                session.upstream != unit.0 || session.sidecar && log.rows[row].instance != unit.1
            })
    };
    seen.iter().flatten().all(|burst| open_at(log, burst.at, is_sibling) >= SIBLINGS)
}

/// Several units, one after the other, each once: a roll-out.
fn in_turn(events: &[Vec<Burst>]) -> bool {
    let mut times: Vec<f64> = events.iter().filter(|bursts| bursts.len() == 1).map(|bursts| bursts[0].at).collect();
    times.sort_by(f64::total_cmp);
    times.len() >= 2 && times.len() == events.len() && times.windows(2).all(|pair| pair[1] - pair[0] > 4.0)
}

/// Whether a good part of those that ended then closed by themselves, more than do at any time: no crash, and no box, does that.
fn said_goodbye(log: &Log<'_>, burst: &Burst, here: impl Fn(usize) -> bool) -> bool {
    let closed = |from: f64, until: f64| {
        let rows = log.rows.partition_point(|row| row.at < from)..log.rows.partition_point(|row| row.at < until);
        let closed = |row: &usize| {
            here(*row)
                && log.session(*row).is_some_and(|session| {
                    matches!(session.sign, Sign::Announced | Sign::Normal | Sign::Application(_) | Sign::Drain)
                })
        };
        log.count(&rows.filter(closed).collect::<Vec<_>>())
    };
    let (from, until) = (burst.at - 2.0, burst.until + 2.0);
    let before = log.rows.first().map_or(0.0, |first| from - first.at).min(USUAL);
    let usual = if before < SHORTEST_USUAL { 0.0 } else { closed(from - before, from) / before * (until - from) };
    closed(from, until) - usual > 0.25 * log.count(&burst.members)
}

/// Many ends of the clients' legs at one instant: a hop in front, or the clients' network.
fn fronts(log: &Log<'_>, causes: &mut Vec<Cause>, notes: &mut Vec<Note>) {
    let is_end =
        |sign: Sign| matches!(sign, Sign::Fin(Peer::Client) | Sign::Reset(Peer::Client) | Sign::Vanished(Peer::Client));
    let ends = log.open(None, is_end);
    let found = bursts(log, &ends, |_| true);
    let found: Vec<Burst> =
        found.into_iter().filter(|burst| burst.members.len() >= LEAST && !said_goodbye(log, burst, |_| true)).collect();
    let mut members: Vec<usize> = found.iter().flat_map(|burst| burst.members.iter().copied()).collect();
    members.sort_unstable();
    if members.is_empty() {
        return;
    }
    log.explain(&members);
    let addresses = kinds(&members, |row| log.rows[row].client);
    let subnets = kinds(&members, |row| address::subnet(log.rows[row].client));
    let agents = kinds(&members, |row| u128::from(log.rows[row].user_agent));
    let hop = members.iter().take(50).filter(|row| log.is_hop(**row)).count() > 25.min(members.len() / 2);
    let scope = log.open(None, |_| true);
    let beside = others(&scope, &members);
    let of_program = shared(log, &members, &beside, Trait::UserAgent).is_some();
    let back = log.came_back(&members, LET_IN);
    // Nobody is there to compare with, and they do not come back.
    let leaves = beside.len() < SIBLINGS as usize && back < BACK;
    // From few addresses, and nobody comes back: a test with clients of many names.
    if agents == 1 && (addresses <= 3 || of_program || leaves) || addresses <= 3 && back == 0.0 {
        notes.push(Note {
            mechanism: "load_test_end",
            sentence: format!(
                "{} from one place left at one moment, without a Close: a test's end.",
                counted(log.records(&members), "session")
            ),
        });
        return;
    }
    if log.clients(&members) < CLIENTS {
        return;
    }
    let of = |sign: Sign| {
        members.iter().filter(|row| log.session(**row).is_some_and(|session| session.sign == sign)).count() * 2
            > members.len()
    };
    let network = subnets == 1 && !hop;
    let (culprit, or) = if network {
        (Culprit::NetworkClientSide, Culprit::MiddleboxFront)
    } else {
        (Culprit::MiddleboxFront, Culprit::NetworkClientSide)
    };
    let mechanism = if of(Sign::Vanished(Peer::Client)) {
        Mechanism::PeerVanished
    } else if back >= BACK {
        // A reload: the next process takes over at once.
        Mechanism::UnannouncedRestart
    } else if found.len() >= 3 {
        Mechanism::CrashLoop
    } else if of(Sign::Reset(Peer::Client)) {
        Mechanism::Crash
    } else {
        Mechanism::UnannouncedRestart
    };
    let gaps = sorted(found.windows(2).map(|pair| pair[1].at - pair[0].at));
    let limit = (mechanism == Mechanism::CrashLoop).then(|| quantile(&gaps, 0.5));
    let (culprit, or) = if mechanism == Mechanism::PeerVanished {
        (Culprit::NetworkClientSide, Culprit::MiddleboxFront)
    } else {
        (culprit, or)
    };
    causes.push(
        Cause::new(mechanism, culprit, &[or], members)
            .with_limit(limit)
            .sure(0.86)
            .because("moments at which they ended", found.len() as f64),
    );
}

/// How many values nine of ten of these rows have between them.
fn kinds(members: &[usize], value: impl Fn(usize) -> u128) -> usize {
    let mut counts: BTreeMap<u128, usize> = BTreeMap::new();
    for row in members {
        *counts.entry(value(*row)).or_default() += 1;
    }
    let mut counts: Vec<usize> = counts.into_values().collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let mut left = members.len() * 9 / 10;
    counts
        .iter()
        .take_while(|count| {
            let more = left > 0;
            left = left.saturating_sub(**count);
            more
        })
        .count()
}

/// Groups of ends at an instant; `rows` in the order of time, `here` says which sessions might have ended with them.
fn bursts(log: &Log<'_>, rows: &[usize], here: impl Fn(usize) -> bool) -> Vec<Burst> {
    let rate = rows.len() as f64 / log.length();
    let apart = APART.min(0.3 / rate).max(0.05);
    let mut found = vec![];
    let mut start = 0;
    for at in 1..=rows.len() {
        if at < rows.len() && log.at[rows[at]] - log.at[rows[at - 1]] <= apart {
            continue;
        }
        let members = &rows[start..at];
        start = at;
        let (from, until) = log.span(members);
        if members.len() < FEWEST || until - from > LONGEST {
            continue;
        }
        let timers = !at_instants(log, members, |s| s.idle) || !at_instants(log, members, |s| s.age);
        if timers {
            continue;
        }
        let open = open_at(log, from - 0.5, &here);
        let took = log.count(members) / open.max(log.count(members));
        let dense = members.len() as f64 / (until - from + apart) >= DENSER * rate;
        if dense && members.len() >= MANY && took >= 0.05 || took >= 0.6 {
            found.push(Burst { at: from, until, members: members.to_vec(), took });
        }
    }
    found
}

/// Sessions that were open from before `from`, and ended no earlier.
fn open_at(log: &Log<'_>, from: f64, here: impl Fn(usize) -> bool) -> f64 {
    let first = log.rows.partition_point(|row| row.at < from);
    log.openings.before(from, first).filter(|row| here(*row)).map(|row| log.weight[row]).sum()
}
