//! Ends of transports that no timer, instant or fact explains: by their share, and by what they have in common.

use super::{CLIENTS, Cause};
use crate::diagnosis::cluster::quantile;
use crate::diagnosis::cohort::{LEAST, Trait, notable, others, shared_by, stretch};
use crate::diagnosis::finding::{Culprit, Mechanism};
use crate::diagnosis::log::{Log, Scope};
use crate::diagnosis::names::Name;
use crate::diagnosis::sign::Sign;
use crate::wire::Peer;

/// Shares of a route's sessions from which on they are no background.
const CLIENT_RESETS: f64 = 0.07;
const CLIENT_TIMEOUTS: f64 = 0.07;
const CLIENT_LEG: f64 = 0.03;
const UPSTREAM_ENDS: f64 = 0.02;
const UPSTREAM_TIMEOUTS: f64 = 0.015;
/// Beside ends of the upstream's leg so few of the client's are enough.
const FEW: usize = 5;
/// There are some strangers among those of one network or program: the background's.
const MAINLY: f64 = 0.75;
/// Of one network's transports that end without a Close so many must be resets, or it is phones.
const NOT_PHONES: f64 = 0.3;

/// What ends behind silences so many times as long as others', and so long, does not end at any time.
const SILENCES: f64 = 3.0;
const SILENCE: f64 = 8.0;

/// A program of which so many sessions end by FIN without a Close is one that sleeps.
const SLEEPY: f64 = 0.3;
/// Words of the names of programs that run on phones.
const PHONES: [&str; 8] = ["iPhone", "iPad", "Android", "Mobile", "okhttp", "CFNetwork", "Dart", "iOS"];

/// The share from which on they are no background even of such programs.
const ASLEEP: f64 = 0.12;
/// And of their ends without a Close so many are resets.
const NOT_ASLEEP: f64 = 0.2;
/// Of programs that do not sleep, if there are so many sessions, a quarter of that share must be hit, too.
const AWAKE: f64 = 20.0;
const AWAKE_HIT: f64 = 0.25;
/// Fewer are enough if so many of them would be hit at that share.
const AWAKE_EXPECTED: f64 = 4.0;
/// People who leave together close so many times as often as before and after.
const TOGETHER: f64 = 4.0;
/// The share of timeouts, spread over the day, that no sleep makes.
const GONE: f64 = 0.3;
/// And the part of the log over which they are spread then.
const LONG: f64 = 0.1;

/// Of each program, by its number, whether it sleeps.
struct Sleepy(Vec<bool>);

/// Finds them, and explains their rows.
pub(super) fn causes(log: &Log<'_>) -> Vec<Cause> {
    let of_scope = |route: Scope| {
        let mut causes = vec![];
        causes.extend(both_legs(log, route));
        causes.extend(upstream(log, route, Sign::Vanished(Peer::Upstream), UPSTREAM_TIMEOUTS));
        causes.extend(upstream(log, route, Sign::Reset(Peer::Upstream), UPSTREAM_ENDS));
        causes.extend(client(log, route, Sign::Reset(Peer::Client), CLIENT_RESETS));
        causes.extend(client(log, route, Sign::Vanished(Peer::Client), CLIENT_TIMEOUTS));
        causes
    };
    log.by_scope(of_scope).into_iter().flatten().collect()
}

/// Programs that leave by FIN and no Close day by day: phones that fall asleep. Their networks reset and time out, too.
fn sleepy(log: &Log<'_>, scope: &[usize]) -> Sleepy {
    let programs = log.columns.of_trait(Trait::UserAgent);
    let mut counts: Vec<(f64, f64)> = vec![(0.0, 0.0); programs.len()];
    for row in scope.iter().filter(|row| !log.is_explained(**row)) {
        let count = &mut counts[programs.number(*row) as usize];
        count.0 += log.weight[*row];
        if log.sign(*row) == Some(Sign::Fin(Peer::Client)) {
            count.1 += log.weight[*row];
        }
    }
    let is_phone = |program: u32| runs_on_phones(log.names.of(programs.value(program) as Name));
    let sleeps = |(program, (all, fins)): (u32, (f64, f64))| all > 0.0 && (fins > SLEEPY * all || is_phone(program));
    Sleepy((0..).zip(counts).map(sleeps).collect())
}

