//! A box that forgets flows: they die at the first packet behind any silence longer than its limit.

use super::{CLIENTS, Cause, timer};
use crate::diagnosis::cluster::{self, quantile, surprise};
use crate::diagnosis::cohort::{LEAST, Trait, others, shared};
use crate::diagnosis::finding::{Culprit, Mechanism};
use crate::diagnosis::log::{Log, Scope};
use crate::diagnosis::row::Session;
use crate::diagnosis::sign::Sign;
use crate::wire::Peer;

/// Of all such ends so many must have had such a silence.
const MOST: f64 = 0.5;
/// So many times as many as ends at any silence would be.
const TIMES: f64 = 3.0;
/// Log-likelihood ratio against ends at any silence.
const SURE: f64 = 16.0;
/// The same for the step at the limit.
const STEEP: f64 = 10.0;
/// Both directions of so many of them may have been as silent before: not at the same time, as far as is known.
const OUTLIVED: f64 = 0.6;
/// In front at least so many of them end at a packet.
const ANSWERED: f64 = 0.1;
/// Shorter silences are the gaps of ordinary talk.
const SHORTEST: f64 = 8.0;

/// A box that forgets all flows at a moment took so many of those that were then open.
const TOOK: f64 = 0.6;
/// Their next packets are spread over this time, or it is a fall.
const SPREAD: f64 = 3.0;

/// Finds them, and explains their rows.
pub(super) fn causes(log: &Log<'_>) -> Vec<Cause> {
    let mut causes = vec![];
    if let Some(cause) = flushed(log) {
        log.explain(&cause.members);
        causes.push(cause);
    }
    let of_scope = |route: Scope| {
        let of_leg = |leg: Peer| forgets(log, route, leg).inspect(|cause| log.explain(&cause.members));
        Peer::ALL.map(of_leg)
    };
    causes.extend(log.by_scope(of_scope).into_iter().flatten().flatten());
    causes
}

/// A box in front forgot all flows at one moment, whatever their silence: each is reset at its next packet.
fn flushed(log: &Log<'_>) -> Option<Cause> {
    let hit = log.open(None, |sign| sign == Sign::Reset(Peer::Client));
    let began = |row: usize| {
        let quiet = log.session(row).map_or(0.0, |it| if it.at_packet { it.gap + it.idle } else { it.idle });
        log.at[row] - quiet
    };
    // The moment that lies in most of their last silences.
    let mut moves: Vec<(f64, i32)> = hit.iter().flat_map(|row| [(began(*row), 1), (log.at[*row], -1)]).collect();
    moves.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let (mut now, mut most, mut moment) = (0, 0, 0.0);
    for (at, step) in moves {
        now += step;
        if now > most {
            (most, moment) = (now, at);
        }
    }
    let is_hit = |row: &usize| began(*row) <= moment && log.at[*row] >= moment;
    let members: Vec<usize> = hit.iter().copied().filter(is_hit).collect();
    let (from, to) = log.span(&members);
    let at_packet = members.iter().filter(|row| log.session(**row).is_some_and(|it| it.at_packet)).count();
    if members.len() < LEAST || to - from < SPREAD || at_packet * 10 < members.len() * 7 {
        return None;
    }
    // Of one subnet, if it is only one's.
    let all = log.sessions_of(None);
    let subnet = shared(log, &members, &others(all, &members), Trait::Subnet);
    let open: Vec<usize> = all
        .iter()
        .copied()
        .filter(|row| {
            (log.rows[*row].opened()..=log.at[*row]).contains(&moment)
                && subnet.is_none_or(|subnet| Trait::Subnet.of(log.rows[*row]) == subnet)
        })
        .collect();
    // One that forgets by a limit does it all day.
    if log.count(&members) < TOOK * log.count(&open).max(log.count(&hit)) || log.clients(&members) < CLIENTS {
        return None;
    }
    let (culprit, or) = match subnet {
        Some(_) => (Culprit::NetworkClientSide, Culprit::MiddleboxFront),
        None => (Culprit::MiddleboxFront, Culprit::NetworkClientSide),
    };
    Some(
        Cause::new(Mechanism::SilentDrop, culprit, &[or], members.clone())
            .sure(0.88)
            .because("share of the sessions then open that ended", log.count(&members) / log.count(&open))
            .because("time until the last of their next packets, s", to - from),
    )
}

