//! The pattern of a finding: what its sessions look like, so that those to come are known when they end.

use super::address::{self, Ip};
use super::cluster::{quantile, sorted};
use super::finding::{Common, Culprit, Mechanism};
use super::leg_tls::LegTls;
use super::log::Log;
use super::names::{self, Name};
use super::observation::Closed;
use super::row::Session;
use super::rules::Cause;
use super::sign::Sign;
use crate::wire::Peer;

/// Looks of the sessions of one finding.
#[derive(Clone, Debug, Default)]
pub struct Pattern {
    /// Their routes.
    routes: Vec<Name>,
    /// Its timer is a box's in front of all routes.
    before_all: bool,
    /// Signs that one in twenty of them has.
    signs: Vec<Sign>,
    /// The time that is the same for all of them, and its least and greatest value.
    clock: Option<(Clock, f64, f64)>,
    /// Instants of Unix time between which they ended, where they ended together.
    instants: Option<(f64, f64)>,
    upstream: Option<Name>,
    user_agent: Option<Name>,
    subnet: Option<Ip>,
    client_tls: Option<&'static str>,
    /// Ranks of its records and of those of its consequences, in order: the least of them, if they are many.
    marks: Vec<u64>,
}

/// One session that ended, as far as patterns look at it. What costs something is asked for only where it matters.
pub(super) struct Look<'a> {
    pub(super) closed: &'a Closed<'a>,
    pub(super) sign: Sign,
    /// When it ended, in Unix time.
    pub(super) at: f64,
    pub(super) client_tls: LegTls,
    pub(super) user_agent: &'a str,
    pub(super) client: &'a dyn Fn() -> Ip,
    pub(super) upstream: &'a dyn Fn() -> Name,
}

/// A time that a session has at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clock {
    Idle,
    Gap,
    SilentClient,
    SilentUpstream,
    Age,
}

/// Fewer than one in so many of a sign are not typical.
const RARE: usize = 20;
/// Ranks that are kept: two findings of which half of the fewer are the same are of one incident.
const MARKS: usize = 256;
/// Sessions that end so long behind a fall still belong to it.
const BEHIND: f64 = 30.0;

// === impl Pattern ===

impl Pattern {
    pub(super) fn of(log: &Log<'_>, cause: &Cause, common: &Common) -> Self {
        let (mechanism, members) = (cause.mechanism, &cause.members);
        let mut routes: Vec<Name> = members.iter().map(|row| log.rows[*row].route).collect();
        routes.sort_unstable();
        routes.dedup();
        let sessions: Vec<&Session> = members.iter().filter_map(|row| log.session(*row)).collect();
        let mut signs: Vec<(Sign, usize)> = vec![];
        for session in &sessions {
            match signs.iter_mut().find(|(sign, _)| *sign == session.sign) {
                Some((_, count)) => *count += 1,
                None => signs.push((session.sign, 1)),
            }
        }
        signs.retain(|(_, count)| count * RARE >= sessions.len());
        let (from, to) = log.span(members);
        let in_front = matches!(cause.culprit, Culprit::MiddleboxFront | Culprit::NetworkClientSide);
        let clock = Clock::of_cause(cause, &sessions);
        Self {
            routes,
            before_all: in_front && clock.is_some(),
            signs: signs.into_iter().map(|(sign, _)| sign).collect(),
            clock,
            instants: if mechanism == Mechanism::Crash {
                Some((from - 1.0, to + BEHIND))
            } else {
                // The next upstream of a roll-out may still be to come.
                (mechanism == Mechanism::UnannouncedRestart).then_some((from - 1.0, to + 4.0 * BEHIND))
            },
            upstream: common.upstream.as_deref().map(names::key),
            user_agent: common.user_agent.as_deref().map(names::key),
            subnet: common.client_subnet.is_some().then(|| subnet(log, members)),
            client_tls: common.client_tls_version,
            marks: marks(log, &[members.as_slice(), &cause.followers].concat()),
        }
    }

    /// Whether many of the records of both are the same ones: then they are two names of one incident.
    pub(super) fn shares(&self, other: &Self) -> bool {
        // Beyond the greatest rank that is kept of one nothing is known of it.
        let known = |pattern: &Self| {
            let is_part = pattern.marks.len() == MARKS;
            pattern.marks.last().filter(|_| is_part).copied().unwrap_or(u64::MAX)
        };
        let bound = known(self).min(known(other));
        let below = |pattern: &Self| pattern.marks.partition_point(|mark| *mark <= bound);
        let (mine, theirs) = (&self.marks[..below(self)], &other.marks[..below(other)]);
        let same = mine.iter().filter(|mark| theirs.binary_search(mark).is_ok()).count();
        same > 0 && same * 2 >= mine.len().min(theirs.len())
    }