/// Whether a program's name has such a word, written so, or as a word of its own: a kiosk is no phone.
fn runs_on_phones(name: &str) -> bool {
    let mut words = name.split(|letter: char| !letter.is_ascii_alphanumeric());
    PHONES.iter().any(|phone| name.contains(phone))
        || words.any(|word| {
            let word = word.trim_end_matches(|letter: char| letter.is_ascii_digit());
            PHONES.iter().any(|phone| word.eq_ignore_ascii_case(phone))
        })
}

/// Whether most of these ended behind a silence far longer than others': of a box that forgets flows, of which a few do not tell at which
/// limit, or of phones that wake up.
fn are_behind_silence(log: &Log<'_>, members: &[usize], bystanders: &[usize]) -> bool {
    let median = |rows: &[usize]| quantile(&log.values(rows, |session| session.gap), 0.5);
    median(members) >= (SILENCES * median(bystanders)).max(SILENCE)
}

/// Without the rows of these programs.
fn awake(log: &Log<'_>, rows: &[usize], sleepy: &Sleepy) -> Vec<usize> {
    let programs = log.columns.of_trait(Trait::UserAgent);
    rows.iter().copied().filter(|row| !sleepy.0[programs.number(*row) as usize]).collect()
}

/// Both legs failing at any age: closewatch's own host.
fn both_legs(log: &Log<'_>, route: Scope) -> Option<Cause> {
    let leg = |peer: Peer| log.open(route, |sign| sign == Sign::Reset(peer) || sign == Sign::Vanished(peer));
    let (front, back) = (leg(Peer::Client), leg(Peer::Upstream));
    if front.len() < FEW || back.len() < LEAST {
        return None;
    }
    let scope = log.sessions_of(route);
    let sleepy = sleepy(log, scope);
    let awake_scope = awake(log, scope, &sleepy);
    let front = awake(log, &front, &sleepy);
    let of_awake = awake(log, &back, &sleepy).len();
    let few =
        || front.len() >= FEW.max(of_awake / 2) && log.count(&front) >= 2.5 * CLIENT_LEG * log.count(&awake_scope);
    let front = notable(log, &front, &awake_scope, CLIENT_LEG).or_else(|| few().then(|| front.clone()))?;
    let back = notable(log, &back, scope, UPSTREAM_ENDS)?;
    // Of the same sessions: those of programs that are awake.
    let ratio = log.count(&front) / log.count(&awake(log, &back, &sleepy)).max(1.0);
    let ((from, to), (back_from, back_to)) = (log.span(&front), log.span(&back));
    let overlap = to.min(back_to) - from.max(back_from);
    if !(0.33..=3.0).contains(&ratio) || overlap < 0.5 * (to - from).max(back_to - back_from) {
        return None;
    }
    let mut members = [leg(Peer::Client), back].concat();
    members.sort_unstable();
    if log.clients(&members) < CLIENTS {
        return None;
    }
    log.explain(&members);
    let cause = Cause::new(Mechanism::RandomResets, Culprit::Proxy, &[], members);
    Some(cause.sure(0.85).because("ends of clients' connections for one of an upstream's", ratio))
}

fn upstream(log: &Log<'_>, route: Scope, sign: Sign, floor: f64) -> Option<Cause> {
    let scope = log.sessions_of(route);
    let is_reset = sign == Sign::Reset(Peer::Upstream);
    let rows = log.open(route, |other| other == sign || is_reset && other == Sign::Fin(Peer::Upstream));
    let members = notable(log, &rows, scope, floor)?;
    let bystanders = others(scope, &members);
    if log.clients(&members) < CLIENTS || are_behind_silence(log, &members, &bystanders) {
        return None;
    }
    log.explain(&members);
    let soon = log
        .values(&members, |session| session.since_message[0].min(session.idle + 10.0))
        .iter()
        .filter(|since| **since < 1.0)
        .count() as f64
        / members.len() as f64;
    let usually =
        log.values(&bystanders, |session| session.since_message[0]).iter().filter(|since| **since < 1.0).count() as f64
            / bystanders.len().max(1) as f64;
    let (mechanism, culprit, or): (_, _, &[_]) = if !is_reset {
        (Mechanism::PeerVanished, Culprit::NetworkUpstreamSide, &[Culprit::Upstream])
    } else if soon > 0.8 && usually < 0.3 {
        (Mechanism::HandlerError, Culprit::Upstream, &[])
    } else {
        (Mechanism::RandomResets, Culprit::NetworkUpstreamSide, &[Culprit::Upstream, Culprit::MiddleboxBack])
    };
    let cause = Cause::new(mechanism, culprit, or, members).sure(0.88);
    Some(cause.because("share within 1 s of a client's message", soon))
}