fn forgets(log: &Log<'_>, route: Scope, leg: Peer) -> Option<Cause> {
    let mut hit = log.open(route, |sign| sign == Sign::Reset(leg) || sign == Sign::Vanished(leg));
    let is_slow = |row: &usize| {
        log.session(*row).is_some_and(|session| session.sign == Sign::Reset(leg) && session.is_stalled(leg))
    };
    hit.retain(|row| !is_slow(row));
    if hit.len() < LEAST {
        return None;
    }
    let gaps = log.values(&hit, |session| session.gap);
    let limit = begin(&gaps)?;
    let is_longer = |row: &usize| log.session(*row).is_some_and(|session| session.gap >= limit * 0.995);
    let members: Vec<usize> = hit.iter().copied().filter(is_longer).collect();
    let at_packet = members.iter().filter(|row| log.session(**row).is_some_and(|session| session.at_packet)).count()
        as f64
        / members.len() as f64;
    // Where most of them had outlived such a silence before, silence is not what they died of.
    let outlived = |row: &&usize| {
        log.session(**row)
            .is_some_and(|session| session.survived().is_some_and(|survived| survived >= 0.98 * session.gap))
    };
    if members.iter().filter(outlived).count() as f64 > OUTLIVED * members.len() as f64 {
        return None;
    }
    let member_gaps = log.values(&members, |session| session.gap);
    let (low, high) = (quantile(&member_gaps, 0.1), quantile(&member_gaps, 0.9));
    // Ends all at one silence, in the silence, are a cut; a forgetful box shows itself at whatever packet comes next.
    let spread = (high - low) / low;
    if members.len() < LEAST || spread < 0.1 && at_packet < 0.7 {
        return None;
    }
    // One instant, or a timer, of which the silences are only a result.
    let by_timer = timer::best(log, route, leg).map_or(0, |timer| timer.members.len());
    if timer::at_instants(log, &members, |session| session.gap) || at_packet < 0.7 && by_timer * 2 > members.len() {
        return None;
    }
    let bystanders = others(log.sessions_of(route), &hit);
    let longer: Vec<usize> = bystanders.iter().copied().filter(|row| is_longer(row)).collect();
    let by_chance = (log.count(&longer) / log.count(&bystanders).max(1.0)).clamp(0.005, 0.99);
    // Had silence nothing to do with it, those with shorter ones would tell how many there are with longer.
    let expected = (hit.len() - members.len()) as f64 * by_chance / (1.0 - by_chance) + 0.5;
    let known: Vec<usize> = bystanders
        .iter()
        .copied()
        .filter(|row| log.session(*row).is_some_and(|session| session.survived().is_some()))
        .collect();
    let survived = |row: usize| log.session(row).and_then(Session::survived).unwrap_or(0.0);
    let sure = surprise(members.len() as f64, expected.max(by_chance * members.len() as f64));
    let confined = shared(log, &members, &bystanders, Trait::Subnet).is_some();
    // A box answers a packet. What comes from clients of any network in their silence is their own: phones that wake up.
    if leg == Peer::Client && at_packet < ANSWERED && !confined {
        return None;
    }
    if bystanders.len() < 5
        || sure < SURE
        || by_chance > 0.35
        || (members.len() as f64) < MOST * hit.len() as f64
        || (members.len() as f64) < TIMES * expected
        || log.clients(&members) < CLIENTS
    {
        return None;
    }
    // Where sessions survive until is known from below, too.
    let below = cluster::sorted(known.iter().map(|row| survived(*row)).filter(|silence| *silence <= limit));
    let from_below = quantile(&below, 1.0);
    // The shortest of a few is longer than the limit, by about the distance to the next.
    let quarter = quantile(&member_gaps, 0.25);
    let next = (quarter - limit).max(0.0) / (0.25 * members.len() as f64).max(1.0);
    let estimate = if from_below > 0.85 * limit { f64::midpoint(from_below, limit) } else { limit - next };
    let (culprit, or): (_, &[_]) = match leg {
        Peer::Client if confined => (Culprit::NetworkClientSide, &[Culprit::MiddleboxFront]),
        Peer::Client => (Culprit::MiddleboxFront, &[Culprit::NetworkClientSide]),
        Peer::Upstream => (Culprit::MiddleboxBack, &[Culprit::NetworkUpstreamSide]),
    };
    Some(
        Cause::new(Mechanism::SilentDrop, culprit, or, members)
            .with_limit(Some(estimate))
            .sure(0.92)
            .because("shortest silence before the end, s", limit)
            .because("longest silence that another session survived, s", from_below)
            .because("share that ended at the next packet", at_packet),
    )
}

/// Where the silences of the victims begin: the steepest step upwards.
fn begin(gaps: &[f64]) -> Option<f64> {
    // Silences begin at the limit, and lie close behind it or far apart.
    const SIDES: [f64; 3] = [1.4, 2.0, 3.0];
    let between = |from: f64, to: f64| {
        gaps.partition_point(|gap| *gap < to).saturating_sub(gaps.partition_point(|gap| *gap < from)) as f64
    };
    let candidates = gaps.iter().copied().filter(|gap| *gap >= SHORTEST);
    let steepest = |side: f64| {
        let step = |gap: f64| surprise(between(gap, gap * side), between(gap / side, gap) * side + 0.5);
        let steps = candidates.clone().map(|gap| (gap, step(gap)));
        steps.max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.total_cmp(&a.0))).filter(|(_, step)| *step >= STEEP)
    };
    // The closer look tells the limit better.
    SIDES.into_iter().find_map(steepest).map(|(gap, _)| gap)
}
