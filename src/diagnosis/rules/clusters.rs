//! Ends at one silence or at one age: a timer of somebody.

use foldhash::{HashMap, HashSet};

use super::Cause;
use super::timer::{BETTER, BURST, Clock, Timer, at_instants, best, limit_of, timer};
use crate::diagnosis::address::Ip;
use crate::diagnosis::cluster::{self, quantile};
use crate::diagnosis::cohort::{LEAST, Trait, others, shared, shared_by};
use crate::diagnosis::finding::{Culprit, Mechanism, Note};
use crate::diagnosis::log::{Log, Scope};
use crate::diagnosis::names::Name;
use crate::diagnosis::row::Session;
use crate::diagnosis::show::{counted, span};
use crate::diagnosis::sign::Sign;
use crate::diagnosis::words::{self, Says};
use crate::wire::Peer;

/// Timers of one route and leg.
const TIMERS: usize = 4;
/// A program's timer may have some strangers among its ends: those that left at that time by chance.
const MAINLY: f64 = 0.75;
/// Of those whom a box cuts so many come back within this time: they wanted to stay.
const BACK: f64 = 0.15;
const AT_ONCE: f64 = 10.0;
/// Ages that differ by no more, in seconds and as a part, are one.
const ONE_AGE: f64 = 0.1;
const ONE_AGE_PART: f64 = 0.004;
/// Times of one habit are no further apart.
const NEARLY: f64 = 1.25;
/// Sessions of other programs that must be there to compare with.
const OTHERS: usize = 5;
/// Machines of a test.
const FEW_PLACES: usize = 3;

/// The word of these rules on one scope.
#[derive(Default)]
struct Found {
    causes: Vec<Cause>,
    notes: Vec<Note>,
}

/// Finds cuts by boxes, and limits and policies of the peers; explains their rows.
pub(super) fn causes(log: &Log<'_>, causes: &mut Vec<Cause>, notes: &mut Vec<Note>) {
    for found in log.by_scope(|scope| of_scope(log, scope)) {
        causes.extend(found.causes);
        notes.extend(found.notes);
    }
}