/// Whether a share of all is not above the one of sleep by chance alone. What one network has, and the others have not, is no chance.
fn is_beyond_chance(log: &Log<'_>, found: &[usize], all: &[usize]) -> bool {
    if shared_by(log, found, &others(all, found), Trait::Subnet, MAINLY).is_some() {
        return true;
    }
    let (count, whole) = (log.count(found), log.count(all));
    let (from, to) = log.span(found);
    let is_everywhere = to - from > 0.5 * log.length() && count < GONE * whole;
    !is_everywhere || count - 2.0 * count.sqrt() >= ASLEEP * whole
}

/// Whether programs that sleep are hit, from everywhere, and others are not: phones go from one network to another all day.
fn are_phones_only(log: &Log<'_>, found: &[usize], all: &[usize], sleepy: &Sleepy) -> bool {
    let bystanders = others(all, found);
    let has = |property| shared_by(log, found, &bystanders, property, MAINLY).is_some();
    let awake_all = log.count(&awake(log, all, sleepy));
    let share = log.count(&awake(log, found, sleepy)) / awake_all.max(1.0);
    let of_all = log.count(found) / log.count(all);
    (awake_all >= AWAKE || awake_all * of_all >= AWAKE_EXPECTED)
        && share < AWAKE_HIT * of_all
        && !has(Trait::Subnet)
        && !has(Trait::UserAgent)
}

/// Whether these ended while as many others of their network, or more, who had been there before, closed by themselves, and far more
/// than do at other times: an office goes home. No box makes anybody close.
fn left_together(log: &Log<'_>, all: &[usize], members: &[usize], network: u128) -> bool {
    let is_goodbye = |row: &usize| {
        Trait::Subnet.of(log.rows[*row]) == network
            && matches!(log.sign(*row), Some(Sign::Normal | Sign::Application(Peer::Client)))
    };
    let closed: Vec<usize> = all.iter().copied().filter(is_goodbye).collect();
    let (from, to) = log.span(members);
    let meanwhile = log.within(&closed, (from, to));
    let were_there: Vec<usize> = meanwhile.iter().copied().filter(|row| log.rows[*row].opened() < from).collect();
    let at_other_times = log.count(&closed) - log.count(meanwhile);
    let is_rush = log.count(meanwhile) * (log.length() - (to - from)) >= TOGETHER * at_other_times * (to - from);
    is_rush && to - from < 0.5 * log.length() && log.count(&were_there) >= log.count(members)
}