    /// Whether one has no route that the other has not.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let within = |a: &Self, b: &Self| !a.routes.is_empty() && a.routes.iter().all(|route| b.routes.contains(route));
        within(self, other) || within(other, self)
    }

    /// Sessions on the routes of the other one may be of it, too.
    pub(super) fn also_on_routes_of(&mut self, other: &Self) {
        self.routes.extend(&other.routes);
        self.routes.sort_unstable();
        self.routes.dedup();
    }

    /// Whether it is of this route. One cause on several is not any route's own, nor is a box in front of them: others may meet it, too.
    pub fn is_of(&self, route: &str) -> bool {
        self.before_all || self.routes.len() > 1 || self.routes.contains(&names::key(route))
    }

    /// Whether a session that ended is one of them. Its route is not looked at.
    pub(super) fn fits(&self, look: &Look<'_>) -> bool {
        self.signs.contains(&look.sign)
            && self.clock.is_none_or(|(clock, low, high)| (low..=high).contains(&clock.of(look.closed)))
            && self.instants.is_none_or(|(from, to)| (from..=to).contains(&look.at))
            && self.client_tls.is_none_or(|version| look.client_tls.as_str() == version)
            && self.user_agent.is_none_or(|key| names::key(look.user_agent) == key)
            && self.subnet.is_none_or(|subnet| address::subnet((look.client)()) == subnet)
            // Last: it has to be written out.
            && self.upstream.is_none_or(|key| (look.upstream)() == key)
    }
}

fn marks(log: &Log<'_>, rows: &[usize]) -> Vec<u64> {
    let mut marks: Vec<u64> = rows.iter().map(|row| log.rows[*row].rank).collect();
    marks.sort_unstable();
    marks.dedup();
    marks.truncate(MARKS);
    marks.shrink_to_fit();
    marks
}

fn subnet(log: &Log<'_>, members: &[usize]) -> Ip {
    let mut subnets: Vec<Ip> = members.iter().map(|row| address::subnet(log.rows[*row].client)).collect();
    subnets.sort_unstable();
    // Most of them share it, so it is in the middle.
    subnets.get(subnets.len() / 2).copied().unwrap_or(0)
}

// === impl Clock ===

impl Clock {
    const SILENCES: [Self; 4] = [Self::Idle, Self::Gap, Self::SilentUpstream, Self::SilentClient];

    /// The clock of a mechanism that has a timer: of several silences the one that is most the same.
    fn of_cause(cause: &Cause, sessions: &[&Session]) -> Option<(Self, f64, f64)> {
        let spread = |clock: Self| {
            let times = sorted(sessions.iter().map(|session| clock.of_session(session)));
            (clock, quantile(&times, 0.02), quantile(&times, 0.98))
        };
        let (clock, low, high) = match cause.mechanism {
            Mechanism::IdleCut => Self::SILENCES.map(spread).into_iter().min_by(|a, b| {
                let width = |(_, low, high): &(Self, f64, f64)| high - low;
                width(a).total_cmp(&width(b))
            })?,
            Mechanism::MaxLifetime => spread(Self::Age),
            Mechanism::SilentDrop => {
                let (clock, low, _) = spread(Self::Gap);
                // The shortest of a few is longer than the limit.
                return Some((clock, cause.limit.unwrap_or(low).min(low) * 0.95, f64::INFINITY));
            }
            Mechanism::Crash
            | Mechanism::CrashLoop
            | Mechanism::BadInstance
            | Mechanism::HandlerError
            | Mechanism::KeepaliveTimeout
            | Mechanism::HeartbeatTimeout
            | Mechanism::MessageTooBig
            | Mechanism::AuthExpired
            | Mechanism::PolicyRejected
            | Mechanism::ProtocolError
            | Mechanism::CompressionError
            | Mechanism::BadHandshake
            | Mechanism::PeerVanished
            | Mechanism::SlowConsumer
            | Mechanism::ReconnectStorm
            | Mechanism::HandshakesRefused
            | Mechanism::CertificateRejected
            | Mechanism::RandomResets
            | Mechanism::Overload
            | Mechanism::UnannouncedRestart
            | Mechanism::InternalError => return None,
        };
        // A timer that is looked at now and then, and a limit that drifts.
        let margin = 0.5 + 0.02 * high + 0.25 * (high - low);
        Some((clock, low - margin, high + margin))
    }

    fn of_session(self, session: &Session) -> f64 {
        match self {
            Self::Idle => session.idle,
            Self::Gap => session.gap,
            Self::SilentClient => session.silent[0],
            Self::SilentUpstream => session.silent[1],
            Self::Age => session.age,
        }
    }

    fn of(self, closed: &Closed<'_>) -> f64 {
        match self {
            Self::Idle => closed.idle,
            Self::Gap => closed.gap().0,
            Self::SilentClient => closed.silent(Peer::Client),
            Self::SilentUpstream => closed.silent(Peer::Upstream),
            Self::Age => closed.duration,
        }
    }
}