fn of_scope(log: &Log<'_>, route: Scope) -> Found {
    // None of these looks at a session that another one may explain.
    const PARTS: [fn(&Log<'_>, Scope, &mut Found); 4] = [
        |log, route, found| cuts(log, route, Peer::Client, found),
        |log, route, found| cuts(log, route, Peer::Upstream, found),
        |log, route, found| heartbeats(log, route, Peer::Client, found),
        |log, route, found| {
            heartbeats(log, route, Peer::Upstream, found);
            limits_of_upstream(log, route, found);
        },
    ];
    let parts = log.cores_of(route).map(&PARTS, |part| {
        let mut found = Found::default();
        part(log, route, &mut found);
        found
    });
    let mut all = Found::default();
    for found in parts {
        all.causes.extend(found.causes);
        all.notes.extend(found.notes);
    }
    habits_of_clients(log, route, &mut all.notes);
    all
}

/// Timers behind ends of this leg's transport.
fn cuts(log: &Log<'_>, route: Scope, leg: Peer, found: &mut Found) {
    for _ in 0..TIMERS {
        let Some(timer) = best(log, route, leg) else { return };
        log.explain(&timer.members);
        cut(log, route, leg, timer, found);
    }
}

/// A timer behind ends without a Close: of a box, or, if all of them are of one program, of the client.
fn cut(log: &Log<'_>, route: Scope, leg: Peer, timer: Timer, found: &mut Found) {
    let Timer { clock, cluster, ref members } = timer;
    let mechanism = if clock == Clock::Age { Mechanism::MaxLifetime } else { Mechanism::IdleCut };
    let bystanders = others(log.sessions_of(route), members);
    let has = |property| shared(log, members, &bystanders, property).is_some();
    let closed_too = || {
        let closed: Vec<usize> =
            bystanders.iter().copied().filter(|row| log.sign(*row) == Some(Sign::Normal)).collect();
        let closed = log.values(&closed, |session| clock.of(session));
        cluster::heaviest(&closed, members.len())
            .is_some_and(|closed| closed.low <= cluster.high && cluster.low <= closed.high)
    };
    let of_program = || {
        shared_by(log, members, &bystanders, Trait::UserAgent, MAINLY).is_some()
            || is_core_of_program(log, &timer, &bystanders)
            || is_of_program_elsewhere(log, leg, &timer)
    };
    let (culprit, or): (_, &[_]) = match leg {
        Peer::Client if of_program() && spares_others(log, &timer, &bystanders) => {
            found.notes.push(Note {
                mechanism: "client_idle_policy",
                sentence: format!(
                    "One client program left {} at {}: its own timer.",
                    counted(log.records(members), "session"),
                    span(cluster.center)
                ),
            });
            return;
        }
        // Of a game, or a lesson, some close at its end, and some just leave.
        Peer::Client if closed_too() => {
            found.notes.push(Note {
                mechanism: "client_idle_policy",
                sentence: format!(
                    "{} left at {:.1} s, at which as many or more closed by themselves.",
                    counted(log.records(members), "session"),
                    cluster.center
                ),
            });
            return;
        }
        Peer::Client if has(Trait::Subnet) => (Culprit::NetworkClientSide, &[Culprit::MiddleboxFront]),
        Peer::Client => (Culprit::MiddleboxFront, &[Culprit::NetworkClientSide]),
        Peer::Upstream => (Culprit::MiddleboxBack, &[Culprit::Upstream]),
    };
    // Nobody else was silent for so long: a program's own timer would look the same.
    let few_of_program = leg == Peer::Client && members.len() < 2 * LEAST && (bystanders.len() < LEAST || of_program());
    let own = leg == Peer::Client && is_own_will(log, &timer, &bystanders);
    let limit = limit_of(log, members, clock);
    let stands_for = log.count(members) / members.len() as f64;
    let mut cause = Cause::new(mechanism, culprit, or, timer.members)
        .with_limit(Some(limit))
        .sure(if few_of_program || own { 0.78 } else { 0.95 })
        .because("sessions that ended at the limit", (cluster.count as f64 * stands_for).round())
        .because("sessions that would have ended there by chance", cluster.expected * stands_for)
        .because("shortest, s", cluster.low)
        .because("longest, s", cluster.high);
    cause.detail = clock.heard();
    found.causes.push(cause);
}

/// Whether one program has the half of these ends whose times are closest: a wide cluster has strangers around a program's own timer.
fn is_core_of_program(log: &Log<'_>, timer: &Timer, bystanders: &[usize]) -> bool {
    let time = |row: usize| log.session(row).map_or(f64::INFINITY, |session| timer.clock.of(session));
    let mode = cluster::mode(&log.values(&timer.members, |session| timer.clock.of(session)));
    let mut core = timer.members.clone();
    core.sort_by(|a, b| (time(*a) - mode).abs().total_cmp(&(time(*b) - mode).abs()).then(a.cmp(b)));
    core.truncate(core.len().div_ceil(2));
    core.len() >= LEAST && shared(log, &core, bystanders, Trait::UserAgent).is_some()
}

/// Whether one program has most of such ends on all routes together, and half of those that were found here: beside few of its own
/// some strangers are many.
fn is_of_program_elsewhere(log: &Log<'_>, leg: Peer, timer: &Timer) -> bool {
    let (clock, cluster) = (timer.clock, &timer.cluster);
    let is_same = |it: &Session| {
        matches!(it.sign, Sign::Fin(of) | Sign::Reset(of) if of == leg)
            && (cluster.low..=cluster.high).contains(&clock.of(it))
    };
    let all = log.sessions_of(None);
    let mut same = all.to_vec();
    same.retain(|row| log.session(*row).is_some_and(is_same));
    let program = shared_by(log, &same, &others(all, &same), Trait::UserAgent, MAINLY);
    program.is_some_and(|program| {
        let its = timer.members.iter().filter(|row| Trait::UserAgent.of(log.rows[**row]) == program);
        its.count() * 2 >= timer.members.len()
    })
}

/// Whether a timer that ends by FIN lets others go on beyond it: then it is the program's own, and nobody's between.
fn spares_others(log: &Log<'_>, timer: &Timer, bystanders: &[usize]) -> bool {
    let resets = timer
        .members
        .iter()
        .filter(|row| log.session(**row).is_some_and(|session| session.sign == Sign::Reset(Peer::Client)));
    let beyond = bystanders
        .iter()
        .filter(|row| log.session(**row).is_some_and(|session| timer.clock.of(session) > 1.1 * timer.cluster.high));
    resets.count() * 4 < timer.members.len()
        && beyond.count() >= (timer.members.len().min(bystanders.len()) / 10).max(3)
}

/// Whether these ends look like the will of one program: scripts, probes and tests hang up after a while, and do not come back at
/// once, as those do whom a box has cut.
fn is_own_will(log: &Log<'_>, timer: &Timer, bystanders: &[usize]) -> bool {
    let members = &timer.members;
    let program = |row: &usize| log.rows[*row].user_agent;
    let mut programs: HashMap<Name, usize> = HashMap::default();
    for row in members {
        *programs.entry(program(row)).or_default() += 1;
    }
    let Some((own, count)) = programs.into_iter().max_by_key(|(name, count)| (*count, *name)) else { return false };
    let resets = members.iter().filter(|row| log.session(**row).is_some_and(|it| it.sign == Sign::Reset(Peer::Client)));
    if (count as f64) < MAINLY * members.len() as f64 || resets.count() * 4 >= members.len() {
        return false;
    }
    let places: HashSet<Ip> = members.iter().map(|row| log.rows[*row].client).collect();
    if places.len() <= FEW_PLACES && !log.hides_clients(members[0]) {
        return true;
    }
    // Its others that left in the same way, a little sooner or later, are of the same habit.
    let near = timer.cluster.low / NEARLY..timer.cluster.high * NEARLY;
    let is_alike = |it: &Session| it.sign == Sign::Fin(Peer::Client) && near.contains(&timer.clock.of(it));
    let (alike, bystanders): (Vec<usize>, Vec<usize>) =
        bystanders.iter().partition(|row| program(row) == own && log.session(**row).is_some_and(is_alike));
    // Where they are many, the cluster is only where that habit is densest.
    if alike.len() * 2 >= members.len() {
        return true;
    }
    // Nobody else is there to compare with.
    if bystanders.len() < LEAST {
        return true;
    }
    // Where all sessions are of one program, that says nothing of it.
    let others = bystanders.iter().filter(|row| program(row) != own).count();
    others >= OTHERS.min(bystanders.len().div_ceil(10)) && log.came_back(members, AT_ONCE) < BACK
}

/// A peer that closes because the other has been silent for so long while it spoke: a heartbeat without words.
fn heartbeats(log: &Log<'_>, route: Scope, closer: Peer, found: &mut Found) {
    let silent = closer.other();
    let by_closer = |session: &Session| match closer {
        Peer::Client => {
            let by_client = session.sign == Sign::Normal && !session.upstream_closed;
            session.sign == Sign::Application(closer) || by_client && matches!(session.code, 1000 | 1005)
        }
        Peer::Upstream => {
            matches!(session.sign, Sign::Application(Peer::Upstream) | Sign::Announced) && !says_restart(log, session)
                || session.sign == Sign::Normal && session.upstream_closed
        }
    };
    let spoke = |session: &Session| {
        let (mine, theirs) = (session.since_message[closer.index()], session.silent[silent.index()]);
        mine < 0.9 * theirs && theirs > 2.0
    };
    let mut rows = log.open(route, |sign| matches!(sign, Sign::Application(_) | Sign::Announced | Sign::Normal));
    rows.retain(|row| log.session(*row).is_some_and(|session| by_closer(session) && spoke(session)));
    let clock = if silent == Peer::Client { Clock::SilentClient } else { Clock::SilentUpstream };
    let Some(timer) = timer(log, &rows, clock, LEAST) else { return };
    // Ages explain the same, if they do, more simply.
    let by_age = |age: Timer| age.cluster.count * 5 >= timer.cluster.count * 4;
    if self::timer(log, &rows, Clock::Age, LEAST).is_some_and(by_age) || is_of_one_age(log, &timer) {
        return;
    }
    // A day's closing times would make any cluster once; a heartbeat is exact.
    if timer.cluster.high - timer.cluster.low > 0.08 * timer.cluster.center + 1.0 {
        return;
    }
    let limit = limit_of(log, &timer.members, clock);
    log.explain(&timer.members);
    let (culprit, or) = match silent {
        Peer::Client => (Culprit::Client, Culprit::NetworkClientSide),
        Peer::Upstream => (Culprit::Upstream, Culprit::NetworkUpstreamSide),
    };
    found.causes.push(
        Cause::new(Mechanism::HeartbeatTimeout, culprit, &[or], timer.members)
            .with_limit(Some(limit))
            .sure(0.85)
            .because("sessions closed at that silence", timer.cluster.count as f64),
    );
}

/// Whether the ages of these sessions are a timer's too, or differ by less than their silences: scripts that the clock starts close after
/// equal times.
fn is_of_one_age(log: &Log<'_>, timer: &Timer) -> bool {
    let ages = log.values(&timer.members, |session| session.age);
    let (low, high) = (quantile(&ages, 0.1), quantile(&ages, 0.9));
    high - low <= (timer.cluster.high - timer.cluster.low).max(ONE_AGE + ONE_AGE_PART * low)
}

/// Closes of the upstream at one silence or one age.
fn limits_of_upstream(log: &Log<'_>, route: Scope, found: &mut Found) {
    for unmeant in [true, false] {
        let signs: &[Sign] = if unmeant {
            &[Sign::Announced, Sign::Application(Peer::Upstream), Sign::Refused(Peer::Client)]
        } else {
            &[Sign::Normal]
        };
        let fits = |session: &Session| {
            let is = |sign: Sign| session.sign == sign;
            // A Close that says why outranks the time at which it comes. Codes alone, at an age: the rule of what was said comes
            // later, and has nothing of a timer.
            !(is(Sign::Announced) && says_restart(log, session)
                || is(Sign::Refused(Peer::Client)) && (session.code != 1008 || session.reason != 0)
                || is(Sign::Normal) && (!session.upstream_closed || session.code != 1000))
        };
        let mut rows = log.open(route, |sign| signs.contains(&sign));
        rows.retain(|row| log.session(*row).is_some_and(fits));
        let timer = [Clock::Idle, Clock::SilentClient, Clock::Age]
            .into_iter()
            .filter_map(|clock| timer(log, &rows, clock, LEAST))
            .reduce(
                |best, next| {
                    if next.cluster.count as f64 > BETTER * best.cluster.count as f64 { next } else { best }
                },
            );
        let Some(timer) = timer else { continue };
        let limit = limit_of(log, &timer.members, timer.clock);
        log.explain(&timer.members);
        if !unmeant {
            found.notes.push(Note {
                mechanism: "upstream_policy",
                sentence: format!(
                    "The upstream closed {} with 1000 at {} {}: its own policy.",
                    counted(log.records(&timer.members), "session"),
                    if timer.clock == Clock::Age { "an age of" } else { "a silence of" },
                    span(limit)
                ),
            });
            continue;
        }
        let mechanism = if timer.clock == Clock::Age { Mechanism::MaxLifetime } else { Mechanism::IdleCut };
        if with_others(log, &rows, &timer.members) || at_instants_of_all_routes(log, signs, &timer) {
            continue;
        }
        found.causes.push(
            Cause::new(mechanism, Culprit::Upstream, &[], timer.members)
                .with_limit(Some(limit))
                .sure(0.88)
                .because("sessions that the upstream closed at the limit", timer.cluster.count as f64),
        );
    }
}

/// Whether others that were closed in the same way, at other ages, went together with these: then it was an event that comes again
/// and again, of which sessions that begin behind one and end in the next have one age.
fn with_others(log: &Log<'_>, closed: &[usize], members: &[usize]) -> bool {
    let at = |row: usize| log.at[row];
    let together = |row: &usize| {
        let next = members.partition_point(|member| at(*member) < at(*row) - BURST);
        members.get(next).is_some_and(|member| at(*member) <= at(*row) + BURST)
    };
    let others = others(closed, members);
    let together = others.iter().filter(|row| together(row)).count();
    others.len() * 4 >= members.len() && together * 10 >= others.len() * 7
}

/// Whether these ends are events once those of the other routes are beside them: a room may have its sessions on several.
fn at_instants_of_all_routes(log: &Log<'_>, signs: &[Sign], timer: &Timer) -> bool {
    let (clock, cluster) = (timer.clock, &timer.cluster);
    let is_same = |it: &Session| signs.contains(&it.sign) && (cluster.low..=cluster.high).contains(&clock.of(it));
    let mut same = log.sessions_of(None).to_vec();
    same.retain(|row| log.session(*row).is_some_and(is_same));
    at_instants(log, &same, |session| clock.of(session))
}

/// Closes of clients at one silence or age: their own business.
fn habits_of_clients(log: &Log<'_>, route: Scope, notes: &mut Vec<Note>) {
    let rows = log.open(route, |sign| sign == Sign::Normal || sign == Sign::Application(Peer::Client));
    for clock in [Clock::Idle, Clock::Age] {
        if let Some(timer) = timer(log, &rows, clock, LEAST) {
            notes.push(Note {
                mechanism: "client_idle_policy",
                sentence: format!(
                    "Clients closed {} by themselves at {} {}.",
                    counted(log.records(&timer.members), "session"),
                    if clock == Clock::Idle { "a silence of" } else { "an age of" },
                    span(timer.cluster.center)
                ),
            });
            return;
        }
    }
}

/// Whether the Close says that its sender restarts: by its code, or by words beside another one than 1001, of which "going
/// away" is the name.
fn says_restart(log: &Log<'_>, session: &Session) -> bool {
    session.code == 1012 || session.code != 1001 && words::read(log.names.of(session.reason)) == Some(Says::Restart)
}