fn client(log: &Log<'_>, route: Scope, sign: Sign, floor: f64) -> Option<Cause> {
    let rows = log.open(route, |other| other == sign);
    if rows.len() < LEAST {
        return None;
    }
    let all = log.sessions_of(route);
    let sleepy = sleepy(log, all);
    let scope = awake(log, all, &sleepy);
    let found = notable(log, &awake(log, &rows, &sleepy), &scope, floor);
    // Of programs that sleep a few are reset or time out every day: many more are not.
    let vanished = sign == Sign::Vanished(Peer::Client);
    let (mut members, scope, least) = match found {
        Some(members) => (members, scope, NOT_PHONES),
        None if vanished => (notable(log, &rows, all, floor)?, all.to_vec(), NOT_PHONES),
        None => (
            notable(log, &rows, all, ASLEEP)
                .filter(|found| is_beyond_chance(log, found, all) && !are_phones_only(log, found, all, &sleepy))?,
            all.to_vec(),
            NOT_ASLEEP,
        ),
    };
    let is_spread = |members: &[usize]| {
        let (from, to) = log.span(members);
        let bystanders = others(all, members);
        to - from > LONG * log.length() && shared_by(log, members, &bystanders, Trait::Subnet, MAINLY).is_none()
    };
    // Here and there one falls asleep all the time. Many at one time, or of one network, do not.
    if vanished && log.count(&members) < GONE * log.count(&scope) && is_spread(&members) {
        members = stretch(log, &rows, all, GONE).filter(|members| !is_spread(members))?;
    }
    let bystanders = others(all, &members);
    let network = shared_by(log, &members, &bystanders, Trait::Subnet, MAINLY);
    let program = shared_by(log, &members, &bystanders, Trait::UserAgent, MAINLY);
    if network.is_some_and(|network| left_together(log, all, &members, network)) {
        return None;
    }
    let of_same = |row: &usize| {
        let row = &log.rows[*row];
        network.is_none_or(|value| Trait::Subnet.of(row) == value)
            && program.is_none_or(|value| Trait::UserAgent.of(row) == value)
    };
    let meanwhile = log.within(&scope, log.span(&members));
    let fins = meanwhile.iter().filter(|row| log.sign(**row) == Some(Sign::Fin(Peer::Client)) && of_same(row));
    let fins = fins.count() as f64;
    let count = members.len() as f64;
    let is_one = members.len() >= LEAST && count / (count + fins) >= least && log.clients(&members) >= CLIENTS;
    let stalled =
        members.iter().filter(|row| log.session(**row).is_some_and(|session| session.is_stalled(Peer::Client)));
    let is_stalled = !vanished && stalled.count() * 2 > members.len();
    if !is_one || !is_stalled && are_behind_silence(log, &members, &bystanders) {
        return None;
    }
    log.explain(&members);
    let hop = members.iter().take(30).filter(|row| log.is_hop(**row)).count() > 15.min(members.len() / 2);
    let (culprit, or): (_, &[_]) = if network.is_some() {
        (Culprit::NetworkClientSide, &[Culprit::MiddleboxFront])
    } else if program.is_some() {
        (Culprit::Client, &[Culprit::NetworkClientSide])
    } else if hop && !vanished {
        (Culprit::MiddleboxFront, &[Culprit::NetworkClientSide])
    } else {
        (Culprit::NetworkClientSide, &[Culprit::MiddleboxFront, Culprit::Client])
    };
    if is_stalled {
        let (side, side_network) = (Culprit::Client, Culprit::NetworkClientSide);
        let network_first = network.is_some() && program.is_none();
        let (culprit, or) = if network_first { (side_network, side) } else { (side, side_network) };
        let waits = log.values(&members, |session| f64::from(session.stalled[0]));
        return Some(
            Cause::new(Mechanism::SlowConsumer, culprit, &[or], members)
                .sure(0.87)
                .because("median time that bytes waited, s", quantile(&waits, 0.5)),
        );
    }
    let mechanism = if vanished { Mechanism::PeerVanished } else { Mechanism::RandomResets };
    let mut or = or.to_vec();
    // Clients do not choose the instance.
    if network.is_none() && shared_by(log, &members, &bystanders, Trait::Instance, MAINLY).is_some() {
        or.insert(0, Culprit::Proxy);
    }
    Some(
        Cause::new(mechanism, culprit, &or, members)
            .sure(0.87)
            .because("ends of the same clients by FIN meanwhile", fins),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kiosk_is_no_phone() {
        for phone in
            ["Shop/7.1 CFNetwork/3860", "okhttp/5.3.0", "app-ios/2", "MyAppiOS/2.1", "Mozilla/5.0 (iPhone15,3)"]
        {
            assert!(runs_on_phones(phone), "{phone}");
        }
        for other in ["Kiosk/2.0.1", "curios/1.0", "Standart/3", "Python/3.13 websockets/15.0.1", ""] {
            assert!(!runs_on_phones(other), "{other}");
        }
    }
}
